"""Equal values kept once: a thousand lanes with the same policy share one object."""

from __future__ import annotations

from typing import Any, TypeVar

T = TypeVar("T")

# Different values that are remembered. Beyond them, it starts over: nothing is wrong then, only kept twice.
_MOST = 512


class Sharing:
    """Gives the first of all equal values. For frozen ones: its holders cannot change it."""

    def __init__(self) -> None:
        self._known: dict[str, Any] = {}

    def __call__(self, value: T) -> T:
        """`value`, or the first that is equal and reads the same: 5 and 5.0 differ in a seal, secrets read alike."""
        if len(self._known) >= _MOST:
            self._known.clear()
        known: T = self._known.setdefault(repr(value), value)
        return known if known == value else value
