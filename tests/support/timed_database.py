"""A PostgreSQL with a clock that the test sets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from bot.adapters.postgres.connection.database import Database
from tests.support.clocks import FrozenClock
from tests.support.waiting import PATIENCE_S


class TimedDatabase(Database):
    """PostgreSQL with the test's clock as `now()`, on as many connections as it likes."""

    def __init__(self, dsn: str, clock: FrozenClock) -> None:
        super().__init__(f"{dsn}&search_path=virtual%2Cpublic%2Cpg_catalog", size=4, timeout_s=PATIENCE_S)
        self._clock = clock

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Any]:
        async with super().connection() as connection:
            now = self._clock.now().isoformat()
            await connection.execute("SELECT set_config('virtual.now', $1, false)", now)
            yield connection
