"""Deadline of a request: what a person is told while the work for it is still under way."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
Telling = Callable[[], Coroutine[Any, Any, None]]


async def in_time(
    work: Awaitable[T], *, first: float, last: float, defer: Telling, give_up: Telling
) -> T | None:
    """The result of `work`; None if it took too long. Raises what it raises.

    first, last: times of the event loop. At `first`, `defer` is called, unless it is not before `last`. At `last`,
    `give_up` is called at once, even if the work takes its time to stop. Returns after both.

    The work runs in the caller's task: from one of its own, its result would come two turns of the event loop later.
    """
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    cancelled_before = task.cancelling()
    telling: list[asyncio.Task[None]] = []
    late = False

    def tell() -> None:
        telling.append(loop.create_task(defer()))

    def end() -> None:
        nonlocal late
        late = True
        telling.append(loop.create_task(_after(list(telling), give_up)))
        task.cancel()

    timers = [loop.call_at(last, end), *([loop.call_at(first, tell)] if first < last else [])]
    try:
        result = await work
    except (Exception, asyncio.CancelledError):
        if not late or task.uncancel() > cancelled_before:
            raise
        return None
    else:
        if late:
            # The work did not let itself be stopped.
            task.uncancel()
            return None
        return result
    finally:
        for timer in timers:
            timer.cancel()
        if telling:
            await asyncio.gather(*telling)


async def _after(others: list[asyncio.Task[None]], telling: Telling) -> None:
    if others:
        await asyncio.wait(others)
    await telling()
