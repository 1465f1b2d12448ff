"""The database server's time, which all processes share."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import structlog

from bot.adapters.postgres.connection.database import Database
from bot.ports.errors import Unreachable

log = structlog.get_logger(__name__)

# A difference this small is the round trip: not worth a step, which could go backwards.
_STEP = timedelta(milliseconds=250)
_EVERY_S = 10.0
# Pause before the first answer, for which everything else waits.
_FIRST_S = 0.5


class DatabaseClock:
    """Implements `bot.ports.coordination.Clock`: server time, advanced by the monotonic clock between queries.

    Processes on machines with different clocks agree on it, and a step of this machine's clock does not move it. Before
    the first query it is this machine's own time: await `known` before acting on it.
    """

    def __init__(
        self,
        database: Database,
        *,
        local: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._monotonic = monotonic
        self._asked_at = monotonic()
        self._known = local()
        self._compared = asyncio.Event()

    def now(self) -> datetime:
        return self._known + timedelta(seconds=self._monotonic() - self._asked_at)

    async def known(self) -> None:
        """Returns once the server was asked; `run` asks it."""
        await self._compared.wait()

    async def ask(self) -> None:
        """Ask the server once. Raises `Unreachable`."""
        before = self._monotonic()
        row = await self._database.one("server_time")
        after = self._monotonic()
        assert row is not None
        # The server read its clock at some time between query and answer.
        there = row["now"] + timedelta(seconds=(after - before) / 2)
        here = self._known + timedelta(seconds=after - self._asked_at)
        self._compared.set()
        off = there - here
        if abs(off) <= max(_STEP, timedelta(seconds=after - before)):
            return
        log.info("clock_follows_database", seconds=round(off.total_seconds(), 3))
        self._known, self._asked_at = there, after

    async def run(self) -> None:
        """Query the server's clock regularly, until cancelled."""
        while True:
            try:
                await self.ask()
            except Unreachable:
                pass  # the monotonic clock advances it meanwhile
            except Exception:
                log.exception("clock_not_compared")
            await asyncio.sleep(_EVERY_S if self._compared.is_set() else _FIRST_S)
