"""How rollouts, effects and their parts are stored as JSON, and how older documents are read.

A rollout is stored in parts by how often they change: the charter (what was fixed when it started), the state
(what steps change), the judge (what every tick changes). A field that a stored part does not have takes the
domain's default, so adding one needs no upgrade; plans carry a version of their own (`plans.upgrade`).
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Annotated, Any, cast, get_type_hints

from pydantic import Field, TypeAdapter
from typing_extensions import TypedDict

from bot.domain.judge.evidence import EvidenceState, begin_evidence
from bot.domain.rollout import model, plans
from bot.domain.rollout.events import Effect
from bot.domain.rollout.model import Desired, Phase, Release, Rollout

# What the charter and the state look like now.
SCHEMA = 1

CHARTER = (
    "id",
    "guild_id",
    "lane",
    "stable",
    "candidate",
    "plan",
    "policy",
    "requester",
    "reason",
    "seal",
    "created_at",
    "known_good",
)
JUDGE = ("judge_state", "verdict")
# In columns of their own.
COLUMNS = ("phase", "version", "schema")

_hints = get_type_hints(Rollout, vars(model))
STATE = tuple(f.name for f in dataclasses.fields(Rollout) if f.name not in {*CHARTER, *JUDGE, *COLUMNS})


def _part(name: str, fields: tuple[str, ...]) -> TypeAdapter[dict[str, Any]]:
    shape = TypedDict(name, {field: _hints[field] for field in fields}, total=False)  # type: ignore[misc]
    return TypeAdapter(cast(Any, shape))


_charter = _part("Charter", CHARTER)
_state = _part("State", STATE)
_judge = _part("Judge", JUDGE)
_evidence = TypeAdapter(EvidenceState)
_release = TypeAdapter(Release)
_desired = TypeAdapter(Desired)
_effect: TypeAdapter[Effect] = TypeAdapter(Annotated[Effect, Field(discriminator="kind")])


class UnknownSchemaError(Exception):
    """The document was written by a newer Slipway: this one must not touch it."""


def charter_text(rollout: Rollout) -> str:
    return _charter.dump_json({name: getattr(rollout, name) for name in CHARTER}).decode()


def state_text(rollout: Rollout) -> str:
    return _state.dump_json({name: getattr(rollout, name) for name in STATE}).decode()


def judge_text(rollout: Rollout) -> str | None:
    if rollout.judge_state is None and rollout.verdict is None:
        return None
    return _judge.dump_json({name: getattr(rollout, name) for name in JUDGE}).decode()


def read_charter(schema: int, charter: str) -> dict[str, Any]:
    """The charter's values, its plan brought up to date.

    Raises `UnknownSchemaError`, or `UserError` for a plan that a newer Slipway wrote.
    """
    if schema > SCHEMA:
        raise UnknownSchemaError(f"a rollout of schema {schema} cannot be read; this Slipway knows {SCHEMA}")
    document = json.loads(charter)
    document["plan"] = plans.upgrade(document["plan"])
    return _charter.validate_json(json.dumps(document))


def read_rollout(
    charter: Mapping[str, Any], phase: str, version: int, state: str, judge: str | None
) -> Rollout:
    """A rollout from its parts."""
    judged = _judge.validate_json(judge) if judge is not None else {}
    return Rollout(
        **charter, phase=Phase(phase), version=version, schema=SCHEMA, **_state.validate_json(state), **judged
    )


def evidence_text(evidence: EvidenceState) -> str:
    return _evidence.dump_json(evidence).decode()


def read_evidence(text: str | None) -> EvidenceState:
    return begin_evidence() if text is None else _evidence.validate_json(text)


def effect_text(effect: Effect) -> str:
    return _effect.dump_json(effect).decode()


def read_effect(text: str) -> Effect:
    return _effect.validate_json(text)


def release_text(release: Release) -> str:
    return _release.dump_json(release).decode()


def read_release(text: str) -> Release:
    return _release.validate_json(text)


def desired_text(desired: Desired) -> str:
    return _desired.dump_json(desired).decode()


def read_desired(text: str) -> Desired:
    return _desired.validate_json(text)
