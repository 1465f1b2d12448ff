"""Users of a service: they ask at a steady rate, and remember which release answered, and how."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from contextlib import suppress
from types import TracebackType
from typing import NamedTuple, Self

import aiohttp

from tests.support.waiting import until

NO_RELEASE = "none"  # refused, reset, timed out, or an answer of the router itself
_RECENT = 40


class _Answer(NamedTuple):
    version: str
    good: bool


class Users:
    """`async with Users(url, 60)`: 60 requests a second, open loop; each answer says its release in `X-Version`."""

    def __init__(self, url: str, rate: float) -> None:
        self.settled = 0
        self._url, self._rate = url, rate
        self._seen: list[_Answer] = []
        self._asking: asyncio.Task[None] | None = None

    @property
    def count(self) -> int:
        return len(self._seen)

    def answers(self, since: int = 0, to: int | None = None) -> Counter[str]:
        """How many requests each release answered, well or not."""
        return Counter(answer.version for answer in self._seen[since:to])

    def failures(self, since: int = 0) -> Counter[str]:
        """How many requests failed, by the release that answered."""
        return Counter(answer.version for answer in self._seen[since:] if not answer.good)

    async def only(self, version: str) -> None:
        """Waits until this release alone answers; the next answers are from `settled` on."""

        async def recent() -> Counter[str]:
            return self.answers(max(0, self.count - _RECENT))

        await until(recent, lambda found: found == {version: _RECENT})
        self.settled, wanted = self.count, self.count + 2 * _RECENT

        async def more() -> bool:
            return self.count >= wanted

        await until(more)

    async def __aenter__(self) -> Self:
        self._asking = asyncio.create_task(self._ask_forever())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)

    async def _ask_forever(self) -> None:
        timeout = aiohttp.ClientTimeout(total=20)
        async with aiohttp.ClientSession(timeout=timeout) as session, asyncio.TaskGroup() as asked:
            due = time.monotonic()
            while True:
                due = max(due + 1 / self._rate, time.monotonic() - 1)
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                asked.create_task(self._ask(session))

    async def _ask(self, session: aiohttp.ClientSession) -> None:
        version, good = NO_RELEASE, False
        with suppress(aiohttp.ClientError, TimeoutError):
            async with session.get(self._url) as answer:
                await answer.read()
                version, good = answer.headers.get("X-Version", NO_RELEASE), answer.status < 500
        self._seen.append(_Answer(version, good))
