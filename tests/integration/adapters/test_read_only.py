"""A database that turns read-only, as a standby is after a failover: nothing that met it is used again."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

import asyncpg
import pytest

from bot.adapters.postgres.connection.database import Database
from bot.adapters.postgres.store import PostgresStore
from bot.ports.errors import Unreachable


async def switch(dsn: str, *, read_only: bool) -> None:
    """What sessions are that begin from now on."""
    connection = await asyncpg.connect(dsn, server_settings={"default_transaction_read_only": "off"})
    try:
        name = urlsplit(dsn).path.lstrip("/")
        await connection.execute(
            f'ALTER DATABASE "{name}" SET default_transaction_read_only = {"on" if read_only else "off"}'
        )
    finally:
        await connection.close()


async def written(store: PostgresStore) -> None:
    await store.notes.put_note("test", "key", {"is": "written"})


async def test_connections_that_met_a_read_only_server_are_not_used_again(dsn: str) -> None:
    await switch(dsn, read_only=True)
    async with Database(dsn, size=3) as database:
        store = PostgresStore(database)
        # Reading fills the pool with connections of which one after the other would refuse to write.
        await asyncio.gather(*(store.notes.note("test", "key") for _ in range(3)))
        await switch(dsn, read_only=False)
        with pytest.raises(Unreachable):
            await written(store)
        await asyncio.gather(*(written(store) for _ in range(3)))


async def test_a_connection_that_was_in_use_meanwhile_is_not_used_again_either(dsn: str) -> None:
    await switch(dsn, read_only=True)
    async with Database(dsn, size=3) as database:
        store = PostgresStore(database)
        async with database.connection() as reading:
            assert await reading.fetchval("SELECT count(*) FROM notes") == 0
            with pytest.raises(Unreachable):
                await written(store)
            await switch(dsn, read_only=False)
            await written(store)
            # What reads on it now is not disturbed.
            assert await reading.fetchval("SELECT count(*) FROM notes") == 1
        # The connection that was used last is taken first.
        await asyncio.gather(*(written(store) for _ in range(3)))
        assert sum(database.connections) == 3


async def test_health_fails_while_nothing_can_be_written(dsn: str) -> None:
    async with Database(dsn, size=3) as database:
        store = PostgresStore(database)
        await store.housekeeping.ping()
        async with database.connection() as connection:
            assert await connection.fetchval("SELECT count(*) FROM notes") == 0
    await switch(dsn, read_only=True)
    async with Database(dsn, size=3) as database:
        store = PostgresStore(database)
        with pytest.raises(Unreachable):
            await store.housekeeping.ping()
        await switch(dsn, read_only=False)
        await store.housekeeping.ping()
