"""Maintenance silences in PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from bot.adapters.postgres.connection.database import Database, Row
from bot.adapters.postgres.connection.json import dumped, storable
from bot.adapters.postgres.effects import record
from bot.domain.records import AuditEntry
from bot.domain.watch.alerts.silences import Silence


class PostgresSilences:
    """Implements `bot.ports.watch.silences.SilenceStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, silence: Silence, entry: AuditEntry) -> Silence:
        async with self._database.transaction() as connection:
            row = await connection.one(
                "add_silence",
                silence.guild_id,
                silence.service,
                silence.environment,
                dumped(dict(silence.labels)),
                silence.since,
                silence.until,
                storable(silence.reason),
                silence.by_id,
                storable(silence.by),
                silence.at,
            )
            await record(connection, entry)
        assert row is not None
        return replace(silence, id=row["id"])

    async def standing(self, at: datetime) -> Sequence[Silence]:
        return [_silence(row) for row in await self._database.fetch("standing_silences", at)]

    async def end(self, silence_id: int, at: datetime, entry: AuditEntry) -> bool:
        async with self._database.transaction() as connection:
            if await connection.one("end_silence", silence_id, at) is None:
                return False
            await record(connection, entry)
        return True

    async def due(self, at: datetime, limit: int) -> Sequence[Silence]:
        return [_silence(row) for row in await self._database.fetch("due_silences", at, limit)]

    async def carried_out(self, silence: Silence, at: datetime, entry: AuditEntry | None) -> bool:
        is_over = silence.over_at is not None or silence.until <= at
        async with self._database.transaction() as connection:
            changed = await connection.one("silence_settled" if is_over else "silence_begun", silence.id)
            if changed is None:
                return False
            if entry is not None:
                await record(connection, entry)
        return True


def _silence(row: Row) -> Silence:
    return Silence(
        id=row["id"],
        guild_id=row["guild_id"],
        service=row["service"],
        environment=row["environment"],
        labels=json.loads(row["labels"]),
        since=row["since"],
        until=row["until"],
        reason=row["reason"],
        by_id=row["by_id"],
        by=row["by_name"],
        at=row["at"],
        over_at=row["over_at"],
        begun=row["begun"],
    )
