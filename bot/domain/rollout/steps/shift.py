"""Shift: move traffic to the candidate, and wait until it is observed there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from bot.domain.judge import judge
from bot.domain.rollout.events import Applied
from bot.domain.rollout.model import Phase, Step
from bot.domain.rollout.step_builder import StepBuilder
from bot.domain.rollout.steps.gate import Gate
from bot.domain.rollout.steps.kind import (
    DONE,
    WAITING,
    Place,
    StepKind,
    StepProblem,
    StepResult,
    StepStatus,
    not_positive,
)
from bot.domain.rollout.steps.verify import Verify, checked, order_checks
from bot.domain.rollout.wording import Wording


@dataclass(frozen=True, slots=True)
class Shift(Step):
    """The candidate gets `weight` per cent of the traffic; the target has `timeout_s` to get there."""

    weight: int
    timeout_s: float = 60.0
    kind: Literal["shift"] = "shift"

    @property
    def shifts_to(self) -> int:
        return self.weight


def problems(shift: Shift, place: Place) -> Iterator[StepProblem]:
    if not 1 <= shift.weight <= 100:
        yield StepProblem(f"a weight of {shift.weight}%", "1 to 100%")
    yield from not_positive("timeout", shift.timeout_s)
    if shift.weight < place.weight:
        yield StepProblem(f"the weight falls from {place.weight}% to {shift.weight}%", "weights only rise")
    if not place.soaked:
        yield StepProblem(
            f"no soak between {place.weight}% and {shift.weight}%",
            "only a PASS moves traffic forward: add a soak between them",
            missing=True,
        )
    if place.exclusive and shift.weight != 100:
        yield StepProblem(
            f"an exclusive service cannot have {shift.weight}%", "it has all of the traffic: 100%"
        )


def describe(shift: Shift, say: Wording) -> str:
    return say.step.format(weight=shift.weight)


def mark(shift: Shift, say: Wording) -> str:
    return say.mark.format(weight=shift.weight)


def enter(builder: StepBuilder, shift: Shift) -> StepStatus:
    rollout = builder.rollout
    # Set when sent: a lost answer may mean that traffic moved.
    watched = rollout.judge_state or (None if rollout.known_good else judge.begin(rollout.policy.judge))
    builder.change(phase=Phase.SHIFTING, had_traffic=True, judge_state=watched)
    weight = shift.weight
    if rollout.stable is None and not any(isinstance(s, Gate) for s in rollout.plan.steps[rollout.step :]):
        weight = 100  # a first release has nothing to share traffic with
    builder.desire(rollout.stable, rollout.candidate, weight, shift.timeout_s)
    said = builder.say.shifting.format(weight=weight, version=rollout.candidate.version)
    builder.tell("shifting", said, weight=weight)
    return WAITING


def shifted(builder: StepBuilder, shift: Shift, event: Applied) -> StepResult:
    """Traffic was observed; the step is done when all of it is where it should be."""
    rollout = builder.rollout
    builder.change(observed_weight=event.weight)
    if event.weight != rollout.weight:
        return WAITING
    builder.change(confirmed=event.generation)
    said = builder.say.shifted
    builder.tell("shifted", said.format(version=rollout.candidate.version, weight=event.weight))
    verify = next((step for step in rollout.plan.steps if isinstance(step, Verify)), None)
    if not rollout.policy.exclusive or verify is None:
        return DONE
    order_checks(builder, verify)
    return WAITING


SHIFT = StepKind(
    step=Shift,
    problems=problems,
    describe=describe,
    mark=mark,
    enter=enter,
    outcomes={"applied": shifted, "run_checks": checked},
)
