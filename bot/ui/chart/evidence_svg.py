"""Chart of the evidence as SVG: the odds of one or two tests over time on a logarithmic axis, with what decides."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

from bot.ui.chart.data import MOST_POINTS, Points, pieces
from bot.ui.chart.drawing import (
    BOTTOM,
    CANDIDATE,
    GRID,
    LEFT,
    LETTER,
    LIMIT,
    PANEL,
    RIGHT,
    TEXT,
    TOPS,
    WEIGHT,
    Axis,
    chip,
    frame,
    hours,
    line,
    marker,
    shortened,
    words,
)

# Odds below and above this are at the edge: what matters is how far they are from the threshold.
_LEAST, _MOST_OVER = 1e-2, 1e4
_GAP = "#80848e"
_OUT = "left out"


@dataclass(frozen=True, slots=True)
class EvidencePanel:
    """Odds of one test. needed: those that decide.

    points: `(unix seconds, odds)`, None where nothing counted. left_out: `(since, until)` of what did not count.
    """

    title: str
    needed: float
    points: tuple[tuple[float, float | None], ...]
    left_out: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class EvidenceChart:
    """Everything in one image.

    candidate: its version. panels: one or two, from the top. begin, end: time axis (unix seconds). ended: the
    rollout is over. verdict: `(unix seconds, word)` of the decision.
    """

    candidate: str
    panels: tuple[EvidencePanel, ...]
    begin: float
    end: float
    ended: bool
    verdict: tuple[float, str] | None


def evidence_svg(data: EvidenceChart) -> str:
    """The image as an SVG document of WIDTH by HEIGHT pixels."""
    time = Axis(data.begin, max(data.end, data.begin + (1.0 if data.ended else 30.0)), LEFT, RIGHT)
    places = _places(len(data.panels))
    parts = [*_legend(data), *_ticks(time), *hours(time, ended=data.ended)]
    for panel, (top, height) in zip(data.panels, places, strict=False):
        parts += _panel(panel, data, time, (top, height))
    if data.verdict is not None and data.panels:
        at, word = data.verdict
        top, height = places[0]
        parts.append(
            chip(time(at), top + (height - 37 if _high(data.panels[0], at) else 6), word, after=True)
        )
    return frame(parts)


def _places(panels: int) -> list[tuple[float, float]]:
    """Top and height of each panel; one alone has the room of both."""
    return [(TOPS[0], BOTTOM - TOPS[0])] if panels == 1 else [(top, PANEL) for top in TOPS]


def _legend(data: EvidenceChart) -> Iterator[str]:
    yield line(16, 30, 62, 30, stroke=CANDIDATE, stroke_width=4)
    yield marker(39, 30, candidate=True)
    name = shortened(data.candidate, 18)
    yield words(74, 38, name, fill=TEXT, font_weight="bold", font_size=26)
    x = 74 + len(name) * 15.2 + 14
    yield words(x, 38, "odds against it")
    if any(panel.left_out for panel in data.panels):
        x = 784 - len(_OUT) * LETTER - 20
        yield f'<rect x="{x:.1f}" y="16" width="28" height="28" fill="{_GAP}" fill-opacity="0.3"/>'
        yield words(784, 38, _OUT, text_anchor="end")


def _ticks(time: Axis) -> Iterator[str]:
    """The base of the axis of time, which the rollout's chart has its weights on."""
    yield line(time.start, BOTTOM + 38, time.stop, BOTTOM + 38, stroke=WEIGHT, stroke_width=1.5)


def _panel(
    panel: EvidencePanel, data: EvidenceChart, time: Axis, place: tuple[float, float]
) -> Iterator[str]:
    top, height = place
    points = thinned(panel.points)
    up = _scale(panel, top, height)
    edge = up(log10(panel.needed))
    zone = f'x="{LEFT}" y="{top}" width="{RIGHT - LEFT}" height="{edge - top:.1f}"'
    yield f'<rect {zone} fill="{LIMIT}" fill-opacity="0.09"/>'
    for since, until in panel.left_out:
        x, wide = time(since), max(3.0, time(until) - time(since))
        yield f'<rect x="{x:.1f}" y="{top}" width="{wide:.1f}" height="{height}" fill="{_GAP}" fill-opacity="0.3"/>'
    yield from _grid(up, top)
    yield line(LEFT, edge, RIGHT, edge, stroke=LIMIT, stroke_width=2.5, stroke_dasharray="3 5")
    if data.verdict is not None:
        x = time(data.verdict[0])
        yield line(x, top, x, top + height, stroke=TEXT, stroke_width=3)
    yield from _drawn(points, time, up)
    yield from _titles(panel, top)


def _titles(panel: EvidencePanel, top: float) -> Iterator[str]:
    said = f"decides at {odds(panel.needed)}"
    room = int((RIGHT - LEFT - len(said) * LETTER - 70) / LETTER)
    yield words(LEFT + 8, top - 9, shortened(panel.title, room), fill=TEXT, font_weight="bold")
    yield words(RIGHT, top - 9, said, fill=LIMIT, text_anchor="end")
    begin = RIGHT - len(said) * LETTER - 44
    yield line(begin, top - 17, begin + 34, top - 17, stroke=LIMIT, stroke_width=2.5, stroke_dasharray="3 5")


def _scale(panel: EvidencePanel, top: float, height: float) -> Axis:
    """Logarithms of odds: from below the lowest to above what decides, in whole powers of ten."""
    values = [value for _, value in panel.points if value is not None] or [1.0]
    low = floor(log10(min(1.0, max(_LEAST, min(values)))) + 1e-9)
    high = ceil(log10(max(panel.needed * 1.5, min(max(values), panel.needed * _MOST_OVER))) - 1e-9)
    return Axis(min(low, -1), high, top + height, top)


def _grid(up: Axis, top: float) -> Iterator[str]:
    """A line for each power of ten, or for every second, third … where they would be crowded."""
    powers = range(int(up.low), int(up.high) + 1)
    step = ceil(28 / ((up.start - up.stop) / max(1, len(powers) - 1)))
    for power in powers:
        if power % step:
            continue
        y = up(power)
        even = power == 0
        yield line(LEFT, y, RIGHT, y, stroke=WEIGHT if even else GRID, stroke_width=1.5 if even else 1)
        yield words(LEFT - 10, y + 8, odds(10.0**power), text_anchor="end")


def _drawn(points: Points, time: Axis, up: Axis) -> Iterator[str]:
    for piece in pieces(points):
        if len(piece) == 1:
            yield marker(time(piece[0][0]), up(_log(piece[0][1])), candidate=True)
            continue
        path = "L".join(f"{time(at):.1f} {up(_log(value)):.1f}" for at, value in piece)
        yield (
            f'<path d="M{path}" fill="none" stroke="{CANDIDATE}" stroke-width="4.5" '
            'stroke-linejoin="round" stroke-linecap="round"/>'
        )
    last = next(((at, value) for at, value in reversed(points) if value is not None), None)
    if last is None:
        yield words((LEFT + RIGHT) / 2, (up.start + up.stop) / 2 + 8, "nothing counted", text_anchor="middle")
        return
    at, value = last
    y = up(_log(value))
    yield marker(time(at), y, candidate=True)
    if points[-1][1] is None:  # what stands at the end is not what it was there
        return
    yield marker(RIGHT + 22, y, candidate=True)
    yield words(RIGHT + 38, y + 9, odds(value), fill=CANDIDATE, font_weight="bold", font_size=27)


def thinned(points: Sequence[tuple[float, float | None]]) -> Points:
    """At most `MOST_POINTS` points: of neighbours the highest stays, and the last as it is."""
    each = -(-len(points) // MOST_POINTS)
    if each <= 1:
        return list(points)
    found: Points = []
    for first in range(0, len(points), each):
        some = points[first : first + each]
        values = [value for _, value in some if value is not None]
        found.append((some[-1][0], max(values) if values else None))
    return [*found[:-1], points[-1]]


def odds(value: float) -> str:
    """Short odds: `1:20`, `1:1`, `3.1:1`, `293:1`, `12k:1`, `1M:1`."""
    if value < 0.995:
        return f"1:{_short(1 / max(value, 1e-3))}"
    return f"{_short(value)}:1" if value < 1e9 else ">1G:1"


def _short(value: float) -> str:
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if value >= size * 0.9995:
            return f"{float(f'{value / size:.2g}'):g}{letter}"
    return f"{value:.0f}" if value >= 9.95 else f"{float(f'{value:.2g}'):g}"


def _log(value: float) -> float:
    return log10(max(value, _LEAST / 10))


def _high(panel: EvidencePanel, at: float) -> bool:
    """Whether the line is in the upper half of the panel at that time."""
    up = _scale(panel, 0.0, 1.0)
    seen = [value for when, value in panel.points if value is not None and when <= at]
    return bool(seen) and up(_log(seen[-1])) < 0.5


__all__ = ["EvidenceChart", "EvidencePanel", "evidence_svg", "odds", "thinned"]
