"""What instances of every runtime share: whether they answer, pauses between starts, how a start failed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from typing import TypeVar

import aiohttp

from bot.adapters.runtimes.spec import RuntimeSpec
from bot.redaction import Redactor

T = TypeVar("T")

READY_POLL_S = 0.05
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 10.0
_ANSWER_S = 2.0
_STEADY_S = 30.0


class Pauses:
    """Growing pauses between the starts of one instance."""

    def __init__(self) -> None:
        self._next_s = FIRST_PAUSE_S

    def after(self, ran_s: float) -> float:
        """Seconds to wait now; few again once it has run for a while."""
        pause_s = FIRST_PAUSE_S if ran_s > _STEADY_S else self._next_s
        self._next_s = min(pause_s * 2, LONGEST_PAUSE_S)
        return pause_s


class KnownSecrets:
    """Secrets of one instance: those it was started with, and those that its spec has now.

    An `env_file` may have changed since the start, and what the instance prints has the former values.
    """

    def __init__(self) -> None:
        self._started: set[str] = set()

    def started(self, values: Iterable[str]) -> None:
        """It is started with these; those of former starts stay known."""
        self._started.update(values)

    def redactor(self, spec: RuntimeSpec) -> Redactor:
        return Redactor(spec.private() | self._started, scanning=True)


async def answers(session: aiohttp.ClientSession, url: str) -> bool:
    """Whether GET `url` answers below 400; redirects are not followed."""
    try:
        async with session.get(
            url, timeout=aiohttp.ClientTimeout(total=_ANSWER_S), allow_redirects=False
        ) as answer:
            return answer.status < 400
    except (aiohttp.ClientError, OSError, TimeoutError):
        return False


def not_started(problem: OSError) -> str:
    """How the start failed, as a phrase."""
    what = f"{problem.strerror}: {problem.filename}" if problem.filename else str(problem)
    return f"could not be started: {what}"


async def finished(work: Awaitable[T]) -> T:
    """`work`, which is waited for also when the waiting task is cancelled: a request may be half done."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.gather(task, return_exceptions=True)
        raise
