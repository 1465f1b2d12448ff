"""Connections that are kept between statements, and the end of the pool that they come from."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import pytest

from bot.adapters.postgres.connection.database import Database
from bot.adapters.postgres.connection.pool import KeptPool
from bot.ports.errors import Unreachable

# The limits of waiting are short: a busy machine must not exceed them where a test expects an answer.
pytestmark = pytest.mark.virtual_time


class PooledConnection:
    def __init__(self, number: int) -> None:
        self.number = number
        self.closed = False

    def is_closed(self) -> bool:
        return self.closed

    def terminate(self) -> None:
        self.closed = True


class Pool:
    """asyncpg's pool without a server. `released`: numbers of the connections that were given back."""

    def __init__(self) -> None:
        self.opened: list[PooledConnection] = []
        self.released: list[int] = []
        self.expired = False
        self.closing = asyncio.Event()
        self.may_close = asyncio.Event()
        self.may_close.set()

    async def acquire(self, *, timeout: float) -> PooledConnection:
        self.opened.append(PooledConnection(len(self.opened)))
        return self.opened[-1]

    async def release(self, connection: PooledConnection) -> None:
        self.released.append(connection.number)

    async def expire_connections(self) -> None:
        self.expired = True

    async def close(self) -> None:
        self.closing.set()
        await self.may_close.wait()


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch) -> Pool:
    pool = Pool()

    async def made(*given: object, **settings: Any) -> Pool:
        return pool

    monkeypatch.setattr(asyncpg, "create_pool", made)
    return pool


async def test_the_connection_that_was_used_last_is_used_next_and_not_given_back(pool: Pool) -> None:
    database = Database("postgresql://nowhere")
    async with database.connection() as first, database.connection() as second:
        assert [first.number, second.number] == [0, 1]
    for _ in range(3):
        async with database.connection() as again:
            assert again is first
    assert pool.released == []
    await database.close()
    assert sorted(pool.released) == [0, 1]


async def test_a_connection_that_failed_in_use_goes_back_to_be_mended(pool: Pool) -> None:
    database = Database("postgresql://nowhere")
    with pytest.raises(KeyError):
        async with database.connection():
            raise KeyError
    assert pool.released == [0]
    async with database.connection() as other:
        assert other.number == 1


async def test_one_that_was_closed_meanwhile_is_replaced(pool: Pool) -> None:
    database = Database("postgresql://nowhere")
    async with database.connection() as first:
        pass
    first.closed = True
    async with database.connection() as other:
        assert other is not first
    assert pool.released == [first.number]


async def test_a_server_that_is_no_longer_the_primary_costs_all_connections(pool: Pool) -> None:
    database = Database("postgresql://nowhere")
    async with database.connection():
        async with database.connection():
            pass
        with pytest.raises(Unreachable, match="ReadOnly"):
            async with database.connection():
                raise asyncpg.ReadOnlySQLTransactionError
    assert pool.expired
    assert pool.released == [1, 0]


async def test_a_connection_in_use_as_the_server_moved_is_not_kept(pool: Pool) -> None:
    database = Database("postgresql://nowhere", size=3)
    async with database.connection() as before:
        with pytest.raises(Unreachable, match="ReadOnly"):
            async with database.connection():
                raise asyncpg.ReadOnlySQLTransactionError
        async with database.connection() as after:
            pass
    assert before.closed
    assert pool.released == [1, 0]
    async with database.connection() as again:
        assert again is after


async def test_a_connection_that_was_being_opened_as_the_server_moved_is_not_kept(pool: Pool) -> None:
    database, opening, may_open = Database("postgresql://nowhere", size=3), asyncio.Event(), asyncio.Event()
    opened = pool.acquire

    async def slowly(*, timeout: float) -> PooledConnection:
        opening.set()
        await may_open.wait()
        return await opened(timeout=timeout)

    async def use() -> PooledConnection:
        async with database.connection() as connection:
            found: PooledConnection = connection
        return found

    with pytest.raises(Unreachable, match="ReadOnly"):
        async with database.connection():
            pool.acquire = slowly  # type: ignore[method-assign]
            using = asyncio.create_task(use())
            await opening.wait()
            raise asyncpg.ReadOnlySQLTransactionError
    may_open.set()
    assert (await using).closed


async def test_no_more_connections_are_used_than_allowed_and_waiting_for_one_ends(pool: Pool) -> None:
    told: list[bool] = []
    database = Database(
        "postgresql://nowhere", size=1, timeout_s=0.01, observed=lambda _, failed: told.append(failed)
    )
    async with database.connection():
        with pytest.raises(Unreachable, match="TimeoutError"):
            async with database.connection():
                pass
    async with database.connection():
        pass
    assert len(pool.opened) == 1
    assert told == [True, False, False]


async def test_a_connection_that_is_used_as_the_pool_closes_is_given_back_afterwards(pool: Pool) -> None:
    kept = await KeptPool.open("postgresql://nowhere", 2, 1.0)
    connection = await kept.take()
    await kept.close()
    await kept.put_back(connection, None)
    assert pool.released == [connection.number]


async def test_a_cancel_that_comes_as_the_pool_closes_is_not_swallowed(pool: Pool) -> None:
    pool.may_close.clear()
    database = Database("postgresql://nowhere")
    async with database.connection():
        pass
    closing = asyncio.create_task(database.close())
    await pool.closing.wait()
    pool.may_close.set()
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
