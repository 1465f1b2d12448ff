"""Rounds of drawing: each server by itself, the worst first, and what one of them does not take is tried again."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import pairwise

import pytest

from bot.domain.watch.alerts.alert import Alert
from bot.domain.watch.alerts.escalation import AlertPolicy
from bot.domain.watch.alerts.findings import Severity
from bot.domain.watch.alerts.lifecycle import begin
from bot.ports.errors import Unreachable
from bot.ui.alerts.rounds import DIRECTLY, DrawingRounds
from tests.support.alerts import errors
from tests.support.virtual_time import EPOCH

pytestmark = pytest.mark.virtual_time
HERE, THERE = 7, 8


def alert(number: int, severity: Severity = Severity.HIGH, version: int = 1) -> Alert:
    change = begin(number, errors(severity=severity), (HERE,), EPOCH, AlertPolicy())
    return replace(change.alert, version=version)


class Places:
    """Draws version 1 of everything. away, hanging: places; broken: alerts that no place can draw."""

    def __init__(self) -> None:
        self.tried: list[tuple[int, int]] = []
        self.away: set[int] = set()
        self.hanging: set[int] = set()
        self.broken: set[int] = set()
        self.version = 1

    async def draw(self, place: int, alert_id: int) -> int:
        self.tried.append((place, alert_id))
        if place in self.hanging:
            await asyncio.sleep(3600)
        if place in self.away:
            raise Unreachable("it does not answer")
        if alert_id in self.broken:
            raise ValueError("a mistake")
        return self.version


@pytest.fixture
def places() -> Places:
    return Places()


async def test_an_alert_is_drawn_once_every_place_shows_it_and_the_worst_come_first(places: Places) -> None:
    rounds = DrawingRounds(places.draw)
    for each in (alert(1, Severity.LOW), alert(2), alert(3, Severity.CRITICAL)):
        rounds.add(each, (HERE,))
    assert rounds.under_way
    assert await rounds.go_on(1.0) == ({1: 1, 2: 1, 3: 1}, None)
    assert places.tried == [(HERE, 3), (HERE, 2), (HERE, 1)]
    rounds.add(alert(4), ())  # a server that the catalog has no more
    assert await rounds.go_on(1.0) == ({4: 1}, None)
    assert not rounds.under_way


async def test_a_place_that_hangs_delays_no_other(places: Places) -> None:
    rounds = DrawingRounds(places.draw)
    places.hanging = {HERE}
    rounds.add(alert(1), (HERE, THERE, DIRECTLY))
    rounds.add(alert(2), (HERE,))
    assert await rounds.go_on(1.0) == ({}, None)
    assert sorted(places.tried) == [(DIRECTLY, 1), (HERE, 1), (THERE, 1)]
    # Nothing can be begun of either: they need not be read again until they change.
    assert rounds.waiting() == {1: 1, 2: 1}
    assert rounds.under_way
    rounds.add(alert(3), (THERE,))
    rounds.add(alert(1), (HERE, THERE, DIRECTLY))
    assert await rounds.go_on(1.0) == ({3: 1}, None)
    assert places.tried[3:] == [(THERE, 3)]
    await asyncio.sleep(3600)
    places.hanging = set()
    while rounds.under_way:
        await rounds.go_on(1.0)
    assert rounds.waiting() == {}
    assert (HERE, 2) in places.tried
    await rounds.stop()


async def test_a_place_that_is_away_is_tried_again_at_once_and_then_less_often(places: Places) -> None:
    rounds, loop = DrawingRounds(places.draw), asyncio.get_running_loop()
    places.away = {HERE}
    rounds.add(alert(1), (HERE, THERE))
    times = []
    for _ in range(200):
        before = len(places.tried)
        drawn, error = await rounds.go_on(1.0)
        if (HERE, 1) in places.tried[before:]:
            assert isinstance(error, Unreachable)
            times.append(round(loop.time(), 1))
        else:
            assert (drawn, error) == ({}, None)
            assert rounds.waiting() == {1: 1} and not rounds.under_way
        await asyncio.sleep(0.05)
    assert times[0] == 0.0 and times[1] < 0.2
    pauses = [after - before for before, after in pairwise(times)]
    assert max(pauses) <= 2.2
    assert pauses[-1] > 1.5
    assert places.tried.count((THERE, 1)) == 1  # it has shown it all the while
    places.away = set()
    await asyncio.sleep(2.0)
    assert await rounds.go_on(1.0) == ({1: 1}, None)


async def test_an_alert_that_cannot_be_drawn_keeps_no_other_from_it(places: Places) -> None:
    rounds = DrawingRounds(places.draw)
    places.broken = {1}
    rounds.add(alert(1, Severity.CRITICAL), (HERE,))
    rounds.add(alert(2), (HERE,))
    drawn, error = await rounds.go_on(1.0)
    assert drawn == {2: 1}
    assert isinstance(error, ValueError)


async def test_what_has_changed_while_it_was_drawn_is_drawn_again(places: Places) -> None:
    rounds = DrawingRounds(places.draw)
    rounds.add(alert(1), (HERE,))
    rounds.add(alert(1, version=2), (HERE,))
    assert await rounds.go_on(1.0) == ({}, None)  # what was shown is older
    places.version = 2
    assert await rounds.go_on(1.0) == ({1: 2}, None)
