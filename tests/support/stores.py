"""One store in memory, or one on PostgreSQL, with a clock that the test moves: what contracts of stores run on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

from bot.adapters.postgres.store import PostgresStore
from bot.engine.stepper import MESSAGE_KINDS
from bot.ports.store import Store
from tests.fakes.store import MemoryDatabase, MemoryStore
from tests.scenarios.virtual_time import fresh
from tests.support.clocks import FrozenClock
from tests.support.postgres import PostgresServer
from tests.support.timed_database import TimedDatabase
from tests.support.virtual_time import EPOCH

# What a fixture that opens a store is parametrized by.
BOTH = ("memory", "postgres")


@dataclass
class StoreWorld:
    """A store under a contract; each contract adds what it writes and reads."""

    store: Store
    clock: FrozenClock
    database: MemoryDatabase | TimedDatabase

    async def messages(self) -> list[object]:
        """Claim the messages that wait to be posted."""
        claims = await self.store.effects.claim(sorted(MESSAGE_KINDS), 10, 10.0, ())
        return [claim.effect for claim in claims]


S = TypeVar("S", bound=StoreWorld)
Make = Callable[[Store, FrozenClock, MemoryDatabase | TimedDatabase], S]


@asynccontextmanager
async def opened_store(where: str, postgres: PostgresServer, make: Make[S]) -> AsyncIterator[S]:
    """An empty store, at `EPOCH`. where: one of `BOTH`."""
    clock = FrozenClock(EPOCH)
    if where == "memory":
        memory = MemoryDatabase(clock.now)
        yield make(MemoryStore(memory), clock, memory)
        return
    async with TimedDatabase(await fresh(postgres), clock) as database:
        yield make(PostgresStore(database), clock, database)
