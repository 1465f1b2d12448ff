"""The way from a process to what it talks to: delays, lost answers, and calls that outlive their caller."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from bot.ports.errors import Unreachable

T = TypeVar("T")


class Link:
    """The way to one server, for every process. Faults are attributes that a history sets and clears.

    away: calls are refused. hanging: calls arrive, and no answer ever comes back. late_s: calls take up to so long to
    arrive. lose: so many answers get lost after the call was carried out. times_out_s: an answer that takes longer is
    `Unreachable`, as a client with a limit of its own says it; None waits for ever.
    """

    def __init__(
        self, rng: random.Random, name: str, delay_s: float, times_out_s: float | None = None
    ) -> None:
        self._rng = rng
        self.name = name
        self._delay_s = delay_s
        self._times_out_s = times_out_s
        self.away = False
        self.hanging = False
        self.late_s = 0.0
        self.lose = 0
        self._connection = 0

    def cut(self) -> None:
        """Every connection breaks: what is on its way is not carried out, or its answer gets lost."""
        self._connection += 1

    @property
    def troubled(self) -> bool:
        return self.away or self.hanging or bool(self.late_s) or bool(self.lose)

    @property
    def _silence(self) -> Unreachable:
        return Unreachable(f"{self.name} did not answer")

    def heal(self) -> None:
        self.away = self.hanging = False
        self.late_s, self.lose = 0.0, 0

    async def call(self, caller: Caller, carry_out: Callable[[], T]) -> T:
        """Carry it out at the other end, once, even if the caller dies meanwhile. Raises what that raises."""
        caller.calls()
        loop, rng = asyncio.get_running_loop(), self._rng
        answer: asyncio.Future[T] = loop.create_future()
        out_s, back_s = rng.random() * self._delay_s, rng.random() * self._delay_s
        if self.late_s:
            out_s += rng.random() * self.late_s
        loop.call_later(out_s, self._arrived, caller, carry_out, answer, back_s, self._connection)
        limit_s = self._times_out_s
        if limit_s is not None and out_s + back_s > limit_s:
            loop.call_later(limit_s, _answer, answer, None, self._silence)
        return await answer

    def _arrived(
        self,
        caller: Caller,
        carry_out: Callable[[], T],
        answer: asyncio.Future[T],
        back_s: float,
        connection: int,
    ) -> None:
        loop = asyncio.get_running_loop()
        result: T | None = None
        error: BaseException | None = None
        if self.away or connection != self._connection:
            error = Unreachable(f"{self.name} is away")
        else:
            try:
                result = carry_out()
            except Exception as raised:
                error = raised
            caller.carried_out()
            if self.hanging:
                if self._times_out_s is not None:
                    loop.call_later(self._times_out_s, _answer, answer, None, self._silence)
                return
            if self.lose > 0:
                self.lose -= 1
                error = Unreachable(f"the answer of {self.name} got lost")
        loop.call_later(back_s, self._answered, answer, result, error, connection)

    def _answered(
        self, answer: asyncio.Future[Any], result: Any, error: BaseException | None, connection: int
    ) -> None:
        if connection != self._connection:
            error = Unreachable(f"the connection to {self.name} broke")
        _answer(answer, result, error)


def _answer(answer: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    if answer.done():
        return
    if error is None:
        answer.set_result(result)
    else:
        answer.set_exception(error)


class Caller:
    """Who calls: it may die before a call leaves, or between its being carried out and the answer."""

    def __init__(self) -> None:
        self.alive = True
        self.dies_in = 0  # calls; 0: not by itself
        self.dies_after = False  # the call is carried out
        self.on_death: Callable[[], None] = lambda: None

    def calls(self) -> None:
        if not self.alive:
            raise asyncio.CancelledError
        if self.dies_in and not self.dies_after:
            self._count()
        if not self.alive:
            raise asyncio.CancelledError

    def carried_out(self) -> None:
        if self.alive and self.dies_in and self.dies_after:
            self._count()

    def _count(self) -> None:
        self.dies_in -= 1
        if not self.dies_in:
            self.on_death()


def at_once(coro: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that waits for nothing."""
    try:
        coro.send(None)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]
    raise RuntimeError(f"{coro} waits")
