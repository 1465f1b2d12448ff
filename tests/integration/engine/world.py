"""A whole Slipway without Discord: the real engine on a real PostgreSQL, with everything outside of it faked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, TypeVar

from bot.adapters.postgres.database import Database
from bot.adapters.postgres.store import PostgresStore
from bot.adapters.redis.waker import EventWaker
from bot.domain.config import Catalog, GuildConfig, LaneConfig
from bot.domain.judge import judge
from bot.domain.rollout.model import Action, Actor, Desired, Lane, Phase, Plan, Policy, Release, Rollout
from bot.domain.rollout.steps import Gate, HttpCheck, Observe, Shift, Soak, Verify
from bot.engine.api import ActRequest, ActResult, DeployRequest
from bot.engine.effects.outbox import OutboxLimits, Probe, no_probe
from bot.engine.loops.worker import LoopIntervals, Worker
from bot.engine.service import Engine
from bot.ports.meter import Meter
from tests.fakes.people import FakeAnnouncer, FakeChecker, FakeMetrics, FakeReleases, ManualClock
from tests.fakes.target import FakeTarget

T = TypeVar("T")

GUILD = 42
STAGING, PRODUCTION = Lane("checkout", "staging"), Lane("checkout", "production")
V140, V150, V151 = (
    Release("checkout", version, f"sha256:{version}", spec={"command": ["serve", version]})
    for version in ("1.4.0", "1.5.0", "1.5.1")
)
DEV = Actor(1, "dev", frozenset({"deployer"}))
LEAD = Actor(2, "lead", frozenset({"release-manager"}))
LEAD2 = Actor(3, "lead2", frozenset({"release-manager"}))
ONCALL = Actor(4, "oncall", frozenset({"on-call"}))
GUEST = Actor(5, "guest")

VERIFY = Verify((HttpCheck("/healthz"),), timeout_s=5.0)
STRAIGHT = Plan("staging", (VERIFY, Shift(100, 5.0), Observe(0.1)))
GATED = Plan(
    "production",
    (VERIFY, Gate("go", "release-manager"), Shift(10, 5.0), Soak(0.2), Shift(100, 5.0), Observe(0.1)),
)
QUICK = LoopIntervals(
    orders_s=0.05,
    messages_s=0.05,
    timers_s=0.05,
    ticks_s=0.02,
    reconcile_s=0.1,
    lead_s=0.6,
    orders=OutboxLimits(lease_s=1.0, renew_s=0.2, first_retry_s=0.05, attempts=3),
    messages=OutboxLimits(lease_s=1.0, renew_s=0.2, first_retry_s=0.05, attempts=3),
)


def policy(**changes: Any) -> Policy:
    objectives = (judge.Objective("errors", "errors", 0.01), judge.Objective("p99", "latency", 0.01, 1.0))
    judging = judge.JudgePolicy(
        objectives=objectives, min_requests=50, planned_ticks=20, tick_s=0.05, settle_s=0.0, error_limit_s=0.2
    )
    usual = Policy(
        judge=judging,
        tick_s=0.05,
        rollback_roles=("on-call", "release-manager"),
        operate_roles=("release-manager", "deployer"),
        rollback_timeout_s=5.0,
        notify_roles=("on-call",),
    )
    return replace(usual, **changes)


def catalog(production: Plan = GATED, **changes: Any) -> Catalog:
    """Two environments of one service; `changes` are fields of production's `LaneConfig`."""
    staging = LaneConfig(
        STAGING, (GUILD,), STRAIGHT, policy(), "local", ("router",), ("deployer",), ("release-manager",)
    )
    usual = replace(staging, lane=PRODUCTION, plan=production)
    lanes = {STAGING: staging, PRODUCTION: replace(usual, **changes)}
    guild = GuildConfig(GUILD, "demo", {}, {}, panic_roles=("on-call",))
    return Catalog({GUILD: guild}, lanes, "1")


class World:
    """What outlives an engine: the outside and the database. `open` gives an engine and a worker on it."""

    def __init__(self, dsn: str, has: Catalog | None = None, target: FakeTarget | None = None) -> None:
        self.dsn = dsn
        self.catalog = has or catalog()
        self.target = target or FakeTarget()
        self.metrics = FakeMetrics()
        self.checker = FakeChecker()
        self.announcer = FakeAnnouncer()
        self.releases = FakeReleases({"checkout": [V151, V150, V140]})
        self.clock = ManualClock()

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
    ) -> AsyncIterator[Slipway]:
        async with Database(self.dsn, size=6) as database:
            slipway = Slipway(self, database, probe, meter, intervals)
            async with slipway.working() if working else slipway.idle():
                yield slipway


class Slipway:
    """One engine with its worker, as one process has them."""

    def __init__(
        self, world: World, database: Database, probe: Probe, meter: Meter | None, intervals: LoopIntervals
    ) -> None:
        self.world = world
        self.database = database
        self.store = PostgresStore(database)
        waker = EventWaker()
        self.engine = Engine(
            self.store,
            lambda: world.catalog,
            targets={"local": world.target},
            releases=world.releases,
            clock=world.clock,
            waker=waker,
        )
        self.worker = Worker(
            self.store,
            lambda: world.catalog,
            targets={"local": world.target},
            releases=world.releases,
            metrics={"router": world.metrics},
            checker=world.checker,
            announcer=world.announcer,
            clock=world.clock,
            waker=waker,
            meter=meter,
            probe=probe,
            intervals=intervals,
        )

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.worker.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    @asynccontextmanager
    async def idle(self) -> AsyncIterator[None]:
        yield

    async def deploy(
        self, release: Release = V150, lane: Lane = STAGING, actor: Actor = DEV, **more: Any
    ) -> Rollout:
        request = DeployRequest(GUILD, actor, lane.service, release.version, lane.environment, **more)
        begun = await self.engine.deploy(request)
        assert isinstance(begun, Rollout)
        return begun

    async def press(self, rollout: Rollout, action: Action, actor: Actor, **more: Any) -> ActResult:
        return await self.engine.act(self.request(rollout, action, actor, **more))

    def request(self, rollout: Rollout, action: Action, actor: Actor, **more: Any) -> ActRequest:
        return ActRequest(
            **{"rollout_id": rollout.id, "action": action, "actor": actor, "guild_id": GUILD, **more}
        )

    async def now(self, rollout: Rollout) -> Rollout:
        loaded = await self.store.rollouts.load(rollout.id)
        assert loaded is not None
        return loaded.rollout

    async def quiet(self) -> None:
        """Until everything that was ordered is done and everything that was to be said is said."""

        async def nothing_open() -> bool:
            async with self.database.connection() as connection:
                return not await connection.fetchval(
                    "SELECT count(*) FROM effects WHERE state IN ('pending', 'leased')"
                )

        await until(nothing_open)

    async def reaches(self, rollout: Rollout, *phases: Phase, within_s: float = 10.0) -> Rollout:
        """The rollout once it is in one of the phases; what it does instead is in the failure."""

        async def there() -> Rollout | None:
            found = await self.now(rollout)
            return found if found.phase in phases else None

        try:
            return await until(there, within_s)
        except TimeoutError:
            found = await self.now(rollout)
            raise AssertionError(f"still {found.phase} at step {found.step}: {found.outcome}") from None


async def until(what: Callable[[], Awaitable[T | None]], within_s: float = 10.0) -> T:
    async with asyncio.timeout(within_s):
        while True:
            found = await what()
            if found:
                return found
            await asyncio.sleep(0.02)
