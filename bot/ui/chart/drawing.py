"""Parts that every chart is drawn from: colours, letters, lines, markers and the axis of time, as SVG."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html import escape

from bot.domain.formatting import duration

WIDTH, HEIGHT = 800, 460
LEFT, RIGHT = 98.0, 636.0
TOPS, PANEL = (94.0, 258.0), 122.0
BOTTOM = TOPS[-1] + PANEL
FONT = "DejaVu Sans"  # its condensed cut, shipped in `fonts/`
# Blue and light grey also differ in brightness, dash and marker; only limits are red.
BACK, FIELD, TEXT, MUTED, GRID = "#1e1f22", "#2b2d31", "#f2f3f5", "#b5bac1", "#3f4147"
CANDIDATE, STABLE, LIMIT, WEIGHT = "#5cb8ff", "#c9ccd1", "#ff8a80", "#80848e"
# Not allowed in XML even when escaped; a version or title may contain anything.
NOT_XML = re.compile("[^\\t\\n\\r\\x20-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]")
SMALL, LETTER = 24, 12.3  # letters in pixels, and the width of one of them on average


def frame(parts: Iterable[str], height: int = HEIGHT) -> str:
    """The whole document of WIDTH by `height` pixels."""
    look = f'font-family="{FONT}" font-stretch="condensed" font-size="{SMALL}"'
    back = f'<rect width="{WIDTH}" height="{height}" fill="{BACK}"/>'
    opening = f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" {look}>'
    return f"{opening}{back}{''.join(parts)}</svg>"


def chip(x: float, top: float, word: str, *, after: bool = False) -> str:
    """A word on a chip left of `x`, or right of it: where there is no room, or with `after` where there is."""
    width = len(word) * LETTER + 20
    right = x + width + 8 <= RIGHT if after else x - width - 8 < LEFT
    left = x + 8 if right else x - width - 8
    box = f'<rect x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="31" rx="4" fill="{TEXT}"/>'
    said = words(left + width / 2, top + 24, word, text_anchor="middle", fill=BACK, font_weight="bold")
    return box + said


@dataclass(frozen=True, slots=True)
class Axis:
    """Maps `low..high` to `start..stop` pixels; values outside stay at the edge."""

    low: float
    high: float
    start: float
    stop: float

    def __call__(self, value: float) -> float:
        share = min(1.0, max(0.0, (value - self.low) / (self.high - self.low)))
        return self.start + share * (self.stop - self.start)


def words(x: float, y: float, said: str, **style: object) -> str:
    look = "".join(f' {name.replace("_", "-")}="{value}"' for name, value in {"fill": MUTED, **style}.items())
    return f'<text x="{x:.1f}" y="{y:.1f}"{look}>{escape(NOT_XML.sub("", said))}</text>'


def line(x1: float, y1: float, x2: float, y2: float, **style: object) -> str:
    look = "".join(f' {name.replace("_", "-")}="{value}"' for name, value in style.items())
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"{look}/>'


def marker(x: float, y: float, *, candidate: bool) -> str:
    """A filled circle for the candidate, an open diamond for stable."""
    if candidate:
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="6.5" fill="{CANDIDATE}" stroke="{FIELD}" stroke-width="2"/>'
    box = f"M{x:.1f} {y - 8:.1f}l8 8l-8 8l-8 -8z"
    return f'<path d="{box}" fill="{FIELD}" stroke="{STABLE}" stroke-width="2.5"/>'


def shortened(version: str, letters: int) -> str:
    """A long version loses its middle: both ends tell versions apart."""
    if len(version) <= letters:
        return version
    tail = letters // 2
    return f"{version[: letters - tail - 1].rstrip('.-+_')}…{version[-tail:]}"


def hours(time: Axis, *, ended: bool) -> Iterator[str]:
    """Time since the start, at round intervals, and how long it took when it is over."""
    span = time.high - time.low
    steps = (10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400)
    step = next((s for s in steps if span / s <= 5), max(86400, round(span / 5 / 86400) * 86400))
    last = RIGHT
    if ended:
        said = f"end, {duration(max(1, round(span)))}"
        last -= len(said) * LETTER + 40
        yield line(RIGHT, BOTTOM + 38, RIGHT, BOTTOM + 45, stroke=WEIGHT, stroke_width=1.5)
        yield words(RIGHT, BOTTOM + 66, said, text_anchor="end", fill=TEXT)
    for number in range(int(span // step) + 1):
        x = time(time.low + number * step)
        if number and x > last:
            break
        yield line(x, BOTTOM + 38, x, BOTTOM + 45, stroke=WEIGHT, stroke_width=1.5)
        said = "start" if number == 0 else elapsed(number * step)
        yield words(x, BOTTOM + 66, said, text_anchor="middle" if number else "start")


def elapsed(seconds: float) -> str:
    if seconds >= 86400:
        return f"{seconds / 86400:g} d"
    if seconds >= 3600:
        return f"{seconds / 3600:g} h"
    return f"{seconds / 60:g} min" if seconds >= 60 else f"{seconds:g} s"
