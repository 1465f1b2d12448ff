"""Cache of releases from a source that is asked over the network or by a program, also for while it is away."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

import structlog

from bot.adapters.sources.releases import FoundRelease
from bot.ports.errors import Unreachable

_log = structlog.get_logger(__name__)

FRESH_S = 15.0  # autocomplete asks at every key press
PATIENCE_S = 0.5
LOOK_S = 60.0


class CachedReleases:
    """Implements `ReleaseFinder` on `look`, which raises `Unreachable`.

    The source is asked at most once in `fresh_s`, by one task that ends after `look_s`, however many callers wait for
    it. Where an older list is known, they wait for `patience_s`, and get the older one from a slow source.
    """

    def __init__(
        self,
        service: str,
        look: Callable[[], Awaitable[Sequence[FoundRelease]]],
        *,
        fresh_s: float = FRESH_S,
        patience_s: float = PATIENCE_S,
        look_s: float = LOOK_S,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._service = service
        self._look = look
        self._fresh_s = fresh_s
        self._patience_s = patience_s
        self._look_s = look_s
        self._monotonic = monotonic
        self._found: Sequence[FoundRelease] | None = None
        self._found_at = 0.0
        self._failed: Unreachable | None = None
        self._looked_at: float | None = None
        self._looking: asyncio.Task[None] | None = None

    async def find(self) -> Sequence[FoundRelease]:
        if self._looking is None and self._is_due():
            self._looking = asyncio.create_task(self._ask())
        if self._looking is not None:
            # With nothing to show, the caller's own patience counts.
            patience_s = self._patience_s if self._found is not None else None
            await asyncio.wait({self._looking}, timeout=patience_s)
        if self._found is not None:
            return self._found
        raise self._failed or Unreachable(f"The releases of {self._service} are not known yet.")

    async def find_now(self) -> Sequence[FoundRelease]:
        """What the source lists now. Raises `Unreachable`, also where an older list is known."""
        if self._looking is not None:
            await asyncio.wait({self._looking})
        self._looked_at = None
        self._failed = None
        if self._looking is None:
            self._looking = asyncio.create_task(self._ask())
        await asyncio.wait({self._looking})
        if self._failed is not None:
            raise self._failed
        return await self.find()

    def _is_due(self) -> bool:
        return self._looked_at is None or self._monotonic() - self._looked_at >= self._fresh_s

    async def _ask(self) -> None:
        try:
            async with asyncio.timeout(self._look_s):
                self._found = await self._look()
            self._found_at, self._failed = self._monotonic(), None
        except TimeoutError:
            self._fail(Unreachable(f"The releases of {self._service} were not listed in {self._look_s:g} s."))
        except Unreachable as error:
            self._fail(error)
        finally:
            self._looked_at, self._looking = self._monotonic(), None

    def _fail(self, error: Unreachable) -> None:
        self._failed = error
        age_s = round(self._monotonic() - self._found_at) if self._found is not None else None
        _log.warning("releases_unreachable", releases_of=self._service, error=str(error), list_age_s=age_s)
