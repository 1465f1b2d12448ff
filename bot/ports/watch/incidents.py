"""Incidents in the database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bot.domain.records import AuditEntry
from bot.domain.rollout.events import CallPeople
from bot.domain.watch.incidents.incident import Incident, IncidentEntry

# Of a long timeline, one line of so many is from its beginning, and the others are the newest.
FIRST = 4


@dataclass(frozen=True, slots=True)
class IncidentSave:
    """One change of an incident, saved whole or not at all. before: the version it was made from; 0 for a new one.

    due_at: when time changes it next. Entries with a key that the incident has already are left out.
    """

    incident: Incident
    before: int
    due_at: datetime | None
    entries: Sequence[IncidentEntry] = ()
    calls: Sequence[CallPeople] = ()
    audit: Sequence[AuditEntry] = ()


@dataclass(frozen=True, slots=True)
class IncidentCard:
    """Where an incident's message is. thread_id: where people talk about it; None while there is none."""

    incident_id: int
    channel_id: int
    message_id: int
    thread_id: int | None = None


class IncidentStore(Protocol):
    """Incidents. Every method raises `Unreachable` when the database does not answer."""

    async def next_id(self) -> int: ...

    async def load(self, incident_id: int) -> Incident | None: ...

    async def save(self, change: IncidentSave) -> bool:
        """False, with nothing saved, when it has changed meanwhile, or its origin has an incident in its server."""
        ...

    async def due(self, by: datetime, limit: int) -> Sequence[Incident]: ...

    async def open(self, guild_id: int | None = None, limit: int = 200) -> Sequence[Incident]:
        """Incidents that are not closed, the worst first, then the oldest; of one server or of all."""
        ...

    async def newest(self, guild_id: int, limit: int) -> Sequence[Incident]:
        """The newest first, closed or not."""
        ...

    async def of_origin(self, guild_id: int, origin: str) -> Incident | None:
        """What this opened in the server."""
        ...

    async def of_thread(self, thread_id: int) -> Incident | None:
        """The incident that is talked about there."""
        ...

    async def timeline(self, incident_id: int, limit: int) -> Sequence[IncidentEntry]:
        """The first and the newest entries, at most `limit`, in the order of their times.

        Between them, one of the kind `left_out` stands for the others; its text is how many.
        """
        ...

    async def undrawn(self, limit: int) -> Sequence[Incident]:
        """Incidents with an outdated card, the worst first."""
        ...

    async def drawn(self, incident_id: int, version: int) -> None:
        """Its card shows this version now."""
        ...

    async def redraw(self, incident_id: int) -> None:
        """Its card is outdated: what it shows beside the incident has changed."""
        ...

    async def card(self, incident_id: int) -> IncidentCard | None: ...

    async def put_card(self, card: IncidentCard) -> None: ...
