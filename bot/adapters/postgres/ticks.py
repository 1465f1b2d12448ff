"""Ticks of the judge, in batches, and timers: both are read by due time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import structlog

from bot.adapters.postgres import serialization
from bot.adapters.postgres.connection.database import Database, Row
from bot.adapters.postgres.connection.json import spliced
from bot.adapters.postgres.rollouts import Charters, with_charter
from bot.domain.errors import UserError
from bot.domain.records import Due, Judged, Loaded
from bot.domain.rollout.model import Rollout
from bot.ports.store import Known, unknown

log = structlog.get_logger(__name__)


class PostgresTicks:
    """Implements `bot.ports.store.TickStore`. Charters are read once; a tick carries only what ticks change."""

    def __init__(self, database: Database, charters: Charters) -> None:
        self._database = database
        self._charters = charters
        self._told: set[int] = set()

    async def due_ticks(
        self, now: datetime, limit: int, without: Sequence[int] = (), known: Known = unknown
    ) -> Sequence[tuple[Loaded, datetime]]:
        due = await self._database.fetch("due_ticks", now, limit, list(without))
        found = {row["id"]: loaded for row in due if (loaded := _as_saved(known(row["id"]), row)) is not None}
        found |= await self._read([row["id"] for row in due if row["id"] not in found])
        return [(found[row["id"]], row["next_tick"]) for row in due if row["id"] in found]

    async def save_ticks(self, ticks: Sequence[Judged]) -> set[int]:
        rows = await self._database.fetch("save_ticks", f"[{','.join(_tick(tick) for tick in ticks)}]")
        return {row["id"] for row in rows}

    async def hasten(self, now: datetime) -> None:
        await self._database.fetch("hasten", now)

    async def postpone(self, rollout: Rollout, tick_at: datetime) -> None:
        await self._database.fetch("postpone", rollout.id, rollout.version, rollout.stamp, tick_at)

    async def _read(self, ids: Sequence[int]) -> dict[int, Loaded]:
        rows = await self._database.fetch("ticking", ids) if ids else ()
        unread = [row["id"] for row in rows if self._charters.get(row) is None]
        for row in await self._database.fetch("charters", unread) if unread else ():
            try:
                self._charters.read(row)
            except (serialization.UnknownSchemaError, UserError, ValueError):
                # A rollout that this Slipway cannot read must not keep it from judging the others.
                self._unreadable(row["id"])
        return {row["id"]: loaded for row in rows if (loaded := self._loaded(row)) is not None}

    def _loaded(self, row: Row) -> Loaded | None:
        charter = self._charters.get(row)
        if charter is None:
            return None
        try:
            return Loaded(with_charter(row, charter), serialization.read_evidence(row["evidence"]))
        except (ValueError, TypeError, KeyError, IndexError):
            self._unreadable(row["id"])
            return None

    def _unreadable(self, rollout_id: int) -> None:
        """Log an unreadable rollout once, though it stays due."""
        if rollout_id not in self._told:
            self._told.add(rollout_id)
            log.exception("rollout_unreadable", rollout=rollout_id)


class PostgresTimers:
    """Implements `bot.ports.store.TimerStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def due(self, now: datetime, limit: int) -> Sequence[Due]:
        rows = await self._database.fetch("due_timers", now, limit)
        return [Due(row["rollout_id"], row["name"], row["step"], row["due_at"]) for row in rows]

    async def drop(self, timer: Due) -> None:
        await self._database.fetch("drop_timer", timer.rollout_id, timer.name, timer.step, timer.at)


def _as_saved(known: Loaded | None, row: Row) -> Loaded | None:
    """What is known of a rollout, if the row is of the save that it is from."""
    if known is None:
        return None
    of = known.rollout
    same = (of.version, of.stamp, of.created_at) == (row["version"], row["stamp"], row["created_at"])
    return known if same else None


def _tick(tick: Judged) -> str:
    rollout = tick.rollout
    return spliced(
        {
            "id": rollout.id,
            "before": tick.before.version,
            "before_stamp": tick.before.stamp,
            "version": rollout.version,
            "stamp": rollout.stamp,
            "tick_at": tick.tick_at,
            "digest": rollout.candidate.digest,
            "at": tick.point.at,
            "weight": tick.point.weight,
        },
        counts=serialization.counts_text(tick.point),
        state=serialization.state_text(rollout),
        judge=serialization.judge_text(rollout) or "null",
        evidence=serialization.evidence_text(tick.evidence),
    )
