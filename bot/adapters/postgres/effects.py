"""The outbox in PostgreSQL: claims under a lease and a fence."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import structlog

from bot.adapters.postgres import serialization
from bot.adapters.postgres.connection.database import Connection, Database, Row
from bot.adapters.postgres.connection.json import dumped, storable, without_nul
from bot.domain.drift import Drift
from bot.domain.records import AuditEntry, Claimed, GivenUp, LaneRow
from bot.domain.rollout.events import CallPeople, LogLine, SetDesired
from bot.domain.rollout.model import Lane

log = structlog.get_logger(__name__)


class PostgresEffects:
    """Implements `bot.ports.store.EffectStore`. Leases and back-offs use the server's clock."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(
        self, kinds: Sequence[str], limit: int, lease_s: float, holding: Sequence[int]
    ) -> Sequence[Claimed]:
        rows = await self._database.fetch("claim", list(kinds), limit, lease_s, list(holding))
        claimed = []
        for row in rows:
            try:
                claimed.append(_claimed(row))
            except ValueError:
                # A newer Slipway's kind of effect, during an upgrade: left to that one.
                log.exception("effect_unreadable", key=row["key"])
        return sorted(claimed, key=lambda claim: claim.id)

    async def renew(self, claims: Sequence[Claimed], lease_s: float) -> set[int]:
        rows = await self._database.fetch("renew", *_ids(claims), lease_s)
        return {row["id"] for row in rows}

    async def close(self, claims: Sequence[Claimed]) -> None:
        await self._database.fetch("close", *_ids(claims))

    async def watch(self, claim: Claimed, after_s: float, spent_s: float) -> None:
        await self._database.fetch("watch", claim.id, claim.fence, after_s, spent_s)

    async def retry(self, claim: Claimed, after_s: float, error: str, *, failed: bool) -> None:
        await self._database.fetch(
            "retry", claim.id, claim.fence, after_s, storable(error[:500]), int(failed)
        )

    async def poison(self, claim: Claimed, given_up: GivenUp) -> None:
        async with self._database.transaction() as connection:
            if await connection.one("poison", claim.id, claim.fence, storable(given_up.error[:500])):
                await record(connection, given_up.entry)
                await call(connection, given_up.entry.lane, given_up.calls)

    async def say(self, claim: Claimed, key: str, text: str) -> None:
        lane, line = claim.lane, without_nul(serialization.effect_text(LogLine(text)))
        await self._database.fetch("say", key, claim.rollout_id, lane.service, lane.environment, line)

    async def order(self, row: LaneRow, key: str, timeout_s: float, entry: AuditEntry) -> None:
        effect = SetDesired(row.lane, row.desired, timeout_s)
        async with self._database.transaction() as connection:
            await connection.one("lane_held", row.lane.service, row.lane.environment)
            ordered = await connection.one(
                "order",
                row.lane.service,
                row.lane.environment,
                row.generation,
                serialization.desired_text(row.desired),
                key,
                serialization.effect_text(effect),
                *drift_columns(row.drift),
                row.stamp,
            )
            if ordered:
                await record(connection, entry)


def drift_columns(drift: Drift) -> tuple[str, str, int, datetime | None]:
    """The columns that keep it, in the order of the statements."""
    return drift.kind, storable(drift.text[:1000]), drift.repairs, drift.repaired_at


async def record(connection: Connection, entry: AuditEntry) -> None:
    """Append a line to the audit log."""
    await connection.one(
        "record",
        entry.rollout_id,
        entry.guild_id,
        entry.lane.service,
        entry.lane.environment,
        entry.actor.id,
        entry.actor.name,
        entry.actor.via,
        entry.at,
        entry.what,
        storable(entry.why),
        dumped(dict(entry.details)),
    )


async def call(connection: Connection, lane: Lane, calls: Sequence[CallPeople]) -> None:
    """Order alerts; an alert with the same key is not repeated."""
    for effect in calls:
        payload = without_nul(serialization.effect_text(effect))
        await connection.one("call", effect.key, lane.service, lane.environment, payload, effect.queue)


def _claimed(row: Row) -> Claimed:
    return Claimed(
        id=row["id"],
        key=row["key"],
        fence=row["fence"],
        attempts=row["attempts"],
        rollout_id=row["rollout_id"],
        lane=Lane(row["service"], row["environment"]),
        effect=serialization.read_effect(row["payload"]),
        created_at=row["created_at"],
        watched_s=row["watched_s"],
        requested_at=row["requested_at"],
        guild_id=row["guild_id"],
    )


def _ids(claims: Sequence[Claimed]) -> tuple[list[int], list[int]]:
    return [claim.id for claim in claims], [claim.fence for claim in claims]
