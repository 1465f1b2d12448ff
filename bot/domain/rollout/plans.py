"""Plans: what makes one sound, how a step reads, and how plans stored by older versions are brought up to date."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.domain.errors import UserError
from bot.domain.formatting import duration
from bot.domain.rollout.model import Gate, Observe, Plan, Shift, Soak, Step, SyncCommands, Verify, WordingKind
from bot.domain.rollout.wording import wording_for

PLAN_VERSION = 1


@dataclass(frozen=True, slots=True)
class PlanProblem:
    """A mistake in a plan. `step` is its index, None for the plan as a whole; `hint` what would be right."""

    step: int | None
    sentence: str
    hint: str


def check(plan: Plan, *, exclusive: bool = False) -> tuple[PlanProblem, ...]:
    """Every mistake, in the order of the steps; empty for a sound plan. `exclusive`: the service never runs twice."""
    return (*_check_steps(plan.steps, exclusive), *_check_end(plan.steps))


def _check_steps(steps: Sequence[Step], exclusive: bool) -> Iterator[PlanProblem]:
    weight, soaked, verified = 0, True, False
    for i, step in enumerate(steps):
        yield from (PlanProblem(i, *found) for found in _figures(step))
        match step:
            case Verify():
                if weight:
                    yield PlanProblem(i, "a verify comes after traffic", "verify before the first shift")
                if verified:
                    yield PlanProblem(i, "a plan verifies once", "put all checks into one verify")
                verified = True
            case Shift():
                yield from _check_shift(i, step, weight, soaked, exclusive)
                weight, soaked = max(weight, step.weight), False
            case Soak() | Observe():
                if not weight:
                    named = "a soak" if isinstance(step, Soak) else "an observe"
                    yield PlanProblem(i, f"{named} comes before any traffic", "shift first")
                soaked = True
                after = [s for s in steps[i + 1 :] if not isinstance(s, SyncCommands)]
                if isinstance(step, Observe) and after:
                    yield PlanProblem(
                        i, "an observe is not the last step", "use a soak here, or move it to the end"
                    )
            case SyncCommands(mode="all") if any(isinstance(s, Shift) for s in steps[i + 1 :]):
                yield PlanProblem(
                    i,
                    "slash commands are deleted before the release serves",
                    "additions before the last shift, all after it",
                )
            case Gate() | SyncCommands():
                pass


def _check_shift(i: int, shift: Shift, weight: int, soaked: bool, exclusive: bool) -> Iterator[PlanProblem]:
    if shift.weight < weight:
        yield PlanProblem(i, f"the weight falls from {weight} to {shift.weight} %", "weights only rise")
    if not soaked:
        yield PlanProblem(
            i,
            f"no soak between {weight} % and {shift.weight} %",
            "only a PASS moves traffic forward: soak between",
        )
    if exclusive and shift.weight != 100:
        yield PlanProblem(
            i, f"an exclusive service cannot have {shift.weight} %", "it has all of the traffic: 100"
        )


def _check_end(steps: Sequence[Step]) -> Iterator[PlanProblem]:
    shifts = [step for step in steps if isinstance(step, Shift)]
    if not shifts:
        yield PlanProblem(None, "no step shifts traffic", "end with a shift to 100")
    elif shifts[-1].weight != 100:
        yield PlanProblem(None, f"the last shift is to {shifts[-1].weight} %", "end with a shift to 100")


def _figures(step: Step) -> Iterator[tuple[str, str]]:
    match step:
        case Verify():
            times = [("timeout", step.timeout_s)] + [
                (f"timeout of {c.path}", c.timeout_s) for c in step.checks
            ]
        case Gate():
            times = [("expiry", step.expires_s)]
            if step.quorum < 1:
                yield f"a gate for {step.quorum} people", "at least 1"
            if not step.role:
                yield "a gate without a role", "name the role that approves"
        case Shift():
            times = [("timeout", step.timeout_s)]
            if not 1 <= step.weight <= 100:
                yield f"a weight of {step.weight} %", "1 to 100"
        case Soak() | Observe():
            times = [("duration", step.duration_s)]
        case SyncCommands():
            times = [("timeout", step.timeout_s)]
    for name, seconds in times:
        if not seconds > 0:
            yield f"{name} of {seconds:g} s", "more than 0 s"


def describe(step: Step, words: WordingKind = "traffic") -> str:
    """One line without a full stop, as a dry run and a card show it."""
    match step:
        case Verify():
            count = len(step.checks)
            checks = "readiness" if not count else "1 check" if count == 1 else f"{count} checks"
            return f"verify the candidate without traffic ({checks})"
        case Gate():
            people = "1 approval" if step.quorum == 1 else f"{step.quorum} approvals"
            return f"gate {step.name}: {people} by {step.role} within {duration(step.expires_s)}"
        case Shift():
            return wording_for(words).step.format(weight=step.weight)
        case Soak():
            return f"soak for {duration(step.duration_s)} of measured time"
        case Observe():
            return f"observe for {duration(step.duration_s)} at full weight"
        case SyncCommands():
            what = "add new" if step.mode == "additions" else "bring all"
            return f"{what} slash commands of {step.application}"


def describe_plan(plan: Plan, words: WordingKind = "traffic") -> tuple[str, ...]:
    """One line for each step."""
    return tuple(describe(step, words) for step in plan.steps)


def straight(usual: Plan | None = None) -> Plan:
    """The plan of a return to a known-good release; slash commands that go out with releases come back with them."""
    synced = {s.application: s for s in usual.steps if isinstance(s, SyncCommands)} if usual else {}
    commands = (SyncCommands(s.application, "all", s.timeout_s) for s in synced.values())
    return Plan("return", (Shift(100), *commands), PLAN_VERSION)


def renewal(usual: Plan) -> Plan:
    """The plan by which a release that serves already is watched once more: as long as `usual` would judge it."""
    judged_s = sum(step.duration_s for step in usual.steps if isinstance(step, Soak | Observe))
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
            raise UserError(
                f"The stored plan has version {version!r}; this Slipway reads up to {PLAN_VERSION}.",
                rule="plan_version",
                remedy="Finish the rollout with the newer Slipway that began it.",
            )
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
