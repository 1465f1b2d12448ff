"""Slash commands in PostgreSQL: manifests, accepted states, changes, readings."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from bot.adapters.postgres.appcommands.history import PostgresAppCommandHistory
from bot.adapters.postgres.connection.database import Database
from bot.adapters.postgres.connection.json import dumped
from bot.domain.appcommands.applications import Scope
from bot.domain.appcommands.normalization import digest
from bot.domain.appcommands.records import (
    Accepted,
    KnownManifest,
    Manifest,
    ScopeBackup,
    ScopeChange,
    ScopeReading,
)
from bot.domain.rollout.model import Desired, Lane


class PostgresManifests:
    """Implements `bot.ports.appcommands.ManifestStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(
        self, manifest: Manifest, application: str, where: str, commit: str = "", *, found: bool = False
    ) -> None:
        # Escaped, so that any character of JSON can be kept as text.
        text = json.dumps(manifest.commands, sort_keys=True)
        async with self._database.transaction() as connection:
            await connection.one("command_put_manifest", manifest.digest, manifest.guild_digest, text)
            await connection.one(
                "command_saw_manifest", application, manifest.digest, where[:500], commit[:64], found
            )

    async def get(self, digest: str) -> Manifest | None:
        row = await self._database.one("command_manifest", digest)
        return Manifest(row["digest"], row["guild_digest"], json.loads(row["manifest"])) if row else None

    async def known(self, application: str, limit: int) -> Sequence[KnownManifest]:
        rows = await self._database.fetch("command_manifests", application, limit)
        return [KnownManifest(row["digest"], row["origin"], row["commit"], row["at"]) for row in rows]

    async def with_guild_digest(self, guild_digest: str, application: str) -> Sequence[str]:
        rows = await self._database.fetch("command_guild_digest", guild_digest, application)
        return [row["digest"] for row in rows]


class PostgresAcceptedStates:
    """Implements `bot.ports.appcommands.AcceptedStates`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def accept(self, lane: Lane, desired: Desired) -> bool:
        row = await self._database.one(
            "command_accept",
            lane.service,
            lane.environment,
            desired.generation,
            desired.stable.digest if desired.stable else "",
            desired.candidate.digest if desired.candidate else "",
            desired.weight,
        )
        return row is not None

    async def accepted(self, lane: Lane) -> Accepted | None:
        row = await self._database.one("command_accepted", lane.service, lane.environment)
        if row is None:
            return None
        aborted = json.loads(row["aborted"]) if row["aborted"] else None
        return Accepted(
            row["generation"], row["stable"], row["candidate"], row["weight"], row["withdrawn"], aborted
        )

    async def withdraw(self, lane: Lane, digest: str) -> None:
        await self._database.one("command_withdrawn", lane.service, lane.environment, digest)

    async def abort(self, lane: Lane, generation: int, abort: Mapping[str, Any]) -> None:
        await self._database.one(
            "command_aborted", lane.service, lane.environment, generation, dumped(dict(abort))
        )


class PostgresCommandChanges:
    """Implements `bot.ports.appcommands.CommandChanges`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def back_up(self, change: ScopeChange, backup: ScopeBackup) -> None:
        await self._database.one(
            "command_back_up",
            change.application,
            change.application_id,
            change.service,
            change.environment,
            change.scope.guild_id,
            change.generation,
            digest(backup.commands, guild=not change.scope.is_global),
            json.dumps(backup.commands),
            json.dumps(backup.permissions),
            len(backup.commands),
            len(backup.permissions),
            change.why,
        )

    async def begin(self, change: ScopeChange) -> int:
        row = await self._database.one(
            "command_change",
            change.application,
            change.application_id,
            change.service,
            change.environment,
            change.scope.guild_id,
            change.generation,
            change.from_digest,
            change.to_digest,
            change.creates,
            change.why,
        )
        assert row is not None
        return int(row["id"])

    async def unfinished(self, change: ScopeChange) -> int | None:
        row = await self._database.one(
            "command_open_change",
            change.service,
            change.environment,
            change.scope.guild_id,
            change.generation,
        )
        return int(row["id"]) if row else None

    async def end(self, change_id: int, result: str, detail: str, calls: int) -> None:
        await self._database.one("command_ended", change_id, result, detail[:2000], calls)

    async def creates(self, change: ScopeChange, since: datetime) -> Sequence[tuple[datetime, int]]:
        rows = await self._database.fetch(
            "command_creates",
            change.application_id,
            change.scope.guild_id,
            since,
            change.service,
            change.environment,
            change.generation,
        )
        return [(row["began_at"], row["creates"]) for row in rows]

    async def last(self, application_id: int, scope: Scope) -> str | None:
        row = await self._database.one("command_last_change", application_id, scope.guild_id)
        return row["to_digest"] if row else None


class PostgresCommandReadings:
    """Implements `bot.ports.appcommands.CommandReadings`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, reading: ScopeReading) -> None:
        await self._database.one(
            "command_put_reading",
            reading.application_id,
            reading.scope.guild_id,
            reading.at,
            reading.ms,
            reading.count,
            reading.digest,
            reading.error[:500],
        )

    async def newest(self, application_id: int, scope: Scope, limit: int) -> Sequence[ScopeReading]:
        rows = await self._database.fetch("command_readings", application_id, scope.guild_id, limit)
        return [
            ScopeReading(
                row["application_id"],
                Scope(row["scope"]),
                row["at"],
                row["ms"],
                row["count"],
                row["digest"],
                row["error"],
            )
            for row in rows
        ]

    async def tidy(self, before: datetime) -> None:
        await self._database.one("command_tidy_readings", before)


class PostgresAppCommands:
    """Implements `bot.ports.appcommands.AppCommandStore`."""

    def __init__(self, database: Database) -> None:
        self.manifests = PostgresManifests(database)
        self.states = PostgresAcceptedStates(database)
        self.changes = PostgresCommandChanges(database)
        self.readings = PostgresCommandReadings(database)
        self.history = PostgresAppCommandHistory(database)
