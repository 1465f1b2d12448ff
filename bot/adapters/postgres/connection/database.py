"""The connection pool: quick to give up, quick to come back, and `Unreachable` instead of the driver's errors."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from types import TracebackType
from typing import Any, Self

import asyncpg

from bot.adapters.postgres.connection.pool import KeptPool
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
        self._pool: KeptPool | None = None
        self._opening = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            with suppress(*_AWAY):
                await pool.close()

    async def fetch(self, name: str, *args: object) -> Sequence[Row]:
        async with self.connection() as connection:
            return await self.on(connection).fetch(name, *args)

    async def one(self, name: str, *args: object, leave_out: frozenset[str] = frozenset()) -> Row | None:
        async with self.connection() as connection:
            return await self.on(connection).one(name, *args, leave_out=leave_out)

    def connection(self) -> AbstractAsyncContextManager[Any]:
        """A connection of asyncpg's, for as long as `async with`."""
        return _Use(self)

    async def pool(self) -> KeptPool:
        return self._pool or await self._open()

    def used(self, began: float, error: BaseException | None) -> None:
        """Count a use since `began`, by `time.perf_counter()`. Raises `Unreachable` for errors that mean it."""
        away = _away(error)
        failed = away is not None or isinstance(error, (Unreachable, asyncpg.PostgresError))
        self._observed(time.perf_counter() - began, failed)
        if away is not None:
            raise away from error

    @property
    def connections(self) -> tuple[int, int]:
        """Number of connections in use, and idle."""
        return self._pool.connections if self._pool is not None else (0, 0)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        async with self.connection() as connection, connection.transaction():
            yield self.on(connection)

    def on(self, connection: Any) -> Connection:
        return Connection(connection, self._timeout_s)

    async def _open(self) -> KeptPool:
        async with self._opening:
            if self._pool is None:
                self._pool = await KeptPool.open(
                    self._dsn,
                    self._size,
                    self._timeout_s,
                    command_timeout=self._timeout_s,
                    max_inactive_connection_lifetime=0,
                    max_cached_statement_lifetime=0,
                    reset=_as_it_is,
                    server_settings=_SERVER,
                )
            return self._pool


class _Use:
    """`Database.connection`. A class: each statement goes through it, and generators would cost more."""

    __slots__ = ("_began", "_connection", "_database", "_pool")

    def __init__(self, database: Database) -> None:
        self._database = database

    async def __aenter__(self) -> Any:
        self._began = time.perf_counter()
        try:
            self._pool = await self._database.pool()
            self._connection = await self._pool.take()
        except BaseException as error:
            self._database.used(self._began, error)
            raise
        return self._connection

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._pool.put_back(self._connection, error)
        finally:
            self._database.used(self._began, error)


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
    except _AWAY as error:
        away = _away(error)
        if away is None:
            raise
        raise away from error


def _away(error: BaseException | None) -> Unreachable | None:
    # A `DataError` is an `InterfaceError` by inheritance, but a mistake in this code.
    if isinstance(error, _AWAY) and not isinstance(error, asyncpg.DataError):
        return Unreachable(f"the database does not answer ({type(error).__name__})")
    return None
