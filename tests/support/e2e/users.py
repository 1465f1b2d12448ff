"""Users of a service or a bot: they ask at a steady rate, and remember which release answered, and how."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from types import TracebackType
from typing import NamedTuple, Self

import aiohttp

from demo.stories.stage import Stage, StoryError
from tests.support.waiting import until

NO_RELEASE = "none"  # refused, reset, timed out, or an answer of the router itself


class UserAnswer(NamedTuple):
    version: str
    good: bool


class OpenLoop(ABC):
    """`async with` it: questions at `rate` a second, open loop.

    They are counted in the order in which they were asked: an answer that took long is none to who asked after it.
    """

    def __init__(self, rate: float) -> None:
        self.count = 0
        self.settled = 0
        self._rate = rate
        self._seen: list[tuple[int, UserAnswer]] = []  # in the order in which they were answered
        self._asking: asyncio.Task[None] | None = None

    def answers(self, since: int = 0, to: int | None = None) -> Counter[str]:
        """How many of these questions each release has answered, well or not."""
        return Counter(answer.version for answer in self._answered(since, to))

    def failures(self, since: int = 0) -> Counter[str]:
        """How many of these questions failed, by the release that answered."""
        return Counter(answer.version for answer in self._answered(since) if not answer.good)

    async def only(self, version: str, many: int = 40) -> None:
        """Waits until this release gave the last `many` answers; twice as many more are from `settled` on."""

        async def recent() -> Counter[str]:
            return Counter(answer.version for _, answer in self._seen[-many:])

        await until(recent, lambda found: found == {version: many})
        self.settled = self.count

        async def more() -> bool:
            return sum(1 for _ in self._answered(self.settled)) >= 2 * many

        await until(more)

    def _answered(self, since: int, to: int | None = None) -> Iterator[UserAnswer]:
        last = self.count if to is None else to
        return (answer for number, answer in self._seen if since <= number < last)

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
                asked.create_task(self._remember(session, self.count))
                self.count += 1

    async def _remember(self, session: aiohttp.ClientSession, number: int) -> None:
        self._seen.append((number, await self.ask(session)))

    @abstractmethod
    async def ask(self, session: aiohttp.ClientSession) -> UserAnswer:
        """One question."""


class ServiceUsers(OpenLoop):
    """Users of a service at `url`, each answer of which says its release in `X-Version`."""

    def __init__(self, url: str, rate: float) -> None:
        super().__init__(rate)
        self._url = url

    async def ask(self, session: aiohttp.ClientSession) -> UserAnswer:
        with suppress(aiohttp.ClientError, TimeoutError):
            async with session.get(self._url) as answer:
                await answer.read()
                return UserAnswer(answer.headers.get("X-Version", NO_RELEASE), answer.status < 500)
        return UserAnswer(NO_RELEASE, False)


class Invocations(OpenLoop):
    """People who type `/greet` to a bot, which answers `VERSION: hello` if all is well."""

    def __init__(self, stage: Stage, application: str, rate: float) -> None:
        super().__init__(rate)
        self._stage, self._application = stage, application

    async def ask(self, session: aiohttp.ClientSession) -> UserAnswer:
        body = {"user": "dev", "channel": "deploys", "command": "greet", "options": {}}
        with suppress(StoryError, aiohttp.ClientError, TimeoutError):
            begun = await self._stage.call("POST", "commands", {**body, "application": self._application})
            told = await self._stage.call("GET", f"interactions/{begun['interaction']}", wait=5)
            version, said, words = (told["message"] or {}).get("text", "").partition(": ")
            if said:
                return UserAnswer(version, words == "hello")
        return UserAnswer(NO_RELEASE, False)
