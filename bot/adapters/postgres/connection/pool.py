"""asyncpg's pool with its connections kept between statements.

Returning a connection after a statement and taking it for the next one costs asyncpg a task and about as much processor
time as the statement itself. It opens, mends, replaces and closes them; here they are only handed from one to the next.
"""

from __future__ import annotations

import asyncio
from typing import Any, Self

import asyncpg

# The server is not, or soon no longer, the primary: this holds for every pooled connection.
_MOVED = (
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
)


class KeptPool:
    """At most `size` connections. timeout_s: for taking one."""

    def __init__(self, pool: Any, size: int, timeout_s: float) -> None:
        self._pool = pool
        self._timeout_s = timeout_s
        self._kept: list[Any] = []
        # How often the server moved, and of each connection in use, as how often it was known when it was taken.
        self._moves = 0
        self._in_use: dict[Any, int] = {}
        self._turns = asyncio.Semaphore(size)
        self._closing = False

    @classmethod
    async def open(cls, dsn: str, size: int, timeout_s: float, **options: Any) -> Self:
        """A pool that connects on first use; options: of asyncpg's."""
        pool = await asyncpg.create_pool(dsn, min_size=0, max_size=size, timeout=timeout_s, **options)
        return cls(pool, size, timeout_s)

    async def take(self) -> Any:
        """The connection that was used last, since its plans and buffers are warm, or else another one.

        Raises TimeoutError when all stay in use, and what asyncpg raises for a server that is away.
        """
        if self._turns.locked():
            async with asyncio.timeout(self._timeout_s):
                await self._turns.acquire()
        else:
            await self._turns.acquire()
        try:
            moves = self._moves
            connection = await self._next()
        except BaseException:
            self._turns.release()
            raise
        self._in_use[connection] = moves
        return connection

    async def put_back(self, connection: Any, error: BaseException | None) -> None:
        """error: with which the use of the connection ended, perhaps in the middle of a statement.

        One that was in use while another met a server that moved is closed: it may be a session of that server.
        """
        moved = self._in_use.pop(connection) != self._moves
        try:
            if error is None and not moved and not self._closing:
                self._kept.append(connection)
                return
            if moved:
                connection.terminate()  # a farewell would wait for a server that may be gone
            await self._pool.release(connection)
            if isinstance(error, _MOVED):
                self._moves += 1
                await self._pool.expire_connections()
                await self._give_back()
        finally:
            self._turns.release()

    async def close(self) -> None:
        """Close all; after two seconds without waiting for what is under way."""
        self._closing = True
        try:
            async with asyncio.timeout(2.0):
                await self._give_back()
                await self._pool.close()
        except Exception:
            self._pool.terminate()
            raise

    @property
    def connections(self) -> tuple[int, int]:
        """Number of connections in use, and idle."""
        idle = len(self._kept) + int(self._pool.get_idle_size())
        return int(self._pool.get_size()) - idle, idle

    async def _next(self) -> Any:
        while self._kept:
            connection = self._kept.pop()
            if not connection.is_closed():
                return connection
            await self._pool.release(connection)
        return await self._pool.acquire(timeout=self._timeout_s)

    async def _give_back(self) -> None:
        kept, self._kept = self._kept, []
        for connection in kept:
            await self._pool.release(connection)
