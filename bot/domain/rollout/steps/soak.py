"""Soak and observe: measured time in which the candidate serves and is judged."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from bot.domain.formatting import duration
from bot.domain.judge import judge
from bot.domain.rollout.model import Phase, Step
from bot.domain.rollout.step_builder import StepBuilder
from bot.domain.rollout.steps.kind import (
    DONE,
    WAITING,
    Place,
    StepKind,
    StepProblem,
    StepStatus,
    not_positive,
)
from bot.domain.rollout.wording import Wording


@dataclass(frozen=True, slots=True)
class Soak(Step):
    """`duration_s` of measured time in which the candidate serves its weight and is judged."""

    duration_s: float
    kind: Literal["soak"] = "soak"

    @property
    def soak_s(self) -> float:
        return self.duration_s


@dataclass(frozen=True, slots=True)
class Observe(Step):
    """Like a soak, at full weight, with the former stable kept warm; its end makes the release known good."""

    duration_s: float
    kind: Literal["observe"] = "observe"

    @property
    def soak_s(self) -> float:
        return self.duration_s


def soak_problems(soak: Soak, place: Place) -> Iterator[StepProblem]:
    yield from not_positive("duration", soak.duration_s)
    if not place.weight:
        yield StepProblem("a soak comes before any traffic", "shift first", missing=True)


def observe_problems(observe: Observe, place: Place) -> Iterator[StepProblem]:
    yield from not_positive("duration", observe.duration_s)
    if not place.weight:
        yield StepProblem("an observe comes before any traffic", "shift first", missing=True)
    if not all(step.may_follow_observe for step in place.after):
        yield StepProblem("an observe is not the last step", "use a soak here, or move it to the end")


def describe_soak(soak: Soak, say: Wording) -> str:
    return f"soak for {duration(soak.duration_s)} of measured time"


def describe_observe(observe: Observe, say: Wording) -> str:
    return f"observe for {duration(observe.duration_s)} at full weight"


def mark(step: Soak | Observe, say: Wording) -> str:
    return f"{step.kind} {duration(step.duration_s)}"


def enter_soak(builder: StepBuilder, soak: Soak) -> StepStatus:
    return _begin(builder, Phase.SOAKING, "Soaking", soak.duration_s)


def enter_observe(builder: StepBuilder, observe: Observe) -> StepStatus:
    return _begin(builder, Phase.OBSERVING, "Observing", observe.duration_s)


def _begin(builder: StepBuilder, phase: Phase, doing: str, seconds: float) -> StepStatus:
    state = builder.rollout.judge_state
    if state is None:  # a return to a known-good release is not judged
        return DONE
    builder.change(judge_state=judge.begin_soak(state, builder.at.timestamp()), unseen=False)
    builder.change(phase=phase, verdict=None)
    builder.tell(
        doing.lower(),
        f"{doing} at {builder.rollout.weight}% for {duration(seconds)} of measured time.",
    )
    return WAITING


SOAK = StepKind(
    step=Soak,
    problems=soak_problems,
    describe=describe_soak,
    mark=mark,
    enter=enter_soak,
    watched=Phase.SOAKING,
)
OBSERVE = StepKind(
    step=Observe,
    problems=observe_problems,
    describe=describe_observe,
    mark=mark,
    enter=enter_observe,
    watched=Phase.OBSERVING,
)
