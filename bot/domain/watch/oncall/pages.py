"""Weekly test pages: a message with a button, which shows whether the person on call can be reached."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
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

    @property
    def until(self) -> datetime:
        """It is not posted after that."""
        return self.due_at + LATEST

    def late(self, at: datetime, since: datetime | None = None) -> bool:
        """Whether the person had time enough. since: they could answer; None: when it was sent."""
        return self.open and at - (since or self.sent_at) >= PATIENCE

    def key(self, guild_id: int, what: str) -> str:
        """Names a message about it in a server, such as that it was `sent`."""
        text = f"{guild_id}/test page/{self.schedule}/{self.due_at.isoformat()}/{what}"
        return hashlib.sha256(text.encode()).hexdigest()[:24]

    def reached(self, posted: Mapping[str, datetime]) -> datetime | None:
        """When the first of its messages was posted; None when Discord took none in time. posted: by key."""
        return min((at for at in posted.values() if at <= self.until), default=None)


def due(tested: Rotation, at: datetime) -> datetime | None:
    """When this week's page was due, if it is to be sent now; None otherwise."""
    turn = tested.turn(at)
    if turn is None:
        return None
    due_at = tested.start(turn)
    return due_at if at - due_at < LATEST else None
