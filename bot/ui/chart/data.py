"""Data of a chart, thinned out for drawing and cut where nothing was measured."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

MOST_POINTS = 120

Points = list[tuple[float, float | None]]


@dataclass(frozen=True)
class ChartSeries:
    """One line: `(unix seconds, value)` in order of time. None means "not measured" and breaks the line."""

    points: tuple[tuple[float, float | None], ...] = ()


def pooled(looks: Iterable[tuple[float, tuple[int, int] | None]], over_s: float = 60.0) -> ChartSeries:
    """Rates of bad requests over the last `over_s` seconds, from `(unix seconds, (total, bad) of one tick)` in order.

    One failure among the eight requests of a tick is a meaningless spike of 12%; pooled requests show the rate.
    A tick that could not be measured (None), or time without requests, is a gap.
    """
    held: deque[tuple[float, int, int]] = deque()
    total = bad = 0
    points: Points = []
    for at, counts in looks:
        if counts is not None:
            held.append((at, *counts))
            total, bad = total + counts[0], bad + counts[1]
        while held and held[0][0] <= at - over_s:
            _, less, worse = held.popleft()
            total, bad = total - less, bad - worse
        points.append((at, bad / total if counts is not None and total else None))
    return ChartSeries(tuple(points))


@dataclass(frozen=True)
class Panel:
    """One quantity for both releases. Values and `limit` are proportions (0 to 1) or seconds, see `unit`."""

    title: str
    candidate: ChartSeries = ChartSeries()
    stable: ChartSeries = ChartSeries()
    limit: float | None = None
    unit: Literal["proportion", "seconds"] = "proportion"


@dataclass(frozen=True)
class ChartData:
    """Everything in one image.

    candidate, stable: versions; stable is None for a first release.
    panels: at most two, from the top.
    weights: `(unix seconds, percent of traffic)` at each change.
    begin, end: time axis (unix seconds). ended: the rollout is over, and `end` is when.
    verdict: `(unix seconds, word)` of the decision that ended the judging.
    """

    candidate: str
    stable: str | None
    panels: tuple[Panel, ...]
    weights: tuple[tuple[float, float], ...] = ()
    begin: float = 0.0
    end: float = 0.0
    ended: bool = False
    verdict: tuple[float, str] | None = None


def pieces(line: Points) -> Iterator[list[tuple[float, float]]]:
    """The line, split where nothing was measured and where time passed without a point."""
    gaps = sorted(b[0] - a[0] for a, b in pairwise(line))
    longest = 3.5 * gaps[len(gaps) // 2] if gaps else 0.0
    piece: list[tuple[float, float]] = []
    for at, value in line:
        if piece and (value is None or at - piece[-1][0] > longest):
            yield piece
            piece = []
        if value is not None:
            piece.append((at, value))
    if piece:
        yield piece


def thinned(series: ChartSeries, low: float, high: float, limit: float | None = None) -> Points:
    """At most `MOST_POINTS` points: neighbours are averaged; a slot without values stays a gap.

    Where one of them is above the limit, the highest stands for all: a short failure must not be averaged away.
    """
    points = [(at, value) for at, value in series.points if low <= at <= high]
    each = -(-len(points) // MOST_POINTS)
    if each <= 1:
        return points
    found: Points = []
    for first in range(0, len(points), each):
        some = points[first : first + each]
        values = [value for _, value in some if value is not None]
        found.append((some[len(some) // 2][0], _together(values, limit)))
    return found


def _together(values: list[float], limit: float | None) -> float | None:
    if not values:
        return None
    highest = max(values)
    return highest if limit is not None and highest > limit else sum(values) / len(values)
