"""Looks after lanes between rollouts: adoption at the first look, drift, aborts, and rollback readiness at gates."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import structlog

from bot.domain.config import LaneConfig
from bot.domain.events import Crashed, Event
from bot.domain.model import SYSTEM, Actor, Lane, Observed, Phase, Rollout
from bot.domain.records import Entry, LaneRow, Situation
from bot.engine.matching import match
from bot.engine.places import Places
from bot.engine.sampling import crash
from bot.engine.stepping import ORDERS, Stepping
from bot.engine.ticking import aborted
from bot.ports import Store, Unreachable, Waker

log = structlog.get_logger(__name__)

REPAIR_TIMEOUT_S = 60.0
READINESS_AGE = timedelta(seconds=60)


class Reconciling:
    """Compares what is desired with what is, lane by lane. One process does this for all (`lead`)."""

    def __init__(self, store: Store, places: Places, stepping: Stepping, waker: Waker) -> None:
        self._store = store
        self._places = places
        self._stepping = stepping
        self._waker = waker

    async def once(self) -> bool:
        rows = {row.lane: row for row in await self._store.lanes.lanes()}
        await asyncio.gather(*(self._safely(config, rows) for config in self._places.catalog.lanes.values()))
        return False

    async def _safely(self, config: LaneConfig, rows: Mapping[Lane, LaneRow]) -> None:
        """One lane's trouble is not another's."""
        try:
            observed = await self._places.look(config.lane)
        except Unreachable as error:
            log.info("target_away", lane=str(config.lane), why=str(error))
            return
        if config.lane not in rows:
            if await self._places.adopt(config.lane, observed):
                log.info("lane_adopted", lane=str(config.lane))
            return
        found = await self._store.lanes.situation(config.lane, self._places.now())
        if found.active is not None:
            await self._rollout(config, found.active, observed)
        elif found.row is not None:
            await self._between(config, found, found.row, observed)

    async def _rollout(self, config: LaneConfig, rollout: Rollout, observed: Observed) -> None:
        """An active rollout owns its lane: it hears of aborts and crashes, and looks after its readiness."""
        event: Event | None = aborted(rollout, observed, self._places.now())
        if event is None and rollout.phase in (Phase.GATED, Phase.HELD):
            why = crash(rollout, observed)
            event = Crashed(self._places.now(), why) if why else None
        if event is not None:
            told = event
            await self._stepping.apply(rollout.id, lambda _: told)
        elif rollout.phase is Phase.GATED:
            await self._readiness(config, rollout)

    async def _readiness(self, config: LaneConfig, rollout: Rollout) -> None:
        now, was = await self._places.readiness(config, rollout.stable), rollout.readiness
        same = was is not None and replace(was, checked_at=None) == replace(now, checked_at=None)
        aged = was is None or was.checked_at is None or self._places.now() - was.checked_at > READINESS_AGE
        if not same or (aged and now.checked_at is not None):
            await self._stepping.amend(rollout.id, now)

    async def _between(self, config: LaneConfig, found: Situation, row: LaneRow, observed: Observed) -> None:
        """Nobody owns the lane but its row: note aborts, repair or report drift."""
        abort = observed.abort
        if abort is not None and abort.generation > row.generation:
            actor = Actor(0, abort.by, via="cli")
            why = f"{abort.by} aborted on the machine: {abort.why}".rstrip(": ")
            entry = Entry(config.lane, actor, abort.at, "host_aborted", why)
            await self._store.lanes.heard(config.lane, abort.generation, row.drift, entry)
            return
        drift = self._drift(row, observed)
        if drift and config.drift == "repair":
            await self._repair(config, row, observed, drift)
        elif drift != row.drift or observed.generation > row.generation:
            what = "drift" if drift else "drift_over"
            entry = Entry(
                config.lane, SYSTEM, self._places.now(), what, drift or f"As desired again: {row.drift}"
            )
            changed = drift != row.drift
            await self._store.lanes.heard(
                config.lane, max(observed.generation, row.generation), drift, entry if changed else None
            )

    def _drift(self, row: LaneRow, observed: Observed) -> str:
        if row.desired.stable is None and row.desired.candidate is None:
            running = next((r for r in observed.running if r.weight > 0), None)
            return f"{running.version} runs, which Slipway did not start" if running else ""
        beside = self._places.target(row.lane).capabilities.weights
        return match(row.desired, observed, beside=beside).why

    async def _repair(self, config: LaneConfig, row: LaneRow, observed: Observed, drift: str) -> None:
        """Order what is desired again, unless the last such order is still being tried."""
        if row.drift == drift and observed.generation == row.generation:
            return
        generation = max(row.generation, observed.generation) + 1
        again = replace(row, generation=generation, desired=replace(row.desired, generation=generation))
        entry = Entry(config.lane, SYSTEM, self._places.now(), "drift_repaired", drift)
        await self._store.lanes.heard(config.lane, row.generation, drift, None)
        await self._store.effects.order(again, f"lane.{config.lane}.{generation}", REPAIR_TIMEOUT_S, entry)
        await self._waker.wake(ORDERS)
