"""Plans: checks, descriptions, and upgrades of stored ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

from bot.domain import phrasebook
from bot.domain.rollout.model import Plan, Step, WordingKind
from bot.domain.rollout.steps import KINDS, Gate, Observe, Shift, kind_of
from bot.domain.rollout.steps.kind import Place
from bot.domain.rollout.wording import wording_for

PLAN_VERSION = 1


@dataclass(frozen=True, slots=True)
class PlanProblem:
    """A mistake in a plan. `step` is its index, None for the whole plan; `hint` says what would be right.

    missing: something is not there; it may be what stands in a step that could not be read.
    """

    step: int | None
    sentence: str
    hint: str
    missing: bool = False


def check(plan: Plan, *, exclusive: bool = False) -> tuple[PlanProblem, ...]:
    """Every mistake, in the order of the steps; empty for a sound plan. `exclusive`: the service never runs twice."""
    return (*_check_steps(plan, exclusive), *_check_end(plan))


def _check_steps(plan: Plan, exclusive: bool) -> Iterator[PlanProblem]:
    for index, step in enumerate(plan.steps):
        place = Place(plan.steps, index, exclusive)
        yield from (PlanProblem(index, *found) for found in kind_of(step).problems(step, place))


def _check_end(plan: Plan) -> Iterator[PlanProblem]:
    weights = [step.shifts_to for step in plan.steps if step.shifts_to is not None]
    if not weights:
        yield PlanProblem(None, "no step shifts traffic", "end with a shift to 100%", missing=True)
    elif weights[-1] != 100:
        sentence = f"the last shift is to {weights[-1]}%"
        yield PlanProblem(None, sentence, "end with a shift to 100%", missing=True)


def describe(step: Step, words: WordingKind = "traffic") -> str:
    """One line without a full stop, as a dry run and a card show it."""
    return kind_of(step).describe(step, wording_for(words))


def describe_plan(plan: Plan, words: WordingKind = "traffic") -> tuple[str, ...]:
    """One line for each step."""
    return tuple(describe(step, words) for step in plan.steps)


def gated(plan: Plan) -> bool:
    """Whether people decide on the way. Where they do, the environment counts as production."""
    return any(isinstance(step, Gate) for step in plan.steps)


def straight(usual: Plan | None = None) -> Plan:
    """The plan of a return to a known-good release, with those steps of the lane's `usual` plan that belong to it."""
    known = usual.steps if usual else ()
    along = (kind.on_return([s for s in known if s.kind == name]) for name, kind in KINDS.items())
    return Plan("return", (Shift(100), *chain.from_iterable(along)), PLAN_VERSION)


def renewal(usual: Plan) -> Plan:
    """The plan that watches a release again which already serves: for as long as `usual` would judge it."""
    judged_s = sum(step.soak_s or 0.0 for step in usual.steps)
    watched = (Observe(judged_s),) if judged_s else ()
    return Plan("renewal", (Shift(100), *watched), PLAN_VERSION)


# ---- stored plans ------------------------------------------------------------------------------------------


def upgrade(stored: Mapping[str, Any]) -> dict[str, Any]:
    """A stored plan as JSON values, in the present version. Steps keep their number, so that `step` stays valid.

    Raises `UserError` for a version that a newer Slipway wrote, or that never was.
    """
    plan = dict(stored)
    version = plan.get("version", 0)
    while version != PLAN_VERSION:
        if version not in _UPGRADES:
            raise phrasebook.newer_plan(str(version), PLAN_VERSION)
        plan = _UPGRADES[version](plan)
        version = plan["version"]
    return plan


def _from_0(plan: dict[str, Any]) -> dict[str, Any]:
    """Version 0 wrote a step as its one key, the way the catalog does: `{"shift": 25}`, `{"soak": 60}`."""
    return {**plan, "version": 1, "steps": [_step_from_0(step) for step in plan["steps"]]}


def _step_from_0(step: Mapping[str, Any]) -> dict[str, Any]:
    ((kind, value),) = step.items()
    main = {"shift": "weight", "soak": "duration_s", "observe": "duration_s"}.get(kind)
    fields = dict(value) if isinstance(value, Mapping) else {main: value} if main else {}
    return {"kind": kind, **fields}


_UPGRADES = {0: _from_0}
