"""Health of the lanes of a server, from what is stored: nothing is asked, so it answers for hundreds at once."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from bot.domain.config import Catalog, CheckConfig, LaneConfig
from bot.domain.judge.history.served import ServedTick
from bot.domain.records import LaneRow, RolloutSummary
from bot.domain.rollout.model import Lane
from bot.domain.watch.alerts.alert import Alert
from bot.domain.watch.checks import Monitor
from bot.domain.watch.health import (
    CheckHealth,
    LaneHealth,
    ServerHealth,
    Serving,
    Strip,
    check_health,
    lane_health,
    strip,
)
from bot.domain.watch.oncall.schedule import Responders
from bot.domain.watch.rules import ERRORS, WatchState
from bot.engine.api import Within, everywhere
from bot.ports.coordination import Clock
from bot.ports.store import Store
from bot.ports.watch.monitors import Glance, MonitorKey

STRIP_S = 6 * 3600.0
_SLOTS = 72
_MOST = 500


@dataclass(frozen=True, slots=True)
class OpenedLane:
    """All that is known of one lane. at: unix seconds. called: who is on call for it. served: the last hours."""

    health: LaneHealth
    at: float
    called: Responders
    served: Sequence[ServedTick]
    config: LaneConfig


class Healths:
    """The lanes of one server, what is wrong first, then in the catalog's order. Raises `Unreachable`."""

    def __init__(
        self,
        store: Store,
        catalog: Callable[[], Catalog],
        clock: Clock,
        responders: Callable[[str | None], Awaitable[Responders]],
    ) -> None:
        self._store = store
        self._catalog = catalog
        self._clock = clock
        self._responders = responders

    async def __call__(self, guild_id: int, within: Within = everywhere) -> ServerHealth:
        configs = [c for c in self._catalog().visible(guild_id) if within(c.lane)]
        found, alerts = await self._of(guild_id, configs)
        # What concerns no lane is for those who may see all of them.
        shown = [alert for alert in alerts if within is everywhere or (alert.lane and within(alert.lane))]
        return ServerHealth(tuple(sorted(found, key=_worst_first)), tuple(shown))

    async def strips(self, lanes: Sequence[Lane]) -> Sequence[Strip]:
        """The errors of these lanes in the last hours, in their order."""
        slot_s = STRIP_S / _SLOTS
        # Slots end at round times, so a page that is drawn again has the same ones.
        until = (self._clock.now().timestamp() // slot_s + 1) * slot_s
        found = await self._store.served.strips(lanes, ERRORS, until - STRIP_S, slot_s)
        return [strip(lane, until - STRIP_S, slot_s, _SLOTS, found.get(lane, {})) for lane in lanes]

    async def lane(self, guild_id: int, service: str, environment: str) -> OpenedLane:
        """Everything about one lane. Raises `UserError` for one that the server does not have."""
        config, now = self._catalog().lane(guild_id, service, environment), self._clock.now().timestamp()
        (found, _), called, ticks = await asyncio.gather(
            self._of(guild_id, [config]),
            self._responders(config.on_call),
            self._store.served.read(config.lane, now - STRIP_S),
        )
        return OpenedLane(found[0], now, called, ticks, config)

    async def _of(
        self, guild_id: int, configs: Sequence[LaneConfig]
    ) -> tuple[Sequence[LaneHealth], Sequence[Alert]]:
        now, store = self._clock.now(), self._store
        (states, alerts, monitors), (rows, locks, active, deployed) = await asyncio.gather(
            asyncio.gather(
                store.watched.read(),
                store.alerts.open(guild_id, _MOST),
                self._monitors(configs, now.timestamp()),
            ),
            asyncio.gather(
                store.lanes.lanes(),
                store.lanes.locks(now),
                store.rollouts.active(),
                store.history.last_successes([config.lane for config in configs]),
            ),
        )
        of: dict[Lane | None, list[Alert]] = defaultdict(list)
        for alert in alerts:
            of[alert.lane].append(alert)
        known = {row.lane: row for row in rows}
        running = {each.lane: each for each in active}
        in_production = {each.lane.service for each in self._catalog().visible(guild_id) if each.gated}
        found = [
            replace(
                _budgeted(
                    _figures(config, states, tuple(of[config.lane]), monitors, now.timestamp()),
                    config,
                    in_production,
                ),
                serving=_serving(known.get(config.lane), deployed.get(config.lane)),
                active=running.get(config.lane),
                lock=locks.get(config.lane),
                drift=known[config.lane].drift.text if config.lane in known else "",
            )
            for config in configs
        ]
        return found, alerts

    async def _monitors(self, configs: Sequence[LaneConfig], now: float) -> Mapping[MonitorKey, Glance]:
        """Nothing is read where nothing is monitored."""
        if not any(check.monitor is not None for config in configs for check in config.checks):
            return {}
        return await self._store.monitors.glance(now)


def _figures(
    config: LaneConfig,
    states: Mapping[Lane, WatchState],
    alerts: tuple[Alert, ...],
    monitors: Mapping[MonitorKey, Glance],
    now: float,
) -> LaneHealth:
    lane = config.lane
    checks = tuple(
        _check(check, check.monitor, monitors.get(MonitorKey(lane, check.name)), now)
        for check in config.checks
        if check.monitor is not None
    )
    judge, rules = config.policy.judge, config.watch.rules
    return lane_health(lane, judge, states.get(lane), alerts, now, rules=rules, checks=checks)


def _check(check: CheckConfig, monitor: Monitor, seen: Glance | None, now: float) -> CheckHealth:
    if seen is None:
        return check_health(check.name, monitor, None, now, critical=check.critical)
    return check_health(
        check.name, monitor, seen.state, now, critical=check.critical, day=seen.day, week=seen.week
    )


def _budgeted(health: LaneHealth, config: LaneConfig, in_production: Collection[str]) -> LaneHealth:
    """A service's error budget is that of its production: what fails elsewhere, none of its users meets.

    Another environment has one of its own where its rollouts are refused when it is spent.
    """
    elsewhere = config.lane.service in in_production and not config.gated
    return replace(health, budget=None) if elsewhere and not config.promotion.within_budget else health


def _serving(row: LaneRow | None, deployed: RolloutSummary | None) -> Serving | None:
    """The release that has the lane, with the rollout that brought it if that is known."""
    release = row.serving if row is not None else None
    if row is None or release is None:
        return None
    if deployed is not None and deployed.to_version == release.version:
        return Serving(release.version, deployed.ended_at, deployed.requester, deployed.id)
    return Serving(release.version, row.adopted_at)


def _worst_first(health: LaneHealth) -> tuple[int, bool]:
    worst = min((alert.severity.rank for alert in health.alerts), default=9)
    return worst, health.well
