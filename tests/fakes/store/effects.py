"""The outbox in memory: claims under a lease and a fence."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from bot.domain.records import AuditEntry, Claimed, GivenUp, LaneRow
from bot.domain.rollout.events import CallPeople, LogLine, SetDesired
from bot.domain.rollout.model import Lane
from tests.fakes.store.tables import EffectRow, Part, Tables, statement

_IN_ORDER = ("log_line", "draw_card")


class MemoryEffects(Part):
    """Implements `bot.ports.store.EffectStore`."""

    part = "effects"

    @statement
    def claim(
        self,
        t: Tables,
        now: datetime,
        kinds: Sequence[str],
        limit: int,
        lease_s: float,
        holding: Sequence[int],
    ) -> Sequence[Claimed]:
        first: dict[tuple[int | None, str], int] = {}
        heads: dict[str, int] = {}
        for e in t.open.values():
            if e.kind in _IN_ORDER:
                first[e.rollout_id, e.kind] = min(e.id, first.get((e.rollout_id, e.kind), e.id))
            if queue := _queue(e):
                heads[queue] = min(e.id, heads.get(queue, e.id))
        due = [
            e
            for e in t.open.values()
            if e.due_at <= now
            and e.kind in kinds
            and e.id not in holding
            and first.get((e.rollout_id, e.kind), e.id) == e.id
            and heads.get(_queue(e), e.id) == e.id
        ]
        due.sort(key=lambda e: (not e.urgent, e.due_at, e.id))
        for e in due[:limit]:
            fence, until = secrets.randbits(53), now + timedelta(seconds=lease_s)
            t.change_effect(e.id, state="leased", fence=fence, due_at=until)
        return [_claimed(t, t.effects[i]) for i in sorted(e.id for e in due[:limit])]

    @statement
    def renew(self, t: Tables, now: datetime, claims: Sequence[Claimed], lease_s: float) -> set[int]:
        ours = {c.id for c in claims if t.claimed(c.id, c.fence)}
        for effect_id in ours:
            t.change_effect(effect_id, due_at=now + timedelta(seconds=lease_s))
        return ours

    @statement
    def close(self, t: Tables, now: datetime, claims: Sequence[Claimed]) -> None:
        for claim in claims:
            row = t.claimed(claim.id, claim.fence)
            if row is not None and row.kind == "draw_card":
                t.drop_effect(row.id)
            elif row is not None:
                t.change_effect(row.id, state="done", done_at=now)

    @statement
    def watch(self, t: Tables, now: datetime, claim: Claimed, after_s: float, spent_s: float) -> None:
        row = t.claimed(claim.id, claim.fence)
        if row is not None:
            due, watched_s = now + timedelta(seconds=after_s), row.watched_s + spent_s
            t.change_effect(row.id, state="pending", due_at=due, watched_s=watched_s)

    @statement
    def retry(
        self, t: Tables, now: datetime, claim: Claimed, after_s: float, error: str, *, failed: bool
    ) -> None:
        row = t.claimed(claim.id, claim.fence)
        if row is not None:
            due, attempts = now + timedelta(seconds=after_s), row.attempts + int(failed)
            t.change_effect(row.id, due_at=due, last_error=error[:500], attempts=attempts)

    @statement
    def poison(self, t: Tables, now: datetime, claim: Claimed, given_up: GivenUp) -> None:
        if t.claimed(claim.id, claim.fence):
            t.change_effect(claim.id, state="poisoned", done_at=now, last_error=given_up.error[:500])
            t.record(given_up.entry)
            call(t, now, given_up.entry.lane, given_up.calls)

    @statement
    def say(self, t: Tables, now: datetime, claim: Claimed, key: str, text: str) -> None:
        t.add_effect(now, key, claim.rollout_id, claim.lane, LogLine(text))

    @statement
    def order(
        self, t: Tables, now: datetime, row: LaneRow, key: str, timeout_s: float, entry: AuditEntry
    ) -> None:
        was = t.lanes.get(row.lane)
        if was is None or was.generation >= row.generation or was.stamp != row.stamp or row.lane in t.active:
            return
        t.put_lane(replace(was, generation=row.generation, desired=row.desired, drift=row.drift))
        for e in [e for e in t.open.values() if e.lane == row.lane and e.kind == "set_desired"]:
            if e.generation is not None and e.generation < row.generation:
                t.change_effect(e.id, state="superseded", done_at=now)
        effect = SetDesired(row.lane, row.desired, timeout_s)
        if t.add_effect(now, key, None, row.lane, effect, generation=row.generation):
            t.record(entry)


def call(t: Tables, now: datetime, lane: Lane, calls: Sequence[CallPeople]) -> None:
    for effect in calls:
        t.add_effect(now, effect.key, None, lane, effect, urgent=True)


def _queue(row: EffectRow) -> str:
    return row.effect.queue if isinstance(row.effect, CallPeople) else ""


def _claimed(t: Tables, row: EffectRow) -> Claimed:
    owner = t.rollouts.get(row.rollout_id) if row.rollout_id is not None else None
    return Claimed(
        id=row.id,
        key=row.key,
        fence=row.fence,
        attempts=row.attempts,
        rollout_id=row.rollout_id,
        lane=row.lane,
        effect=row.effect,
        created_at=row.created_at,
        watched_s=row.watched_s,
        requested_at=owner.rollout.created_at if owner else None,
        guild_id=owner.rollout.guild_id if owner else None,
    )
