"""One world for a file (`LANES` and, where needed, `ENVIRONMENT` say which), on a PostgreSQL that a test may stop."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from tests.e2e.world import World, opened
from tests.support.postgres import PostgresServer, postgres_server


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(request: pytest.FixtureRequest, postgres: PostgresServer) -> AsyncIterator[World]:
    """All that the tests of a file share: `LANES` of the file, each served by 1.4.0 under traffic."""
    name = await postgres.fresh()
    environment = getattr(request.module, "ENVIRONMENT", None)
    async with opened(request.module.LANES, postgres.dsn(name), environment=environment) as it:
        yield it
    await postgres.drop(name)
