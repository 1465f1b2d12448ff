"""Lanes, locks and known releases in PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from bot.adapters.postgres import serialization
from bot.adapters.postgres.connection.database import Database, Row
from bot.adapters.postgres.effects import call, drift_columns, record
from bot.adapters.postgres.rollouts import Charters, read
from bot.domain.drift import Drift
from bot.domain.records import AuditEntry, KnownRelease, LaneRow, Lock, Situation
from bot.domain.rollout.events import CallPeople
from bot.domain.rollout.model import Lane


class PostgresLanes:
    """Implements `bot.ports.store.LaneStore`."""

    def __init__(self, database: Database, charters: Charters) -> None:
        self._database = database
        self._charters = charters

    async def situation(self, lane: Lane, now: datetime) -> Situation:
        names = (lane.service, lane.environment)
        async with self._database.connection() as raw:
            on = self._database.on(raw)
            row = await on.one("lane", *names)
            active = await on.one("active_in_lane", *names)
            lock = await on.one("lane_lock", *names, now)
            releases = await on.fetch("lane_releases", *names)
        return Situation(
            row=_lane(row) if row else None,
            active=read(active, self._charters) if active else None,
            lock=_lock(lock) if lock else None,
            releases=tuple(
                KnownRelease(
                    serialization.read_release(r["release"]), r["known_good_at"], r["rolled_back_at"]
                )
                for r in releases
            ),
        )

    async def lanes(self) -> Sequence[LaneRow]:
        return [_lane(row) for row in await self._database.fetch("lanes")]

    async def adopt(self, row: LaneRow, entry: AuditEntry) -> bool:
        stable = row.desired.stable
        async with self._database.transaction() as connection:
            owned = await connection.one(
                "adopt",
                row.lane.service,
                row.lane.environment,
                row.generation,
                serialization.desired_text(row.desired),
                row.adopted_at,
                serialization.release_text(stable) if stable else None,
            )
            if owned is None or not owned["owned"]:
                return False
            await record(connection, entry)
        return True

    async def newest(self, lane: Lane, generation: int) -> None:
        await self._database.one("newest", lane.service, lane.environment, generation)

    async def heard(
        self, row: LaneRow, drift: Drift, entry: AuditEntry | None, calls: Sequence[CallPeople] = ()
    ) -> bool:
        lane = row.lane
        async with self._database.transaction() as connection:
            found = await connection.one(
                "heard", lane.service, lane.environment, row.generation, *drift_columns(drift), row.stamp
            )
            if found is not None and entry is not None:
                await record(connection, entry)
                await call(connection, lane, calls)
        return found is not None

    async def lock(self, lock: Lock, entry: AuditEntry) -> None:
        async with self._database.transaction() as connection:
            await connection.one(
                "lock",
                lock.lane.service,
                lock.lane.environment,
                lock.owner_id,
                lock.owner,
                lock.reason,
                lock.since,
                lock.expires,
                lock.digest,
                lock.quarantined_at,
            )
            await record(connection, entry)

    async def unlock(self, lane: Lane, entry: AuditEntry) -> bool:
        async with self._database.transaction() as connection:
            gone = await connection.one("unlock", lane.service, lane.environment)
            if gone is not None:
                await record(connection, entry)
        return gone is not None

    async def lift(self, lock: Lock, entry: AuditEntry) -> bool:
        names = (lock.lane.service, lock.lane.environment)
        async with self._database.transaction() as connection:
            lifted = await connection.one("lift_quarantine", *names, lock.digest, lock.quarantined_at)
            if lifted is not None:
                await record(connection, entry)
        return lifted is not None

    async def locks(self, now: datetime) -> Mapping[Lane, Lock]:
        return {lock.lane: lock for lock in map(_lock, await self._database.fetch("locks", now))}

    async def record(self, entry: AuditEntry) -> None:
        async with self._database.transaction() as connection:
            await record(connection, entry)


def _lane(row: Row) -> LaneRow:
    return LaneRow(
        lane=Lane(row["service"], row["environment"]),
        generation=row["generation"],
        desired=serialization.read_desired(row["desired"]),
        rollout_id=row["rollout_id"],
        adopted_at=row["adopted_at"],
        drift=Drift(row["drift_kind"], row["drift"], row["repairs"], row["repaired_at"]),
        stamp=row["stamp"],
    )


def _lock(row: Row) -> Lock:
    return Lock(
        lane=Lane(row["service"], row["environment"]),
        owner_id=row["owner_id"],
        owner=row["owner"],
        reason=row["reason"],
        since=row["since"],
        expires=row["expires"],
        digest=row["digest"],
        quarantined_at=row["quarantined_at"],
    )
