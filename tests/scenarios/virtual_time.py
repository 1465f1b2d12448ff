"""A PostgreSQL in virtual time (`tests.support.virtual_time`): time stands still while an answer is awaited."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from bot.adapters.postgres.connection.database import Database
from bot.ports.errors import Unreachable
from tests.support.postgres import TEMPLATE, PostgresServer
from tests.support.virtual_time import REAL_S, VirtualClock, virtual_loop

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


class VirtualDatabase(Database):
    """One connection, so that statements come in one order, which is told the time before each use."""

    def __init__(self, dsn: str) -> None:
        separator = "&" if "?" in dsn else "?"
        super().__init__(f"{dsn}{separator}{_SETTINGS}", size=1, timeout_s=REAL_S)
        self.away = False

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Any]:
        if self.away:
            raise Unreachable("the database is away")
        async with self.past() as connection:
            yield connection

    @asynccontextmanager
    async def past(self) -> AsyncIterator[Any]:
        """The same connection past the product, also while the database is away."""
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
        await admin.execute(
            f"CREATE DATABASE scenario_{number} TEMPLATE {_VIRTUAL_TEMPLATE} STRATEGY file_copy"
        )
    finally:
        await admin.close()
    return postgres.dsn(f"scenario_{number}")
