"""Lane watcher: judges what lanes serve by their rules, tick by tick, between rollouts and beside them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import structlog

from bot.domain.config import Catalog, LaneConfig
from bot.domain.judge.evidence.counters import Signal
from bot.domain.judge.history.served import ServedTick
from bot.domain.records import RolloutSummary
from bot.domain.rollout.model import Lane, Phase
from bot.domain.watch.alerts.findings import Finding, Severity
from bot.domain.watch.health import LaneHealth, lane_health
from bot.domain.watch.latencies import RecentLatencies
from bot.domain.watch.rules import (
    ERRORS,
    RULES,
    News,
    WatchRule,
    WatchState,
    advance_signals,
    advance_watch,
    shown_now,
)
from bot.ports.coordination import Clock
from bot.ports.errors import Unreachable
from bot.ports.store import Store
from bot.ports.watch.findings import Findings

log = structlog.get_logger(__name__)

_MOST_WAITING = 20_000  # ticks, for a database that is away; the oldest are dropped
_MOST_COMPARED = 1000  # open alerts, the worst first
_SET_BACK = timedelta(seconds=1)  # less is a clock that follows another one
_TITLES = {
    "outage": "Many requests fail",
    "fast burn": "The error budget is being spent within days",
    "burn": "The error budget is being spent too fast",
    "slow burn": "The error budget will not last",
    "slow": "Requests are slow",
    "errors after a deploy": "Requests fail since the deploy",
    "slow after a deploy": "Requests are slow since the deploy",
    "gateway after a deploy": "The bot is not connected since the deploy",
    "database after a deploy": "Database queries fail since the deploy",
    "alert after a deploy": "A critical alert since the deploy",
    "health after a switch": "A critical check fails since the switch",
    "errors after a switch": "Requests fail since the switch",
    "slow after a switch": "Requests are slow since the switch",
}


class LaneWatcher:
    """Takes the ticks of the history and judge loops, and tells what it finds.

    One process does this for all (`Controller`); `term` rises when it becomes this one, which then goes on where the
    other one stopped. States are saved every `save_s` seconds, and before anything is told: ticks since then are lost
    with the process, findings are not. Values of what fires are told every `retell_s` seconds. What alerts still say
    of a rule that fires no more, or that the catalog has no more, is ended every `compare_s` seconds.
    """

    def __init__(
        self,
        store: Store,
        catalog: Callable[[], Catalog],
        findings: Findings,
        clock: Clock,
        *,
        term: Callable[[], int] = lambda: 0,
        save_s: float = 10.0,
        retell_s: float = 30.0,
        compare_s: float = 60.0,
    ) -> None:
        self._store = store
        self._catalog = catalog
        self._findings = findings
        self._clock = clock
        self._term = term
        self._save_s, self._retell_s, self._compare_s = save_s, retell_s, compare_s
        self._seen_term = -1
        self._seen: Catalog | None = None
        self._states: dict[Lane, WatchState] = {}
        self._changed: set[Lane] = set()
        # Of the release that serves, by its digest.
        self._latencies: dict[Lane, tuple[str, RecentLatencies]] = {}
        self._ticks: deque[tuple[Lane, ServedTick, str]] = deque(maxlen=_MOST_WAITING)
        self._said: deque[tuple[Lane, str, Mapping[str, Signal], float]] = deque(maxlen=_MOST_WAITING)
        # The newest of each rule: while the database is away, what cannot be told must not pile up.
        self._news: dict[tuple[Lane, str], News] = {}
        self._now = self._save_at = self._retell_at = self._compare_at = datetime.min.replace(tzinfo=UTC)

    def take(self, lane: Lane, tick: ServedTick, release: str) -> None:
        """Take a tick, to be judged in the next round. release: the digest; empty for the same as before."""
        self._ticks.append((lane, tick, release))

    def listen(self, lane: Lane, origin: str, said: Mapping[str, Signal], at: float) -> None:
        """Take what `origin` said at `at` (unix seconds), to be judged in the next round."""
        self._said.append((lane, origin, said, at))

    def health(self) -> Sequence[LaneHealth]:
        """Figures of the lanes that were watched by this process, without their alerts."""
        now, catalog = self._clock.now().timestamp(), self._catalog()
        return [
            lane_health(lane, catalog.lanes[lane].policy.judge, state, (), now)
            for lane, state in self._states.items()
            if lane in catalog.lanes
        ]

    async def once(self) -> bool:
        """One round of the loop."""
        now, catalog = self._clock.now(), self._catalog()
        if self._term() != self._seen_term:
            self._states = dict(await self._store.watched.read())
            self._latencies.clear()
            self._seen_term, self._save_at, self._retell_at, self._compare_at = self._term(), now, now, now
        elif now < self._now - _SET_BACK:
            self._save_at = self._retell_at = self._compare_at = now
        elif catalog is not self._seen:
            self._compare_at = now
        self._now, self._seen = now, catalog
        while self._ticks:
            self._judge(*self._ticks.popleft())
        while self._said:
            self._judge_signals(*self._said.popleft())
        if now >= self._save_at or self._news:
            await self._save(now)
        await self._tell(now)
        if now >= self._compare_at:
            await self._end_what_fires_no_more(now)
            self._compare_at = now + timedelta(seconds=self._compare_s)
        return False

    async def _save(self, now: datetime) -> None:
        """Before news are told: a process that comes after this one knows what it has to end."""
        self._save_at = now + timedelta(seconds=self._save_s)
        if not self._changed:
            return
        try:
            await self._store.watched.save({lane: self._states[lane] for lane in self._changed}, now)
        except Unreachable:
            self._save_at = now
            raise
        except Exception:
            # What cannot be written must not keep anyone from being told.
            log.exception("watched_lanes_not_saved", lanes=len(self._changed))
        self._changed.clear()

    def _judge(self, lane: Lane, tick: ServedTick, release: str) -> None:
        config = self._catalog().lanes.get(lane)
        if config is None:
            return
        state, news = advance_watch(config.watch.rules, self._states.get(lane, WatchState()), tick, release)
        self._states[lane] = self._timed(config, state, tick)
        self._changed.add(lane)
        self._note(lane, news)

    def _timed(self, config: LaneConfig, state: WatchState, tick: ServedTick) -> WatchState:
        """With how long requests took lately. Only that is saved: a process that takes over begins to count again."""
        if not tick.latencies:
            return state
        errors = tick.counts.get(ERRORS)
        release, known = self._latencies.get(config.lane, (state.release, RecentLatencies()))
        if release != state.release:
            known = RecentLatencies()
        known = known.plus(tick.at, tick.latencies, errors.total if errors is not None else 0)
        self._latencies[config.lane] = state.release, known
        wanted = {one.quantile for rule in config.watch.rules for one in rule.conditions if one.quantile}
        found = (known.at_quantile(quantile, tick.at) for quantile in sorted(wanted))
        return replace(state, quantiles=tuple(each for each in found if each is not None))

    def _judge_signals(self, lane: Lane, origin: str, said: Mapping[str, Signal], at: float) -> None:
        config = self._catalog().lanes.get(lane)
        if config is None or not any(
            one.signal in said for rule in config.watch.rules for one in rule.conditions
        ):
            return
        before = self._states.get(lane, WatchState())
        state, news = advance_signals(config.watch.rules, before, origin, said, at)
        self._states[lane] = state
        # What goes on being well needs no row of its own.
        if news or any(signal.bad for signal in said.values()):
            self._changed.add(lane)
        self._note(lane, news)

    def _note(self, lane: Lane, news: Iterable[News]) -> None:
        self._news |= {(lane, each.rule.name): each for each in news}

    async def _tell(self, now: datetime) -> None:
        """Tell what began and ended, and from time to time how it stands. What cannot be told waits."""
        if now >= self._retell_at:
            self._retell_at = now + timedelta(seconds=self._retell_s)
            for lane, state in self._states.items():
                config = self._catalog().lanes.get(lane)
                if config is not None and state.firing:
                    self._note(lane, shown_now(config.watch.rules, state))
        found = []
        for (lane, _), said in self._news.items():
            finding = await self._finding(lane, said, now)
            if finding is not None:
                found.append(finding)
        if found:
            await self._findings.hear(found)
        self._news = {}

    async def _end_what_fires_no_more(self, now: datetime) -> None:
        """The end of what open alerts say of rules that do not fire.

        The process that told of it may have died before it could tell the end, and a rule or a lane may have left the
        catalog: without this, such an alert would call people until one of them resolves it.
        """
        ended = [
            replace(trouble.finding, firing=False, at=now)
            for alert in await self._store.alerts.open(limit=_MOST_COMPARED)
            for trouble in alert.firing
            if trouble.finding.source == RULES and not self._fires(trouble.finding)
        ]
        if ended:
            log.info("lane_alerts_outdated", findings=[each.fingerprint for each in ended[:10]])
            await self._findings.hear(ended)

    def _fires(self, finding: Finding) -> bool:
        config = self._catalog().lanes.get(finding.lane) if finding.lane is not None else None
        if finding.lane is None or config is None:
            return False
        firing = self._states.get(finding.lane, WatchState()).firing
        return any(
            rule.name in firing and _fingerprint(finding.lane, rule) == finding.fingerprint
            for rule in config.watch.rules
        )

    async def _finding(self, lane: Lane, said: News, now: datetime) -> Finding | None:
        """None for a rule that counts only after a deploy, when there was none."""
        config, rule = self._catalog().lanes.get(lane), said.rule
        if config is None:
            return None
        if rule.after_deploy_s is not None and said.firing and not await self._deployed(lane, rule, now):
            return None
        return Finding(
            fingerprint=_fingerprint(lane, rule),
            source=RULES,
            title=_TITLES.get(rule.name, rule.name),
            at=datetime.fromtimestamp(said.at, UTC),
            firing=said.firing,
            severity=_severity(config, rule),
            lane=lane,
            value=said.value,
            limit=said.limit,
            text=said.said,
            runbook=rule.runbook,
            labels={"rule": rule.name[:100]},
            rollback=rule.rollback,
        )

    async def _deployed(self, lane: Lane, rule: WatchRule, now: datetime) -> bool:
        """Whether the newest rollout of the lane succeeded within the rule's time, and signals began with it."""
        for newest in await self._store.history.history([lane], None, 1):
            if newest.phase == Phase.SUCCEEDED and newest.ended_at is not None:
                lately = now - newest.ended_at <= timedelta(seconds=rule.after_deploy_s or 0.0)
                return lately and self._began_since(lane, rule, newest)
        return False

    def _began_since(self, lane: Lane, rule: WatchRule, newest: RolloutSummary) -> bool:
        """Whether the signals that the rule listens to are trouble since the rollout, for as long as it demands.

        What began before the rollout is none of its release's, which may be the way out of it. The time in which it
        was rolled out does not count.
        """
        signals = self._states.get(lane, WatchState()).signals
        ended_at = (newest.ended_at or newest.created_at).timestamp()
        return all(
            any(
                one.bad
                and one.since >= newest.created_at.timestamp()
                and one.at - max(one.since, ended_at) >= condition.for_s
                for one in signals.get(condition.signal, {}).values()
            )
            for condition in rule.conditions
            if condition.signal is not None
        )


def _fingerprint(lane: Lane, rule: WatchRule) -> str:
    return f"{RULES}/{lane}/{rule.name}"[:100]


def _severity(config: LaneConfig, rule: WatchRule) -> Severity:
    """Where no one decides what goes forward, no one is woken either."""
    return rule.severity if config.gated or rule.severity is Severity.LOW else Severity.MEDIUM
