"""Documents that Slipway stored before its steps had a registry: read with the same meaning, and written the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bot.adapters.postgres import serialization
from bot.domain.rollout import steps
from bot.domain.rollout.machine import approvals
from bot.domain.rollout.model import Rollout

STORED: dict[str, Any] = json.loads((Path(__file__).parent / "documents_schema_1.json").read_text())

# Kinds of steps and effects that came after it.
LATER = {"run", "run_step", "stop_runs"}


def read(document: dict[str, Any]) -> Rollout:
    charter = serialization.read_charter(document["schema"], json.dumps(document["charter"]))
    judge = json.dumps(document["judge"]) if document["judge"] else None
    return serialization.read_rollout(
        charter, document["phase"], document["version"], json.dumps(document["state"]), judge
    )


def assert_kept(written: Any, stored: Any) -> None:
    """Everything stored is written again as it was; fields may have been added since."""
    if isinstance(stored, dict):
        assert set(written) >= set(stored)
        for key, value in stored.items():
            assert_kept(written[key], value)
    elif isinstance(stored, list):
        for new, old in zip(written, stored, strict=True):
            assert_kept(new, old)
    else:
        assert written == stored


@pytest.mark.parametrize("document", STORED["rollouts"], ids=lambda document: document["name"])
def test_a_stored_rollout_is_read_written_the_same_and_still_fits_its_seal(document: dict[str, Any]) -> None:
    rollout = read(document)
    assert_kept(json.loads(serialization.charter_text(rollout)), document["charter"])
    assert_kept(json.loads(serialization.state_text(rollout)), document["state"])
    assert_kept(json.loads(serialization.judge_text(rollout) or "null"), document["judge"])
    seal = approvals.seal_of(
        rollout_id=rollout.id,
        guild_id=rollout.guild_id,
        lane=rollout.lane,
        stable=rollout.stable,
        candidate=rollout.candidate,
        plan=rollout.plan,
        policy=rollout.policy,
    )
    assert seal == document["charter"]["seal"]


@pytest.mark.parametrize("document", STORED["effects"], ids=lambda document: document["kind"])
def test_a_stored_effect_is_read_and_written_the_same(document: dict[str, Any]) -> None:
    effect = serialization.read_effect(json.dumps(document))
    assert_kept(json.loads(serialization.effect_text(effect)), document)


def test_every_kind_of_step_and_effect_of_that_time_is_among_them() -> None:
    plan = STORED["rollouts"][0]["charter"]["plan"]
    assert {step["kind"] for step in plan["steps"]} == set(steps.KINDS) - LATER
    assert {effect["kind"] for effect in STORED["effects"]} >= set(steps.step_effects()) - LATER


def test_a_step_or_an_effect_of_a_newer_slipway_is_an_error_and_not_something_else() -> None:
    document = STORED["rollouts"][0]["charter"]
    newer = {**document, "plan": {**document["plan"], "steps": [{"kind": "teleport"}]}}
    with pytest.raises(ValueError, match="unknown kind of step 'teleport'"):
        serialization.read_charter(1, json.dumps(newer))
    with pytest.raises(ValueError, match="unknown kind of effect 'teleport'"):
        serialization.read_effect('{"kind": "teleport"}')
