"""Strips as SVG: the errors of some lanes over the last hours, one row for each, with their limits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bot.domain.formatting import duration, percent
from bot.domain.watch.health import LaneHealth, Strip
from bot.ui import escaping
from bot.ui.chart.data import Points, pieces
from bot.ui.chart.drawing import (
    CANDIDATE,
    FIELD,
    GRID,
    LIMIT,
    MUTED,
    TEXT,
    Axis,
    frame,
    line,
    shortened,
    words,
)

_LEFT, _RIGHT = 318.0, 672.0
_ROW, _HEIGHT, _TOP = 58.0, 40.0, 52.0
_LETTERS = 23  # that fit left of a strip


def strips_svg(lanes: Sequence[LaneHealth], strips: Sequence[Strip]) -> str | None:
    """None when nothing was counted in any of them."""
    rows = [
        (health, each)
        for health, each in zip(lanes, strips, strict=False)
        if not each.empty and health.lane == each.lane
    ]
    if not rows:
        return None
    span_s = rows[0][1].slot_s * len(rows[0][1].shares)
    parts = [
        words(16, 34, "Failed requests", fill=TEXT, font_weight="bold"),
        words(_LEFT, 34, f"{duration(span_s)} ago"),
        words(_RIGHT, 34, "now", text_anchor="end"),
    ]
    for number, (health, each) in enumerate(rows):
        parts += _row(health, each, _TOP + number * _ROW)
    return frame(parts, round(_TOP + len(rows) * _ROW + 10))


def _row(health: LaneHealth, each: Strip, top: float) -> Iterator[str]:
    low, limit = top + _HEIGHT, health.limit
    points: Points = [
        (each.since + (number + 0.5) * each.slot_s, share) for number, share in enumerate(each.shares)
    ]
    values = [value for _, value in points if value is not None]
    time = Axis(each.since, each.since + each.slot_s * len(each.shares), _LEFT, _RIGHT)
    # Twice the limit is the least that a row shows, so that noise far below the limit stays flat.
    up = Axis(0.0, max([*values, 2 * limit if limit else 0.01]), low, top)
    for y, name, fill in (
        (top + 18, health.lane.service, TEXT),
        (top + 40, health.lane.environment, MUTED),
    ):
        yield words(16, y, shortened(escaping.name(name), _LETTERS), fill=fill, font_size=21)
    yield f'<rect x="{_LEFT}" y="{top}" width="{_RIGHT - _LEFT}" height="{_HEIGHT}" fill="{FIELD}"/>'
    yield line(_LEFT, low, _RIGHT, low, stroke=GRID, stroke_width=1)
    if limit is not None:
        y = up(limit)
        yield line(_LEFT, y, _RIGHT, y, stroke=LIMIT, stroke_width=2, stroke_dasharray="3 5")
    over = limit is not None and any(value > limit for value in values[-1:])
    for piece in pieces(points):
        if len(piece) == 1:
            at, value = piece[0]
            yield f'<circle cx="{time(at):.1f}" cy="{up(value):.1f}" r="3" fill="{CANDIDATE}"/>'
            continue
        path = "L".join(f"{time(at):.1f} {up(value):.1f}" for at, value in piece)
        yield f'<path d="M{path}" fill="none" stroke="{CANDIDATE}" stroke-width="3" stroke-linejoin="round"/>'
    last = health.errors if health.errors is not None else points[-1][1]
    said = percent(last) if last is not None else "–"
    over = over or health.failing
    look = {"fill": LIMIT if over else TEXT, "font_weight": "bold" if over else "normal"}
    yield words(_RIGHT + 14, top + 29, f"{'▲ ' if over else ''}{said}", **look)
