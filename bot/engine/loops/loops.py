"""Resilient loops: a round that fails is logged and tried again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from bot.logs import new_trace_id, tracing
from bot.ports.coordination import Waker
from bot.ports.errors import Unreachable

log = structlog.get_logger(__name__)

# Pause after a round that failed, in seconds: short at first, since most outages are short.
_FIRST_RETRY_S, _LAST_RETRY_S = 0.2, 2.0


@dataclass(frozen=True, slots=True)
class Loop:
    """Repeats `once`, which does one round and returns whether there is more; if not, sleeps until woken or `poll_s`.

    gather_s: wait this long after a wake-up, so that one round does all that comes together.
    """

    name: str
    once: Callable[[], Awaitable[bool]]
    poll_s: float
    topic: str = ""
    gather_s: float = 0.0

    async def run(self, waker: Waker) -> None:
        """Run until cancelled."""
        away, pause = False, _FIRST_RETRY_S
        while True:
            try:
                with tracing(new_trace_id()):
                    more = await self.once()
            except Unreachable as error:
                if not away:
                    log.warning("loop_waiting", loop=self.name, why=str(error))
                away = True
            except Exception:
                log.exception("loop_failed", loop=self.name)
            else:
                if away:
                    log.info("loop_resumed", loop=self.name)
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
