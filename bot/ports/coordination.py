"""What processes share: rate limits, wake-ups, the clock."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class RateLimiter(Protocol):
    """Fixed budgets by person (or token) and category, shared by all processes where Redis is configured."""

    async def hit(self, category: str, person: int) -> float:
        """Use one; returns 0.0 when allowed, else the seconds until the next one is."""
        ...


class Waker(Protocol):
    """Tells other tasks and processes that there is work. A wake-up may be lost, so each of them polls as well."""

    async def wake(self, topic: str) -> None: ...

    async def wait(self, topic: str, timeout_s: float) -> None: ...


class Clock(Protocol):
    def now(self) -> datetime: ...
