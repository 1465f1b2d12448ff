"""Chart as SVG: two panels over one time axis, labelled directly, readable without colour."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from math import floor, log10

from bot.domain.formatting import duration, percent
from bot.ui.chart.data import ChartData, Panel, Points, pieces, thinned

WIDTH, HEIGHT = 800, 460
_LEFT, _RIGHT = 98.0, 636.0
_TOPS, _PANEL = (94.0, 258.0), 122.0
_BOTTOM = _TOPS[-1] + _PANEL
FONT = "DejaVu Sans"  # its condensed cut, shipped in `fonts/`
# Blue and light grey also differ in brightness, dash and marker; only limits are red.
_BACK, _FIELD, _TEXT, _MUTED, _GRID = "#1e1f22", "#2b2d31", "#f2f3f5", "#b5bac1", "#3f4147"
_CANDIDATE, _STABLE, _LIMIT, _WEIGHT = "#5cb8ff", "#c9ccd1", "#ff8a80", "#80848e"
# Not allowed in XML even when escaped; a version or title may contain anything.
_NOT_XML = re.compile("[^\\t\\n\\r\\x20-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]")
_SMALL, _LETTER = 24, 12.3  # letters in pixels, and the width of one of them on average


def svg(data: ChartData) -> str:
    """The image as an SVG document of WIDTH by HEIGHT pixels."""
    end = max(data.end, data.begin + (1.0 if data.ended else 30.0))
    time = _Axis(data.begin, end, _LEFT, _RIGHT)
    parts = [
        *_legend(data),
        *_hours(time, ended=data.ended),
        *_decision(data, time),
        *_panels(data, time),
        *_weights(data, time),
        *_verdict(data, time),
    ]
    look = f'font-family="{FONT}" font-stretch="condensed" font-size="{_SMALL}"'
    back = f'<rect width="{WIDTH}" height="{HEIGHT}" fill="{_BACK}"/>'
    frame = f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" {look}>'
    return f"{frame}{back}{''.join(parts)}</svg>"


@dataclass(frozen=True, slots=True)
class _Axis:
    """Maps `low..high` to `start..stop` pixels; values outside stay at the edge."""

    low: float
    high: float
    start: float
    stop: float

    def __call__(self, value: float) -> float:
        share = min(1.0, max(0.0, (value - self.low) / (self.high - self.low)))
        return self.start + share * (self.stop - self.start)


def _words(x: float, y: float, said: str, **style: object) -> str:
    look = "".join(
        f' {name.replace("_", "-")}="{value}"' for name, value in {"fill": _MUTED, **style}.items()
    )
    return f'<text x="{x:.1f}" y="{y:.1f}"{look}>{escape(_NOT_XML.sub("", said))}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, **style: object) -> str:
    look = "".join(f' {name.replace("_", "-")}="{value}"' for name, value in style.items())
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"{look}/>'


def _marker(x: float, y: float, *, candidate: bool) -> str:
    """A filled circle for the candidate, an open diamond for stable."""
    if candidate:
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="6.5" fill="{_CANDIDATE}" stroke="{_FIELD}" stroke-width="2"/>'
    box = f"M{x:.1f} {y - 8:.1f}l8 8l-8 8l-8 -8z"
    return f'<path d="{box}" fill="{_FIELD}" stroke="{_STABLE}" stroke-width="2.5"/>'


def shortened(version: str, letters: int) -> str:
    """A long version loses its middle: both ends tell versions apart."""
    if len(version) <= letters:
        return version
    tail = letters // 2
    return f"{version[: letters - tail - 1].rstrip('.-+_')}…{version[-tail:]}"


def _legend(data: ChartData) -> Iterator[str]:
    letters = 13 if data.stable is not None else 36
    x = 16.0
    for version, role, candidate in ((data.candidate, "candidate", True), (data.stable, "stable", False)):
        if version is None:
            continue
        color, dash = (_CANDIDATE, "none") if candidate else (_STABLE, "7 6")
        yield _line(
            x, 30, x + 46, 30, stroke=color, stroke_width=4 if candidate else 3, stroke_dasharray=dash
        )
        yield _marker(x + 23, 30, candidate=candidate)
        name = shortened(version, letters)
        yield _words(x + 58, 38, name, fill=_TEXT, font_weight="bold", font_size=26)
        x += 58 + len(name) * 15.2 + 16
        yield _words(x, 38, role)
        x += len(role) * _LETTER + 20


def _hours(time: _Axis, *, ended: bool) -> Iterator[str]:
    """Time since the start, at round intervals, and how long it took when it is over."""
    span = time.high - time.low
    steps = (10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400)
    step = next((s for s in steps if span / s <= 5), max(86400, round(span / 5 / 86400) * 86400))
    last = _RIGHT
    if ended:
        said = f"end, {duration(max(1, round(span)))}"
        last -= len(said) * _LETTER + 40
        yield _line(_RIGHT, _BOTTOM + 38, _RIGHT, _BOTTOM + 45, stroke=_WEIGHT, stroke_width=1.5)
        yield _words(_RIGHT, _BOTTOM + 66, said, text_anchor="end", fill=_TEXT)
    for number in range(int(span // step) + 1):
        x = time(time.low + number * step)
        if number and x > last:
            break
        yield _line(x, _BOTTOM + 38, x, _BOTTOM + 45, stroke=_WEIGHT, stroke_width=1.5)
        said = "start" if number == 0 else _elapsed(number * step)
        yield _words(x, _BOTTOM + 66, said, text_anchor="middle" if number else "start")


def _elapsed(seconds: float) -> str:
    if seconds >= 86400:
        return f"{seconds / 86400:g} d"
    if seconds >= 3600:
        return f"{seconds / 3600:g} h"
    return f"{seconds / 60:g} min" if seconds >= 60 else f"{seconds:g} s"


def _panels(data: ChartData, time: _Axis) -> Iterator[str]:
    for top, panel in zip(_TOPS, data.panels, strict=False):
        yield from _panel(panel, time, top, data.stable is not None)


def _panel(panel: Panel, time: _Axis, top: float, has_stable: bool) -> Iterator[str]:
    low = top + _PANEL
    lines = {
        True: thinned(panel.candidate, time.low, time.high, panel.limit),
        False: thinned(panel.stable, time.low, time.high, panel.limit) if has_stable else [],
    }
    values = [v for line in lines.values() for _, v in line if v is not None]
    step, highest = _scale(max([*values, (panel.limit or 0.0) * 1.25]), panel.unit)
    up = _Axis(0.0, highest, low, top)
    if panel.limit is not None:
        # Shade the zone above the limit: "too high" is an area, not only a colour.
        height = up(panel.limit) - top
        zone = f'x="{_LEFT}" y="{top}" width="{_RIGHT - _LEFT}" height="{height:.1f}"'
        yield f'<rect {zone} fill="{_LIMIT}" fill-opacity="0.09"/>'
    for number in range(round(highest / step) + 1):
        y = up(number * step)
        yield _line(
            _LEFT, y, _RIGHT, y, stroke=_GRID if number else _WEIGHT, stroke_width=1 if number else 1.5
        )
        yield _words(_LEFT - 10, y + 8, _figure(number * step, panel.unit), text_anchor="end")
    yield from _limit(panel, up, top)
    if not values:
        yield _words((_LEFT + _RIGHT) / 2, top + _PANEL / 2 + 8, "no measurements yet", text_anchor="middle")
    for candidate in (False, True):
        yield from _drawn(lines[candidate], time, up, candidate=candidate)
    yield from _ends(lines, time, up, panel)
    yield _words(_LEFT + 8, top - 9, panel.title, fill=_TEXT, font_weight="bold")


def _limit(panel: Panel, up: _Axis, top: float) -> Iterator[str]:
    if panel.limit is None:
        return
    y = up(panel.limit)
    yield _line(_LEFT, y, _RIGHT, y, stroke=_LIMIT, stroke_width=2.5, stroke_dasharray="3 5")
    said = f"limit {_figure(panel.limit, panel.unit)}"
    yield _words(_RIGHT, top - 9, said, fill=_LIMIT, text_anchor="end")
    begin = _RIGHT - len(said) * _LETTER - 44
    yield _line(
        begin, top - 17, begin + 34, top - 17, stroke=_LIMIT, stroke_width=2.5, stroke_dasharray="3 5"
    )


def _drawn(line: Points, time: _Axis, up: _Axis, *, candidate: bool) -> Iterator[str]:
    color, width = (_CANDIDATE, 4.5) if candidate else (_STABLE, 3)
    dash = "" if candidate else ' stroke-dasharray="8 7"'
    for piece in pieces(line):
        if len(piece) == 1:
            yield _marker(time(piece[0][0]), up(piece[0][1]), candidate=candidate)
            continue
        path = "L".join(f"{time(at):.1f} {up(value):.1f}" for at, value in piece)
        yield (
            f'<path d="M{path}" fill="none" stroke="{color}" stroke-width="{width}"{dash} '
            'stroke-linejoin="round" stroke-linecap="round"/>'
        )


def _ends(lines: dict[bool, Points], time: _Axis, up: _Axis, panel: Panel) -> Iterator[str]:
    """The last value of each line at its end, moved apart where they would overlap."""
    last = {
        key: next(((t, v) for t, v in reversed(line) if v is not None), None) for key, line in lines.items()
    }
    found = sorted((up(pair[1]), key, pair) for key, pair in last.items() if pair is not None)
    places = [y for y, _, _ in found]
    if len(places) == 2 and places[1] - places[0] < 29:
        middle = min(max(sum(places) / 2, up.stop + 12), up.start - 16)
        places = [middle - 14.5, middle + 14.5]
    for place, (y, candidate, (at, value)) in zip(places, found, strict=True):
        yield _marker(time(at), y, candidate=candidate)
        color, weight = (_CANDIDATE, "bold") if candidate else (_STABLE, "normal")
        yield _marker(_RIGHT + 22, place, candidate=candidate)
        said = _figure(value, panel.unit)
        yield _words(_RIGHT + 38, place + 9, said, fill=color, font_weight=weight, font_size=27)


def _weights(data: ChartData, time: _Axis) -> Iterator[str]:
    """A vertical line and the new share at each change. Of overlapping labels the earlier is left out."""
    if data.weights:
        yield _words(_LEFT - 10, _BOTTOM + 28, "traffic", text_anchor="end")
    chips: list[tuple[float, float, str]] = []
    for at, weight in data.weights:
        if not data.begin <= at <= time.high:
            continue
        x, said = time(at), f"{weight:g}%"
        for top in _TOPS:
            yield _line(x, top, x, top + _PANEL, stroke=_WEIGHT, stroke_width=2, stroke_dasharray="2 4")
        yield _line(x, _BOTTOM, x, _BOTTOM + 8, stroke=_WEIGHT, stroke_width=2)
        width = len(said) * _LETTER + 14
        left = min(max(x - width / 2, _LEFT), _RIGHT - width)
        while chips and chips[-1][0] + chips[-1][1] + 4 > left:
            chips.pop()
        chips.append((left, width, said))
    for left, width, said in chips:
        box = f'x="{left:.1f}" y="{_BOTTOM + 6}" width="{width:.1f}" height="31" rx="7"'
        yield f'<rect {box} fill="{_STABLE}"/>'
        yield _words(
            left + width / 2, _BOTTOM + 30, said, text_anchor="middle", fill=_BACK, font_weight="bold"
        )


def _decision(data: ChartData, time: _Axis) -> Iterator[str]:
    """A solid line through all panels when it was decided, behind the measurements."""
    if data.verdict is None:
        return
    x = time(data.verdict[0])
    for top, _ in zip(_TOPS, data.panels, strict=False):
        yield _line(x, top, x, top + _PANEL, stroke=_TEXT, stroke_width=3)


def _verdict(data: ChartData, time: _Axis) -> Iterator[str]:
    """The word of the decision on a chip beside its line, where the candidate's line is not."""
    if data.verdict is None or not data.panels:
        return
    at, word = data.verdict
    x, width = time(at), len(word) * _LETTER + 20
    left = x - width - 8 if x - width - 8 >= _LEFT else x + 8
    top = _TOPS[0] + (_PANEL * 0.55 if _high(data.panels[0], at) else 6)
    yield f'<rect x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="31" rx="4" fill="{_TEXT}"/>'
    yield _words(left + width / 2, top + 24, word, text_anchor="middle", fill=_BACK, font_weight="bold")


def _high(panel: Panel, at: float) -> bool:
    """Whether the candidate's line is in the upper half of the panel at that time."""
    line = [(when, value) for when, value in panel.candidate.points if value is not None and when <= at]
    stable = [value for _, value in panel.stable.points if value is not None]
    highest = max([*(value for _, value in line), *stable, (panel.limit or 0.0) * 1.25])
    return bool(line) and line[-1][1] > highest / 2


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
