"""Time that passes only while nothing else can happen: an event loop and a clock that agree on it.

A sleep of an hour takes no time, and everything happens in the same order in every run.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

EPOCH = datetime(2026, 7, 1, 9, 0, tzinfo=UTC)
# What really is outside, such as a database, answers within this time or not at all: its machine may be busy.
REAL_S = 120.0


class VirtualLoop(asyncio.SelectorEventLoop):
    """Jumps to the next timer whenever nothing is ready and nothing real is awaited."""

    def __init__(self, selector: Callable[[VirtualLoop], selectors.BaseSelector] | None = None) -> None:
        self._at = 0.0
        self._outside = 0
        super().__init__((selector or OutsideSelector)(self))

    def time(self) -> float:
        return self._at

    @contextmanager
    def outside(self) -> Iterator[None]:
        """Something real is awaited meanwhile."""
        self._outside += 1
        try:
            yield
        finally:
            self._outside -= 1

    @property
    def waits_outside(self) -> bool:
        return self._outside > 0

    def jump(self, seconds: float) -> None:
        self._at += seconds

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        """At once and here: a thread would come back at a time of its own."""
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:
            future.set_exception(error)
        return future


class OutsideSelector(selectors.DefaultSelector):
    """Waits for the outside when nothing else is left to do, or lets time pass where nothing outside is awaited."""

    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> Any:
        # While something can go on here, no answer is looked for: on a busy machine it may have come already, and what
        # it leads to would come before what comes before it elsewhere.
        if timeout is not None and timeout <= 0:
            return []
        ready = super().select(0)
        if ready:
            return ready
        if self._loop.waits_outside:
            ready = super().select(REAL_S)
            if not ready:
                raise RuntimeError(f"the database did not answer within {REAL_S:.0f} s")
            return ready
        if timeout is None:
            raise RuntimeError("everything waits, and nothing will ever happen")
        self._loop.jump(timeout)
        return []


def virtual_loop() -> VirtualLoop:
    """The loop that runs now."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    return loop


class VirtualClock:
    """Implements `ports.Clock`."""

    def now(self) -> datetime:
        return EPOCH + timedelta(seconds=virtual_loop().time())


class SkewedClock(VirtualClock):
    """Of a machine that is `ahead_s` ahead of the others; a test may change that."""

    def __init__(self, ahead_s: float = 0.0) -> None:
        self.ahead_s = ahead_s

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=self.ahead_s)
