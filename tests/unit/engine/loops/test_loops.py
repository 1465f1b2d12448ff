"""Loops survive what their rounds raise, and one process leads."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from bot.adapters.redis.waker import EventWaker
from bot.engine.loops.judge_loop import following
from bot.engine.loops.loops import Loop
from bot.ports.errors import Unreachable

NOW = datetime(2026, 11, 20, tzinfo=UTC)


async def run(loop: Loop, waker: EventWaker, until: asyncio.Event) -> None:
    task = asyncio.create_task(loop.run(waker))
    async with asyncio.timeout(5):
        await until.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_round_that_fails_is_tried_again_whatever_it_was() -> None:
    trouble: list[Exception] = [Unreachable("away"), ValueError("a bug"), Unreachable("away")]
    done = asyncio.Event()

    async def once() -> bool:
        if trouble:
            raise trouble.pop(0)
        done.set()
        return False

    await run(Loop("test", once, 60.0), EventWaker(), done)


async def test_a_loop_that_sleeps_is_woken() -> None:
    waker, rounds, done = EventWaker(), 0, asyncio.Event()

    async def once() -> bool:
        nonlocal rounds
        rounds += 1
        if rounds == 3:
            done.set()
        else:
            await waker.wake("topic")
        return False

    await run(Loop("test", once, 60.0, "topic"), waker, done)


def test_ticks_keep_their_rhythm_and_start_anew_after_an_absence() -> None:
    seconds = timedelta(seconds=1)
    assert following(NOW, NOW + 0.2 * seconds, 5.0) == NOW + 5 * seconds
    assert following(NOW, NOW + 60 * seconds, 5.0) == NOW + 62.5 * seconds
