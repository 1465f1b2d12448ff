"""Waiting until something holds. Nothing is asserted about how long: the bound only ends a test that is stuck."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

# Other tests share the machine: what takes a second alone may take this many.
PATIENCE_S = 120.0


async def until(
    ask: Callable[[], Awaitable[T]],
    holds: Callable[[T], object] = bool,
    within_s: float = PATIENCE_S,
    every_s: float = 0.02,
) -> T:
    """Asks until `holds` is true of the answer, and returns it; `TimeoutError` with the last one."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within_s
    while not holds(answer := await ask()):
        if loop.time() > deadline:
            raise TimeoutError(f"after {within_s:.0f} s still {answer!r}")
        await asyncio.sleep(every_s)
    return answer
