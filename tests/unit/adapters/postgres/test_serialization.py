"""Stored documents: what is written is read back, and what is older or newer is noticed."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.adapters.postgres import serialization
from bot.domain.errors import UserError
from bot.domain.judge import judge
from bot.domain.judge.evidence.ticks import (
    CounterReading,
    Counts,
    EvidenceState,
    Sample,
    Tick,
    begin_evidence,
    difference,
)
from bot.domain.rollout.events import Acted, Applied, DrawCard, LockLane, Measured, Notify, Reported
from bot.domain.rollout.machine import approvals, machine
from bot.domain.rollout.model import Action, Phase, Rollout
from tests.support.actors import DEV, LEAD
from tests.support.catalogs import GATED, GUILD, PRODUCTION, STAGING, V140, V150, policy
from tests.support.rules.latencies import Stream

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def judged() -> Rollout:
    """A rollout that has seen a gate, traffic and a judge."""
    now = machine.begin(
        id=7,
        guild_id=GUILD,
        lane=PRODUCTION,
        stable=V140,
        candidate=V150,
        plan=GATED,
        policy=policy(),
        requester=DEV,
        reason="because",
        at=NOW,
        generation=3,
    ).rollout
    for event in (
        Applied(4, NOW, 0),
        Reported("run_checks", 0, NOW, True),
        Acted(Action.APPROVE, LEAD, NOW),
        Applied(5, NOW, 10),
        Measured(
            NOW, Tick(NOW.timestamp(), 1.0, {"errors": judge_counts(100, 0), "p99": judge_counts(100, 0)})
        ),
        Acted(Action.PAUSE, LEAD, NOW + timedelta(seconds=1), reason="look"),
    ):
        now = machine.step(now, event).rollout
    assert now.verdict is not None
    assert now.pause is not None
    return now


def judge_counts(total: int, bad: int) -> Counts:

    return Counts(total, bad)


def through(rollout: Rollout) -> Rollout:
    charter = serialization.read_charter(serialization.SCHEMA, serialization.charter_text(rollout))
    return serialization.read_rollout(
        charter,
        rollout.phase,
        rollout.version,
        serialization.state_text(rollout),
        serialization.judge_text(rollout),
    )


def test_a_rollout_is_read_as_it_was_written_and_its_seal_still_fits() -> None:
    was = judged()
    now = through(was)
    assert now == was
    sealed = approvals.seal_of(
        rollout_id=now.id,
        guild_id=now.guild_id,
        lane=now.lane,
        stable=now.stable,
        candidate=now.candidate,
        plan=now.plan,
        policy=now.policy,
    )
    assert sealed == was.seal


def test_every_field_of_a_rollout_is_stored_in_one_part() -> None:
    parts = [*serialization.CHARTER, *serialization.STATE, *serialization.JUDGE, *serialization.COLUMNS]
    assert sorted(parts) == sorted(Rollout.__dataclass_fields__)


def test_a_field_that_was_not_stored_takes_its_default() -> None:
    was = judged()
    state = {
        k: v
        for k, v in json.loads(serialization.state_text(was)).items()
        if k not in ("grants", "soak_extra_s")
    }
    charter = serialization.read_charter(serialization.SCHEMA, serialization.charter_text(was))
    now = serialization.read_rollout(charter, Phase.SOAKING, was.version, json.dumps(state), None)
    assert (now.grants, now.soak_extra_s, now.judge_state) == ((), 0.0, None)


def test_a_plan_of_version_0_is_brought_up_to_date() -> None:
    document = json.loads(serialization.charter_text(judged()))
    document["plan"] = {"name": "old", "steps": [{"shift": 100}, {"observe": 5}]}
    plan = serialization.read_charter(0, json.dumps(document))["plan"]
    assert [(step.kind, plan.version) for step in plan.steps] == [("shift", 1), ("observe", 1)]


def test_what_a_newer_slipway_wrote_is_not_touched() -> None:
    text = serialization.charter_text(judged())
    with pytest.raises(serialization.UnknownSchemaError):
        serialization.read_charter(serialization.SCHEMA + 1, text)
    document = json.loads(text)
    document["plan"]["version"] = 99
    with pytest.raises(UserError, match="version 99"):
        serialization.read_charter(serialization.SCHEMA, json.dumps(document))


@pytest.mark.parametrize(
    "effect",
    [
        DrawCard(),
        Notify("halted", ("on-call",), (1, 2), "text"),
        LockLane(STAGING, "Slipway", "why", "sha256:1"),
        *machine.step(replace(judged(), pause=None), Acted(Action.ROLL_BACK, LEAD, NOW)).effects,
    ],
    ids=lambda effect: effect.kind,
)
def test_effects_are_read_as_they_were_written(effect: object) -> None:
    assert serialization.read_effect(serialization.effect_text(effect)) == effect  # type: ignore[arg-type]


def test_what_is_known_of_latency_is_read_as_it_was_written() -> None:
    rollout, evidence, old = judged(), begin_evidence(), policy().judge
    state = rollout.judge_state
    assert state is not None
    for drawn in Stream(times=5.0).ticks(1, 40):
        state = judge.advance(state, old, drawn)
    assert list(judge.warnings(state))
    kept = replace(rollout, judge_state=state, verdict=judge.verdict(state, old, soak_required_s=10.0))
    assert through(kept) == kept
    for at, silent in ((0, ""), (5, ""), (10, "no answer")):
        buckets = ((0.1, 2 * at), (0.2, 4 * at))
        mine = Sample(at, "new", (CounterReading("router", 4 * at, 0, buckets),))
        theirs = replace(mine, release="old", error=silent or None)
        evidence, _ = difference(evidence, replace(old, objectives=()), at, mine, theirs)
    assert evidence.window is not None
    assert evidence.window.latency is not None
    assert evidence.window.latency[0].total == 20
    assert serialization.read_evidence(serialization.evidence_text(evidence)) == evidence


def test_evidence_that_was_never_stored_begins() -> None:
    assert serialization.read_evidence(None) == begin_evidence()
    some = EvidenceState(at=1.0, rose_at=0.5, served=True)
    assert serialization.read_evidence(serialization.evidence_text(some)) == some
