"""Incidents in PostgreSQL: one row each with its card and thread, and its timeline."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bot.adapters.postgres.connection.database import Connection, Database, Row
from bot.adapters.postgres.connection.json import dumped, storable, without_nul
from bot.adapters.postgres.effects import call, record
from bot.adapters.typed_json import typed
from bot.domain.watch.incidents.incident import Incident, IncidentEntry
from bot.ports.store import NO_LANE
from bot.ports.watch.incidents import FIRST, IncidentCard, IncidentSave


class PostgresIncidents:
    """Implements `bot.ports.watch.incidents.IncidentStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def next_id(self) -> int:
        row = await self._database.one("next_incident")
        assert row is not None
        return int(row["id"])

    async def load(self, incident_id: int) -> Incident | None:
        return _read(await self._database.one("incident", incident_id))

    async def save(self, change: IncidentSave) -> bool:
        async with self._database.transaction() as connection:
            return await save_incident(connection, change)

    async def due(self, by: datetime, limit: int) -> Sequence[Incident]:
        return _all(await self._database.fetch("due_incidents", by, limit))

    async def open(self, guild_id: int | None = None, limit: int = 200) -> Sequence[Incident]:
        return _all(await self._database.fetch("open_incidents", guild_id, limit))

    async def newest(self, guild_id: int, limit: int) -> Sequence[Incident]:
        return _all(await self._database.fetch("newest_incidents", guild_id, limit))

    async def of_origin(self, guild_id: int, origin: str) -> Incident | None:
        return _read(await self._database.one("incident_of_origin", guild_id, storable(origin)))

    async def of_thread(self, thread_id: int) -> Incident | None:
        return _read(await self._database.one("incident_of_thread", thread_id))

    async def timeline(self, incident_id: int, limit: int) -> Sequence[IncidentEntry]:
        first = limit // FIRST
        rows = await self._database.fetch("incident_timeline", incident_id, first, limit - first)
        return [IncidentEntry(row["at"], row["what"], row["said"], row["who"], row["key"]) for row in rows]

    async def undrawn(self, limit: int) -> Sequence[Incident]:
        return _all(await self._database.fetch("undrawn_incidents", limit))

    async def drawn(self, incident_id: int, version: int) -> None:
        await self._database.fetch("incident_drawn", incident_id, version)

    async def redraw(self, incident_id: int) -> None:
        await self._database.fetch("redraw_incident", incident_id)

    async def card(self, incident_id: int) -> IncidentCard | None:
        row = await self._database.one("incident_card", incident_id)
        return IncidentCard(**dict(row)) if row else None

    async def put_card(self, card: IncidentCard) -> None:
        await self._database.fetch(
            "put_incident_card", card.incident_id, card.channel_id, card.message_id, card.thread_id
        )


async def save_incident(connection: Connection, change: IncidentSave) -> bool:
    """Save it within a transaction of the caller's: also one that changes the alert that opens it."""
    incident = change.incident
    text = without_nul(typed(Incident).dump_json(incident).decode())
    if change.before:
        row = await connection.one(
            "change_incident",
            incident.id,
            change.before,
            incident.severity,
            incident.over,
            incident.version,
            text,
            change.due_at,
            incident.closed_at,
        )
    else:
        row = await connection.one(
            "open_incident",
            incident.id,
            incident.guild_id,
            storable(incident.origin),
            incident.severity,
            incident.over,
            incident.version,
            text,
            change.due_at,
            incident.opened_at,
            incident.closed_at,
        )
    if row is None:
        return False
    if change.entries:
        await connection.one("add_incident_entries", incident.id, dumped([_row(e) for e in change.entries]))
    for entry in change.audit:
        await record(connection, entry)
    await call(connection, incident.lane or NO_LANE, change.calls)
    return True


def _row(entry: IncidentEntry) -> dict[str, object]:
    return {
        "at": entry.at,
        "what": entry.what,
        "who": storable(entry.by),
        "said": storable(entry.text),
        "key": storable(entry.key),
    }


def _read(row: Row | None) -> Incident | None:
    return typed(Incident).validate_json(row["incident"]) if row else None


def _all(rows: Sequence[Row]) -> list[Incident]:
    return [typed(Incident).validate_json(row["incident"]) for row in rows]
