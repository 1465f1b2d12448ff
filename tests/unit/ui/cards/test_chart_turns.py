"""When cards get new charts: the pace of all, a card's own, and the last chart."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from bot.domain.rollout.model import Phase, Plan
from bot.domain.rollout.steps import Shift, Soak
from bot.engine.api import RolloutView
from bot.ui.cards.publisher import CardPublisher, CardState
from tests.fakes.books import FakeBooks
from tests.support.catalogs import PRODUCTION, begin_rollout
from tests.support.clocks import FrozenClock

PNG = b"\x89PNG"


class DrawnCharts:
    """Draws charts of `covers_s` seconds, and lists the rollouts that were read for it."""

    def __init__(self, covers_s: float = 60.0) -> None:
        self.covers_s = covers_s
        self.read: list[int] = []

    async def __call__(self, rollout_id: int) -> tuple[bytes, float]:
        self.read.append(rollout_id)
        await asyncio.sleep(0)
        return PNG, self.covers_s


def publisher(drawing: DrawnCharts) -> CardPublisher:
    books: Any = FakeBooks()
    threads: Any = None
    return CardPublisher(books, books, FrozenClock(), threads, drawing)


def seen(phase: Phase = Phase.SOAKING, version: int = 3) -> RolloutView:
    clock, plan = FrozenClock(), Plan("soak", (Shift(5), Soak(600.0), Shift(100)))
    begun = begin_rollout(id=1, lane=PRODUCTION, plan=plan, at=clock.now(), generation=0).rollout
    return RolloutView(replace(begun, phase=phase, had_traffic=True, version=version), (), (), None)


async def test_one_card_at_a_time_has_its_turn_and_has_it_before_anything_is_read() -> None:
    drawing = DrawnCharts()
    cards, several = publisher(drawing), [CardState() for _ in range(5)]
    assert [cards.take_chart_turn(entry) for entry in several] == [True, False, False, False, False]
    assert drawing.read == []


async def test_all_cards_together_get_two_charts_a_second() -> None:
    cards = publisher(DrawnCharts())
    before = asyncio.get_running_loop().time()
    assert cards.take_chart_turn(CardState())
    assert cards._next_chart_at >= before + 0.5
    cards._next_chart_at -= 0.5
    assert cards.take_chart_turn(CardState())


@pytest.mark.parametrize(
    ("covers_s", "again_s"), [(60.0, 10.0), (1000.0, 10.0), (2000.0, 20.0), (3600.0, 30.0), (86400.0, 30.0)]
)
async def test_a_chart_is_drawn_again_when_it_has_grown_by_a_hundredth(
    covers_s: float, again_s: float
) -> None:
    cards, entry = publisher(DrawnCharts(covers_s)), CardState()
    assert cards.take_chart_turn(entry)
    assert await cards.picture(entry, seen()) is not None
    assert entry.chart_every_s == again_s
    cards._next_chart_at = 0.0
    entry.chart_at -= again_s - 1.0
    assert not cards.take_chart_turn(entry)
    entry.chart_at -= 1.0
    assert cards.take_chart_turn(entry)


async def test_the_last_chart_waits_for_no_turn_and_is_drawn_once() -> None:
    drawing = DrawnCharts()
    cards, entry, other = publisher(drawing), CardState(), CardState()
    assert cards.take_chart_turn(other)
    ended = seen(Phase.ROLLED_BACK)
    picture = await cards.last_picture(entry, ended)
    assert picture is not None
    entry.chart = picture.tag
    assert await cards.last_picture(entry, ended) is None
    assert drawing.read == [1]


async def test_a_card_that_has_its_last_chart_takes_no_turn_of_others() -> None:
    cards, entry, other = publisher(DrawnCharts()), CardState(), CardState()
    ended = seen(Phase.ROLLED_BACK)
    picture = await cards.last_picture(entry, ended)
    assert picture is not None
    entry.chart = picture.tag
    cards._next_chart_at = 0.0
    await cards.last_picture(entry, ended)
    assert cards.take_chart_turn(other)
