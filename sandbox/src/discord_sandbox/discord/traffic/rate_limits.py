"""Discord's rate limits: a bucket per route and major parameter, and a global one per bot."""

import zlib
from dataclasses import dataclass

from discord_sandbox.discord.state.clock import Clock

GLOBAL_LIMIT, GLOBAL_WINDOW = 50, 1.0


@dataclass(frozen=True, slots=True)
class RateLimit:
    """At most `calls` in `seconds` for each major parameter."""

    calls: int
    seconds: float


MESSAGES = RateLimit(5, 5.0)
DELETES = RateLimit(5, 1.0)
REACTIONS = RateLimit(4, 1.0)
THREADS = RateLimit(10, 10.0)
COMMANDS = RateLimit(5, 20.0)
ORDINARY = RateLimit(10, 5.0)
READS = RateLimit(50, 5.0)


@dataclass(slots=True)
class Window:
    used: int
    ends: float


@dataclass(frozen=True, slots=True)
class RateLimitResult:
    """Whether a call may proceed, and the headers for its answer."""

    allowed: bool
    headers: dict[str, str]
    retry_after: float = 0.0
    is_global: bool = False


class RateLimiter:
    """Fixed windows that start with their first call, as Discord's headers describe."""

    def __init__(self, clock: Clock, *, enforced: bool = True) -> None:
        self._clock = clock
        self._enforced = enforced
        self._windows: dict[tuple[str, str], Window] = {}
        self._globals: dict[str, Window] = {}
        self._hashes: dict[str, str] = {}

    def clear(self) -> None:
        self._windows.clear()
        self._globals.clear()

    def bucket(self, route: str) -> str:
        """The name that clients know the route's bucket by."""
        found = self._hashes.get(route)
        if found is None:
            found = self._hashes[route] = (
                f"{zlib.crc32(route.encode()):08x}{zlib.adler32(route.encode()):08x}"
            )
        return found

    def take_global(self, identity: str) -> RateLimitResult | None:
        """None if the call fits into the bot's 50 a second."""
        now = self._clock.now()
        window = self._globals.get(identity)
        if window is None or now >= window.ends:
            self._globals[identity] = Window(1, now + GLOBAL_WINDOW)
            return None
        window.used += 1
        if window.used <= GLOBAL_LIMIT or not self._enforced:
            return None
        wait = round(max(0.001, window.ends - now), 3)
        return RateLimitResult(
            False, {"X-RateLimit-Global": "true", "X-RateLimit-Scope": "global"}, wait, True
        )

    def take(self, identity: str, route: str, major: str, limit: RateLimit) -> RateLimitResult:
        now = self._clock.now()
        key = (route, f"{identity}:{major}")
        window = self._windows.get(key)
        if window is None or now >= window.ends:
            if len(self._windows) > 20_000:
                self._windows = {k: w for k, w in self._windows.items() if w.ends > now}
            window = self._windows[key] = Window(0, now + limit.seconds)
        left = max(0.0, window.ends - now)
        allowed = window.used < limit.calls or not self._enforced
        if allowed:
            window.used = min(window.used + 1, limit.calls)
        remaining = limit.calls - window.used
        if not self._enforced:
            remaining = max(1, remaining)
        headers = {
            "X-RateLimit-Limit": str(limit.calls),
            "X-RateLimit-Remaining": str(remaining),
            "X-RateLimit-Reset": f"{window.ends:.3f}",
            "X-RateLimit-Reset-After": f"{left:.3f}",
            "X-RateLimit-Bucket": self.bucket(route),
        }
        if allowed:
            return RateLimitResult(True, headers)
        headers["X-RateLimit-Scope"] = "user"
        return RateLimitResult(False, headers, round(max(0.001, left), 3))
