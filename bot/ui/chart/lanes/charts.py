"""Draws the charts of `/health` and of alerts."""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.judge.history.served import ServedTick
from bot.domain.watch.health import LaneHealth, Strip
from bot.engine.watch.health import STRIP_S, OpenedLane
from bot.ui.chart.chart import Charts
from bot.ui.chart.data import Panel
from bot.ui.chart.lanes.served import ServedChart, counted, errors_panel, served_svg, slow_panel
from bot.ui.chart.lanes.strips import strips_svg


class LaneCharts:
    """PNGs, or None where there is nothing to draw. All raise ChartError when they cannot be drawn now."""

    def __init__(self, charts: Charts) -> None:
        self._charts = charts

    async def strips(self, lanes: Sequence[LaneHealth], strips: Sequence[Strip]) -> bytes | None:
        """A row for each lane with requests."""
        document = strips_svg(lanes, strips)
        return await self._charts.draw(document) if document is not None else None

    async def opened(self, opened: OpenedLane) -> bytes | None:
        """Failed and slow requests of the last hours."""
        data = lane_chart(opened)
        return await self._charts.draw(served_svg(data)) if data is not None else None


def lane_chart(opened: OpenedLane) -> ServedChart | None:
    """None when nothing was counted."""
    panels = lane_panels(opened.health, opened.served)
    if not any(map(counted, panels)):
        return None
    begin = max(opened.at - STRIP_S, min(tick.at for tick in opened.served))
    return ServedChart(str(opened.health.lane), panels, begin, opened.at, opened.at, "now")


def lane_panels(health: LaneHealth, ticks: Sequence[ServedTick]) -> tuple[Panel, ...]:
    """Errors, and slow requests where the lane has a limit on them."""
    errors = errors_panel(ticks, health.limit)
    if health.latency is None:
        return (errors,)
    return errors, slow_panel(ticks, health.latency.limit_s, health.latency.allowed)
