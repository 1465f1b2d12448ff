"""The connection pool: quick to give up, quick to come back, and `Unreachable` instead of the driver's errors."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from types import TracebackType
from typing import Any, Self

import asyncpg

from bot.adapters.postgres.connection.queries import SQL, without
from bot.ports.errors import Unreachable

# Errors that mean "away". A violated constraint or a wrong query is not among them.
_AWAY = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InvalidPasswordError,
    asyncpg.InvalidCatalogNameError,
    # Transient: the transaction that lost is retried.
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
)

# The server is not, or soon no longer, the primary: this holds for every pooled connection.
_MOVED = (
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
)

# Plans are made once per connection, often while tables are still empty and a sequential scan looks cheap. Every
# statement has its index and must use it from the start.
_SERVER = {
    "application_name": "slipway",
    "jit": "off",
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
}

Row = Any
Observed = Callable[[float, bool], None]


def _unwatched(seconds: float, failed: bool) -> None:
    return None


class Database:
    """Connection pool that connects on first use, so that it can be built while the server is away.

    timeout_s: for a connection and for a statement each. Every method raises `Unreachable`.
    observed: told of every transaction and single statement: seconds, and whether the database failed it.
    """

    def __init__(
        self, dsn: str, *, size: int = 9, timeout_s: float = 1.0, observed: Observed = _unwatched
    ) -> None:
        self._dsn = dsn
        self._size = size
        self._timeout_s = timeout_s
        self._observed = observed
        self._pool: Any = None
        self._opening = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        pool, self._pool = self._pool, None
        if pool is None:
            return
        try:
            async with asyncio.timeout(2.0):
                await pool.close()
        except _AWAY:
            pool.terminate()

    async def fetch(self, name: str, *args: object) -> Sequence[Row]:
        async with self.connection() as connection:
            return await self.on(connection).fetch(name, *args)

    async def one(self, name: str, *args: object, leave_out: frozenset[str] = frozenset()) -> Row | None:
        async with self.connection() as connection:
            return await self.on(connection).one(name, *args, leave_out=leave_out)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Any]:
        began = time.perf_counter()
        failed = False
        try:
            with translated():
                pool = self._pool or await self._open()
                try:
                    async with pool.acquire(timeout=self._timeout_s) as connection:
                        yield connection
                except _MOVED:
                    await pool.expire_connections()
                    raise
        except (Unreachable, asyncpg.PostgresError):
            failed = True
            raise
        finally:
            self._observed(time.perf_counter() - began, failed)

    @property
    def connections(self) -> tuple[int, int]:
        """Number of connections in use, and idle."""
        if self._pool is None:
            return 0, 0
        idle: int = self._pool.get_idle_size()
        return self._pool.get_size() - idle, idle

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        async with self.connection() as connection, connection.transaction():
            yield self.on(connection)

    def on(self, connection: Any) -> Connection:
        return Connection(connection, self._timeout_s)

    async def _open(self) -> Any:
        async with self._opening:
            if self._pool is None:
                self._pool = await asyncpg.create_pool(
                    self._dsn,
                    min_size=0,
                    max_size=self._size,
                    timeout=self._timeout_s,
                    command_timeout=self._timeout_s,
                    max_inactive_connection_lifetime=0,
                    reset=_as_it_is,
                    server_settings=_SERVER,
                )
            return self._pool


class Connection:
    """Named queries on one connection."""

    def __init__(self, raw: Any, timeout_s: float) -> None:
        self.raw = raw
        self._timeout_s = timeout_s

    async def fetch(self, name: str, *args: object) -> Sequence[Row]:
        found: Sequence[Row] = await self.raw.fetch(SQL[name], *args)
        return found

    async def one(self, name: str, *args: object, leave_out: frozenset[str] = frozenset()) -> Row | None:
        """The first row. leave_out: parts of the query's WITH that this call does not need."""
        return await self.raw.fetchrow(without(name, leave_out) if leave_out else SQL[name], *args)


async def _as_it_is(connection: Any) -> None:
    """Reset nothing: no statement changes the session, so the usual round trip for it is saved."""


@contextmanager
def translated() -> Iterator[None]:
    """Translate errors that mean that the server is away into `Unreachable`."""
    try:
        yield
    except asyncpg.DataError:
        raise  # an `InterfaceError` by inheritance, but a mistake in this code
    except _AWAY as error:
        raise Unreachable(f"the database does not answer ({type(error).__name__})") from error
