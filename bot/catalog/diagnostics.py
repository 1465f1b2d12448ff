"""Mistakes in a catalog: one `Diagnostic` for each, with its place and a hint."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from bot.domain.errors import BadCatalog

# Path of a value in the catalog: ("services", "checkout", "environments", "staging", "plan").
KeyPath = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, order=True)
class SourceLocation:
    """A line of a file, counted from 1; 0 is the file as a whole."""

    file: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


@dataclass(frozen=True, slots=True, order=True)
class Diagnostic:
    """One mistake. `sentence`: what was expected and what is there; `hint`: what to do."""

    place: SourceLocation
    key: str
    sentence: str
    hint: str = ""

    def __str__(self) -> str:
        key = f"{self.key}: " if self.key else ""
        return f"{self.place}: {key}{self.sentence} {self.hint}".rstrip()


def dotted(path: KeyPath) -> str:
    """`("plans", "quick", 2, "shift")` -> `plans.quick[2].shift`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def nearest(given: object, known: Iterable[str]) -> str:
    """A hint that offers the name closest to `given`, or all of them when they are few."""
    names = sorted(known)
    close = difflib.get_close_matches(str(given), names, n=1, cutoff=0.6)
    if close:
        return f'Did you mean "{close[0]}"?'
    if not names:
        return "There are none yet."
    return f"Known: {', '.join(names)}." if len(names) <= 8 else ""


def bad_catalog(mistakes: Iterable[Diagnostic]) -> BadCatalog:
    """The exception with all mistakes, sorted by place."""
    lines = [str(m) for m in sorted(set(mistakes))]
    count = "1 mistake" if len(lines) == 1 else f"{len(lines)} mistakes"
    return BadCatalog(f"The catalog has {count}:\n" + "\n".join(lines), rule="bad_catalog")
