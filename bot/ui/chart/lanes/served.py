"""Chart of what one lane served: values against their limits over time, with what happened."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from bot.domain.formatting import duration
from bot.domain.judge.history.served import ServedTick
from bot.domain.judge.policy import Rule
from bot.domain.watch.rules import ERRORS, watched
from bot.ui import escaping
from bot.ui.chart.data import ChartSeries, Panel, pooled
from bot.ui.chart.drawing import (
    BOTTOM,
    LEFT,
    MUTED,
    PANEL,
    RIGHT,
    TEXT,
    TOPS,
    WEIGHT,
    Axis,
    chip,
    frame,
    line,
    shortened,
    words,
)
from bot.ui.chart.svg import panel_parts

_POOLED_S = 60.0
_STEPS = (10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400)


@dataclass(frozen=True, slots=True)
class ServedChart:
    """One or two panels over one time axis, all in unix seconds.

    zero: the time that others are told from, such as the begin of an alert. zero_word: how it is called. marks: times
    with a word each, drawn as lines.
    """

    title: str
    panels: tuple[Panel, ...]
    begin: float
    end: float
    zero: float
    zero_word: str
    marks: tuple[tuple[float, str], ...] = ()


def served_svg(data: ServedChart) -> str:
    """The image as an SVG document."""
    panels = data.panels[: len(TOPS)]
    bottom = TOPS[len(panels) - 1] + PANEL
    time = Axis(data.begin, max(data.end, data.begin + 30.0), LEFT, RIGHT)
    parts = [
        words(16, 38, shortened(escaping.name(data.title), 44), fill=TEXT, font_weight="bold", font_size=26)
    ]
    for top, panel in zip(TOPS, panels, strict=False):
        parts += panel_parts(panel, time, top)
        for at, _ in data.marks:
            parts.append(line(time(at), top, time(at), top + PANEL, stroke=TEXT, stroke_width=3))
    parts += _axis(data, time, bottom)
    parts += (chip(time(at), TOPS[0] + 6, word) for at, word in data.marks)
    return frame(parts, round(bottom + 62 + (0 if bottom < BOTTOM else 10)))


def panel(
    ticks: Iterable[ServedTick], measure: str, title: str, limit: float | None, over_s: float = _POOLED_S
) -> Panel:
    """The share of bad requests by one measure, of the last `over_s` seconds at each time."""
    found = ((tick.at, tick.counts.get(measure)) for tick in ticks)
    return Panel(
        title,
        pooled(((at, (c.total, c.bad) if c and c.total else None) for at, c in found), over_s),
        limit=limit,
    )


def errors_panel(ticks: Sequence[ServedTick], limit: float | None) -> Panel:
    return panel(ticks, ERRORS, "Failed requests", limit)


def slow_panel(ticks: Sequence[ServedTick], limit_s: float, allowed: float) -> Panel:
    return panel(ticks, f"latency>{limit_s:g}s", f"Slower than {duration(limit_s)}", allowed)


def rule_panel(ticks: Sequence[ServedTick], condition: Rule) -> Panel:
    """What a condition of a rule measures against its limit, over the condition's own window."""
    measure = watched(condition) or ""
    window = f" in {duration(condition.over_s)}"
    if condition.quantile is not None:
        title, limit = f"Slower than {duration(condition.limit)}{window}", round(1 - condition.quantile, 12)
    else:
        name = "Failed requests" if measure == ERRORS else escaping.name(condition.subject or "", 20)
        title, limit = f"{name}{window}", condition.limit
    return panel(ticks, measure, title, limit, condition.over_s)


def counted(found: Panel) -> bool:
    """Whether the panel has anything to show."""
    return any(value is not None for _, value in found.candidate.points)


def ending_in(found: Panel, at: float, value: float) -> Panel:
    """With a newer value than those that are kept."""
    points = tuple(point for point in found.candidate.points if point[0] < at)
    return Panel(found.title, ChartSeries((*points, (at, value))), limit=found.limit)


def _axis(data: ServedChart, time: Axis, bottom: float) -> Iterator[str]:
    """Times before and after `zero`, at round distances."""
    span = time.high - time.low
    step = next((s for s in _STEPS if span / s <= 4.5), 86_400)
    first = -int((data.zero - time.low) // step)
    for number in range(first, int((time.high - data.zero) // step) + 1):
        x = time(data.zero + number * step)
        yield line(x, bottom, x, bottom + 8, stroke=WEIGHT, stroke_width=2)
        said = (
            data.zero_word if number == 0 else f"{'−' if number < 0 else '+'}{duration(abs(number) * step)}"
        )
        anchor = "end" if x > RIGHT - 30 else "start" if x < LEFT + 30 else "middle"
        yield words(x, bottom + 36, said, text_anchor=anchor, fill=TEXT if number == 0 else MUTED)
