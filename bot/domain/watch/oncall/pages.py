"""Weekly test pages: a message with a button, which shows whether the person on call can be reached."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.domain.watch.oncall.rotation import Rotation
from bot.domain.watch.oncall.schedule import Person

# How long the person has, as for an alert before it is escalated.
PATIENCE = timedelta(minutes=15)
# A page that could not be sent for so long is left out: at another hour it would prove nothing, and wake people.
LATEST = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Page:
    """One test page. Its schedule and due_at name it. answered_at, missed_at: None until it is answered or missed."""

    schedule: str
    due_at: datetime
    person: Person
    sent_at: datetime
    answered_at: datetime | None = None
    missed_at: datetime | None = None

    @property
    def open(self) -> bool:
        return self.answered_at is None and self.missed_at is None

    def late(self, at: datetime) -> bool:
        """Whether the person had time enough."""
        return self.open and at - self.sent_at >= PATIENCE


def due(tested: Rotation, at: datetime) -> datetime | None:
    """When this week's page was due, if it is to be sent now; None otherwise."""
    turn = tested.turn(at)
    if turn is None:
        return None
    due_at = tested.start(turn)
    return due_at if at - due_at < LATEST else None
