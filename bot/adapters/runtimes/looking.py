"""Looks at what an engine runs: shared by those who ask, repeated, and woken by its events."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterable

from bot.ports.errors import Unreachable

log = logging.getLogger(__name__)

_BACK_S = 0.5
# How long a host that stops waits for an engine that does not answer.
_AWAY_S = 10.0


class Looks:
    """look: asks, and takes in the answer; raises `Unreachable`. pause_s: until the next one without news."""

    def __init__(self, look: Callable[[float], Awaitable[None]], pause_s: Callable[[], float]) -> None:
        self._look = look
        self._pause_s = pause_s
        self._wake = asyncio.Event()
        self._running: asyncio.Task[None] | None = None
        self._next: asyncio.Task[None] | None = None
        self._repeating: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Look soon after every call of `wake`, and now and then without one."""
        self._repeating = asyncio.create_task(self._repeat(), name="looks")

    def wake(self) -> None:
        self._wake.set()

    async def __call__(self) -> None:
        """One look that was asked for after this call; those who wait share it. Raises `Unreachable`."""
        if self._next is None:
            self._next = asyncio.create_task(self._after(self._running))
        await asyncio.shield(self._next)

    async def close(self) -> None:
        for task in (self._repeating, self._running, self._next):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    async def _after(self, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait([before])
        self._running, self._next = self._next, None
        await self._look(asyncio.get_running_loop().time())

    async def _repeat(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._pause_s()):  # `wait_for` may swallow that it is cancelled
                    await self._wake.wait()
            self._wake.clear()
            try:
                await self()
            except Unreachable as problem:
                log.warning("%s", problem)
                await asyncio.sleep(_BACK_S)
            except Exception:
                log.exception("what runs cannot be looked at")


async def exited(exits: Iterable[Awaitable[None]], ask: Callable[[], Awaitable[object]], engine: str) -> None:
    """Wait for releases that exit, unless the engine stays away: what it runs is left to the next host then."""
    loop = asyncio.get_running_loop()
    waiting = asyncio.gather(*exits)
    heard = loop.time()
    while not waiting.done():
        await asyncio.wait([waiting], timeout=_BACK_S)
        with contextlib.suppress(Unreachable):
            await ask()
            heard = loop.time()
        if loop.time() > heard + _AWAY_S:
            log.error("%s is away: what it runs is left to the next host", engine)
            waiting.cancel()
            await asyncio.wait([waiting], timeout=_BACK_S)
            return
    await waiting
