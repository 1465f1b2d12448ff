"""Clients of a router that ask one thing after the other, and what each was answered."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from tests.support.routers.client import Address, Connection, request


@dataclass
class Crowd:
    """`asked`: when each request began, and the status of its response, which is 0 for one that broke off."""

    address: Address
    asked: list[tuple[float, int]] = field(default_factory=list)
    stopped: bool = False

    async def ask(self, *, keeps: bool) -> None:
        """keeps: its connection, until the router closes it."""
        while not self.stopped:
            with contextlib.suppress(asyncio.IncompleteReadError, OSError):
                connection = await Connection.open(self.address)
                try:
                    while await self._once(connection) and keeps and not self.stopped:
                        pass
                finally:
                    connection.close()

    async def _once(self, connection: Connection) -> bool:
        """Whether its connection can be used again."""
        begun, status = time.monotonic(), 0
        try:
            await connection.send(request())
            response = await connection.receive()
            status = response.status
        finally:
            self.asked.append((begun, status))
        return response.values("connection") != ["close"]

    def statuses(self, since: float = 0.0) -> set[int]:
        return {status for begun, status in self.asked if begun >= since}

    async def count(self) -> int:
        return len(self.asked)


@contextlib.asynccontextmanager
async def crowd(address: Address, *, keeping: int = 8, leaving: int = 0) -> AsyncIterator[Crowd]:
    """So many clients that keep their connections, and that open one for each request. They stop afterwards."""
    found = Crowd(address)
    async with asyncio.TaskGroup() as clients:
        for number in range(keeping + leaving):
            clients.create_task(found.ask(keeps=number < keeping))
        try:
            yield found
        finally:
            found.stopped = True
