"""Run: a command or an HTTP check in the course of a rollout, such as smoke tests or a migration."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from bot.domain.formatting import duration
from bot.domain.rollout.events import Reported, ReportedEffect, StepEffect
from bot.domain.rollout.model import Lane, Release, Rollout, Step
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
    StepWords,
    not_positive,
)
from bot.domain.rollout.steps.verify import HttpCheck
from bot.domain.rollout.wording import Wording


@dataclass(frozen=True, slots=True)
class SshAddress:
    """Another machine, as `bot.kinds.SshSettings` describes it; paths are absolute."""

    host: str
    user: str | None = None
    port: int | None = None
    identity: str | None = None
    known_hosts: str | None = None
    folder: str | None = None


@dataclass(frozen=True, slots=True)
class RunCommand:
    """A program and its arguments. `env`: names of Slipway's variables that it gets; their values are never stored."""

    argv: tuple[str, ...]
    env: tuple[str, ...] = ()
    cwd: str | None = None
    ssh: SshAddress | None = None
    grace_s: float = 10.0


@dataclass(frozen=True, slots=True)
class RunCheck:
    """A request that must be answered as `check` says, repeated until it is. `url`: None asks the candidate."""

    check: HttpCheck
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Run(Step):
    """Run a command or a check, within `timeout_s`; a failure fails the rollout. Exactly one of the two is given."""

    name: str
    command: RunCommand | None = None
    http: RunCheck | None = None
    timeout_s: float = 600.0
    kind: Literal["run"] = "run"

    @property
    def may_follow_observe(self) -> bool:
        return True


@dataclass(frozen=True, slots=True)
class RunStep(ReportedEffect):
    """Carry out the present step of kind `run`. `weight`: the candidate's share of the traffic meanwhile."""

    lane: Lane
    step: int
    release: Release
    stable: Release | None
    weight: int
    run: Run
    timeout_s: float
    kind: Literal["run_step"] = "run_step"


@dataclass(frozen=True, slots=True)
class StopRuns(StepEffect):
    """End what the rollout's steps of kind `run` have under way."""

    lane: Lane
    kind: Literal["stop_runs"] = "stop_runs"


def problems(run: Run, place: Place) -> Iterator[StepProblem]:
    yield from not_positive("timeout", run.timeout_s)
    if (run.command is None) == (run.http is None):
        yield StepProblem("a run of nothing, or of two things", "give it a command or an HTTP check")
    if run.command is not None and not run.command.argv:
        yield StepProblem("a run of an empty command", "name the program and its arguments")
    asks_candidate = run.http is not None and run.http.url is None
    starts = any(step.starts_candidate or step.shifts_to for step in place.before)
    if asks_candidate and not starts:
        yield StepProblem(
            "a check of the candidate before it runs", "verify or shift before it, or give a whole address"
        )
    if asks_candidate and place.exclusive and not place.weight:
        yield StepProblem("a check of the candidate before it runs", "an exclusive one runs after the shift")


def describe(run: Run, say: Wording) -> str:
    return f"run {run.name} within {duration(run.timeout_s)}"


def mark(run: Run, say: Wording) -> str:
    return run.name


def words(run: Run, say: Wording) -> StepWords:
    return StepWords("Running", f"{run.name} is running. A failure fails the rollout.")


def enter(builder: StepBuilder, run: Run) -> StepStatus:
    rollout = builder.rollout
    builder.wait_for_outcome()
    builder.order(
        RunStep(
            rollout.lane,
            rollout.step,
            rollout.candidate,
            rollout.stable,
            rollout.observed_weight,
            run,
            run.timeout_s,
        )
    )
    builder.tell("running", f"Running {run.name}.")
    return WAITING


def ran(builder: StepBuilder, run: Run, event: Reported) -> StepResult:
    if not event.passed:
        return StepFailed("run_failed", f"{run.name} failed: {event.said}")
    builder.tell("ran", f"{run.name} passed.")
    return DONE


def stop(rollout: Rollout, begun: Sequence[Run]) -> Iterable[StepEffect]:
    return (StopRuns(rollout.lane),)


RUN = StepKind(
    step=Run,
    problems=problems,
    describe=describe,
    mark=mark,
    words=words,
    enter=enter,
    outcomes={"run_step": ran},
    effects={"run_step": RunStep, "stop_runs": StopRuns},
    undo=stop,
)
