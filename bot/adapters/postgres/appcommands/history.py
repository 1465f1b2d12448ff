"""Backups and the history of commands for people, and taking over commands that were found."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

from bot.adapters.postgres import serialization
from bot.adapters.postgres.connection.database import Database, Row
from bot.adapters.postgres.effects import record
from bot.domain.appcommands.applications import Scope
from bot.domain.appcommands.records import ScopeBackup, ScopeChange, StoredBackup, StoredChange
from bot.domain.records import AuditEntry, LaneRow


class PostgresAppCommandHistory:
    """Implements `bot.ports.appcommands.AppCommandHistory`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def backups(
        self, application: str, environment: str | None, before: int | None, limit: int
    ) -> Sequence[StoredBackup]:
        rows = await self._database.fetch("command_backups", application, environment, before, limit)
        return [_backup(row, ScopeBackup(())) for row in rows]

    async def backup(self, backup_id: int) -> StoredBackup | None:
        row = await self._database.one("command_backup", backup_id)
        if row is None:
            return None
        return _backup(row, ScopeBackup(json.loads(row["commands"]), json.loads(row["permissions"])))

    async def changes(
        self, applications: Sequence[str], before: int | None, limit: int
    ) -> Sequence[StoredChange]:
        rows = await self._database.fetch("command_history", list(applications), before, limit)
        return [_change(row) for row in rows]

    async def rate(self, applications: Sequence[str], since: datetime) -> tuple[int, int]:
        row = await self._database.one("command_rate", list(applications), since)
        assert row is not None
        return row["succeeded"], row["finished"]

    async def took_over(self, row: LaneRow, base: LaneRow, entry: AuditEntry) -> bool:
        async with self._database.transaction() as connection:
            done = await connection.one(
                "command_took_over",
                row.lane.service,
                row.lane.environment,
                row.generation,
                serialization.desired_text(row.desired),
                base.generation,
                base.stamp,
            )
            if done is not None:
                await record(connection, entry)
        return done is not None


def _backup(row: Row, backup: ScopeBackup) -> StoredBackup:
    return StoredBackup(
        id=row["id"],
        application=row["application"],
        application_id=row["application_id"],
        environment=row["environment"],
        scope=Scope(row["scope"]),
        at=row["at"],
        digest=row["digest"],
        count=row["count"],
        why=row["why"],
        who=row["who"],
        rollout_id=row["rollout_id"],
        overwrites=row["overwrites"],
        backup=backup,
    )


def _change(row: Row) -> StoredChange:
    change = ScopeChange(
        application=row["application"],
        application_id=row["application_id"],
        service=row["service"],
        environment=row["environment"],
        scope=Scope(row["scope"]),
        generation=row["generation"],
        from_digest=row["from_digest"],
        to_digest=row["to_digest"],
        creates=row["creates"],
        why=row["why"],
    )
    return StoredChange(
        id=row["id"],
        change=change,
        who=row["who"],
        reason=row["why"],
        rollout_id=row["rollout_id"],
        began_at=row["began_at"],
        result=row["result"],
        detail=row["detail"],
        calls=row["calls"],
        ms=row["ms"],
    )
