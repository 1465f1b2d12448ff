"""Table of measurements that `make bench` prints; one `Row` for each claim."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TextIO


@dataclass(frozen=True)
class Row:
    """A figure and its baseline.

    value, baseline: in `unit`. ratio: value over baseline, or as `goal` says. ok: goal reached; None has no goal.
    """

    what: str
    value: float
    unit: str
    compared_with: str = ""
    baseline: float | None = None
    ratio: float | None = None
    goal: str = ""
    ok: bool | None = None


def show(rows: Iterable[Row], title: str = "", out: TextIO | None = None) -> None:
    """Print the rows in columns, each goal with whether it was reached in words, not in colour."""
    stream = out or sys.stdout
    head = ("what", "value", "compared with", "baseline", "ratio", "goal", "reached")
    lines = [head, *(_cells(row) for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    if title:
        print(f"\n{title}", file=stream)
    for number, line in enumerate(lines):
        padded = [
            cell.rjust(w) if i in (1, 3, 4) else cell.ljust(w)
            for i, (cell, w) in enumerate(zip(line, widths, strict=True))
        ]
        print("  ".join(padded).rstrip(), file=stream)
        if number == 0:
            print("  ".join("-" * w for w in widths), file=stream)


def figure(value: float | None) -> str:
    """Three significant digits, with separators: `12,300`, `0.25`; empty for None."""
    if value is None:
        return ""
    if value != value or value in (float("inf"), float("-inf")):
        return str(value)
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _cells(row: Row) -> tuple[str, ...]:
    reached = "" if row.ok is None else "yes" if row.ok else "NO"
    unit = "" if row.unit in ("", "x") else f" {row.unit}"
    return (
        row.what,
        figure(row.value) + unit,
        row.compared_with,
        figure(row.baseline) + (unit if row.baseline is not None else ""),
        figure(row.ratio) + ("x" if row.ratio is not None else ""),
        row.goal,
        reached,
    )
