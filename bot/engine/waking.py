"""A waker for a single process: wake-ups reach the loops of this event loop, and nobody else needs them."""

from __future__ import annotations

import asyncio
from collections import defaultdict


class LocalWaker:
    """Implements `bot.ports.Waker` in memory. A wake-up without a waiter is kept for the next one."""

    def __init__(self) -> None:
        self._topics: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)

    async def wake(self, topic: str) -> None:
        self._topics[topic].set()

    async def wait(self, topic: str, timeout_s: float) -> None:
        event = self._topics[topic]
        try:
            async with asyncio.timeout(timeout_s):
                await event.wait()
        except TimeoutError:
            return
        event.clear()
