"""Loops that survive: a round that fails is logged and tried again, whatever it was."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from bot.logs import new_trace_id, tracing
from bot.ports.coordination import Waker
from bot.ports.errors import Unreachable
from bot.ports.store import Housekeeping

log = structlog.get_logger(__name__)

# Between rounds that fail: soon, since being away is usually short, and never in a hurry.
_FIRST_RETRY_S, _LAST_RETRY_S = 0.2, 2.0


@dataclass(frozen=True, slots=True)
class Loop:
    """`once` does one round and says whether more is waiting; if not, the loop sleeps until woken or `poll_s`.

    gather_s: how long it lets what comes together gather, so that one round does it all.
    """

    name: str
    once: Callable[[], Awaitable[bool]]
    poll_s: float
    topic: str = ""
    gather_s: float = 0.0

    async def run(self, waker: Waker) -> None:
        """Runs until cancelled."""
        away, pause = False, _FIRST_RETRY_S
        while True:
            try:
                with tracing(new_trace_id()):
                    more = await self.once()
            except Unreachable as error:
                if not away:
                    log.warning("loop_waits", loop=self.name, why=str(error))
                away = True
            except Exception:
                log.exception("loop_failed", loop=self.name)
            else:
                if away:
                    log.info("loop_goes_on", loop=self.name)
                away, pause = False, _FIRST_RETRY_S
                await self._rest(waker, more)
                continue
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LAST_RETRY_S)

    async def _rest(self, waker: Waker, more: bool) -> None:
        if more:
            await asyncio.sleep(0)
        elif self.topic:
            await waker.wait(self.topic, self.poll_s)
            if self.gather_s:
                await asyncio.sleep(self.gather_s)
        else:
            await asyncio.sleep(self.poll_s)


class LeaderLoop:
    """Which loops this process runs for all. Followers ask once a second; a leader keeps its lead by asking."""

    def __init__(self, housekeeping: Housekeeping, owner: str, ttl_s: float) -> None:
        self._housekeeping = housekeeping
        self._owner = owner
        self._ttl_s = ttl_s
        self._known: dict[str, tuple[bool, float]] = {}

    async def leads(self, name: str) -> bool:
        """Raises `Unreachable`. What two leaders do at once for a moment is caught by versions and fences."""
        now = time.monotonic()
        leads, until = self._known.get(name, (False, 0.0))
        if now < until:
            return leads
        leads = await self._housekeeping.lead(name, self._owner, self._ttl_s)
        self._known[name] = (leads, now + self._ttl_s / 3)
        return leads

    def only(self, name: str, once: Callable[[], Awaitable[bool]]) -> Callable[[], Awaitable[bool]]:
        """`once`, for the leader alone."""

        async def led() -> bool:
            return await once() if await self.leads(name) else False

        return led
