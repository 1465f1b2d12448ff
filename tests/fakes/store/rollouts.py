"""Rollouts in memory: one step saved as a whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from bot.domain.drift import Drift
from bot.domain.judge.evidence.ticks import begin_evidence
from bot.domain.records import (
    Active,
    Answer,
    KnownRelease,
    LaneRow,
    Loaded,
    Lock,
    RolloutChange,
    effect_key,
)
from bot.domain.rollout import steps
from bot.domain.rollout.events import CallPeople, LockLane, MarkKnownGood, Notify, SetDesired
from bot.domain.rollout.machine import machine
from bot.domain.rollout.model import Rollout
from bot.ports.errors import AlreadyAnswered, LaneTaken
from bot.ports.store import NO_LANE, PANIC_NOTE
from tests.fakes.store.effects import call
from tests.fakes.store.tables import AuditRow, EffectRow, Part, RolloutRow, Tables, statement


class MemoryRollouts(Part):
    """Implements `bot.ports.store.RolloutStore`."""

    part = "rollouts"

    @statement
    def next_id(self, t: Tables, now: datetime) -> int:
        t.last_rollout += 1
        return t.last_rollout

    @statement
    def load(self, t: Tables, now: datetime, rollout_id: int, known: Loaded | None = None) -> Loaded | None:
        row = t.rollouts.get(rollout_id)
        return loaded(row, known) if row else None

    @statement
    def answers(self, t: Tables, now: datetime, interactions: Sequence[str]) -> Mapping[str, Answer]:
        return {i: t.interactions[i][0] for i in interactions if i in t.interactions}

    @statement
    def save(self, t: Tables, now: datetime, change: RolloutChange) -> bool:
        return save(t, now, change)

    @statement
    def panic(
        self,
        t: Tables,
        now: datetime,
        guild_id: int,
        note: Mapping[str, object],
        calls: Sequence[CallPeople] = (),
    ) -> None:
        t.notes[PANIC_NOTE, str(guild_id)] = dict(note)
        call(t, now, NO_LANE, calls)

    @statement
    def active(self, t: Tables, now: datetime) -> Sequence[Active]:
        rows = [t.rollouts[i] for i in sorted(t.active.values())]
        return [
            Active(
                id=r.rollout.id,
                guild_id=r.rollout.guild_id,
                lane=r.rollout.lane,
                phase=r.rollout.phase,
                judged=r.next_tick is not None,
                version=r.rollout.version,
                created_at=r.rollout.created_at,
                stamp=r.rollout.stamp,
            )
            for r in rows
        ]


def save(t: Tables, now: datetime, change: RolloutChange) -> bool:
    """Everything of one step, or nothing."""
    if not (_may_begin(t, change) if change.before is None else _may_move(t, change)):
        return False
    if any(key in t.interactions for key in change.answers):
        raise AlreadyAnswered(", ".join(change.answers))
    rollout, desires = change.rollout, [e for e in change.effects if isinstance(e, SetDesired)]
    _put(t, change)
    _close(t, now, change)
    _supersede(t, now, change, desires)
    _order(t, now, change, desires)
    _own(t, change, desires)
    lines = [AuditRow(rollout.id, rollout.lane, line) for line in change.transitions]
    t.audit.extend(lines)
    if change.given_up is not None:
        t.record(replace(change.given_up.entry, rollout_id=rollout.id, lane=rollout.lane))
    _time(t, change)
    for key, sentence in change.answers.items():
        t.interactions[key] = (Answer(rollout.id, sentence), change.at)
    _remember(t, change)
    if change.point is not None:
        t.samples.append((rollout.id, change.point))
    return True


def _may_begin(t: Tables, change: RolloutChange) -> bool:
    rollout = change.rollout
    first = next((e for e in change.effects if isinstance(e, SetDesired)), None)
    base = first.desired.generation - 1 if first else rollout.generation
    row = t.lanes.get(rollout.lane)
    if row is not None and (row.generation > base or change.lane not in (None, row.stamp)):
        return False
    if any(t.notes.get((PANIC_NOTE, str(guild)), {}).get("on") is True for guild in change.unless_stopped):
        return False
    if rollout.lane in t.active and not rollout.phase.final:
        raise LaneTaken(str(rollout.lane))
    return rollout.id not in t.rollouts


def _may_move(t: Tables, change: RolloutChange) -> bool:
    row = t.rollouts.get(change.rollout.id)
    if row is None or not same(row.rollout, change.before):
        return False
    return change.claim is None or t.claimed(change.claim.id, change.claim.fence) is not None


def loaded(row: RolloutRow, known: Loaded | None) -> Loaded:
    """What is stored, or what is known of it if that is from the newest save."""
    if (
        known is not None
        and same(row.rollout, known.rollout)
        and row.rollout.identity == known.rollout.identity
    ):
        return known
    return Loaded(row.rollout, row.evidence or begin_evidence())


def same(stored: Rollout, before: Rollout | None) -> bool:
    """Whether what is stored is what the change was computed from."""
    return before is not None and (stored.version, stored.stamp) == (before.version, before.stamp)


def _put(t: Tables, change: RolloutChange) -> None:
    was = t.rollouts.get(change.rollout.id) if change.before is not None else None
    tick = change.tick_at
    if was is not None and tick is None:
        tick = was.next_tick or change.at
    evidence = change.evidence if change.evidence is not None or was is None else was.evidence
    t.put_rollout(RolloutRow(change.rollout, evidence, tick if change.judged else None))


def _close(t: Tables, now: datetime, change: RolloutChange) -> None:
    if change.claim is None:
        return
    if change.given_up is None:
        t.change_effect(change.claim.id, state="done", done_at=now)
    else:
        t.change_effect(
            change.claim.id, state="poisoned", done_at=now, last_error=change.given_up.error[:500]
        )


def _supersede(t: Tables, now: datetime, change: RolloutChange, desires: Sequence[SetDesired]) -> None:
    rollout = change.rollout
    newest = desires[-1].desired.generation if desires else None
    moot = () if rollout.phase in machine.ORDERED else steps.reported_effects()

    def pointless(e: EffectRow) -> bool:
        older = newest is not None and e.kind == "set_desired" and e.lane == rollout.lane
        older = older and e.generation is not None and newest is not None and e.generation < newest
        return older or (e.rollout_id == rollout.id and e.kind in moot)

    for effect_id in [e.id for e in t.open.values() if pointless(e)]:
        if change.claim is None or effect_id != change.claim.id:
            t.change_effect(effect_id, state="superseded", done_at=now)


def _order(t: Tables, now: datetime, change: RolloutChange, desires: Sequence[SetDesired]) -> None:
    rollout = change.rollout
    for index, effect in enumerate(change.effects):
        if isinstance(effect, (LockLane, MarkKnownGood)):
            continue
        key = effect_key(rollout, index)
        if not isinstance(effect, SetDesired):
            t.add_effect(now, key, rollout.id, rollout.lane, effect, urgent=isinstance(effect, Notify))
        elif effect in desires[-1:]:
            t.add_effect(
                now,
                key,
                rollout.id,
                rollout.lane,
                effect,
                due_at=now + timedelta(seconds=effect.delay_s),
                generation=effect.desired.generation,
                urgent=effect.urgent,
            )
    for each in change.given_up.calls if change.given_up else ():
        t.add_effect(now, each.key, rollout.id, rollout.lane, each, urgent=True)


def _own(t: Tables, change: RolloutChange, desires: Sequence[SetDesired]) -> None:
    if not desires:
        return
    lane, desired = change.rollout.lane, desires[-1].desired
    was = t.lanes.get(lane)
    if was is None:
        t.put_lane(LaneRow(lane, desired.generation, desired, change.rollout.id, None))
    elif desired.generation > was.generation:
        changes = {"generation": desired.generation, "desired": desired, "rollout_id": change.rollout.id}
        t.put_lane(replace(was, **changes, drift=Drift()))  # type: ignore[arg-type]


def _time(t: Tables, change: RolloutChange) -> None:
    rollout = change.rollout
    for known in [key for key in t.timers if key[0] == rollout.id and key[1] not in change.timers]:
        del t.timers[known]
    for name, due in change.timers.items():
        t.timers[rollout.id, name] = (rollout.step, due)


def _remember(t: Tables, change: RolloutChange) -> None:
    """Locks, and what is known good."""
    lane = change.rollout.lane
    for effect in change.effects:
        if isinstance(effect, LockLane):
            _lock(t, change, effect)
            break
    if change.rolled_back is not None and (lane, change.rolled_back.digest) in t.releases:
        bad = t.releases[lane, change.rolled_back.digest]
        t.releases[lane, change.rolled_back.digest] = replace(bad, rolled_back_at=change.at)
    mark = next((e for e in change.effects if isinstance(e, MarkKnownGood)), None)
    if mark is not None:
        good_at = change.at if mark.good else None
        was = t.releases.get((lane, mark.release.digest))
        if was is not None:
            good_at = good_at or was.known_good_at
        bad_at = was.rolled_back_at if was is not None else None
        t.releases[lane, mark.release.digest] = KnownRelease(mark.release, good_at, bad_at)


def _lock(t: Tables, change: RolloutChange, lock: LockLane) -> None:
    lane, was = change.rollout.lane, t.locks.get(change.rollout.lane)
    if was is None or (was.expires is not None and was.expires < change.at):
        t.locks[lane] = Lock(lane, 0, lock.owner, lock.reason, change.at, None, lock.digest, change.at)
    else:
        t.locks[lane] = replace(
            was,
            reason=f"{was.reason} · {lock.reason}",
            expires=None,
            digest=lock.digest,
            quarantined_at=change.at,
        )
