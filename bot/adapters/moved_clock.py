"""A clock that a demo moves forward, by a file."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from pathlib import Path

from bot.ports.coordination import Clock

_MOST_S = 366 * 86_400.0


class MovedClock:
    """Implements `Clock`: another clock, ahead by the seconds in `file`. It never goes back.

    A file that is missing or has no number leaves it as it is. It is read on every call: a file of a few bytes, asked a
    few times a second.
    """

    def __init__(self, clock: Clock, file: Path) -> None:
        self._clock = clock
        self._file = file
        self._ahead_s = 0.0

    def now(self) -> datetime:
        try:
            wanted = float(self._file.read_text(encoding="ascii"))
        except (OSError, ValueError):
            wanted = 0.0
        if math.isfinite(wanted):
            self._ahead_s = max(self._ahead_s, min(wanted, _MOST_S))
        return self._clock.now() + timedelta(seconds=self._ahead_s)
