"""Queries: status, history, and everything that a card shows."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from math import ceil

from bot.domain import phrasebook
from bot.domain.config import LaneConfig, unknown
from bot.domain.judge.history.replay import JudgedTick
from bot.domain.rollout.events import Transition
from bot.domain.rollout.model import Lane, Observed, Release, Rollout
from bot.engine import api
from bot.engine.lanes import Lanes
from bot.engine.requests import why
from bot.engine.stepper import Kept
from bot.ports.errors import Unreachable
from bot.ports.store import Store

# A chart is a few hundred pixels wide, so one of a running rollout shows its last 50 minutes, or less if that is more
# points than are quickly drawn. The last one of a rollout shows all of it: a day of looks every 5 s.
_WINDOW_S, _POINTS, _WHOLE = 3000.0, 1500, 20_000
_MOST = 50


class Queries:
    """Answers for one guild: only lanes that it may see."""

    def __init__(self, store: Store, lanes: Lanes, kept: Kept) -> None:
        self._store = store
        self._lanes = lanes
        self._kept = kept

    async def status(
        self, guild_id: int, service: str | None, environment: str | None, within: api.Within
    ) -> Sequence[api.LaneStatus]:
        configs = [c for c in self._configs(guild_id, service, environment) if within(c.lane)]
        return await asyncio.gather(*(self._status(config.lane) for config in configs))

    async def _status(self, lane: Lane) -> api.LaneStatus:
        found = await self._store.lanes.situation(lane, self._lanes.now())
        observed, problem = await self._look(lane, found.active)
        stable = found.stable
        known = found.known(stable.digest) if stable else None
        return api.LaneStatus(
            lane=lane,
            desired_version=stable.version if stable else None,
            known_good=known is not None and known.known_good,
            observed=observed,
            problem=problem,
            active=found.active,
            lock=found.lock,
            drift=found.row.drift.text if found.row else "",
            words=self._lanes.words(lane),
        )

    async def _look(self, lane: Lane, active: Rollout | None) -> tuple[Observed | None, str]:
        try:
            return await self._lanes.look(lane, active), ""
        except Unreachable as error:
            return None, str(error)

    async def history(
        self,
        guild_id: int,
        service: str | None,
        environment: str | None,
        *,
        before: int | None,
        limit: int,
        within: api.Within,
    ) -> Sequence[api.RolloutSummary]:
        lanes = [c.lane for c in self._configs(guild_id, service, environment) if within(c.lane)]
        return await self._store.history.history(lanes, before, max(1, min(limit, _MOST)))

    async def card(self, rollout_id: int) -> api.RolloutView:
        """What a card says in words, without what its chart shows: one query, two when the rollout is over."""
        rollout = await self.rollout(rollout_id, None)
        locks = await self._store.lanes.locks(self._lanes.now()) if rollout.phase.final else {}
        return api.RolloutView(rollout, (), (), locks.get(rollout.lane))

    async def rollout(self, rollout_id: int, guild_id: int | None) -> Rollout:
        """The rollout alone, in one query. None: for any server."""
        loaded = await self._store.rollouts.load(rollout_id, self._kept.get(rollout_id))
        if loaded is None:
            raise phrasebook.no_rollout(rollout_id)
        found = loaded.rollout
        if guild_id is not None and guild_id not in self._lanes.catalog.guilds_of(found.lane, found.guild_id):
            raise phrasebook.no_rollout(rollout_id)
        return found

    async def log(self, rollout_id: int, guild_id: int) -> Sequence[Transition]:
        """Its audit lines, oldest first."""
        found = await self.rollout(rollout_id, guild_id)
        return await self._store.history.transitions(found.id)

    async def judged(self, rollout: Rollout) -> Sequence[JudgedTick]:
        """The ticks that the rollout's judge took."""
        return await why.ticks_of(self._store, rollout)

    async def view(self, rollout_id: int, guild_id: int | None) -> api.RolloutView:
        rollout = await self.rollout(rollout_id, guild_id)
        points = _WHOLE if rollout.phase.final else min(_POINTS, ceil(_WINDOW_S / rollout.policy.tick_s))
        series = await self._store.history.series(rollout_id, points)
        transitions = await self._store.history.transitions(rollout_id)
        locks = await self._store.lanes.locks(self._lanes.now())
        return api.RolloutView(rollout, series, transitions, locks.get(rollout.lane))

    async def releases(self, guild_id: int, service: str, environment: str) -> Sequence[Release]:
        return await self._lanes.releases(self._lanes.catalog.lane(guild_id, service, environment).lane)

    async def known_good(self, guild_id: int, service: str, environment: str) -> Sequence[Release]:
        lane = self._lanes.catalog.lane(guild_id, service, environment).lane
        found = await self._store.lanes.situation(lane, self._lanes.now())
        now = found.stable.digest if found.stable else None
        return [k.release for k in found.releases if k.known_good and k.release.digest != now]

    def _configs(self, guild_id: int, service: str | None, environment: str | None) -> list[LaneConfig]:
        """The lanes of a service and environment. Raises `UserError` that offers the closest names."""
        seen = self._lanes.catalog.visible(guild_id)
        services = {config.lane.service for config in seen}
        if service is not None and service not in services:
            raise unknown("service", service, services)
        seen = [config for config in seen if service in (None, config.lane.service)]
        environments = {config.lane.environment for config in seen}
        if environment is not None and environment not in environments:
            raise unknown("environment", environment, environments, where=f"of {service}" if service else "")
        return [config for config in seen if environment in (None, config.lane.environment)]
