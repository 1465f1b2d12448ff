"""One stack for a file: its LANES, ENVIRONMENT, CATALOG, DISCORD say which."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.support.e2e.stack import CONFIG, Stack, opened
from tests.support.postgres import PostgresServer


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(request: pytest.FixtureRequest, postgres: PostgresServer) -> AsyncIterator[Stack]:
    """All that the tests of a file share: `LANES` of the file, each served by 1.4.0 under traffic."""
    name = await postgres.fresh()
    async with opened(
        request.module.LANES,
        postgres.dsn(name),
        environment=getattr(request.module, "ENVIRONMENT", None),
        config=getattr(request.module, "CATALOG", CONFIG),
        discord=getattr(request.module, "DISCORD", None),
    ) as it:
        yield it
    await postgres.drop(name)
