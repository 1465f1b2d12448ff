"""Rollouts in PostgreSQL: load, and save one step as one statement."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import asyncpg

from bot.adapters.postgres import serialization
from bot.adapters.postgres.connection.database import Database, Row
from bot.adapters.postgres.connection.json import dumped, spliced
from bot.adapters.postgres.effects import call
from bot.domain.records import Active, Answer, Loaded, RolloutChange, effect_key
from bot.domain.rollout import steps
from bot.domain.rollout.events import (
    CallPeople,
    Effect,
    LockLane,
    MarkKnownGood,
    Notify,
    SetDesired,
    Transition,
)
from bot.domain.rollout.machine import machine
from bot.domain.rollout.model import Identity, Lane, Phase, Rollout
from bot.domain.sharing import Sharing
from bot.ports.errors import AlreadyAnswered, LaneTaken
from bot.ports.store import NO_LANE, PANIC_NOTE

_REMEMBERED = 4096


class Charters:
    """Cache of parsed charters. A charter never changes, so each process parses it once.

    Rollouts with equal plans or policies have the same object, as they have it from the catalog when they start.
    """

    def __init__(self) -> None:
        self._same = Sharing()
        self._known: OrderedDict[Identity, Mapping[str, Any]] = OrderedDict()

    def get(self, row: Row) -> Mapping[str, Any] | None:
        return self._known.get((row["id"], row["created_at"]))

    def read(self, row: Row) -> Mapping[str, Any]:
        """The charter of a row that has it as text."""
        known = self.get(row)
        if known is None:
            charter = serialization.read_charter(row["schema"], row["charter"])
            known = {
                **charter,
                "plan": self._same(charter["plan"]),
                "policy": self._same(charter["policy"]),
            }
            self._known[row["id"], row["created_at"]] = known
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return known


class PostgresRollouts:
    """Implements `bot.ports.store.RolloutStore`."""

    def __init__(self, database: Database, charters: Charters) -> None:
        self._database = database
        self._charters = charters

    async def next_id(self) -> int:
        row = await self._database.one("next_id")
        assert row is not None
        return int(row["id"])

    async def load(self, rollout_id: int, known: Loaded | None = None) -> Loaded | None:
        if known is None:
            row = await self._database.one("load", rollout_id)
        else:
            of = known.rollout
            row = await self._database.one("load_unless", rollout_id, of.version, of.stamp, of.created_at)
        if row is None:
            return None
        if known is not None and row["same"]:
            return known
        return Loaded(read(row, self._charters), serialization.read_evidence(row["evidence"]))

    async def answers(self, interactions: Sequence[str]) -> Mapping[str, Answer]:
        rows = await self._database.fetch("answers", list(interactions))
        return {row["id"]: Answer(row["rollout_id"], row["sentence"]) for row in rows}

    async def save(self, change: RolloutChange) -> bool:
        try:
            row = await self._saved(change)
        except asyncpg.UniqueViolationError as error:
            if error.constraint_name == "rollouts_one_active":
                raise LaneTaken(str(change.rollout.lane)) from None
            if error.constraint_name == "interactions_pkey":
                raise AlreadyAnswered(", ".join(change.answers)) from None
            if error.constraint_name == "rollouts_pkey":
                return False  # the number was given by a database that lost commits since
            raise
        return row is not None and bool(row["saved"])

    async def _saved(self, change: RolloutChange) -> Row | None:
        leave_out = _unneeded(change)
        if change.before is not None:
            return await self._database.one("save", _change(change), leave_out=leave_out)
        async with self._database.transaction() as connection:
            await connection.one("start_lock")
            return await connection.one("save", _change(change), leave_out=leave_out)

    async def panic(
        self, guild_id: int, note: Mapping[str, object], calls: Sequence[CallPeople] = ()
    ) -> None:
        async with self._database.transaction() as connection:
            await connection.one("panic_lock")
            await connection.one("put_note", PANIC_NOTE, str(guild_id), dumped(dict(note)))
            await call(connection, NO_LANE, calls)

    async def active(self) -> Sequence[Active]:
        return [
            Active(
                id=r["id"],
                guild_id=r["guild_id"],
                lane=Lane(r["service"], r["environment"]),
                phase=Phase(r["phase"]),
                judged=r["judged"],
                version=r["version"],
                created_at=r["created_at"],
                stamp=r["stamp"],
            )
            for r in await self._database.fetch("active")
        ]


def read(row: Row, charters: Charters) -> Rollout:
    return with_charter(row, charters.read(row))


def with_charter(row: Row, charter: Mapping[str, Any]) -> Rollout:
    phase, version, stamp = row["phase"], row["version"], row["stamp"]
    return serialization.read_rollout(charter, phase, version, row["state"], row["judge"], stamp=stamp)


def _unneeded(change: RolloutChange) -> frozenset[str]:
    """Parts of the query `save` that would find nothing to do for this change: they would take half of its time."""
    kinds, new = {type(effect) for effect in change.effects}, change.before is None
    stay = _timers_stay(change)
    seldom = {
        ("mine", "held", "closed"): change.claim is not None,
        ("superseded", "owned"): SetDesired in kinds,
        ("dropped",): bool(_moot(change)),
        ("locked",): LockLane in kinds,
        ("known",): MarkKnownGood in kinds,
        ("measured",): change.point is not None,
        ("bad",): change.rolled_back is not None,
    }
    needed = {
        ("updated",): not new,
        ("beginning", "place", "created"): new,
        **seldom,
        ("seldom",): any(seldom.values()),
        ("ordered",): bool(change.effects or change.given_up),
        ("audited",): bool(change.transitions or change.given_up),
        ("stopped",): not new and not stay,
        ("started",): bool(change.timers) and not stay,
        ("answered",): bool(change.answers),
    }
    return frozenset(part for parts, wanted in needed.items() if not wanted for part in parts)


def _timers_stay(change: RolloutChange) -> bool:
    """Whether the rows of timers are what they were: they are those of the rollout that was saved before."""
    before, after = change.before, change.rollout
    return before is not None and before.step == after.step and machine.timers(before) == change.timers


def _moot(change: RolloutChange) -> list[str]:
    """Kinds of orders that the rollout no longer waits for, since it has gone on to another phase."""
    before, phase = change.before, change.rollout.phase
    went_on = before is not None and before.phase is not phase
    return steps.reported_effects() if went_on and phase not in machine.ORDERED else []


def _change(change: RolloutChange) -> str:
    """The one parameter of the query `save`. What is missing is NULL there."""
    rollout = change.rollout
    desires = [e for e in change.effects if isinstance(e, SetDesired)]
    newest = desires[-1].desired if desires else None
    lock = next((e for e in change.effects if isinstance(e, LockLane)), None)
    mark = next((e for e in change.effects if isinstance(e, MarkKnownGood)), None)
    plain = {
        **_columns(rollout),
        **(_of_a_change(change.before) if change.before else _of_a_beginning(change, desires)),
        "at": change.at,
        "judged": change.judged,
        "tick_at": change.tick_at,
        "transitions": [_transition(t) for t in change.transitions] + _given_up(change),
        "timers": dict(change.timers),
        "generation": newest.generation if newest else None,
        "claim": change.claim.id if change.claim else None,
        "fence": change.claim.fence if change.claim else None,
        "answers": dict(change.answers),
        "lock": {"owner": lock.owner, "reason": lock.reason, "digest": lock.digest} if lock else None,
        "rolled_back": change.rolled_back.digest if change.rolled_back else None,
        "good": mark is not None and mark.good,
        "given_up": change.given_up.error[:500] if change.given_up else None,
        "point": serialization.point_columns(change.point) if change.point else None,
        "moot": _moot(change),
    }
    return spliced(
        {name: value for name, value in plain.items() if value is not None},
        charter=serialization.charter_text(rollout) if change.before is None else None,
        state=serialization.state_text(rollout),
        judge=serialization.judge_text(rollout),
        evidence=serialization.evidence_text(change.evidence) if change.evidence else None,
        desired=serialization.desired_text(newest) if newest else None,
        known_good=serialization.release_text(mark.release) if mark else None,
        effects=f"[{','.join([*_effects(rollout, change.effects, desires[-1:]), *_calls(change)])}]",
    )


def _columns(rollout: Rollout) -> dict[str, object]:
    return {
        "id": rollout.id,
        "guild_id": rollout.guild_id,
        "service": rollout.lane.service,
        "environment": rollout.lane.environment,
        "phase": rollout.phase,
        "final": rollout.phase.final,
        "version": rollout.version,
        "stamp": rollout.stamp,
        "schema": serialization.SCHEMA,
        "to_digest": rollout.candidate.digest,
        "outcome": rollout.outcome,
        "ended_at": rollout.ended_at,
    }


def _of_a_change(before: Rollout) -> dict[str, object]:
    return {"before": before.version, "before_stamp": before.stamp}


def _of_a_beginning(change: RolloutChange, desires: Sequence[SetDesired]) -> dict[str, object]:
    """What never changes, in columns of its own for searches and lists; and what the beginning depends on."""
    rollout = change.rollout
    return {
        "requester": rollout.requester.name,
        "from_version": rollout.stable.version if rollout.stable else None,
        "to_version": rollout.candidate.version,
        "to_base": rollout.candidate.identity,
        "reason": rollout.reason,
        "created_at": rollout.created_at,
        "lane_stamp": change.lane,
        # The lane's generation that it was computed from.
        "base": desires[0].desired.generation - 1 if desires else rollout.generation,
        "unless_stopped": [str(guild) for guild in change.unless_stopped],
        "stop_note": PANIC_NOTE,
    }


def _effects(rollout: Rollout, effects: Sequence[Effect], newest: Sequence[SetDesired]) -> Iterator[str]:
    """Rows of the outbox. A lock and a known-good mark are part of the save itself; of several desired states in one
    step only the newest is kept."""
    for index, effect in enumerate(effects):
        if isinstance(effect, (LockLane, MarkKnownGood)) or (
            isinstance(effect, SetDesired) and effect not in newest
        ):
            continue
        row: dict[str, Any] = {"key": effect_key(rollout, index), "kind": effect.kind}
        if isinstance(effect, SetDesired):
            row |= {
                "generation": effect.desired.generation,
                "urgent": effect.urgent,
                "delay_s": effect.delay_s,
            }
        elif isinstance(effect, Notify):
            row |= {"urgent": True}  # people who must act are told before a thousand cards are redrawn
        yield spliced(row, payload=serialization.effect_text(effect))


def _calls(change: RolloutChange) -> Iterator[str]:
    """Alerts for an effect that was given up, as rows of the outbox."""
    for each in change.given_up.calls if change.given_up else ():
        row = {"key": each.key, "kind": each.kind, "urgent": True}
        yield spliced(row, payload=serialization.effect_text(each))


def _given_up(change: RolloutChange) -> list[dict[str, Any]]:
    """The audit line of an effect that was given up."""
    if change.given_up is None:
        return []
    entry = change.given_up.entry
    line = Transition(entry.actor, entry.at, entry.what, entry.why, "", "", entry.details)
    return [_transition(line)]


def _transition(transition: Transition) -> dict[str, Any]:
    return {
        "actor_id": transition.actor.id,
        "actor": transition.actor.name,
        "via": transition.actor.via,
        "guild_id": transition.actor.guild_id,
        "at": transition.at,
        "what": transition.what,
        "why": transition.why,
        "from_phase": transition.from_phase,
        "to_phase": transition.to_phase,
        "details": dict(transition.details),
    }
