"""Wake-ups for other tasks and, over Redis, other processes. They may be lost, so every loop polls as well.

The client library is imported where it is used: a process without Redis does without its 7 MiB.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from types import TracebackType
from typing import TYPE_CHECKING, Self

import structlog

if TYPE_CHECKING:
    from redis.asyncio import Redis

_log = structlog.get_logger(__name__)

_CHANNEL = "slipway:wake:"
_TIMEOUT_S = 1.0
_BACKOFF_S, _LONGEST_BACKOFF_S = 0.2, 5.0


class EventWaker:
    """Implements `bot.ports.coordination.Waker`. With `url` it also wakes other processes. Use `async with`.

    A wake-up without a waiter is kept for the next one. `wake` never waits for Redis.
    """

    def __init__(self, url: str | None = None) -> None:
        self._url = url
        self._me = secrets.token_hex(4)
        self._events: dict[str, asyncio.Event] = {}
        self._unsent: set[str] = set()
        self._send = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self.connected = False

    async def __aenter__(self) -> Self:
        if self._url is not None:
            self._tasks = [asyncio.create_task(self._listen()), asyncio.create_task(self._publish())]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    async def wake(self, topic: str) -> None:
        """Wake waiters of `topic` and return at once; other processes follow soon, if Redis is there."""
        self._event(topic).set()
        if self._tasks:
            self._unsent.add(topic)
            self._send.set()

    async def wait(self, topic: str, timeout_s: float) -> None:
        """Wait until `topic` is woken, or `timeout_s` has passed."""
        event = self._event(topic)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await event.wait()
        event.clear()

    def _event(self, topic: str) -> asyncio.Event:
        return self._events.setdefault(topic, asyncio.Event())

    async def _listen(self) -> None:
        from redis.exceptions import RedisError

        backoff_s = _BACKOFF_S
        while True:
            client = self._client(None)
            try:
                async with client.pubsub() as ears:
                    await ears.psubscribe(f"{_CHANNEL}*")
                    self.connected, backoff_s = True, _BACKOFF_S
                    async for message in ears.listen():
                        self._heard(message)
            except (RedisError, OSError) as error:
                if self.connected:
                    _log.warning("redis_away", what="wake-ups", error=type(error).__name__)
            finally:
                self.connected = False
                with contextlib.suppress(RedisError, OSError):
                    await client.aclose()
            await asyncio.sleep(backoff_s)
            backoff_s = min(_LONGEST_BACKOFF_S, backoff_s * 2)

    def _heard(self, message: dict[str, object]) -> None:
        if message["type"] == "pmessage" and message["data"] != self._me:
            self._event(str(message["channel"]).removeprefix(_CHANNEL)).set()

    async def _publish(self) -> None:
        """Publish wake-ups; those that come while one is being sent are sent as one."""
        from redis.exceptions import RedisError

        client = self._client(_TIMEOUT_S)
        try:
            while True:
                await self._send.wait()
                self._send.clear()
                topics, self._unsent = self._unsent, set()
                with contextlib.suppress(RedisError, OSError):
                    for topic in topics:
                        await client.publish(f"{_CHANNEL}{topic}", self._me)
        finally:
            with contextlib.suppress(RedisError, OSError):
                await client.aclose()

    def _client(self, timeout_s: float | None) -> Redis:
        from redis.asyncio import Redis

        return Redis.from_url(
            self._url or "",
            decode_responses=True,
            socket_timeout=timeout_s,
            socket_connect_timeout=_TIMEOUT_S,
            health_check_interval=0 if timeout_s else 10,
        )


async def ping(url: str) -> str:
    """Probe Redis; returns a sentence. Raises `RedisError` or OSError."""
    from redis.asyncio import Redis

    client = Redis.from_url(url, socket_timeout=_TIMEOUT_S, socket_connect_timeout=_TIMEOUT_S)
    try:
        await client.ping()
        return "ok"
    finally:
        await client.aclose()
