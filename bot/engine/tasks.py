"""Tasks that may outlast the round of a loop that started them, at most one for each key."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Hashable
from typing import Any, Generic, TypeVar

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class Tasks(Generic[K, T]):
    """What is under way. A key is taken from `start` until its task was `finished`."""

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
        """Results of those that are done, which are forgotten with this. Raises what one of them raised."""
        done = [key for key, task in self._tasks.items() if task.done()]
        return [self._tasks.pop(key).result() for key in done]

    async def stop(self) -> None:
        """Cancel all, and wait for their ends."""
        tasks = list(self._tasks.values())
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
