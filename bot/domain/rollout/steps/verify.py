"""Verify: start the candidate without traffic, and check it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from bot.domain.errors import IllegalTransition
from bot.domain.rollout.events import Applied, Reported, ReportedEffect
from bot.domain.rollout.model import Lane, Phase, Release, Step
from bot.domain.rollout.step_builder import StepBuilder
from bot.domain.rollout.steps.kind import (
    DONE,
    WAITING,
    Place,
    StepFailed,
    StepKind,
    StepProblem,
    StepResult,
    StepStatus,
    not_positive,
)
from bot.domain.rollout.wording import Wording


@dataclass(frozen=True, slots=True)
class HttpCheck:
    """One request to the candidate before it gets traffic: `path` must answer `status` within `timeout_s`."""

    path: str
    status: int = 200
    contains: str = ""
    timeout_s: float = 2.0


@dataclass(frozen=True, slots=True)
class NamedCheck:
    """A check of the lane, asked of the candidate. The rollout's binding has what the catalog said of it."""

    name: str


@dataclass(frozen=True, slots=True)
class Verify(Step):
    """The candidate starts, becomes ready and passes `checks`, all within `timeout_s`.

    An exclusive service never runs twice, so its candidate is checked after the shift.
    """

    checks: tuple[HttpCheck | NamedCheck, ...] = ()
    timeout_s: float = 60.0
    kind: Literal["verify"] = "verify"

    @property
    def starts_candidate(self) -> bool:
        return True


@dataclass(frozen=True, slots=True)
class RunChecks(ReportedEffect):
    """Check the candidate before it gets traffic."""

    lane: Lane
    step: int
    release: Release
    checks: tuple[HttpCheck | NamedCheck, ...]
    timeout_s: float
    kind: Literal["run_checks"] = "run_checks"


def problems(verify: Verify, place: Place) -> Iterator[StepProblem]:
    yield from not_positive("timeout", verify.timeout_s)
    for check in verify.checks:
        if isinstance(check, HttpCheck):
            yield from not_positive(f"timeout of {check.path}", check.timeout_s)
    if place.weight:
        yield StepProblem("a verify comes after traffic", "verify before the first shift")
    if any(isinstance(step, Verify) for step in place.before):
        yield StepProblem("a plan verifies once", "put all checks into one verify")


def describe(verify: Verify, say: Wording) -> str:
    count = len(verify.checks)
    checks = "readiness" if not count else "1 check" if count == 1 else f"{count} checks"
    return f"verify the candidate without traffic ({checks})"


def mark(verify: Verify, say: Wording) -> str:
    return "verify"


def enter(builder: StepBuilder, verify: Verify) -> StepStatus:
    rollout = builder.rollout
    builder.change(phase=Phase.VERIFYING)
    if rollout.policy.exclusive:
        service, version = rollout.lane.service, rollout.candidate.version
        builder.tell(
            "verify_later", f"{service} runs one release at a time: {version} is checked after the shift."
        )
        return DONE
    builder.desire(rollout.stable, rollout.candidate, 0, verify.timeout_s)
    builder.tell("verifying", f"Starting {rollout.candidate.version} without traffic to check it.")
    return WAITING


def started(builder: StepBuilder, verify: Verify, event: Applied) -> StepResult:
    """The candidate is ready, without traffic."""
    builder.change(confirmed=event.generation, observed_weight=event.weight)
    order_checks(builder, verify)
    return WAITING


def order_checks(builder: StepBuilder, verify: Verify) -> None:
    rollout = builder.rollout
    builder.order(RunChecks(rollout.lane, rollout.step, rollout.candidate, verify.checks, verify.timeout_s))
    builder.tell("checking", f"{rollout.candidate.version} is ready. Running its checks.")


def checked(builder: StepBuilder, step: Step, event: Reported) -> StepResult:
    """The checks ended, at this step or, for exclusive services, at the shift."""
    rollout = builder.rollout
    if rollout.confirmed != rollout.generation:
        raise IllegalTransition(f"rollout {rollout.id}: checks ended that were not ordered")
    if not event.passed:
        return StepFailed("verify_failed", f"checks failed: {event.said}")
    builder.tell("verified", f"{rollout.candidate.version} passed its checks.")
    return DONE


VERIFY = StepKind(
    step=Verify,
    problems=problems,
    describe=describe,
    mark=mark,
    enter=enter,
    outcomes={"applied": started, "run_checks": checked},
    effects={"run_checks": RunChecks},
)
