"""Answers that lanes share: what one lane has just asked, another one does not ask again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")

_MOST = 4096


@dataclass(slots=True)
class _Asked:
    answer: asyncio.Task[Any]
    until: float


class SharedAnswers:
    """Keeps each answer for a while, failures too: a server in trouble is not asked once for every lane."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._asked: dict[Hashable, _Asked] = {}

    async def get(self, question: Hashable, keep_s: float, ask: Callable[[], Awaitable[T]]) -> T:
        """The answer to `question`, at most `keep_s` seconds old; raises what `ask` raised.

        Who stops waiting does not end the asking, since others may wait for the same answer: `ask` has a time limit of
        its own.
        """
        now = self._clock()
        known = self._asked.get(question)
        if known is None or now >= known.until:
            self._forget(now)
            known = _Asked(asyncio.create_task(_awaited(ask)), now + keep_s)
            known.answer.add_done_callback(_heard)
            self._asked[question] = known
        answer: T = await asyncio.shield(known.answer)
        return answer

    def _forget(self, now: float) -> None:
        if len(self._asked) >= _MOST:
            self._asked = {q: a for q, a in self._asked.items() if now < a.until}


async def _awaited(ask: Callable[[], Awaitable[T]]) -> T:
    return await ask()


def _heard(task: asyncio.Task[Any]) -> None:
    """Take note of an error that no one waits for any more."""
    if not task.cancelled():
        task.exception()
