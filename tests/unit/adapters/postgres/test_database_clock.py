"""Server time: shared by all processes, untouched by steps of this machine's clock."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.adapters.postgres.connection.clock import DatabaseClock
from bot.ports.errors import Unreachable
from tests.support.waiting import PATIENCE_S

THERE = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


class DistantDatabase:
    """A database with a clock and a distance that the test sets. `at` is seconds on the monotonic clock."""

    def __init__(self) -> None:
        self.at = 1000.0
        self.ahead = timedelta()
        self.way_s = 0.0

    def monotonic(self) -> float:
        return self.at

    async def one(self, name: str) -> dict[str, Any]:
        assert name == "server_time"
        self.at += self.way_s / 2
        told = THERE + timedelta(seconds=self.at - 1000.0) + self.ahead
        self.at += self.way_s / 2
        return {"now": told}


def clock(server: Any, local: datetime) -> DatabaseClock:
    return DatabaseClock(server, local=lambda: local, monotonic=server.monotonic)


async def test_processes_on_machines_that_disagree_agree_on_the_time() -> None:
    server = DistantDatabase()
    early, late = clock(server, THERE - timedelta(minutes=10)), clock(server, THERE + timedelta(minutes=10))
    assert late.now() - early.now() == timedelta(minutes=20)
    for each in (early, late):
        await each.ask()
    server.at += 60
    assert abs(late.now() - early.now()) < timedelta(milliseconds=1)
    assert early.now() == THERE + timedelta(seconds=60)


async def test_small_differences_never_set_it_back() -> None:
    server = DistantDatabase()
    here = clock(server, THERE + timedelta(milliseconds=200))
    before = here.now()
    await here.ask()
    assert here.now() >= before


async def test_a_slow_answer_is_taken_for_the_middle_of_the_way() -> None:
    server = DistantDatabase()
    server.way_s = 0.8
    here = clock(server, THERE - timedelta(hours=1))
    await here.ask()
    assert abs(here.now() - (THERE + timedelta(seconds=0.8))) < timedelta(milliseconds=1)


async def test_a_server_with_a_changed_clock_is_followed() -> None:
    server = DistantDatabase()
    here = clock(server, THERE)
    await here.ask()
    server.ahead = timedelta(minutes=-10)
    await here.ask()
    assert here.now() == THERE - timedelta(minutes=10)


async def test_the_time_is_known_once_the_server_answered_and_it_is_asked_often_until_then() -> None:
    """A machine that is ten minutes ahead must not act on its own time while the database is away at the start."""

    class AwayAtFirst(DistantDatabase):
        asked = 0

        async def one(self, name: str) -> dict[str, Any]:
            self.asked += 1
            if self.asked < 3:
                raise Unreachable("away")
            return await super().one(name)

    server = AwayAtFirst()
    here = clock(server, THERE + timedelta(minutes=10))
    running = asyncio.create_task(here.run())
    try:
        async with asyncio.timeout(PATIENCE_S):
            await here.known()
    finally:
        running.cancel()
    assert server.asked == 3
    assert abs(here.now() - THERE) < timedelta(milliseconds=1)
