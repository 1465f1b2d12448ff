"""Drift: a lane that is not as desired between rollouts, and how often its desired state is ordered again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

# Repairs come after 0, 10, 20, 40 … seconds, at most half an hour apart, and end after eight of them: about 21 minutes.
FIRST_S, LONGEST_S, MOST_REPAIRS = 10.0, 1800.0, 8


@dataclass(frozen=True, slots=True)
class Drift:
    """Drift of a lane and its repairs. Falsy when the lane is as desired.

    kind: the problem without details that change at every look, such as a process' last words; empty without drift.
    text: the sentence for people. repairs, repaired_at: how often the desired state was ordered again, and when last.
    """

    kind: str = ""
    text: str = ""
    repairs: int = 0
    repaired_at: datetime | None = None

    def __bool__(self) -> bool:
        return bool(self.kind)

    def seen(self, kind: str, text: str, now: datetime) -> Drift:
        """The drift after a look. Counts start again for a lane that was as desired for the longest pause."""
        known = self if self or self._recent(now) else Drift()
        return replace(known, kind=kind, text=text)

    def repair_due(self, now: datetime) -> bool:
        """Whether to order the desired state again now."""
        return bool(self) and self.repairs < MOST_REPAIRS and self._paused(now)

    def hopeless(self, now: datetime) -> bool:
        """Whether the last repair has had its time and changed nothing: people must look."""
        return bool(self) and self.repairs == MOST_REPAIRS and self._paused(now)

    def repaired(self, now: datetime) -> Drift:
        return replace(self, repairs=self.repairs + 1, repaired_at=now)

    def _paused(self, now: datetime) -> bool:
        if self.repaired_at is None:
            return True
        pause_s = min(LONGEST_S, FIRST_S * 2.0 ** (self.repairs - 1))
        return now - self.repaired_at >= timedelta(seconds=pause_s)

    def _recent(self, now: datetime) -> bool:
        """Whether the last repair is no longer ago than the longest pause between two."""
        return self.repaired_at is not None and now - self.repaired_at < timedelta(seconds=LONGEST_S)
