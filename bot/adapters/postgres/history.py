"""History, audit, series, cards, notes and housekeeping in PostgreSQL."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from datetime import datetime

from bot.adapters.postgres.connection.database import Database, Row
from bot.adapters.postgres.connection.json import dumped
from bot.adapters.postgres.serialization import read_judged
from bot.domain.judge.history.replay import JudgedTick
from bot.domain.records import RolloutSummary, SeriesPoint
from bot.domain.rollout.events import Transition
from bot.domain.rollout.model import Actor, Lane
from bot.domain.watch.alerts.alert import LEFT_OUT, PASSING
from bot.ports.retention import RETENTION, NoteKind, Retention
from bot.ports.store import CardRef
from bot.ports.watch.alerts import KEPT_FIRST, KEPT_MORE, KEPT_NEWEST

# A statement has one second, and after a long pause millions of rows can be outdated.
_TIDIED_AT_ONCE = 5000


class PostgresHistory:
    """Implements `bot.ports.store.HistoryStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def history(
        self, lanes: Sequence[Lane], before: int | None, limit: int
    ) -> Sequence[RolloutSummary]:
        services, environments = [lane.service for lane in lanes], [lane.environment for lane in lanes]
        rows = await self._database.fetch("history", services, environments, before, limit)
        return [_summary(row) for row in rows]

    async def last_successes(self, lanes: Sequence[Lane]) -> Mapping[Lane, RolloutSummary]:
        services, environments = [lane.service for lane in lanes], [lane.environment for lane in lanes]
        rows = await self._database.fetch("last_successes", services, environments)
        found = map(_summary, rows)
        return {each.lane: each for each in found}

    async def transitions(self, rollout_id: int) -> Sequence[Transition]:
        return [_transition(row) for row in await self._database.fetch("transitions", rollout_id)]

    async def happened(
        self, lane: Lane, since: datetime, until: datetime, limit: int
    ) -> Sequence[Transition]:
        rows = await self._database.fetch("happened", lane.service, lane.environment, since, until, limit)
        return [_transition(row) for row in rows]

    async def series(self, rollout_id: int, limit: int) -> Sequence[SeriesPoint]:
        return [_point(row) for row in await self._database.fetch("series", rollout_id, limit)]

    async def judged(self, rollout_id: int, limit: int) -> Sequence[JudgedTick]:
        rows = await self._database.fetch("judged", rollout_id, limit)
        return await asyncio.to_thread(_judged, [row["counts"] for row in rows])

    async def succeeded_at(self, lane: Lane, digest: str) -> datetime | None:
        row = await self._database.one("succeeded_at", lane.service, lane.environment, digest)
        return row["at"] if row else None


class PostgresNotes:
    """Implements `bot.ports.store.CardStore` and `bot.ports.store.NoteStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def card(self, rollout_id: int) -> CardRef | None:
        row = await self._database.one("card", rollout_id)
        return CardRef(**dict(row)) if row else None

    async def put_card(self, ref: CardRef) -> None:
        await self._database.one(
            "put_card",
            ref.rollout_id,
            ref.channel_id,
            ref.message_id,
            ref.thread_id,
            ref.posted_at,
            ref.drawn,
        )

    async def redrawn(self, rollout_id: int, drawn: str) -> None:
        await self._database.one("redrawn", rollout_id, drawn)

    async def note(self, kind: NoteKind, key: str) -> Mapping[str, object] | None:
        row = await self._database.one("note", kind, key)
        return json.loads(row["value"]) if row else None

    async def put_note(self, kind: NoteKind, key: str, value: Mapping[str, object]) -> None:
        await self._database.one("put_note", kind, key, dumped(dict(value)))


class PostgresHousekeeping:
    """Implements `bot.ports.store.Housekeeping`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def lead(self, name: str, owner: str, ttl_s: float) -> bool:
        return await self._database.one("lead", name, owner, ttl_s) is not None

    async def resign(self, name: str, owner: str) -> None:
        await self._database.one("resign", name, owner)

    async def tidy(
        self, samples_before: datetime, effects_before: datetime, records_before: datetime
    ) -> bool:
        more = False
        for name, before in (
            ("tidy_samples", samples_before),
            ("tidy_effects", effects_before),
            ("tidy_interactions", effects_before),
            ("tidy_incident_entries", records_before),
            ("tidy_incidents", records_before),
            ("tidy_alert_entries", records_before),
            ("tidy_alerts", records_before),
            ("tidy_silences", records_before),
            ("tidy_overrides", records_before),
            ("tidy_pages", records_before),
        ):
            row = await self._database.one(name, before, _TIDIED_AT_ONCE)
            more = more or (row is not None and row["gone"] == _TIDIED_AT_ONCE)
        row = await self._database.one(
            "tidy_notes", samples_before, _TIDIED_AT_ONCE, records_before, *_notes_by_retention()
        )
        more = more or (row is not None and row["gone"] == _TIDIED_AT_ONCE)
        thin = (KEPT_FIRST, KEPT_NEWEST, KEPT_MORE, _TIDIED_AT_ONCE, [*PASSING, LEFT_OUT])
        row = await self._database.one("thin_alert_entries", *thin)
        return more or (row is not None and row["alerts"] > 0)

    async def queue(self) -> tuple[int, float]:
        row = await self._database.one("queue")
        assert row is not None
        return row["depth"], row["oldest_s"]

    async def phases(self) -> Mapping[str, int]:
        return {row["phase"]: row["rollouts"] for row in await self._database.fetch("phases")}

    async def ping(self) -> None:
        """Write a row and roll it back. The key is this connection's own, so that no probe waits for another."""
        async with self._database.connection() as connection:
            transaction = connection.transaction()
            await transaction.start()
            try:
                await self._database.on(connection).one("ping")
            finally:
                await transaction.rollback()


def _notes_by_retention() -> list[list[str]]:
    """Kinds of notes, as `tidy_notes` takes them."""
    by = (Retention.PASSING, Retention.ROLLOUT, Retention.ALERT, Retention.QUARANTINE, Retention.ALWAYS)
    return [[kind for kind, kept in RETENTION.items() if kept is one] for one in by]


def _judged(rows: Sequence[str]) -> list[JudgedTick]:
    """A day of ticks takes some tenths of a second to read."""
    return [read_judged(json.loads(row)) for row in rows]


def _summary(row: Row) -> RolloutSummary:
    return RolloutSummary(
        id=row["id"],
        lane=Lane(row["service"], row["environment"]),
        from_version=row["from_version"],
        to_version=row["to_version"],
        phase=row["phase"],
        requester=row["requester"],
        reason=row["reason"],
        outcome=row["outcome"],
        created_at=row["created_at"],
        ended_at=row["ended_at"],
        returns=row["returns"],
    )


def _transition(row: Row) -> Transition:
    return Transition(
        actor=Actor(row["actor_id"], row["actor"], via=row["via"], guild_id=row["guild_id"]),
        at=row["at"],
        what=row["what"],
        why=row["why"],
        from_phase=row["from_phase"],
        to_phase=row["to_phase"],
        details=json.loads(row["details"]),
    )


def _point(row: Row) -> SeriesPoint:
    counts = json.loads(row["counts"])
    candidate_latency_s, stable_latency_s = counts["latency"]
    return SeriesPoint(
        at=row["at"],
        weight=row["weight"],
        candidate={name: (total, bad) for name, (total, bad) in counts["candidate"].items()},
        stable={name: (total, bad) for name, (total, bad) in counts["stable"].items()},
        candidate_latency_s=candidate_latency_s,
        stable_latency_s=stable_latency_s,
    )
