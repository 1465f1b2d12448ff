"""One line of `slipway doctor`: mark, subject, finding, fix."""

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
    fix: str = ""

    def __str__(self) -> str:
        fix = f" → {self.fix}" if self.fix and self.mark != "ok" else ""
        return f"{_SIGNS[self.mark]} {self.what}: {self.found}{fix}"


def ok(what: str, found: str) -> CheckLine:
    return CheckLine("ok", what, found)


def warn(what: str, found: str, fix: str) -> CheckLine:
    """Works with limitations, or could not be checked now."""
    return CheckLine("warn", what, found, fix)


def bad(what: str, found: str, fix: str) -> CheckLine:
    """A deploy would fail because of it."""
    return CheckLine("bad", what, found, fix)
