"""Chart as SVG: two panels over one time axis, labelled directly, readable without colour."""

from __future__ import annotations

from collections.abc import Iterator
from math import floor, log10

from bot.domain.formatting import duration, percent
from bot.ui.chart.data import ChartData, Panel, Points, pieces, thinned
from bot.ui.chart.drawing import (
    BACK,
    BOTTOM,
    CANDIDATE,
    GRID,
    LEFT,
    LETTER,
    LIMIT,
    PANEL,
    RIGHT,
    STABLE,
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


def svg(data: ChartData) -> str:
    """The image as an SVG document of WIDTH by HEIGHT pixels."""
    end = max(data.end, data.begin + (1.0 if data.ended else 30.0))
    time = Axis(data.begin, end, LEFT, RIGHT)
    parts = [
        *_legend(data),
        *hours(time, ended=data.ended),
        *_decision(data, time),
        *_panels(data, time),
        *_weights(data, time),
        *_verdict(data, time),
    ]
    return frame(parts)


def _legend(data: ChartData) -> Iterator[str]:
    letters = 13 if data.stable is not None else 36
    x = 16.0
    for version, role, candidate in ((data.candidate, "candidate", True), (data.stable, "stable", False)):
        if version is None:
            continue
        color, dash = (CANDIDATE, "none") if candidate else (STABLE, "7 6")
        yield line(x, 30, x + 46, 30, stroke=color, stroke_width=4 if candidate else 3, stroke_dasharray=dash)
        yield marker(x + 23, 30, candidate=candidate)
        name = shortened(version, letters)
        yield words(x + 58, 38, name, fill=TEXT, font_weight="bold", font_size=26)
        x += 58 + len(name) * 15.2 + 16
        yield words(x, 38, role)
        x += len(role) * LETTER + 20


def _panels(data: ChartData, time: Axis) -> Iterator[str]:
    for top, panel in zip(TOPS, data.panels, strict=False):
        yield from panel_parts(panel, time, top, has_stable=data.stable is not None)


def panel_parts(panel: Panel, time: Axis, top: float, *, has_stable: bool = False) -> Iterator[str]:
    """One panel, PANEL pixels high from `top` on, without its axis of time."""
    low = top + PANEL
    lines = {
        True: thinned(panel.candidate, time.low, time.high, panel.limit),
        False: thinned(panel.stable, time.low, time.high, panel.limit) if has_stable else [],
    }
    values = [v for points in lines.values() for _, v in points if v is not None]
    step, highest = _scale(max([*values, (panel.limit or 0.0) * 1.25]), panel.unit)
    up = Axis(0.0, highest, low, top)
    if panel.limit is not None:
        # Shade the zone above the limit: "too high" is an area, not only a colour.
        height = up(panel.limit) - top
        zone = f'x="{LEFT}" y="{top}" width="{RIGHT - LEFT}" height="{height:.1f}"'
        yield f'<rect {zone} fill="{LIMIT}" fill-opacity="0.09"/>'
    for number in range(round(highest / step) + 1):
        y = up(number * step)
        yield line(LEFT, y, RIGHT, y, stroke=GRID if number else WEIGHT, stroke_width=1 if number else 1.5)
        yield words(LEFT - 10, y + 8, _figure(number * step, panel.unit), text_anchor="end")
    yield from _limit(panel, up, top)
    if not values:
        yield words((LEFT + RIGHT) / 2, top + PANEL / 2 + 8, "no measurements yet", text_anchor="middle")
    for candidate in (False, True):
        yield from _drawn(lines[candidate], time, up, candidate=candidate)
    yield from _ends(lines, time, up, panel)
    yield words(LEFT + 8, top - 9, panel.title, fill=TEXT, font_weight="bold")


def _limit(panel: Panel, up: Axis, top: float) -> Iterator[str]:
    if panel.limit is None:
        return
    y = up(panel.limit)
    yield line(LEFT, y, RIGHT, y, stroke=LIMIT, stroke_width=2.5, stroke_dasharray="3 5")
    said = f"limit {_figure(panel.limit, panel.unit)}"
    yield words(RIGHT, top - 9, said, fill=LIMIT, text_anchor="end")
    begin = RIGHT - len(said) * LETTER - 44
    yield line(begin, top - 17, begin + 34, top - 17, stroke=LIMIT, stroke_width=2.5, stroke_dasharray="3 5")


def _drawn(points: Points, time: Axis, up: Axis, *, candidate: bool) -> Iterator[str]:
    color, width = (CANDIDATE, 4.5) if candidate else (STABLE, 3)
    dash = "" if candidate else ' stroke-dasharray="8 7"'
    for piece in pieces(points):
        if len(piece) == 1:
            yield marker(time(piece[0][0]), up(piece[0][1]), candidate=candidate)
            continue
        path = "L".join(f"{time(at):.1f} {up(value):.1f}" for at, value in piece)
        yield (
            f'<path d="M{path}" fill="none" stroke="{color}" stroke-width="{width}"{dash} '
            'stroke-linejoin="round" stroke-linecap="round"/>'
        )


def _ends(lines: dict[bool, Points], time: Axis, up: Axis, panel: Panel) -> Iterator[str]:
    """The last value of each line at its end, moved apart where they would overlap."""
    last = {
        key: next(((t, v) for t, v in reversed(points) if v is not None), None)
        for key, points in lines.items()
    }
    found = sorted((up(pair[1]), key, pair) for key, pair in last.items() if pair is not None)
    places = [y for y, _, _ in found]
    if len(places) == 2 and places[1] - places[0] < 29:
        middle = min(max(sum(places) / 2, up.stop + 12), up.start - 16)
        places = [middle - 14.5, middle + 14.5]
    for place, (y, candidate, (at, value)) in zip(places, found, strict=True):
        yield marker(time(at), y, candidate=candidate)
        color, weight = (CANDIDATE, "bold") if candidate else (STABLE, "normal")
        yield marker(RIGHT + 22, place, candidate=candidate)
        said = _figure(value, panel.unit)
        yield words(RIGHT + 38, place + 9, said, fill=color, font_weight=weight, font_size=27)


def _weights(data: ChartData, time: Axis) -> Iterator[str]:
    """A vertical line and the new share at each change. Of overlapping labels the earlier is left out."""
    if data.weights:
        yield words(LEFT - 10, BOTTOM + 28, "traffic", text_anchor="end")
    chips: list[tuple[float, float, str]] = []
    for at, weight in data.weights:
        if not data.begin <= at <= time.high:
            continue
        x, said = time(at), f"{weight:g}%"
        for top in TOPS:
            yield line(x, top, x, top + PANEL, stroke=WEIGHT, stroke_width=2, stroke_dasharray="2 4")
        yield line(x, BOTTOM, x, BOTTOM + 8, stroke=WEIGHT, stroke_width=2)
        width = len(said) * LETTER + 14
        left = min(max(x - width / 2, LEFT), RIGHT - width)
        while chips and chips[-1][0] + chips[-1][1] + 4 > left:
            chips.pop()
        chips.append((left, width, said))
    for left, width, said in chips:
        box = f'x="{left:.1f}" y="{BOTTOM + 6}" width="{width:.1f}" height="31" rx="7"'
        yield f'<rect {box} fill="{STABLE}"/>'
        yield words(left + width / 2, BOTTOM + 30, said, text_anchor="middle", fill=BACK, font_weight="bold")


def _decision(data: ChartData, time: Axis) -> Iterator[str]:
    """A solid line through all panels when it was decided, behind the measurements."""
    if data.verdict is None:
        return
    x = time(data.verdict[0])
    for top, _ in zip(TOPS, data.panels, strict=False):
        yield line(x, top, x, top + PANEL, stroke=TEXT, stroke_width=3)


def _verdict(data: ChartData, time: Axis) -> Iterator[str]:
    """The word of the decision on a chip beside its line, where the candidate's line is not."""
    if data.verdict is None or not data.panels:
        return
    at, word = data.verdict
    top = TOPS[0] + (PANEL * 0.55 if _high(data.panels[0], at) else 6)
    yield chip(time(at), top, word)


def _high(panel: Panel, at: float) -> bool:
    """Whether the candidate's line is in the upper half of the panel at that time."""
    seen = [(when, value) for when, value in panel.candidate.points if value is not None and when <= at]
    stable = [value for _, value in panel.stable.points if value is not None]
    highest = max([*(value for _, value in seen), *stable, (panel.limit or 0.0) * 1.25])
    return bool(seen) and seen[-1][1] > highest / 2


def _scale(highest: float, unit: str) -> tuple[float, float]:
    """(distance of grid lines, top of the axis) in round numbers, with two or three lines above 0."""
    if highest < 1e-9:  # nothing visible
        highest = 0.01 if unit == "proportion" else 1.0
    size = 10 ** floor(log10(highest))
    for factor in (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0):
        step = factor * size
        lines = -(-highest * 1.02 // step)
        if lines <= 3:
            top = lines * step
            return (0.5, 1.0) if unit == "proportion" and top > 1 else (step, top)
    return size * 10, size * 10


def _figure(value: float, unit: str) -> str:
    if value == 0:
        return "0"
    return percent(value) if unit == "proportion" else duration(float(f"{value:.2g}"))
