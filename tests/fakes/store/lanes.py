"""Lanes, locks and what is remembered about releases, in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from bot.domain.drift import Drift
from bot.domain.records import AuditEntry, KnownRelease, LaneRow, Lock, Situation
from bot.domain.rollout.events import CallPeople
from bot.domain.rollout.model import Lane
from tests.fakes.store.effects import call
from tests.fakes.store.tables import Part, Tables, statement


class MemoryLanes(Part):
    """Implements `bot.ports.store.LaneStore`."""

    part = "lanes"

    @statement
    def situation(self, t: Tables, now: datetime, lane: Lane, asked: datetime) -> Situation:
        active, lock = t.active.get(lane), t.locks.get(lane)
        known = [k for (there, _), k in t.releases.items() if there == lane]
        known.sort(key=lambda k: k.known_good_at.timestamp() if k.known_good_at else 0.0, reverse=True)
        return Situation(
            row=t.lanes.get(lane),
            active=t.rollouts[active].rollout if active is not None else None,
            lock=lock if lock is not None and _holds(lock, asked) else None,
            releases=tuple(known[:100]),
        )

    @statement
    def lanes(self, t: Tables, now: datetime) -> Sequence[LaneRow]:
        return list(t.lanes.values())

    @statement
    def adopt(self, t: Tables, now: datetime, row: LaneRow, entry: AuditEntry) -> bool:
        if row.lane in t.lanes:
            return False
        t.put_lane(replace(row, rollout_id=None, drift=Drift()))
        stable = row.desired.stable
        if stable is not None:
            t.releases.setdefault((row.lane, stable.digest), KnownRelease(stable, row.adopted_at, None))
        t.record(entry)
        return True

    @statement
    def newest(self, t: Tables, now: datetime, lane: Lane, generation: int) -> None:
        row = t.lanes.get(lane)
        if row is not None and row.generation < generation:
            t.lanes[lane] = replace(row, generation=generation)

    @statement
    def heard(
        self,
        t: Tables,
        now: datetime,
        row: LaneRow,
        drift: Drift,
        entry: AuditEntry | None,
        calls: Sequence[CallPeople] = (),
    ) -> bool:
        was = t.lanes.get(row.lane)
        same = was is not None and (was.generation, was.stamp) == (row.generation, row.stamp)
        if was is None or not same or row.lane in t.active:
            return False
        t.lanes[row.lane] = replace(was, drift=replace(drift, text=drift.text[:1000]))
        if entry is not None:
            t.record(entry)
            call(t, now, row.lane, calls)
        return True

    @statement
    def lock(self, t: Tables, now: datetime, lock: Lock, entry: AuditEntry) -> None:
        t.locks[lock.lane] = lock
        t.record(entry)

    @statement
    def unlock(self, t: Tables, now: datetime, lane: Lane, entry: AuditEntry) -> bool:
        if t.locks.pop(lane, None) is None:
            return False
        t.record(entry)
        return True

    @statement
    def lift(self, t: Tables, now: datetime, lock: Lock, entry: AuditEntry) -> bool:
        held = t.locks.get(lock.lane)
        if held is None or (held.digest, held.quarantined_at) != (lock.digest, lock.quarantined_at):
            return False
        if held.owner_id:
            t.locks[lock.lane] = replace(held, digest="", quarantined_at=None)
        else:
            del t.locks[lock.lane]
        t.record(entry)
        return True

    @statement
    def locks(self, t: Tables, now: datetime, asked: datetime) -> Mapping[Lane, Lock]:
        return {lane: lock for lane, lock in t.locks.items() if _holds(lock, asked)}

    @statement
    def record(self, t: Tables, now: datetime, entry: AuditEntry) -> None:
        t.record(entry)


def _holds(lock: Lock, now: datetime) -> bool:
    return lock.expires is None or lock.expires > now
