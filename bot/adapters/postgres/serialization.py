"""Rollouts and effects as JSON documents, and the reading of older ones.

A rollout is stored in parts by how often they change: the charter (what was fixed when it started), the state
(what steps change), the judge (what every tick changes). A field that a stored part does not have takes the
domain's default, so adding one needs no upgrade; plans carry a version of their own (`plans.upgrade`). Steps and
effects are stored under their `kind`, which the registry of steps (`bot.domain.rollout.steps`) turns into classes.
"""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Mapping
from typing import Annotated, Any, cast, get_args, get_type_hints

from pydantic import PlainSerializer, PlainValidator, TypeAdapter
from pydantic_core import to_json
from typing_extensions import TypedDict

from bot.adapters.typed_json import typed
from bot.domain.judge.evidence.counters import Counts
from bot.domain.judge.evidence.histogram import Histogram
from bot.domain.judge.evidence.ticks import EvidenceState, Tick, begin_evidence
from bot.domain.judge.history.replay import JudgedTick
from bot.domain.records import SeriesPoint
from bot.domain.rollout import model, plans, steps
from bot.domain.rollout.events import Effect, StepEffect
from bot.domain.rollout.model import Desired, Phase, Plan, Release, Rollout, Step

# Version of charter and state.
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
    "extra_approvals",
    "gated",
    "binding",
    "preconditions",
    "undone",
)
JUDGE = ("judge_state", "verdict")
# In columns of their own.
COLUMNS = ("phase", "version", "stamp", "schema")


def _plain(value: Any) -> Any:
    return typed(type(value)).dump_python(value, mode="json")


def _read_step(stored: Any) -> Step:
    name = stored.get("kind") if isinstance(stored, Mapping) else None
    kind = steps.KINDS.get(str(name))
    if kind is None:
        raise ValueError(f"unknown kind of step {name!r}")
    step: Step = typed(kind.step).validate_python(stored)
    return step


class _StoredPlan(TypedDict):
    name: str
    steps: tuple[Annotated[Step, PlainValidator(_read_step), PlainSerializer(_plain)], ...]
    version: int


def read_plan(stored: Any) -> Plan:
    """A plan of any version from JSON values.

    Raises `UserError` for one that a newer Slipway wrote, `ValueError` for a step that cannot be read.
    """
    return Plan(**typed(_StoredPlan).validate_python(plans.upgrade(stored)))


def plain_plan(plan: Plan) -> Any:
    """The plan as JSON values."""
    stored = _StoredPlan(name=plan.name, steps=plan.steps, version=plan.version)
    return typed(_StoredPlan).dump_python(stored, mode="json")


_hints = get_type_hints(Rollout, vars(model))
_hints["plan"] = Annotated[Plan, PlainValidator(read_plan), PlainSerializer(plain_plan)]
STATE = tuple(f.name for f in dataclasses.fields(Rollout) if f.name not in {*CHARTER, *JUDGE, *COLUMNS})


_PARTS = {"Charter": CHARTER, "State": STATE, "Judge": JUDGE}


@functools.cache
def _part(name: str) -> TypeAdapter[dict[str, Any]]:
    """Reads and writes a part of a rollout."""
    shape = TypedDict(name, {field: _hints[field] for field in _PARTS[name]}, total=False)  # type: ignore[misc]
    return TypeAdapter(cast(Any, shape))


# Fields of a tick that are in Python what they are in JSON.
_PLAIN = frozenset({"at", "seconds", "requests", "unread_s", "settling"})
# Effects of the machine itself; those of steps are in the registry.
_effects = {
    field.default: of
    for of in get_args(Effect)
    if of is not StepEffect
    for field in dataclasses.fields(of)
    if field.name == "kind"
}


class UnknownSchemaError(Exception):
    """The document was written by a newer Slipway, so this one must not change it."""


def charter_text(rollout: Rollout) -> str:
    return _part("Charter").dump_json({name: getattr(rollout, name) for name in CHARTER}).decode()


def state_text(rollout: Rollout) -> str:
    return _part("State").dump_json({name: getattr(rollout, name) for name in STATE}).decode()


def judge_text(rollout: Rollout) -> str | None:
    if rollout.judge_state is None and rollout.verdict is None:
        return None
    return _part("Judge").dump_json({name: getattr(rollout, name) for name in JUDGE}).decode()


def read_charter(schema: int, charter: str) -> dict[str, Any]:
    """The charter's values, its plan brought up to date.

    Raises `UnknownSchemaError`, or `UserError` for a plan that a newer Slipway wrote.
    """
    if schema > SCHEMA:
        raise UnknownSchemaError(f"the rollout has schema {schema}; this Slipway reads up to {SCHEMA}")
    return _part("Charter").validate_json(charter)


def read_rollout(
    charter: Mapping[str, Any], phase: str, version: int, state: str, judge: str | None, *, stamp: str = ""
) -> Rollout:
    """A rollout from its parts."""
    judged = _part("Judge").validate_json(judge) if judge is not None else {}
    columns: dict[str, Any] = {"phase": Phase(phase), "version": version, "stamp": stamp, "schema": SCHEMA}
    return Rollout(**charter, **columns, **_part("State").validate_json(state), **judged)


def evidence_text(evidence: EvidenceState) -> str:
    return typed(EvidenceState).dump_json(evidence).decode()


def read_evidence(text: str | None) -> EvidenceState:
    return begin_evidence() if text is None else typed(EvidenceState).validate_json(text)


def effect_text(effect: Effect) -> str:
    return typed(type(effect)).dump_json(effect).decode()


def read_effect(text: str) -> Effect:
    """Parse an effect. Raises `ValueError` if it cannot be read, such as a newer Slipway's kind of effect."""
    kind = json.loads(text).get("kind")
    of = _effects.get(kind) or steps.step_effects().get(kind)
    if of is None:
        raise ValueError(f"unknown kind of effect {kind!r}")
    effect: Effect = typed(of).validate_json(text)
    return effect


def release_text(release: Release) -> str:
    return typed(Release).dump_json(release).decode()


def read_release(text: str) -> Release:
    return typed(Release).validate_json(text)


def desired_text(desired: Desired) -> str:
    return typed(Desired).dump_json(desired).decode()


def read_desired(text: str) -> Desired:
    return typed(Desired).validate_json(text)


def point_columns(point: SeriesPoint) -> dict[str, object]:
    """A row of `samples`, without what is the rollout's own."""
    return {"at": point.at, "weight": point.weight, "counts": _plain_counts(point)}


def counts_text(point: SeriesPoint) -> str:
    """The column `counts` of a row of `samples`."""
    return to_json(_plain_counts(point)).decode()


def _plain_counts(point: SeriesPoint) -> dict[str, object]:
    counts: dict[str, object] = {
        "candidate": dict(point.candidate),
        "stable": dict(point.stable),
        "latency": [point.candidate_latency_s, point.stable_latency_s],
    }
    if point.judged is not None:
        counts["judged"] = _plain_judged(point.judged)
    return counts


def _plain_judged(judged: JudgedTick) -> dict[str, object]:
    """The tick without the counts that its row has anyway; `beside`: whether stable's are a part of it.

    Instances are a list, because the database keeps no order of keys. Of histograms with the same bounds only one has
    them.
    """
    there = {"tick": {"candidate", "stable", "instances", "latency"}}
    stored: dict[str, object] = typed(JudgedTick).dump_python(
        judged, mode="json", exclude_defaults=True, exclude=there
    )
    if judged.tick.instances:
        stored["instances"] = [[name, c.total, c.bad] for name, c in judged.tick.instances.items()]
    if judged.tick.latency is not None:
        mine, theirs = judged.tick.latency
        bounds = None if theirs.bounds == mine.bounds else theirs.bounds
        stored["latency"] = [mine.to_json(), [bounds, theirs.counts, theirs.total]]
    return {**stored, "beside": judged.tick.stable is not None}


def read_judged(counts: Mapping[str, Any]) -> JudgedTick:
    """The tick of a row of `samples`. Raises `ValueError` or `KeyError` for what cannot be read."""
    stored = counts["judged"]
    apart: dict[str, Any] = {
        "candidate": _counts(counts["candidate"]),
        "stable": _counts(counts["stable"]) if stored["beside"] else None,
        "instances": {name: Counts(total, bad) for name, total, bad in stored.get("instances", ())},
        "latency": _histograms(stored["latency"]) if "latency" in stored else None,
    }
    tick = stored["tick"]
    if tick.keys() <= _PLAIN:  # nearly all: a day of ticks is read while someone waits
        read = Tick(**tick, **apart)
    else:
        read = dataclasses.replace(typed(Tick).validate_python({**tick, "candidate": {}}), **apart)
    return JudgedTick(read, stored.get("soak_since"), stored.get("required_s"))


def _histograms(stored: list[Any]) -> tuple[Histogram, Histogram]:
    mine, (bounds, counts, total) = Histogram.from_json(stored[0]), stored[1]
    return mine, Histogram(mine.bounds if bounds is None else tuple(bounds), tuple(counts), total)


def _counts(stored: Mapping[str, Any]) -> dict[str, Counts]:
    return {name: Counts(total, bad) for name, (total, bad) in stored.items()}
