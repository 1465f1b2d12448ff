"""Loops survive what their rounds raise, and one process leads."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from bot.adapters.redis.waker import EventWaker
from bot.engine.loops.judge_loop import following
from bot.engine.loops.loops import AfterCrowd, Loop, Rounds
from bot.engine.tasks import Tasks
from bot.ports.errors import Unreachable
from tests.support.waiting import PATIENCE_S

NOW = datetime(2026, 11, 20, tzinfo=UTC)


async def run(loop: Loop, waker: EventWaker, until: asyncio.Event) -> None:
    task = asyncio.create_task(loop.run(waker, Rounds()))
    async with asyncio.timeout(PATIENCE_S):
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


async def awaits_what_was_cancelled() -> None:
    """As when a part of the program cancels a future that others await too."""
    shared: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    shared.cancel()
    await shared


@pytest.mark.virtual_time
async def test_a_loop_goes_on_after_something_that_it_awaited_was_cancelled() -> None:
    rounds, began = Rounds(), 0

    async def once() -> bool:
        nonlocal began
        began += 1
        if began % 2:
            await awaits_what_was_cancelled()
        return False

    class CancelledWaker(EventWaker):
        async def wait(self, topic: str, timeout_s: float) -> None:
            await awaits_what_was_cancelled()

    task = asyncio.create_task(Loop("orders", once, 1.0, "topic").run(CancelledWaker(), rounds))
    await asyncio.sleep(20)  # a loop is late after 13 s
    assert not task.done()
    assert began > 20
    assert rounds.late() == {}
    task.cancel()
    await asyncio.wait({task}, timeout=1)
    assert task.cancelled()


@pytest.mark.virtual_time
async def test_a_loop_in_which_every_round_is_cancelled_is_late() -> None:
    rounds = Rounds()

    async def once() -> bool:
        await awaits_what_was_cancelled()
        return False

    task = asyncio.create_task(Loop("orders", once, 1.0).run(EventWaker(), rounds))
    await asyncio.sleep(20)
    assert set(rounds.late()) == {"orders"}
    task.cancel()


@pytest.mark.virtual_time
async def test_a_task_that_awaited_what_was_cancelled_costs_the_others_nothing() -> None:
    async def measured(value: int) -> int:
        return value

    async def cancelled() -> int:
        await awaits_what_was_cancelled()
        return 0

    tasks = Tasks[int, int]()
    for key, work in enumerate((measured(1), cancelled(), measured(3))):
        tasks.start(key, work, f"tick:{key}")
    await tasks.wait(1.0)
    assert tasks.finished() == [1, 3]
    assert len(tasks) == 0


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


def test_ticks_keep_their_rhythm_and_start_again_after_an_absence() -> None:
    seconds = timedelta(seconds=1)
    assert following(NOW, NOW + 0.2 * seconds, 5.0) == NOW + 5 * seconds
    assert following(NOW, NOW + 60 * seconds, 5.0) == NOW + 62.5 * seconds


@pytest.mark.virtual_time
async def test_a_loop_that_hangs_or_only_fails_is_late_and_no_other() -> None:
    rounds = Rounds()

    async def sound() -> bool:
        return False

    async def hangs() -> bool:
        await asyncio.Event().wait()
        return False

    async def fails() -> bool:
        raise ValueError("a bug")

    async def waits() -> bool:
        raise Unreachable("the database is away")

    loops = [Loop(f.__name__, f, 3.0) for f in (sound, hangs, fails, waits)]
    tasks = [asyncio.create_task(loop.run(EventWaker(), rounds)) for loop in loops]
    await asyncio.sleep(18.9)
    assert rounds.late() == {}
    await asyncio.sleep(0.2)
    assert set(rounds.late()) == {"hangs", "fails", "waits"}
    assert all(19 < seconds < 19.2 for seconds in rounds.late().values())
    for task in tasks:
        task.cancel()


@pytest.mark.virtual_time
async def test_a_loop_that_goes_on_is_late_no_longer() -> None:
    rounds, let = Rounds(), asyncio.Event()

    async def once() -> bool:
        await let.wait()
        return False

    task = asyncio.create_task(Loop("reconcile", once, 3.0).run(EventWaker(), rounds))
    await asyncio.sleep(60)
    assert "reconcile" in rounds.late()
    let.set()
    await asyncio.sleep(600)
    assert rounds.late() == {}
    task.cancel()


@pytest.mark.virtual_time
async def test_messages_come_after_a_crowd_but_not_for_long() -> None:
    now, rounds, crowd_until = asyncio.get_running_loop().time, list[float](), 1.0
    begun = now()

    async def once() -> bool:
        rounds.append(now() - begun)
        return False

    post = AfterCrowd(once, lambda: now() - begun < crowd_until, courtesy_s=2.0)
    await post()
    assert rounds.pop() == pytest.approx(1.0, abs=0.1)
    await post()
    assert rounds.pop() == pytest.approx(1.0, abs=0.1)  # no crowd, no wait
    crowd_until = 60.0
    await post()
    assert rounds.pop() == pytest.approx(3.0, abs=0.1)
    await post()
    assert rounds.pop() == pytest.approx(3.0, abs=0.1)  # the same crowd has had its time
