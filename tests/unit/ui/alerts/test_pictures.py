"""Pictures of alert cards: not too often, in any case at the end, and never in the way of the card."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from bot.domain.watch.alerts.alert import Alert, AlertState
from bot.domain.watch.alerts.escalation import AlertPolicy
from bot.domain.watch.alerts.lifecycle import begin
from bot.ui.alerts.pictures import EVERY_S, AlertPictures
from bot.ui.chart.chart import ChartError
from tests.support.alerts import errors
from tests.support.virtual_time import EPOCH

pytestmark = pytest.mark.virtual_time
ALERT = begin(3, errors(), (1,), EPOCH, AlertPolicy()).alert
OVER = replace(ALERT, state=AlertState.RESOLVED, ended_at=EPOCH)


class Drawing:
    """Draws a PNG each time. takes_s: how long. broken: it cannot."""

    def __init__(self) -> None:
        self.times, self.takes_s, self.broken = 0, 0.0, False

    async def __call__(self, alert: Alert) -> bytes | None:
        self.times += 1
        await asyncio.sleep(self.takes_s)
        if self.broken:
            raise ChartError("no renderer")
        return b"png"


async def test_a_picture_is_drawn_at_most_every_half_minute_and_at_the_end() -> None:
    drawing = Drawing()
    pictures = AlertPictures(drawing)
    assert await pictures.due(ALERT) is not None
    await asyncio.sleep(EVERY_S - 0.1)
    assert await pictures.due(ALERT) is None
    assert await pictures.due(OVER) is not None
    await asyncio.sleep(EVERY_S)
    assert await pictures.due(ALERT) is not None
    assert drawing.times == 3


@pytest.mark.parametrize("broken", [True, False])
async def test_a_card_does_not_wait_for_a_picture_that_is_late_or_cannot_be_drawn(broken: bool) -> None:
    drawing = Drawing()
    drawing.broken, drawing.takes_s = broken, 0.0 if broken else 60.0
    pictures, began = AlertPictures(drawing), asyncio.get_running_loop().time()
    assert await pictures.due(ALERT) is None
    assert asyncio.get_running_loop().time() - began < 1.0
    # It is not tried with every change.
    assert await pictures.due(ALERT) is None
    assert drawing.times == 1
    drawing.broken, drawing.takes_s = False, 0.0
    await asyncio.sleep(EVERY_S)
    assert await pictures.due(ALERT) is not None


async def test_without_anything_to_draw_there_is_no_picture() -> None:
    async def nothing(alert: Alert) -> bytes | None:
        return None

    assert await AlertPictures(nothing).due(ALERT) is None
    assert await AlertPictures().due(ALERT) is None
