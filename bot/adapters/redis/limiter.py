"""Rate limits by person and category: in Redis for all processes, in the memory of this one without it."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Literal

import structlog

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


class _Windows:
    """Moving windows in memory: when each person was allowed something, by the clock that never goes back."""

    def __init__(self, budgets: Mapping[str, tuple[int, int]]) -> None:
        self._budgets = budgets
        self._allowed: dict[tuple[str, int], deque[float]] = {}
        self._tidied = time.monotonic()

    def hit(self, category: str, person: int) -> float:
        """As of `BudgetLimiter.hit`."""
        now, (amount, seconds) = time.monotonic(), self._budgets[category]
        self._tidy(now)
        times = self._allowed.setdefault((category, person), deque())
        while times and times[0] <= now - seconds:
            times.popleft()
        if len(times) >= amount:
            return max(0.1, times[0] + seconds - now)
        times.append(now)
        return 0.0

    def __len__(self) -> int:
        return len(self._allowed)

    def _tidy(self, now: float) -> None:
        """Forget people who have done nothing for a while. Windows are correct without it."""
        if now - self._tidied < _TIDY_EVERY_S:
            return
        self._tidied = now
        for key, times in list(self._allowed.items()):
            if times[-1] <= now - self._budgets[key[0]][1]:
                del self._allowed[key]


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
        self._memory = _Windows(budgets)
        self._shared = _Shared(url, budgets) if url else None
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
        shared = self._shared
        if shared is not None and time.monotonic() >= self._away_until:
            from redis.exceptions import RedisError  # see waker.py

            try:
                async with asyncio.timeout(_TIMEOUT_S):
                    wait_s = await shared.hit(category, person)
            except (RedisError, OSError, TimeoutError) as error:
                self._went_away(error)
            else:
                self._came_back()
                return wait_s
        return self._memory.hit(category, person)

    @property
    def remembered(self) -> int:
        """How many windows are in memory."""
        return len(self._memory)

    async def close(self) -> None:
        """Close connections."""
        if self._shared is not None:
            await self._shared.close()

    def _went_away(self, error: BaseException) -> None:
        if self.state != "degraded":
            _log.warning("redis_away", what="rate limits", error=type(error).__name__)
        self.state = "degraded"
        self._away_until = time.monotonic() + _TRY_AGAIN_S

    def _came_back(self) -> None:
        if self.state == "degraded":
            _log.info("redis_back", what="rate limits")
        self.state = "redis"


class _Shared:
    """Moving windows in Redis, with `limits`. Raises what its client raises."""

    def __init__(self, url: str, budgets: Mapping[str, tuple[int, int]]) -> None:
        from limits import RateLimitItemPerSecond  # 2 MiB, for those who use Redis
        from limits.aio.storage import RedisStorage
        from limits.aio.strategies import MovingWindowRateLimiter

        scheme = "async+redis+unix" if url.startswith("unix:") else f"async+{url.partition(':')[0]}"
        self._storage = RedisStorage(
            f"{scheme}:{url.partition(':')[2]}",
            implementation="redispy",
            key_prefix="slipway:limits",
            socket_timeout=_TIMEOUT_S,
            socket_connect_timeout=_TIMEOUT_S,
        )
        self._limiter = MovingWindowRateLimiter(self._storage)
        self._items = {
            category: RateLimitItemPerSecond(amount, seconds, namespace="SLIPWAY")
            for category, (amount, seconds) in budgets.items()
        }

    async def hit(self, category: str, person: int) -> float:
        """As of `BudgetLimiter.hit`."""
        item = self._items[category]
        if await self._limiter.hit(item, category, str(person)):
            return 0.0
        window = await self._limiter.get_window_stats(item, category, str(person))
        return max(0.1, window.reset_time - time.time())

    async def close(self) -> None:
        from limits.aio.storage.redis.redispy import RedispyBridge

        if isinstance(self._storage.bridge, RedispyBridge):
            await self._storage.bridge.storage.aclose()
