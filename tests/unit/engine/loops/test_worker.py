"""A worker is ready when every one of its loops has finished a round."""

from __future__ import annotations

import asyncio

import pytest

from bot.adapters.redis.waker import EventWaker
from bot.engine.loops.worker import Role, Worker
from tests.fakes.outside import FakeAnnouncer, FakeChecker, FakeMetrics, FakeReleases
from tests.fakes.store import MemoryStore
from tests.fakes.store.faulty import FaultyDatabase
from tests.fakes.target import FakeTarget
from tests.support.catalogs import catalog
from tests.support.virtual_time import VirtualClock

pytestmark = pytest.mark.virtual_time


def worker(database: FaultyDatabase) -> Worker:
    return Worker(
        MemoryStore(database),
        catalog,
        targets={"local": FakeTarget()},
        releases=FakeReleases({}),
        metrics={"router": FakeMetrics()},
        checker=FakeChecker(),
        announcer=FakeAnnouncer(),
        clock=VirtualClock(),
        waker=EventWaker(),
    )


@pytest.mark.parametrize(
    ("role", "first"), [("all", "orders"), ("worker", "orders"), ("gateway", "messages")]
)
async def test_loops_that_wait_for_the_database_have_not_started(role: Role, first: str) -> None:
    database = FaultyDatabase(VirtualClock().now)
    waits = worker(database)
    assert waits.starting == ["engine"]
    database.away = True
    running = asyncio.create_task(waits.run(role))
    assert waits.starting == ["engine"]
    await asyncio.sleep(5)
    assert first in waits.starting
    database.away = False
    await asyncio.sleep(5)
    assert waits.starting == []
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert waits.starting == ["engine"]
