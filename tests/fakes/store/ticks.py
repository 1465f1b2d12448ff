"""What is judged, and the timers, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from bot.domain.records import Due, Judged, Loaded
from bot.domain.rollout.model import Rollout
from bot.ports.store import Known, unknown
from tests.fakes.store.rollouts import loaded, same
from tests.fakes.store.tables import Part, RolloutRow, Tables, statement


class MemoryTicks(Part):
    """Implements `bot.ports.store.TickStore`."""

    part = "ticks"

    @statement
    def due_ticks(
        self,
        t: Tables,
        now: datetime,
        asked: datetime,
        limit: int,
        without: Sequence[int] = (),
        known: Known = unknown,
    ) -> Sequence[tuple[Loaded, datetime]]:
        rows = [t.rollouts[i] for i in t.active.values() if i not in without]
        due = [
            (r.next_tick, r.rollout.id, r) for r in rows if r.next_tick is not None and r.next_tick <= asked
        ]
        due.sort(key=lambda found: found[:2])
        return [(loaded(r, known(rollout_id)), at) for at, rollout_id, r in due[:limit]]

    @statement
    def save_ticks(self, t: Tables, now: datetime, ticks: Sequence[Judged]) -> set[int]:
        saved = set()
        for tick in ticks:
            rollout, was = tick.rollout, t.rollouts.get(tick.rollout.id)
            if was is None or not same(was.rollout, tick.before):
                continue
            saved.add(rollout.id)
            t.put_rollout(RolloutRow(rollout, tick.evidence, tick.tick_at))
            t.samples.append((rollout.id, tick.point))
        return saved

    @statement
    def hasten(self, t: Tables, now: datetime, asked: datetime) -> None:
        for rollout_id in t.active.values():
            row = t.rollouts[rollout_id]
            latest = asked + timedelta(seconds=row.rollout.policy.tick_s)
            if row.next_tick is not None and row.next_tick > latest:
                t.rollouts[rollout_id] = replace(row, next_tick=asked)

    @statement
    def postpone(self, t: Tables, now: datetime, rollout: Rollout, tick_at: datetime) -> None:
        row = t.rollouts.get(rollout.id)
        if row is not None and same(row.rollout, rollout) and row.next_tick is not None:
            t.rollouts[rollout.id] = replace(row, next_tick=tick_at)


class MemoryTimers(Part):
    """Implements `bot.ports.store.TimerStore`."""

    part = "timers"

    @statement
    def due(self, t: Tables, now: datetime, asked: datetime, limit: int) -> Sequence[Due]:
        due = [Due(i, name, step, at) for (i, name), (step, at) in t.timers.items() if at <= asked]
        return sorted(due, key=lambda timer: timer.at)[:limit]

    @statement
    def drop(self, t: Tables, now: datetime, timer: Due) -> None:
        if t.timers.get((timer.rollout_id, timer.name)) == (timer.step, timer.at):
            del t.timers[timer.rollout_id, timer.name]
