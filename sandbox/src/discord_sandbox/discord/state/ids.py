"""Snowflakes: ids that contain their time of creation."""

import zlib

from discord_sandbox.discord.state.clock import Clock

EPOCH_MS = 1_420_070_400_000
_WORLD_MS = 1_767_225_600_000  # 2026-01-01: everything that is there from the outset was made that month
_MONTH_MS = 28 * 86_400_000


def snowflake_at(seconds: float) -> int:
    """The smallest snowflake of that moment."""
    return max(0, int(seconds * 1000) - EPOCH_MS) << 22


def seconds_of(snowflake: int) -> float:
    return ((snowflake >> 22) + EPOCH_MS) / 1000


def named_id(*parts: str) -> str:
    """An id derived from a name: the same in every run, so that configurations stay valid."""
    digest = zlib.crc32("/".join(parts).encode())
    low = zlib.adler32("/".join(reversed(parts)).encode()) & 0x3FFFFF
    return str(((_WORLD_MS + digest % _MONTH_MS - EPOCH_MS) << 22) | low)


class SnowflakeMaker:
    """Rising ids, even within a millisecond and when the clock goes back."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.last = 0

    def __call__(self) -> str:
        self.last = max(snowflake_at(self._clock.now()), self.last + 1)
        return str(self.last)

    def skip_to(self, last: int) -> None:
        """Make ids above `last` from now on, and above those made so far."""
        self.last = max(self.last, last)
