"""Time that passes only while nothing else can happen: an event loop, a clock and a PostgreSQL that agree on it.

A sleep of an hour takes no time, and everything happens in the same order in every run. A database is real, and answers
take real time: while one is awaited, virtual time stands still.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg

from bot.adapters.postgres.connection.database import Database
from bot.ports.errors import Unreachable
from tests.support.postgres import TEMPLATE, PostgresServer

EPOCH = datetime(2026, 7, 1, 9, 0, tzinfo=UTC)
# An answer of the database that takes longer than this will not come.
_REAL_S = 20.0

# `now()` of the connection, found before PostgreSQL's own, also by the defaults of columns.
_VIRTUAL_NOW = """
CREATE SCHEMA virtual;
CREATE FUNCTION virtual.now() RETURNS timestamptz LANGUAGE sql STABLE
    AS $$ SELECT current_setting('virtual.now')::timestamptz $$;
DO $$
DECLARE found record;
BEGIN
    FOR found IN SELECT table_name, column_name FROM information_schema.columns
                 WHERE table_schema = 'public' AND column_default = 'now()'
    LOOP
        EXECUTE format('ALTER TABLE public.%I ALTER %I SET DEFAULT virtual.now()', found.table_name, found.column_name);
    END LOOP;
END $$;
"""
_VIRTUAL_TEMPLATE = "virtual_template"
# A scenario is not there after a power cut; its commits need not wait for the disk.
_SETTINGS = "search_path=virtual%2Cpublic%2Cpg_catalog&synchronous_commit=off"


class VirtualLoop(asyncio.SelectorEventLoop):
    """Jumps to the next timer whenever nothing is ready and nothing real is awaited."""

    def __init__(self) -> None:
        self._at = 0.0
        self._outside = 0
        super().__init__(_Selector(self))

    def time(self) -> float:
        return self._at

    @contextmanager
    def outside(self) -> Iterator[None]:
        """Something real is awaited meanwhile."""
        self._outside += 1
        try:
            yield
        finally:
            self._outside -= 1

    @property
    def waits_outside(self) -> bool:
        return self._outside > 0

    def jump(self, seconds: float) -> None:
        self._at += seconds

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        """At once and here: a thread would come back at a time of its own."""
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:
            future.set_exception(error)
        return future


class _Selector(selectors.DefaultSelector):
    """Waits for the outside, or lets time pass where nothing outside is awaited."""

    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        if self._loop.waits_outside:
            ready = super().select(_REAL_S)
            if not ready:
                raise RuntimeError(f"the database did not answer within {_REAL_S:.0f} s")
            return ready
        if timeout is None:
            raise RuntimeError("everything waits, and nothing will ever happen")
        self._loop.jump(timeout)
        return []


def virtual_loop() -> VirtualLoop:
    """The loop that runs now."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    return loop


class VirtualClock:
    """Implements `ports.Clock`."""

    def now(self) -> datetime:
        return EPOCH + timedelta(seconds=virtual_loop().time())


class VirtualDatabase(Database):
    """One connection, so that statements come in one order, which is told the time before each use."""

    def __init__(self, dsn: str) -> None:
        separator = "&" if "?" in dsn else "?"
        super().__init__(f"{dsn}{separator}{_SETTINGS}", size=1, timeout_s=_REAL_S)
        self.away = False

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Any]:
        if self.away:
            raise Unreachable("the database is away")
        with virtual_loop().outside():
            async with super().connection() as connection:
                now = VirtualClock().now().isoformat()
                await connection.execute("SELECT set_config('virtual.now', $1, false)", now)
                yield connection

    async def close(self) -> None:
        with virtual_loop().outside():
            await super().close()


async def fresh(postgres: PostgresServer) -> str:
    """The address of a new, migrated database in virtual time."""
    admin = await asyncpg.connect(postgres.dsn())
    try:
        if not await admin.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", _VIRTUAL_TEMPLATE):
            await admin.execute(f"CREATE DATABASE {_VIRTUAL_TEMPLATE} TEMPLATE {TEMPLATE}")
            connection = await asyncpg.connect(postgres.dsn(_VIRTUAL_TEMPLATE))
            await connection.execute(_VIRTUAL_NOW)
            await connection.close()
        number = await admin.fetchval("SELECT count(*) FROM pg_database WHERE datname LIKE 'scenario\\_%'")
        await admin.execute(f"CREATE DATABASE scenario_{number} TEMPLATE {_VIRTUAL_TEMPLATE}")
    finally:
        await admin.close()
    return postgres.dsn(f"scenario_{number}")
