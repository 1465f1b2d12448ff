"""Heartbeat: tells a service outside that this process is well, so that its silence is noticed there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import aiohttp
import structlog

log = structlog.get_logger(__name__)

EVERY_S = 60.0
_WITHIN_S = 10.0


class Heartbeat:
    """Asks `url` with GET every minute while `alive`. counted: told `sent`, `failed` or `withheld` each time.

    The address is a secret, and in no line of the log.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        url: str,
        alive: Callable[[], bool],
        counted: Callable[[str], None] = lambda outcome: None,
    ) -> None:
        self._session = session
        self._url = url
        self._alive = alive
        self._counted = counted
        self._last = "sent"

    async def run(self) -> None:
        """Run until cancelled. The first beat is at once."""
        while True:
            await self.beat()
            await asyncio.sleep(EVERY_S)

    async def beat(self) -> None:
        """One beat, or none while a loop has stalled. Does not raise."""
        outcome, why = await self._beat()
        self._counted(outcome)
        if outcome != self._last:
            (log.info if outcome == "sent" else log.warning)(f"heartbeat_{outcome}", why=why)
        self._last = outcome

    async def _beat(self) -> tuple[str, str]:
        if not self._alive():
            return "withheld", "a loop has stalled"
        try:
            async with asyncio.timeout(_WITHIN_S), self._session.get(self._url) as answer:
                if answer.status >= 400:
                    return "failed", f"it answered {answer.status}"
        except TimeoutError:
            return "failed", f"no answer within {_WITHIN_S:g} s"
        except (aiohttp.ClientError, OSError) as error:
            # Some of these quote the address.
            return "failed", type(error).__name__
        return "sent", ""
