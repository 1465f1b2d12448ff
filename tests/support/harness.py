"""A whole Slipway without Discord: the real engine on a real PostgreSQL, with everything outside of it faked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import asyncpg

from bot.adapters.postgres.connection.database import Database
from bot.adapters.postgres.store import PostgresStore
from bot.adapters.redis.waker import EventWaker
from bot.domain.config import Catalog
from bot.domain.rollout.model import Action, Actor, Desired, Lane, Phase, Release, Rollout
from bot.engine.api import ActRequest, ActResult, DeployRequest
from bot.engine.effects.outbox import OutboxLimits, Probe, no_probe
from bot.engine.loops.worker import LoopIntervals, Worker
from bot.engine.service import Engine
from bot.ports.changes import ChangeSource
from bot.ports.data_plane.metrics import MetricSource
from bot.ports.data_plane.runs import Runner
from bot.ports.data_plane.targets import DeployTarget
from bot.ports.meter import Meter
from bot.ports.preconditions import PreconditionSource
from bot.ports.releases import ReleaseSource
from bot.ports.watch.oncall import CalendarReader
from tests.fakes.outside import FakeAnnouncer, FakeChecker, FakeMetrics, FakeReleases
from tests.fakes.target import FakeTarget
from tests.support.actors import DEV
from tests.support.catalogs import GUILD, PRODUCTION, STAGING, V140, V150, V151, catalog
from tests.support.clocks import ShiftedClock
from tests.support.waiting import until

QUICK = LoopIntervals(
    orders_s=0.05,
    messages_s=0.05,
    timers_s=0.05,
    numbers_s=0.05,
    ticks_s=0.02,
    reconcile_s=0.1,
    settled_s=0.0,
    lead_s=0.6,
    orders=OutboxLimits(lease_s=1.0, renew_s=0.2, first_retry_s=0.05, attempts=3),
    messages=OutboxLimits(lease_s=1.0, renew_s=0.2, first_retry_s=0.05, attempts=3),
)
# Leases are longer than a busy machine can delay their renewal, and none is waited for: where two processes share the
# work, an effect is done again when its lease is lost.
_KEPT = OutboxLimits(lease_s=30.0, renew_s=10.0, first_retry_s=0.05, attempts=3)
STEADY = replace(QUICK, lead_s=30.0, orders=_KEPT, messages=_KEPT)
# People wait 2 s for an answer; a test on a busy machine may wait longer.
ANSWER_S = 20.0


class World:
    """What outlives an engine: the outside and the database. `open` gives an engine and a worker on it."""

    def __init__(self, dsn: str, has: Catalog | None = None, target: FakeTarget | None = None) -> None:
        self.dsn = dsn
        self.guild = GUILD
        self.catalog = has or catalog()
        self.target = target or FakeTarget()
        self.metrics = FakeMetrics()
        self.checker = FakeChecker()
        self.announcer = FakeAnnouncer()
        self.releases = FakeReleases({"checkout": [V151, V150, V140]})
        self.clock = ShiftedClock()

    async def serve(self, release: Release = V140, lanes: tuple[Lane, ...] = (STAGING, PRODUCTION)) -> None:
        """What ran before Slipway first looked."""
        for lane in lanes:
            await self.target.apply(lane, Desired(1, release))
            await self.target.observe(lane)

    @asynccontextmanager
    async def open(
        self,
        *,
        working: bool = True,
        probe: Probe = no_probe,
        meter: Meter | None = None,
        intervals: LoopIntervals = QUICK,
        preconditions: PreconditionSource | None = None,
        targets: Mapping[str, DeployTarget] | None = None,
        runner: Runner | None = None,
        changes: ChangeSource | None = None,
        answer_s: float = ANSWER_S,
        calendars: CalendarReader | None = None,
    ) -> AsyncIterator[Slipway]:
        """One process on this world; `working` says whether its loops run. targets: in place of the world's own."""
        async with Database(self.dsn, size=6, timeout_s=10.0) as database:
            slipway = Slipway(
                self,
                database,
                targets=targets or {"local": self.target},
                releases=self.releases,
                metrics={"router": self.metrics},
                meter=meter,
                runner=runner,
                changes=changes,
                probe=probe,
                intervals=intervals,
                preconditions=preconditions,
                answer_s=answer_s,
                calendars=calendars,
            )
            async with slipway.running(working):
                yield slipway


class Slipway:
    """One engine with its worker, as one process has them. `more` is what a worker takes besides."""

    def __init__(
        self,
        world: World,
        database: Database,
        *,
        targets: Mapping[str, DeployTarget],
        releases: ReleaseSource,
        metrics: Mapping[str, MetricSource],
        intervals: LoopIntervals = QUICK,
        preconditions: PreconditionSource | None = None,
        changes: ChangeSource | None = None,
        answer_s: float = ANSWER_S,
        **more: Any,
    ) -> None:
        self.world = world
        self.database = database
        self.store = PostgresStore(database)
        outside: dict[str, Any] = {"targets": targets, "releases": releases}
        inside: dict[str, Any] = {"clock": world.clock, "waker": EventWaker()}
        self.engine = Engine(
            self.store,
            lambda: world.catalog,
            **outside,
            **inside,
            answer_s=answer_s,
            preconditions=preconditions,
            changes=changes,
        )
        self.make_worker = partial(
            Worker,
            self.store,
            lambda: world.catalog,
            **outside,
            **inside,
            metrics=metrics,
            checker=world.checker,
            announcer=world.announcer,
            intervals=intervals,
            changes=changes,
            **more,
        )
        self.worker = self.make_worker(kept=self.engine.kept)

    @asynccontextmanager
    async def running(self, working: bool) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(self.worker.run())] if working else []
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def deploy(
        self, release: Release = V150, lane: Lane = STAGING, actor: Actor = DEV, **more: Any
    ) -> Rollout:
        request = DeployRequest(
            self.world.guild, actor, lane.service, release.version, lane.environment, **more
        )
        begun = await self.engine.deploy(request)
        assert isinstance(begun, Rollout)
        return begun

    async def press(self, rollout: Rollout, action: Action, actor: Actor, **more: Any) -> ActResult:
        return await self.engine.act(self.request(rollout, action, actor, **more))

    def request(self, rollout: Rollout, action: Action, actor: Actor, **more: Any) -> ActRequest:
        return ActRequest(
            **{
                "rollout_id": rollout.id,
                "action": action,
                "actor": actor,
                "guild_id": self.world.guild,
                **more,
            }
        )

    async def soaking(self, lane: Lane = PRODUCTION) -> Rollout:
        """A rollout in the middle of a soak that has been measured."""
        rollout = await self.deploy(lane=lane)
        await self.reaches(rollout, Phase.SOAKING)

        async def measured() -> Rollout | None:
            now = await self.now(rollout)
            return now if now.judge_state and now.judge_state.soak.measured_s > 0 else None

        found = await until(measured)
        assert found is not None
        return found

    async def now(self, rollout: Rollout) -> Rollout:
        loaded = await self.store.rollouts.load(rollout.id)
        assert loaded is not None
        return loaded.rollout

    async def audit(self, what: str) -> list[asyncpg.Record]:
        """The lines of the audit log about this, oldest first."""
        async with self.database.connection() as connection:
            return list(await connection.fetch("SELECT * FROM audit WHERE what = $1 ORDER BY id", what))

    async def quiet(self) -> None:
        """Until everything that was ordered is done and everything that was to be said is said."""

        async def nothing_open() -> bool:
            async with self.database.connection() as connection:
                return not await connection.fetchval(
                    "SELECT count(*) FROM effects WHERE state IN ('pending', 'leased')"
                )

        await until(nothing_open)

    async def reaches(self, rollout: Rollout | None, *phases: Phase) -> Rollout:
        """The rollout once it is in one of the phases; what it does instead is in the failure."""
        assert rollout is not None, "nothing was begun"
        try:
            return await until(lambda: self.now(rollout), lambda found: found.phase in phases)
        except TimeoutError:
            found = await self.now(rollout)
            raise AssertionError(f"still {found.phase} at step {found.step}: {found.outcome}") from None
