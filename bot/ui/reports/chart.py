"""Chart of a report: deployments over the period as bars, and availability as a line below them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from math import ceil

from bot.domain.reports.report import Bar
from bot.domain.reports.wording import short_date
from bot.ui.chart.chart import Charts
from bot.ui.chart.data import pieces
from bot.ui.chart.drawing import (
    BOTTOM,
    CANDIDATE,
    GRID,
    LEFT,
    LETTER,
    PANEL,
    TEXT,
    TOPS,
    WEIGHT,
    WIDTH,
    Axis,
    frame,
    line,
    marker,
    words,
)

# The names of what is drawn stand at the top, so the chart has the whole width.
_RIGHT = 776.0
# Amber beside blue: apart in brightness too, and failures are hatched and stand on top.
_FAILED = "#f5b642"
_HATCH = (
    '<defs><pattern id="failed" width="8" height="8" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    f'<rect width="8" height="8" fill="{_FAILED}"/><rect width="3" height="8" fill="#1e1f22" fill-opacity="0.35"/>'
    "</pattern></defs>"
)
_MOST_LABELS = 7
_BELOW = (0.0002, 0.001, 0.002, 0.01, 0.02, 0.1, 0.2, 1.0)
Bars = Sequence[tuple[str, str, int, int, float | None]]


class ReportCharts:
    """Draws the charts of reports."""

    def __init__(self, charts: Charts) -> None:
        self._charts = charts

    async def __call__(self, bars: Sequence[Bar]) -> bytes | None:
        """The PNG, or None when there is nothing to draw. Raises ChartError when it cannot be drawn now."""
        document = report_svg(bars)
        return await self._charts.draw(document) if document is not None else None

    async def told(self, bars: Bars) -> bytes | None:
        """The same for the bars of a message."""
        return await self(
            [Bar(date.fromisoformat(f), date.fromisoformat(t), g, b, a) for f, t, g, b, a in bars]
        )


def report_svg(bars: Sequence[Bar]) -> str | None:
    """The image as an SVG document; None when nothing is known."""
    if not any(bar.good or bar.failed or bar.availability is not None for bar in bars):
        return None
    across = Axis(0, len(bars), LEFT, _RIGHT)
    weekly = any(bar.first != bar.last for bar in bars)
    parts = [_HATCH, *_deployments(bars, across, weekly=weekly), *_availability(bars, across)]
    return frame([*parts, *_dates(bars, across)])


def _deployments(bars: Sequence[Bar], across: Axis, *, weekly: bool) -> Iterator[str]:
    top, low = TOPS[0], TOPS[0] + PANEL
    highest = max(bar.good + bar.failed for bar in bars)
    step = next(s for n in range(9) for s in (10**n, 2 * 10**n, 5 * 10**n) if highest / s <= 4)
    up = Axis(0, max(ceil(highest / step), 1) * step, low, top)
    for number in range(0, round(up.high) + 1, step):
        y = up(number)
        yield line(LEFT, y, _RIGHT, y, stroke=GRID if number else WEIGHT, stroke_width=1 if number else 1.5)
        yield words(LEFT - 10, y + 8, str(number), text_anchor="end")
    wide = min(56.0, (across(1) - across(0)) * 0.66)
    for index, bar in enumerate(bars):
        x = across(index + 0.5) - wide / 2
        if bar.good:
            yield _box(x, up(bar.good), wide, low - up(bar.good), CANDIDATE)
        if bar.failed:
            y = up(bar.good + bar.failed)
            yield _box(x, y, wide, up(bar.good) - y - (2 if bar.good else 0), "url(#failed)")
    title = "Deployments a week" if weekly else "Deployments a day"
    yield words(LEFT, top - 22, title, fill=TEXT, font_weight="bold", font_size=26)
    yield from _legend(top - 22)


def _legend(y: float) -> Iterator[str]:
    x = _RIGHT
    for said, fill in (("failed", "url(#failed)"), ("went well", CANDIDATE)):
        yield words(x, y, said, text_anchor="end")
        x -= len(said) * LETTER + 30
        yield _box(x, y - 19, 22, 22, fill)
        x -= 22


def _availability(bars: Sequence[Bar], across: Axis) -> Iterator[str]:
    top = TOPS[1] + 26
    low = BOTTOM + 14
    known = [bar.availability for bar in bars if bar.availability is not None]
    yield words(LEFT, top - 18, "Availability", fill=TEXT, font_weight="bold", font_size=26)
    if not known:
        yield words((LEFT + _RIGHT) / 2, (top + low) / 2 + 8, "not known", text_anchor="middle")
        return
    least = _least(min(known))
    up = Axis(least, 1.0, low, top)
    for share in (least, (least + 1) / 2, 1.0):
        y = up(share)
        yield line(LEFT, y, _RIGHT, y, stroke=GRID, stroke_width=1)
        yield words(LEFT - 10, y + 8, f"{round(share * 100, 3):g}%", text_anchor="end")
    points = [(across(index + 0.5), bar.availability) for index, bar in enumerate(bars)]
    for piece in pieces(points):
        path = "L".join(f"{x:.1f} {up(value):.1f}" for x, value in piece)
        yield (
            f'<path d="M{path}" fill="none" stroke="{CANDIDATE}" stroke-width="4" '
            'stroke-linejoin="round" stroke-linecap="round"/>'
        )
        if len(bars) <= 14 or len(piece) == 1:
            for x, value in piece:
                yield marker(x, up(value), candidate=True)


def _least(lowest: float) -> float:
    """Where the axis begins, so that it has round figures: 99.98%, 99.9%, 99.8%, 99% …"""
    return 1 - next(below for below in _BELOW if 1 - lowest <= below + 1e-9)


def _dates(bars: Sequence[Bar], across: Axis) -> Iterator[str]:
    """The days on which bars begin, as many as fit. The last always has one: it is now, or nearly so."""
    every = ceil(len(bars) / _MOST_LABELS)
    for index, bar in enumerate(bars):
        if (len(bars) - 1 - index) % every == 0:
            said = short_date(bar.first)
            x = min(across(index + 0.5), WIDTH - 8 - len(said) * LETTER / 2)
            yield words(x, BOTTOM + 60, said, text_anchor="middle")


def _box(x: float, y: float, width: float, height: float, fill: str) -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{max(height, 1):.1f}" rx="3" fill="{fill}"/>'
