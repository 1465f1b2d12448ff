"""Rate limits by person and category with `limits`: in Redis for all processes, in memory without it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Literal

import structlog
from limits import RateLimitItem, RateLimitItemPerSecond
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.storage.redis.redispy import RedispyBridge
from limits.aio.strategies import MovingWindowRateLimiter

_log = structlog.get_logger(__name__)

# Category -> (requests, seconds) for each person; of `api_…` for each token.
BUDGETS: Mapping[str, tuple[int, int]] = {
    "read": (20, 60),
    "deploy": (10, 10),
    "admin": (5, 60),
    "api_read": (240, 60),
    "api_change": (20, 60),
}
_TIMEOUT_S = 0.25
_TRY_AGAIN_S = 5.0
_TIDY_EVERY_S = 30.0

State = Literal["memory", "redis", "degraded"]


class _Memory(MemoryStorage):
    """The library's store, cleaned every half minute instead of at every hit.

    The library cleans in a thread for each person: about a quarter of the cost of a few hundred people's presses.
    Windows are correct without it. The method is private to the library (limits 5).
    """

    _tidied = -1e9

    async def _MemoryStorage__schedule_expiry(self) -> None:  # noqa: N802
        now = time.monotonic()
        if now - self._tidied >= _TIDY_EVERY_S:
            self._tidied = now
            await super()._MemoryStorage__schedule_expiry()  # type: ignore[misc]


class BudgetLimiter:
    """Implements `bot.ports.coordination.RateLimiter`. Without Redis it counts in memory; it never raises.

    `state`: `memory` (no Redis configured), `redis`, or `degraded` (configured and away). The windows of the
    memory start empty when Redis goes away: a person may then get up to twice their budget.
    """

    def __init__(
        self,
        url: str | None = None,
        budgets: Mapping[str, tuple[int, int]] = BUDGETS,
        refused: Callable[[str], None] = lambda category: None,
    ) -> None:
        """`url`: `redis://…`, or None for this process alone. `refused` is called with the category of each refusal."""
        self._items: dict[str, RateLimitItem] = {
            category: RateLimitItemPerSecond(amount, seconds, namespace="SLIPWAY")
            for category, (amount, seconds) in budgets.items()
        }
        self._memory = MovingWindowRateLimiter(_Memory())
        self._shared = MovingWindowRateLimiter(_storage(url)) if url else None
        self._away_until = 0.0
        self._refused = refused
        self.state: State = "redis" if url else "memory"

    async def hit(self, category: str, person: int) -> float:
        """Use one; returns 0.0 when allowed, else the seconds until the next one is. Raises KeyError."""
        wait_s = await self._take(category, person)
        if wait_s > 0:
            self._refused(category)
        return wait_s

    async def _take(self, category: str, person: int) -> float:
        item = self._items[category]
        shared = self._shared
        if shared is not None and time.monotonic() >= self._away_until:
            from redis.exceptions import RedisError  # see waker.py

            try:
                async with asyncio.timeout(_TIMEOUT_S):
                    wait_s = await _hit(shared, item, category, person)
            except (RedisError, OSError, TimeoutError) as error:
                self._went_away(error)
            else:
                self._came_back()
                return wait_s
        return await _hit(self._memory, item, category, person)

    async def close(self) -> None:
        """Close connections."""
        storage = self._shared.storage if self._shared else None
        if isinstance(storage, RedisStorage) and isinstance(storage.bridge, RedispyBridge):
            await storage.bridge.storage.aclose()

    def _went_away(self, error: BaseException) -> None:
        if self.state != "degraded":
            _log.warning("redis_away", what="rate limits", error=type(error).__name__)
        self.state = "degraded"
        self._away_until = time.monotonic() + _TRY_AGAIN_S

    def _came_back(self) -> None:
        if self.state == "degraded":
            _log.info("redis_back", what="rate limits")
        self.state = "redis"


async def _hit(limiter: MovingWindowRateLimiter, item: RateLimitItem, category: str, person: int) -> float:
    if await limiter.hit(item, category, str(person)):
        return 0.0
    window = await limiter.get_window_stats(item, category, str(person))
    return max(0.1, window.reset_time - time.time())


def _storage(url: str) -> RedisStorage:
    scheme = "async+redis+unix" if url.startswith("unix:") else f"async+{url.partition(':')[0]}"
    return RedisStorage(
        f"{scheme}:{url.partition(':')[2]}",
        implementation="redispy",
        key_prefix="slipway:limits",
        socket_timeout=_TIMEOUT_S,
        socket_connect_timeout=_TIMEOUT_S,
    )
