"""An event loop with every choice drawn from a seed: time, and the order of what is ready at the same time."""

from __future__ import annotations

import asyncio
import contextvars
import random
import selectors
from collections.abc import Coroutine, Mapping
from typing import Any

from tests.support.virtual_time import VirtualLoop

# Callbacks that may run without time passing; more is a loop that spins.
_AT_ONE_MOMENT = 50_000


class Spinning(Exception):
    """The program runs on and on, and no time passes."""


class SimulationLoop(VirtualLoop):
    """Never waits. With `shuffled`, what is ready at the same moment runs in any order that the seed gives."""

    def __init__(self, rng: random.Random, *, shuffled: bool) -> None:
        self.rng = rng
        self.shuffled = shuffled
        self.rounds = 0
        super().__init__(_NeverWaits)


class _NeverWaits(selectors.BaseSelector):
    """Nothing real is waited for: no system call is made."""

    def __init__(self, loop: VirtualLoop) -> None:
        assert isinstance(loop, SimulationLoop)
        self._loop = loop
        self._keys: dict[Any, selectors.SelectorKey] = {}
        self._still = 0

    def select(self, timeout: float | None = None) -> list[Any]:
        loop = self._loop
        loop.rounds += 1
        ready: Any = loop._ready  # type: ignore[attr-defined]
        if timeout is None:
            raise RuntimeError("everything waits, and nothing will ever happen")
        if timeout > 0:
            self._still = 0
            loop.jump(timeout)
            return []
        self._still += 1
        if self._still > _AT_ONE_MOMENT:
            raise Spinning(f"{_AT_ONE_MOMENT} rounds of the event loop at {loop.time():.3f} s")
        if loop.shuffled and len(ready) > 1:
            callbacks = list(ready)
            loop.rng.shuffle(callbacks)
            ready.clear()
            ready.extend(callbacks)
        return []

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        key = selectors.SelectorKey(fileobj, 0, events, data)
        self._keys[fileobj] = key
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._keys.pop(fileobj)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._keys

    def get_key(self, fileobj: Any) -> selectors.SelectorKey:
        return self._keys[fileobj]


class Tasks:
    """Tasks that belong together, in the order in which they began: those of one process, say."""

    def __init__(self) -> None:
        self._alive: dict[asyncio.Task[Any], None] = {}

    def add(self, task: asyncio.Task[Any]) -> None:
        self._alive[task] = None
        task.add_done_callback(self._over)

    def _over(self, task: asyncio.Task[Any]) -> None:
        self._alive.pop(task, None)

    def cancel(self) -> None:
        for task in list(self._alive):
            task.cancel()

    def __len__(self) -> int:
        return len(self._alive)


_OWNER: contextvars.ContextVar[Tasks | None] = contextvars.ContextVar("tasks", default=None)


def make_task(
    loop: asyncio.AbstractEventLoop, coro: Coroutine[Any, Any, Any], **how: Any
) -> asyncio.Task[Any]:
    """The loop's task factory: a task belongs to whom the task belongs that began it."""
    context = how.get("context")
    task = asyncio.Task(coro, loop=loop, **how)
    owner = context.get(_OWNER) if context is not None else _OWNER.get()
    if owner is not None:
        owner.add(task)
    return task


def spawn(owner: Tasks, coro: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
    """Begin a task of `owner`; all that it begins belongs to `owner` too."""
    context = contextvars.copy_context()
    context.run(_OWNER.set, owner)
    return asyncio.get_running_loop().create_task(coro, name=name, context=context)
