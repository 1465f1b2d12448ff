"""Tasks that may outlast the round of a loop that started them, and what may end them: their own cancellation only."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Hashable, Iterator
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

import structlog

log = structlog.get_logger(__name__)

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class AwaitedCancelled(Exception):
    """Something that a task awaited was cancelled, and the task itself was not."""


@contextmanager
def own_cancellation_only() -> Iterator[None]:
    """Raise `AwaitedCancelled` instead of a CancelledError that is not the current task's own.

    Without it, a shared future that another part cancels ends every loop that awaits it, as if it had been stopped.
    """
    try:
        yield
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise AwaitedCancelled("something that was awaited was cancelled") from error


class Tasks(Generic[K, T]):
    """What is under way, at most one task for each key. A key is taken from `start` until its task was `finished`."""

    def __init__(self) -> None:
        self._tasks: dict[K, asyncio.Task[T]] = {}

    def __len__(self) -> int:
        return len(self._tasks)

    def __contains__(self, key: K) -> bool:
        return key in self._tasks

    @property
    def keys(self) -> list[K]:
        return list(self._tasks)

    def start(self, key: K, work: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
        task = self._tasks[key] = asyncio.create_task(work, name=name)
        return task

    async def wait(self, timeout_s: float) -> None:
        """Wait until all are done, or `timeout_s` has passed."""
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=timeout_s)

    def finished(self) -> list[T]:
        """Results of those that are done, which are forgotten with this. Raises what one of them raised.

        One that ended because something it awaited was cancelled has no result, and the others have theirs.
        """
        done = [self._tasks.pop(key) for key in [key for key, task in self._tasks.items() if task.done()]]
        for task in done:
            if task.cancelled():
                log.error("task_cancelled", task=task.get_name())
        return [task.result() for task in done if not task.cancelled()]

    async def stop(self) -> None:
        """Cancel all, and wait for their ends."""
        tasks = list(self._tasks.values())
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
