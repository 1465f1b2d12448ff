"""Incidents, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from bot.domain.watch.alerts.alert import LEFT_OUT, Entry
from bot.domain.watch.incidents.incident import Incident, IncidentEntry
from bot.ports.store import NO_LANE
from bot.ports.watch.incidents import FIRST, IncidentCard, IncidentSave
from tests.fakes.store.effects import call
from tests.fakes.store.tables import IncidentRow, Part, Tables, statement

L = TypeVar("L", Entry, IncidentEntry)


class MemoryIncidents(Part):
    """Implements `bot.ports.watch.incidents.IncidentStore`."""

    part = "incidents"

    @statement
    def next_id(self, t: Tables, now: datetime) -> int:
        t.last_incident += 1
        return t.last_incident

    @statement
    def load(self, t: Tables, now: datetime, incident_id: int) -> Incident | None:
        row = t.incidents.get(incident_id)
        return row.incident if row else None

    @statement
    def save(self, t: Tables, now: datetime, change: IncidentSave) -> bool:
        return save_incident(t, now, change)

    @statement
    def due(self, t: Tables, now: datetime, by: datetime, limit: int) -> Sequence[Incident]:
        rows = [row for row in t.incidents.values() if row.due_at is not None and row.due_at <= by]
        return [row.incident for row in sorted(rows, key=lambda r: r.due_at or by)[:limit]]

    @statement
    def open(
        self, t: Tables, now: datetime, guild_id: int | None = None, limit: int = 200
    ) -> Sequence[Incident]:
        found = [i for i in _all(t) if not i.over and guild_id in (None, i.guild_id)]
        return sorted(found, key=_worst_first)[:limit]

    @statement
    def newest(self, t: Tables, now: datetime, guild_id: int, limit: int) -> Sequence[Incident]:
        return sorted((i for i in _all(t) if i.guild_id == guild_id), key=lambda i: -i.id)[:limit]

    @statement
    def of_origin(self, t: Tables, now: datetime, guild_id: int, origin: str) -> Incident | None:
        return _of_origin(t, guild_id, origin)

    @statement
    def of_thread(self, t: Tables, now: datetime, thread_id: int) -> Incident | None:
        found = [row.incident for row in t.incidents.values() if row.card and row.card.thread_id == thread_id]
        return max(found, key=lambda i: i.id, default=None)

    @statement
    def timeline(self, t: Tables, now: datetime, incident_id: int, limit: int) -> Sequence[IncidentEntry]:
        mine = [entry for of, entry in t.incident_entries if of == incident_id]
        return sorted(excerpt(mine, limit), key=lambda entry: entry.at)

    @statement
    def undrawn(self, t: Tables, now: datetime, limit: int) -> Sequence[Incident]:
        found = [row.incident for row in t.incidents.values() if row.drawn < row.incident.version]
        return sorted(found, key=_worst_first)[:limit]

    @statement
    def drawn(self, t: Tables, now: datetime, incident_id: int, version: int) -> None:
        row = t.incidents[incident_id]
        t.incidents[incident_id] = replace(row, drawn=max(row.drawn, version))

    @statement
    def redraw(self, t: Tables, now: datetime, incident_id: int) -> None:
        row = t.incidents[incident_id]
        t.incidents[incident_id] = replace(row, drawn=min(row.drawn, row.incident.version - 1))

    @statement
    def card(self, t: Tables, now: datetime, incident_id: int) -> IncidentCard | None:
        row = t.incidents.get(incident_id)
        return row.card if row else None

    @statement
    def put_card(self, t: Tables, now: datetime, card: IncidentCard) -> None:
        t.incidents[card.incident_id] = replace(t.incidents[card.incident_id], card=card)


def excerpt(lines: list[L], limit: int) -> list[L]:
    """The first and the newest lines, and between them one that says how many others there are."""
    first, newest = limit // FIRST, limit - limit // FIRST
    middle = lines[first:-newest] if len(lines) > limit else []
    return [*lines[:first], gap_of(middle), *lines[-newest:]] if middle else lines


def gap_of(lines: Sequence[L]) -> L:
    number = sum(int(line.text) if line.what == LEFT_OUT else 1 for line in lines)
    return type(lines[0])(lines[0].at, LEFT_OUT, str(number))


def save_incident(t: Tables, now: datetime, change: IncidentSave) -> bool:
    """Also within the statement that changes the alert which opens it."""
    incident, row = change.incident, t.incidents.get(change.incident.id)
    if change.before:
        if row is None or row.incident.version != change.before:
            return False
        t.incidents[incident.id] = replace(row, incident=incident, due_at=change.due_at)
    else:
        if row is not None or _of_origin(t, incident.guild_id, incident.origin) is not None:
            return False
        t.incidents[incident.id] = IncidentRow(incident, change.due_at)
    known = {entry.key for of, entry in t.incident_entries if of == incident.id and entry.key}
    t.incident_entries += [(incident.id, e) for e in change.entries if not e.key or e.key not in known]
    for entry in change.audit:
        t.record(entry)
    call(t, now, incident.lane or NO_LANE, change.calls)
    return True


def _of_origin(t: Tables, guild_id: int, origin: str) -> Incident | None:
    return next((i for i in _all(t) if origin and (i.guild_id, i.origin) == (guild_id, origin)), None)


def _all(t: Tables) -> list[Incident]:
    return [row.incident for row in t.incidents.values()]


def _worst_first(incident: Incident) -> tuple[int, int]:
    return incident.severity.rank, incident.id
