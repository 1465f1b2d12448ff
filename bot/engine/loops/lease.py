"""Leases: which process does what only one may do, such as judging, or posting to Discord."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import socket
from collections.abc import Awaitable, Callable

import structlog

from bot.engine.tasks import own_cancellation_only
from bot.ports.errors import Unreachable
from bot.ports.store import Housekeeping

log = structlog.get_logger(__name__)

CONTROLLER, GATEWAY = "controller", "gateway"


class Lease:
    """Holds or seeks the lease called `name`. Only `run` renews it, so a slow loop cannot lose it.

    ttl_s: another process takes over after a dead holder's last renewal plus this. strict: while the database cannot
    be reached, the lease ends here before another process can get it; otherwise it ends when another process is seen
    to have it. Versions and fences make two holders at once harmless.
    """

    def __init__(
        self, housekeeping: Housekeeping, name: str, owner: str, ttl_s: float, *, strict: bool = True
    ) -> None:
        self._housekeeping = housekeeping
        self.name = name
        self._owner = owner
        self._ttl_s = ttl_s
        self._strict = strict
        self._until = 0.0
        self._terms = 0
        self.elsewhere = False  # another process was seen to have it
        self._asked = asyncio.Condition()

    @property
    def held(self) -> bool:
        return asyncio.get_running_loop().time() < self._until

    @property
    def term(self) -> int:
        """Rises whenever this process gets the lease. With a new term, loops read everything from the database."""
        return self._terms

    async def run(self) -> None:
        """Renew three times per `ttl_s`, until cancelled; then release the lease."""
        try:
            while True:
                await self._renew()
                async with self._asked:
                    self._asked.notify_all()
                await asyncio.sleep(self._ttl_s / 3)
        finally:
            await self._give_back()

    async def while_held(self, work: Callable[[], Awaitable[None]]) -> None:
        """Run `work` whenever this process holds the lease, and cancel it when it is lost. Returns as `work` does."""
        while True:
            await self._until_held(True)
            working = asyncio.ensure_future(work())
            losing = asyncio.ensure_future(self._until_held(False))
            try:
                await asyncio.wait({working, losing}, return_when=asyncio.FIRST_COMPLETED)
                if working.done():
                    return working.result()
            finally:
                for task in (working, losing):
                    task.cancel()
                await asyncio.gather(working, losing, return_exceptions=True)

    def only(self, once: Callable[[], Awaitable[bool]]) -> Callable[[], Awaitable[bool]]:
        """`once`, which does nothing while this process does not hold the lease."""

        async def held() -> bool:
            return await once() if self.held else False

        return held

    async def _until_held(self, wanted: bool) -> None:
        async with self._asked:
            await self._asked.wait_for(lambda: self.held is wanted)

    async def _renew(self) -> None:
        held, asked = self.held, asyncio.get_running_loop().time()
        try:
            with own_cancellation_only():
                async with asyncio.timeout(self._ttl_s):
                    granted = await self._housekeeping.lead(self.name, self._owner, self._ttl_s)
        except (Unreachable, TimeoutError):
            if held and not self._strict:
                self._until = float("inf")  # until another process is seen to have it
            return
        except Exception:
            log.exception("lease_not_renewed", lease=self.name)
            return
        self.elsewhere = not granted
        # Counted from before the query, so that it ends here before it ends in the database.
        ends = asked + self._ttl_s if self._strict else float("inf")
        self._until = ends if granted else 0.0
        if granted and not held:
            self._terms += 1
            log.info("lease_taken", lease=self.name, owner=self._owner)
        elif held and not granted:
            log.warning("lease_lost", lease=self.name, owner=self._owner)

    async def _give_back(self) -> None:
        """Release the lease, so that the next process need not wait for its end."""
        if self.held:
            self._until = 0.0
            with contextlib.suppress(Unreachable, TimeoutError):
                async with asyncio.timeout(self._ttl_s):
                    await self._housekeeping.resign(self.name, self._owner)


def process_name() -> str:
    """A unique name for this process that people can recognise: host, pid and random characters."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
