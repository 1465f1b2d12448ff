"""One line of `slipway doctor`: a mark, what was looked at, what was found, and the way to mend it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Mark = Literal["ok", "warn", "bad"]

_SIGNS: Mapping[Mark, str] = {"ok": "✓", "warn": "!", "bad": "✗"}


@dataclass(frozen=True, slots=True)
class CheckLine:
    mark: Mark
    what: str
    found: str
    mend: str = ""

    def __str__(self) -> str:
        mend = f" → {self.mend}" if self.mend and self.mark != "ok" else ""
        return f"{_SIGNS[self.mark]} {self.what}: {self.found}{mend}"


def ok(what: str, found: str) -> CheckLine:
    return CheckLine("ok", what, found)


def warn(what: str, found: str, mend: str) -> CheckLine:
    """Something works in a lesser way, or could not be looked at now."""
    return CheckLine("warn", what, found, mend)


def bad(what: str, found: str, mend: str) -> CheckLine:
    """A deploy would fail on it."""
    return CheckLine("bad", what, found, mend)
