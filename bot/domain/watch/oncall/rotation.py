"""Rotations: turns of one length, handed over at a local time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

# Shorter turns could end before they begin, on the night when clocks go forward.
SHORTEST = timedelta(hours=4)


@dataclass(frozen=True, slots=True)
class Rotation:
    """Turns that follow each other without a gap, numbered from 0.

    zone: name in the IANA database. begins: of the first turn, in local time, without a zone. length: in local time, at
    least `SHORTEST`. When clocks change, the turn is an hour longer or shorter; its hand-over stays at the same
    local time. A hand-over that falls into the hour that clocks leave out is an hour later; one in the hour that comes
    twice is in the first of the two.
    """

    zone: str
    begins: datetime
    length: timedelta

    def start(self, turn: int) -> datetime:
        """When the turn begins, in UTC."""
        local = self.begins + turn * self.length
        return local.replace(tzinfo=ZoneInfo(self.zone)).astimezone(UTC)

    def turn(self, at: datetime) -> int | None:
        """The turn at that time; None before the first one."""
        local = at.astimezone(ZoneInfo(self.zone)).replace(tzinfo=None)
        # Off by one at most, near a hand-over on a day when clocks change.
        turn = (local - self.begins) // self.length
        while self.start(turn) > at:
            turn -= 1
        while self.start(turn + 1) <= at:
            turn += 1
        return turn if turn >= 0 else None
