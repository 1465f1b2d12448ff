"""A database that is away for longer than any deadline, while an order is reached: that order succeeded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from bot.adapters.redis.waker import EventWaker
from bot.domain.rollout.model import Action, Desired, Lane, Phase, Plan, Rollout
from bot.domain.rollout.steps import Observe, Shift, Soak
from bot.engine.api import ActRequest, DeployRequest
from bot.engine.loops.worker import Worker
from bot.engine.service import Engine
from tests.fakes.outside import FakeAnnouncer, FakeChecker, FakeMetrics, FakeReleases
from tests.fakes.store import MemoryStore
from tests.fakes.store.faulty import FaultyDatabase
from tests.fakes.target import FakeTarget
from tests.support.actors import DEV, ONCALL
from tests.support.catalogs import GUILD, PRODUCTION, V140, V150, VERIFY, catalog, policy
from tests.support.virtual_time import VirtualClock

pytestmark = pytest.mark.virtual_time

DEADLINE_S = 30.0
OUTAGE_S = 20 * DEADLINE_S


class ReachingTarget(FakeTarget):
    """The database goes away as this target has `weight`, before that can be recorded."""

    def __init__(self, database: FaultyDatabase) -> None:
        super().__init__()
        self._database = database
        self.weight: int | None = None

    async def apply(self, lane: Lane, desired: Desired) -> None:
        await super().apply(lane, desired)
        if desired.weight == self.weight:
            self.weight, self._database.away = None, True


class OneProcess:
    """An engine and its worker on a store in memory."""

    def __init__(self, plan: Plan) -> None:
        clock = VirtualClock()
        self.database = FaultyDatabase(clock.now)
        self.target = ReachingTarget(self.database)
        has = catalog(plan, policy=policy(rollback_timeout_s=DEADLINE_S))
        outside: dict[str, Any] = {
            "targets": {"local": self.target},
            "releases": FakeReleases({"checkout": [V150, V140]}),
            "clock": clock,
            "waker": EventWaker(),
        }
        self.store = MemoryStore(self.database)
        self.engine = Engine(self.store, lambda: has, **outside)
        self.worker = Worker(
            self.store,
            lambda: has,
            **outside,
            metrics={"router": FakeMetrics()},
            checker=FakeChecker(),
            announcer=FakeAnnouncer(),
            kept=self.engine.kept,
        )

    @asynccontextmanager
    async def deploying(self) -> AsyncIterator[Rollout]:
        await self.target.apply(PRODUCTION, Desired(1, V140))
        await self.target.observe(PRODUCTION)
        working = asyncio.create_task(self.worker.run())
        request = DeployRequest(GUILD, DEV, PRODUCTION.service, V150.version, PRODUCTION.environment)
        begun = await self.engine.deploy(request)
        assert isinstance(begun, Rollout)
        yield begun
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)

    async def reaches(self, rollout: Rollout, *phases: Phase) -> Rollout:
        async with asyncio.timeout(OUTAGE_S):
            while (found := await self.now(rollout)).phase not in phases:
                await asyncio.sleep(0.2)
        return found

    async def now(self, rollout: Rollout) -> Rollout:
        loaded = await self.store.rollouts.load(rollout.id)
        assert loaded is not None
        return loaded.rollout

    async def outage(self) -> None:
        """Wait until it began, and for its end."""
        async with asyncio.timeout(OUTAGE_S):
            while not self.database.away:
                await asyncio.sleep(0.05)
        await asyncio.sleep(OUTAGE_S)
        self.database.away = False


async def test_a_shift_that_was_reached_in_an_outage_goes_on() -> None:
    process = OneProcess(Plan("straight", (VERIFY, Shift(100, DEADLINE_S), Observe(5.0))))
    process.target.weight = 100
    async with process.deploying() as rollout:
        await process.outage()
        done = await process.reaches(rollout, Phase.SUCCEEDED, Phase.ROLLED_BACK, Phase.HALTED)
    assert done.phase is Phase.SUCCEEDED, done.outcome
    assert (await process.target.observe(PRODUCTION)).weight_of(V150.digest) == 100


async def test_a_rollback_that_was_reached_in_an_outage_is_not_halted() -> None:
    process = OneProcess(
        Plan("canary", (VERIFY, Shift(10, DEADLINE_S), Soak(3600.0), Shift(100, DEADLINE_S)))
    )
    async with process.deploying() as rollout:
        await process.reaches(rollout, Phase.SOAKING)
        process.target.weight = 0
        await process.engine.act(
            ActRequest(rollout_id=rollout.id, action=Action.ROLL_BACK, actor=ONCALL, guild_id=GUILD)
        )
        await process.outage()
        done = await process.reaches(rollout, Phase.ROLLED_BACK, Phase.HALTED)
    assert done.phase is Phase.ROLLED_BACK, done.outcome
    assert (await process.target.observe(PRODUCTION)).weight_of(V150.digest) == 0
