"""Resilient loops: a round that fails is logged and tried again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import structlog

from bot.engine.tasks import own_cancellation_only
from bot.logs import new_trace_id, tracing
from bot.ports.coordination import Waker
from bot.ports.errors import Unreachable

log = structlog.get_logger(__name__)

# Pause after a round that failed, in seconds: short at first, since most outages are short.
_FIRST_RETRY_S, _LAST_RETRY_S = 0.2, 2.0
_PATIENCE_S = 10.0
# Between two looks at whether a crowd is still there.
_LOOK_S = 0.05


class Rounds:
    """When each loop of a process last finished a round. Times are of the event loop's clock."""

    def __init__(self) -> None:
        self._loops: dict[str, tuple[float, float]] = {}
        self._done: set[str] = set()

    def begins(self, name: str, poll_s: float) -> None:
        """`name` is to finish a round every `poll_s` seconds from now on."""
        self._loops[name] = (poll_s, asyncio.get_running_loop().time())
        self._done.discard(name)

    def finished(self, name: str) -> None:
        self._done.add(name)
        self._loops[name] = (self._loops[name][0], asyncio.get_running_loop().time())

    def done(self, name: str) -> bool:
        """Whether `name` has finished a round since it began."""
        return name in self._done

    def late(self) -> Mapping[str, float]:
        """Loops that missed three rounds and ten seconds, and for how many seconds they have finished none."""
        now = asyncio.get_running_loop().time()
        return {
            name: now - at
            for name, (poll_s, at) in self._loops.items()
            if now - at > 3 * poll_s + _PATIENCE_S
        }


@dataclass(frozen=True, slots=True)
class Loop:
    """Repeats `once`, which does one round and returns whether there is more; if not, sleeps until woken or `poll_s`.

    gather_s: wait this long after a wake-up, so that one round does all that comes together.
    """

    name: str
    once: Callable[[], Awaitable[bool]]
    poll_s: float
    topic: str = ""
    gather_s: float = 0.0

    async def run(self, waker: Waker, rounds: Rounds) -> None:
        """Run until cancelled."""
        rounds.begins(self.name, self.poll_s)
        away, pause = False, _FIRST_RETRY_S
        while True:
            try:
                with own_cancellation_only():
                    with tracing(new_trace_id()):
                        more = await self.once()
                    if away:
                        log.info("loop_resumed", loop=self.name)
                    away, pause = False, _FIRST_RETRY_S
                    rounds.finished(self.name)
                    await self._rest(waker, more)
                continue
            except Unreachable as error:
                if not away:
                    log.warning("loop_waiting", loop=self.name, why=str(error))
                away = True
            except Exception:
                log.exception("loop_failed", loop=self.name)
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LAST_RETRY_S)

    async def _rest(self, waker: Waker, more: bool) -> None:
        if more:
            await asyncio.sleep(0)
        elif self.topic:
            await waker.wait(self.topic, self.poll_s)
            if self.gather_s:
                await asyncio.sleep(self.gather_s)
        else:
            await asyncio.sleep(self.poll_s)


@dataclass(slots=True)
class AfterCrowd:
    """`once`, which comes after the answers to a crowd: it waits while `crowded`, for up to `courtesy_s` per crowd."""

    once: Callable[[], Awaitable[bool]]
    crowded: Callable[[], bool]
    courtesy_s: float
    _since: float | None = field(default=None, init=False)

    async def __call__(self) -> bool:
        now = asyncio.get_running_loop().time
        while self.crowded():
            if self._since is None:
                self._since = now()
            if now() - self._since >= self.courtesy_s:
                break
            await asyncio.sleep(_LOOK_S)
        else:
            self._since = None
        return await self.once()
