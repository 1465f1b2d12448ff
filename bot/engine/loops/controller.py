"""The controller lease: which process judges, reconciles and watches for all."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import structlog

from bot.ports.errors import Unreachable
from bot.ports.store import Housekeeping

log = structlog.get_logger(__name__)

CONTROLLER = "controller"


class Controller:
    """Holds or seeks the lease. Renewed by `run` alone, so no loop's duration can cost it.

    ttl_s: a controller that dies is followed after this long. What two controllers do at once for a moment, because one
    of them has not noticed yet, is caught by versions and fences.
    """

    def __init__(self, housekeeping: Housekeeping, owner: str, ttl_s: float) -> None:
        self._housekeeping = housekeeping
        self._owner = owner
        self._ttl_s = ttl_s
        self._until = 0.0
        self._terms = 0

    @property
    def leads(self) -> bool:
        return time.monotonic() < self._until

    @property
    def term(self) -> int:
        """Rises whenever this process becomes the controller: who sees a new one looks at everything afresh."""
        return self._terms

    async def run(self) -> None:
        """Renew three times a lease, until cancelled."""
        while True:
            await self._renew()
            await asyncio.sleep(self._ttl_s / 3)

    async def _renew(self) -> None:
        led, asked = self.leads, time.monotonic()
        try:
            async with asyncio.timeout(self._ttl_s):
                granted = await self._housekeeping.lead(CONTROLLER, self._owner, self._ttl_s)
        except (Unreachable, TimeoutError):
            return  # the lease runs out by itself, here and there
        except Exception:
            log.exception("controller_lease_failed")
            return
        # Counted from before the question, so that it ends here before it ends in the database.
        self._until = asked + self._ttl_s if granted else 0.0
        if granted and not led:
            self._terms += 1
            log.info("controller_elected", owner=self._owner)
        elif led and not granted:
            log.warning("controller_replaced", owner=self._owner)

    def only(self, once: Callable[[], Awaitable[bool]]) -> Callable[[], Awaitable[bool]]:
        """`once`, for the controller alone."""

        async def led() -> bool:
            return await once() if self.leads else False

        return led
