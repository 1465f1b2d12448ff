"""IDENTIFYs are counted where no crash can reset them, and slowed down in time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.ui.gateway.identify_budget import DAY, FREE, IdentifyBudget, SlowDown, wait_s
from tests.fakes.books import FakeBooks
from tests.support.clocks import FrozenClock

NOW = datetime(2026, 7, 1, tzinfo=UTC)


def test_the_first_ones_are_free_and_then_each_waits_longer() -> None:
    assert wait_s([], NOW) == 0
    assert wait_s([NOW] * (FREE - 1), NOW) == 0
    waits = [wait_s([NOW] * (FREE + n), NOW) for n in range(10)]
    assert waits[0] > 0
    assert waits == sorted(waits)
    assert waits[-1] == 900
    assert wait_s([NOW - timedelta(hours=2)] * 300, NOW) == 0


def test_near_the_days_end_all_wait_for_the_day_to_pass() -> None:
    times = [NOW - timedelta(hours=20) + timedelta(seconds=n) for n in range(DAY)]
    assert wait_s(times, NOW) == pytest.approx(4 * 3600)


@pytest.mark.simulation
@pytest.mark.parametrize("between_s", [0.0, 20.0, 90.0])
def test_no_crash_loop_burns_a_thousand_in_a_day(between_s: float) -> None:
    times: list[datetime] = []
    now = NOW
    while now - NOW < timedelta(days=2):
        now += timedelta(seconds=max(between_s, wait_s(times, now)) + 0.01)
        times = [*times, now][-1000:]
        if len(times) == 1000:
            assert times[-1] - times[0] >= timedelta(days=1)


async def test_it_outlives_the_process_in_the_notebook(tmp_path: Path) -> None:
    clock, books = FrozenClock(NOW), FakeBooks()
    first = IdentifyBudget(books, clock, "bot", None, free=2)
    await first.record()
    await first.record()
    second = IdentifyBudget(books, clock, "bot", None, free=2)
    assert await second.wait_s() > 0
    with pytest.raises(SlowDown):
        await second.record()
    clock.forward(3700)
    await second.record()


async def test_it_outlives_the_process_in_a_file_while_the_database_is_away(tmp_path: Path) -> None:
    clock, books = FrozenClock(NOW), FakeBooks()
    books.away = True
    first = IdentifyBudget(books, clock, "bot", tmp_path, free=1)
    await first.record()
    assert await IdentifyBudget(books, clock, "bot", tmp_path, free=1).wait_s() > 0
    assert await IdentifyBudget(books, clock, "other", tmp_path, free=1).wait_s() == 0
    books.away = False
    assert await IdentifyBudget(books, clock, "bot", tmp_path, free=1).wait_s() > 0


async def test_a_broken_file_and_a_read_only_folder_are_no_reason_to_stop(tmp_path: Path) -> None:
    (tmp_path / "identify.json").write_text("{not json")
    budget = IdentifyBudget(FakeBooks(), FrozenClock(NOW), "bot", tmp_path / "identify.json")
    await budget.record()
    assert await IdentifyBudget(FakeBooks(), FrozenClock(NOW), "bot", tmp_path).wait_s() == 0
