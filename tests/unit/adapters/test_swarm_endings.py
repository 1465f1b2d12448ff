"""How a task of a swarm ended, while the swarm does not tell what it printed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bot.adapters.runtimes.docker.engine import DockerApi, EngineError
from bot.adapters.runtimes.docker.images import Logins
from bot.adapters.runtimes.swarm.endings import Endings
from bot.adapters.runtimes.swarm.spec import SwarmSpec
from bot.adapters.runtimes.swarm.tasks import Task
from bot.ports.errors import Unreachable

pytestmark = pytest.mark.virtual_time

SPEC = cast(SwarmSpec, SimpleNamespace(limits=SimpleNamespace(memory_bytes=0), health=None, image="web"))
ENDED = Task("t", 1, "failed", "shutdown", "task: non-zero exit (3)", 3, "c", "", None, None, {})


class ManagerEngine:
    """A manager that is asked for the logs of a task. hangs: how often that hangs before it `says` them."""

    def __init__(self, says: bytes | Exception, hangs: int = 0) -> None:
        self._says = says
        self._hangs = hangs

    @asynccontextmanager
    async def request(self, method: str, path: str, **_: Any) -> AsyncIterator[ManagerEngine]:
        assert (method, path) == ("GET", "/tasks/t/logs")
        if self._hangs:
            self._hangs -= 1
            await asyncio.sleep(3600)
        yield self

    async def read(self) -> bytes:
        if isinstance(self._says, Exception):
            raise self._says
        return self._says


async def told(engine: ManagerEngine) -> str:
    """How the task ended, as soon as that is told."""
    async with asyncio.timeout(60):
        return (await Endings(cast(DockerApi, engine), Logins(None)).tell(ENDED, SPEC, str)).how


async def test_logs_that_hung_once_are_asked_for_again() -> None:
    assert (
        await told(ManagerEngine(b"no database\n", hangs=1)) == "exited with code 3; last words: no database"
    )


@pytest.mark.parametrize(
    "engine",
    [
        ManagerEngine(b"", hangs=99),
        ManagerEngine(EngineError(500, "the log driver does not support reading")),
    ],
)
async def test_logs_that_do_not_come_leave_the_exit_code(engine: ManagerEngine) -> None:
    assert await told(engine) == "exited with code 3"


async def test_manager_that_is_away_tells_no_ending() -> None:
    with pytest.raises(Unreachable):
        await told(ManagerEngine(Unreachable("away")))
