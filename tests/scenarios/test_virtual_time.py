"""Virtual time: an hour takes no time, and the database agrees on what time it is."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta

import pytest

from tests.scenarios.virtual_time import VirtualDatabase, fresh
from tests.support.postgres import PostgresServer
from tests.support.virtual_time import EPOCH, VirtualClock, VirtualLoop


def run(what: object) -> object:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(what)  # type: ignore[arg-type]


def test_an_hour_passes_at_once_and_in_order() -> None:
    seen: list[str] = []

    async def wait(seconds: float, name: str) -> None:
        await asyncio.sleep(seconds)
        seen.append(f"{name} at {VirtualClock().now() - EPOCH}")

    async def story() -> None:
        await asyncio.gather(wait(3600, "late"), wait(0.5, "soon"))

    began = time.monotonic()
    run(story())
    assert seen == ["soon at 0:00:00.500000", "late at 1:00:00"]
    assert time.monotonic() - began < 90


def test_the_database_has_the_same_time_and_takes_none(postgres: PostgresServer) -> None:
    dsn = asyncio.run(fresh(postgres))

    async def story() -> None:
        database = VirtualDatabase(dsn)
        await asyncio.sleep(90)
        async with database.connection() as connection:
            assert await connection.fetchval("SELECT now()") == EPOCH + timedelta(seconds=90)
            await connection.execute("SELECT pg_sleep(0.2)")
            await connection.execute("INSERT INTO notes (kind, key, value) VALUES ('a', 'b', '{}')")
            assert await connection.fetchval("SELECT updated_at FROM notes") == EPOCH + timedelta(seconds=90)
        assert VirtualClock().now() == EPOCH + timedelta(seconds=90)
        await database.close()

    run(story())


def test_an_answer_that_is_there_already_waits_until_nothing_else_is_left_to_do(
    postgres: PostgresServer,
) -> None:
    """Else the order of things would tell how busy the machine is."""
    dsn, seen = asyncio.run(fresh(postgres)), list[str]()

    async def ask(database: VirtualDatabase) -> None:
        async with database.connection() as connection:
            await connection.execute("SELECT 1")
        seen.append("answered")

    async def steps() -> None:
        for number in range(40):
            await asyncio.sleep(0)
            time.sleep(0.005)  # long enough for an answer to come meanwhile
            seen.append(str(number))

    async def story() -> None:
        database = VirtualDatabase(dsn)
        await ask(database)
        seen.clear()
        await asyncio.gather(ask(database), steps())
        await database.close()

    run(story())
    assert seen == [*map(str, range(40)), "answered"]


def test_waiting_for_what_will_never_happen_is_an_error() -> None:
    async def story() -> None:
        await asyncio.Event().wait()

    with pytest.raises(RuntimeError, match="nothing will ever happen"):
        run(story())
