"""The sandbox's clock, which scripts can move forward."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Unix seconds, with a way to jump ahead."""

    offset: float

    def now(self) -> float: ...

    def advance(self, seconds: float) -> None: ...

    def subscribe(self, callback: Callable[[], None]) -> None: ...

    def restart(self) -> None: ...


class _Jumping:
    def __init__(self) -> None:
        self.offset = 0.0
        self._callbacks: list[Callable[[], None]] = []

    def advance(self, seconds: float) -> None:
        """Jump ahead and call the subscribers, so that whatever is now due happens."""
        self.offset += seconds
        for callback in list(self._callbacks):
            callback()

    def subscribe(self, callback: Callable[[], None]) -> None:
        self._callbacks.append(callback)

    def restart(self) -> None:
        self.offset = 0.0


class WallClock(_Jumping):
    """The machine's clock plus what was advanced."""

    def now(self) -> float:
        return time.time() + self.offset


class ManualClock(_Jumping):
    """Stands still until advanced; for tests of time limits."""

    def __init__(self, start: float = 1_780_000_000.0) -> None:
        super().__init__()
        self._start = start

    def now(self) -> float:
        return self._start + self.offset


def iso(seconds: float) -> str:
    """Unix seconds as Discord writes times: ISO 8601 with microseconds and +00:00."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")
