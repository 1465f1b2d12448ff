"""Budgets: who goes first, and what is kept back for people."""

from __future__ import annotations

import asyncio

import pytest

from bot.ui.message_budget import MessageBudget, Priority

pytestmark = pytest.mark.virtual_time


async def test_urgent_goes_before_what_waited_longer() -> None:
    budget, went = MessageBudget(burst=1, window_s=0.15, kept_back=0), list[str]()

    async def go(name: str, priority: Priority) -> None:
        await budget.turn(1, priority)
        went.append(name)

    await go("first", Priority.STATE)
    tasks = [
        asyncio.create_task(go("chart", Priority.CHART)),
        asyncio.create_task(go("numbers", Priority.NUMBERS)),
        asyncio.create_task(go("gate", Priority.URGENT)),
    ]
    await asyncio.gather(*tasks)
    assert went == ["first", "gate", "numbers", "chart"]


async def test_numbers_never_use_up_the_last_of_the_budget() -> None:
    budget = MessageBudget(burst=3, window_s=30.0, kept_back=2)
    await budget.turn(1, Priority.NUMBERS)
    waiting = asyncio.create_task(budget.turn(1, Priority.CHART))
    await asyncio.sleep(0.02)
    assert not waiting.done()
    async with asyncio.timeout(1):
        await budget.turn(1, Priority.STATE)
        await budget.turn(1, Priority.URGENT)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)


async def test_channels_do_not_wait_for_each_other_and_a_waiter_that_leaves_blocks_no_one() -> None:
    budget = MessageBudget(burst=1, window_s=0.2, kept_back=0)
    await budget.turn(1, Priority.LOG)
    async with asyncio.timeout(0.1):
        await budget.turn(2, Priority.LOG)
    gone = asyncio.create_task(budget.turn(1, Priority.URGENT))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    async with asyncio.timeout(2):
        await budget.turn(1, Priority.CHART)


async def test_what_was_sent_counts_however_many_channels_there_are() -> None:
    """Each rollout has a thread, which is a channel: those that are forgotten have nothing to count."""
    budget = MessageBudget(burst=1, window_s=10.0, kept_back=0)
    await budget.turn(0, Priority.LOG)
    waiting = asyncio.create_task(budget.turn(0, Priority.LOG))
    for channel in range(1, 5000):
        await budget.turn(channel, Priority.LOG)
    assert [budget.room(channel, Priority.LOG) for channel in (0, 1, 2500, 4999)] == [0, 0, 0, 0]
    await asyncio.sleep(9.0)
    for channel in range(5000, 9000):
        await budget.turn(channel, Priority.LOG)
    assert not waiting.done()
    assert budget.room(1, Priority.LOG) == budget.room(8999, Priority.LOG) == 0
    await asyncio.sleep(1.0)
    async with asyncio.timeout(0.1):
        await budget.turn(1, Priority.LOG)
        await waiting


async def test_changes_of_state_leave_a_turn_for_a_stop_or_a_rollback() -> None:
    budget = MessageBudget(burst=3, window_s=30.0, kept_back=2)
    for _ in range(2):
        await budget.turn(1, Priority.STATE)
    waiting = asyncio.create_task(budget.turn(1, Priority.STATE))
    async with asyncio.timeout(2):
        await budget.turn(1, Priority.URGENT)
    assert not waiting.done()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)


async def test_the_room_for_numbers_is_what_is_not_kept_back_taken_or_waited_for() -> None:
    budget = MessageBudget(burst=5, window_s=30.0, kept_back=2)
    assert budget.room(1, Priority.NUMBERS) == 3
    await budget.turn(1, Priority.NUMBERS)
    await budget.turn(1, Priority.URGENT)
    assert (budget.room(1, Priority.NUMBERS), budget.room(1, Priority.URGENT)) == (1, 3)
    await budget.turn(1, Priority.NUMBERS)
    waiting = asyncio.create_task(budget.turn(1, Priority.NUMBERS))
    await asyncio.sleep(0)
    assert (budget.room(1, Priority.NUMBERS), budget.room(1, Priority.URGENT)) == (0, 1)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await asyncio.sleep(30.0)
    assert budget.room(1, Priority.NUMBERS) == 3
    assert budget.room(2, Priority.NUMBERS) == 3
