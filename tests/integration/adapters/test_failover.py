"""Two PostgreSQL servers behind one address: the pool sits on a primary that is lost, and a replica takes over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping

import pytest

from bot.adapters.postgres.connection.database import Database
from bot.adapters.postgres.store import PostgresStore
from bot.ports.errors import Unreachable
from tests.fakes.tcp_proxy import TcpProxy
from tests.support.postgres import PostgresServer, Standby, postgres_server
from tests.support.waiting import until

pytestmark = pytest.mark.real

SIZE = 4
# For a connection or a statement: more than a busy machine needs for one, since no write may fail but by the servers.
TIMEOUT_S = 2.0


class Failover:
    """A store on an address that leads to `primary` until it leads to `standby`."""

    def __init__(
        self, primary: PostgresServer, standby: Standby, proxy: TcpProxy, database: Database
    ) -> None:
        self.primary = primary
        self.standby = standby
        self.database = database
        self.store = PostgresStore(database)
        self._proxy = proxy

    async def begun(self) -> None:
        """The whole pool has written here, and the replica has it."""
        async with asyncio.TaskGroup() as group:
            for number in range(3 * SIZE):
                group.create_task(self.store.notes.put_note("failover", str(number), {"before": number}))
        assert sum(self.database.connections) == SIZE
        await self.standby.caught_up()

    async def promoted(self) -> None:
        await asyncio.to_thread(self.standby.promote)
        self._proxy.lead_to(self.standby.socket)

    async def writes(self) -> bool:
        try:
            await self.store.notes.put_note("failover", "after", {"is": "written"})
        except Unreachable:
            return False
        return True

    async def well(self) -> bool:
        """As `/health` asks."""
        try:
            await self.store.housekeeping.ping()
        except Unreachable:
            return False
        return True

    async def everything_works(self) -> None:
        """Every connection of the pool writes, and to the server that is the primary now."""
        await until(self.writes)
        await until(self.well)
        results = await asyncio.gather(*(self.writes() for _ in range(3 * SIZE)))
        assert all(results)
        assert await self._there("after") == {"is": "written"}
        assert await self._there("3") == {"before": 3}

    async def _there(self, key: str) -> Mapping[str, object] | None:
        name = "test_0"
        async with Database(self.standby.dsn(name), size=1, timeout_s=TIMEOUT_S) as direct:
            return await PostgresStore(direct).notes.note("failover", key)


@pytest.fixture
def servers() -> Iterator[tuple[PostgresServer, Standby]]:
    """Of one test alone: it loses the primary."""
    with postgres_server() as primary:
        asyncio.run(primary.fresh())
        with primary.standby() as standby:
            yield primary, standby


@pytest.fixture
async def failover(servers: tuple[PostgresServer, Standby]) -> AsyncIterator[Failover]:
    primary, standby = servers
    async with TcpProxy(primary.socket) as proxy:
        dsn = f"postgresql://postgres@127.0.0.1:{proxy.port}/test_0"
        async with Database(dsn, size=SIZE, timeout_s=TIMEOUT_S) as database:
            made = Failover(primary, standby, proxy, database)
            await made.begun()
            yield made


async def test_a_primary_that_became_read_only_is_left_for_the_one_that_took_over(failover: Failover) -> None:
    """Its connections stay open, and it still answers every read."""
    await failover.primary.read_only()
    await until(failover.well, lambda well: not well)
    assert not await failover.writes()
    await failover.promoted()
    await failover.everything_works()


async def test_a_primary_that_was_demoted_while_no_one_wrote_is_left_at_the_first_write(
    failover: Failover,
) -> None:
    """The address leads elsewhere, but the pool is still connected to the server that is a replica now."""
    await failover.primary.read_only()
    await failover.promoted()
    await failover.everything_works()


async def test_a_primary_that_died_is_left(failover: Failover) -> None:
    await asyncio.to_thread(failover.primary.stop)
    assert not await failover.well()
    assert not await failover.writes()
    await failover.promoted()
    await failover.everything_works()


async def test_a_primary_on_a_machine_that_hangs_is_left(failover: Failover) -> None:
    """Nothing answers, and nothing closes the connections."""
    failover.primary.freeze()
    try:
        assert not await failover.well()
        await failover.promoted()
        await failover.everything_works()
    finally:
        failover.primary.freeze(False)
