"""One Slipway process: the product's own engine, worker and clock. It can be killed at any await, and started again."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar, cast

from bot.adapters.postgres.connection.clock import DatabaseClock
from bot.adapters.postgres.connection.database import Database
from bot.adapters.redis.waker import EventWaker
from bot.engine.effects.outbox import OutboxLimits
from bot.engine.loops.worker import LoopIntervals, Worker
from bot.engine.service import Engine
from tests.fakes.store import MemoryDatabase, MemoryStore, Statement
from tests.simulation.commands import sync_step
from tests.simulation.loop import Tasks, spawn
from tests.simulation.outside import (
    LinkedAnnouncer,
    LinkedChecker,
    LinkedReleases,
    LinkedSource,
    LinkedTarget,
)
from tests.simulation.wire import Caller
from tests.support.virtual_time import VirtualClock

if TYPE_CHECKING:
    from tests.simulation.world import SimulatedWorld

T = TypeVar("T")

# Rare looks: what one process writes wakes its own loops, and the others find it at their next look.
PACE = LoopIntervals(
    orders_s=0.5,
    messages_s=2.0,
    timers_s=0.5,
    ticks_s=0.25,
    reconcile_s=3.0,
    gauge_s=60.0,
    tidy_s=60.0,
    orders=OutboxLimits(attempts=4),
    messages=OutboxLimits(attempts=4),
)


class Process:
    """`skew_s`: how far this machine's clock is off; `drift`: how much faster than time it runs."""

    def __init__(self, world: SimulatedWorld, name: str, skew_s: float, drift: float) -> None:
        self.name = name
        self._world = world
        self.caller = Caller()
        self.caller.on_death = self.kill
        self._tasks = Tasks()
        loop = asyncio.get_running_loop()
        database = _LinkedDatabase(world, self.caller)
        self.clock = DatabaseClock(
            cast(Database, database),
            local=lambda: VirtualClock().now() + timedelta(seconds=skew_s),
            monotonic=lambda: loop.time() * (1 + drift),
        )
        store, waker = MemoryStore(database), EventWaker()
        targets = {name: LinkedTarget(self.caller, target) for name, target in world.targets.items()}
        releases = LinkedReleases(self.caller, world.registry, world.releases)
        outside: dict[str, Any] = {
            "targets": targets,
            "releases": releases,
            "clock": self.clock,
            "waker": waker,
        }
        self.engine = Engine(store, lambda: world.catalog, **outside)
        self._worker = Worker(
            store,
            lambda: world.catalog,
            **outside,
            metrics={"router": LinkedSource(self.caller, world.source)},
            checker=LinkedChecker(self.caller, world.checks, world.failing),
            announcer=LinkedAnnouncer(self.caller, world.discord, world.announcer),
            kept=self.engine.kept,
            commands=sync_step(
                self.caller, world.registry, database, store, lambda: world.catalog, **outside
            ),
            intervals=PACE,
        )
        self.ready = False  # to be asked by people
        self.spawn(self.clock.run(), "clock")
        self.spawn(self._work(), "work")

    async def _work(self) -> None:
        """As the composition root does it: nothing begins before the server's time is known."""
        await self.clock.known()
        self.ready = True
        await self._worker.run()

    @property
    def alive(self) -> bool:
        return self.caller.alive

    @property
    def tasks(self) -> int:
        """How many of its tasks are not over."""
        return len(self._tasks)

    def spawn(self, coro: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
        """A task that dies with the process."""
        return spawn(self._tasks, coro, f"{self.name}:{name}")

    def kill(self) -> None:
        """Like SIGKILL: nothing that it does from now on reaches anything. What is on its way arrives."""
        if self.alive:
            self.caller.alive = False
            self._world.trace.say(self.name, "dies")
            self._world.disturbed()
            self._tasks.cancel()

    def end(self) -> None:
        """Cancel what is left of it."""
        self._tasks.cancel()


class _LinkedDatabase(MemoryDatabase):
    """The database as one process reaches it."""

    def __init__(self, world: SimulatedWorld, caller: Caller) -> None:
        super().__init__(VirtualClock().now)
        self._world = world
        self._caller = caller

    async def do(self, statement: Statement[T]) -> T:
        return await self._world.database.call(self._caller, lambda: self._world.execute(statement))

    async def one(self, name: str) -> dict[str, Any]:
        """The one statement that `DatabaseClock` sends."""
        assert name == "server_time"
        return await self._world.database.call(self._caller, lambda: {"now": VirtualClock().now()})
