"""Closing the connection pool."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from bot.adapters.postgres.connection.database import Database


class SlowPool:
    """A pool without a server, which closes when the test says so."""

    def __init__(self) -> None:
        self.closing = asyncio.Event()
        self.may_close = asyncio.Event()

    async def close(self) -> None:
        self.closing.set()
        await self.may_close.wait()

    def acquire(self, *, timeout: float) -> asyncio.Timeout:
        return asyncio.timeout(timeout)


async def test_a_cancel_that_comes_as_the_pool_closes_is_not_swallowed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pool = SlowPool()

    async def made(*given: object, **settings: object) -> SlowPool:
        return pool

    monkeypatch.setattr(asyncpg, "create_pool", made)
    database = Database("postgresql://nowhere")
    async with database.connection():
        pass
    closing = asyncio.create_task(database.close())
    await pool.closing.wait()
    pool.may_close.set()
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
