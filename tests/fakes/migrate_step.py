"""A kind of step that Slipway does not have: the whole of what docs/extending.md, "Adding a step", asks for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from bot.domain.rollout.events import Reported, ReportedEffect, StepEffect
from bot.domain.rollout.model import Lane, Release, Rollout, Step
from bot.domain.rollout.step_builder import StepBuilder
from bot.domain.rollout.steps import kind
from bot.domain.rollout.wording import Wording


@dataclass(frozen=True, slots=True)
class Migrate(Step):
    """Run a migration of the database; a rollback takes it back."""

    script: str
    timeout_s: float = 300.0
    kind: Literal["migrate"] = "migrate"


@dataclass(frozen=True, slots=True)
class RunMigration(ReportedEffect):
    lane: Lane
    step: int
    release: Release
    script: str
    timeout_s: float
    kind: Literal["run_migration"] = "run_migration"


@dataclass(frozen=True, slots=True)
class RevertMigration(StepEffect):
    lane: Lane
    script: str
    kind: Literal["revert_migration"] = "revert_migration"


def problems(migrate: Migrate, place: kind.Place) -> Iterator[kind.StepProblem]:
    yield from kind.not_positive("timeout", migrate.timeout_s)
    if not any(step.shifts_to is not None for step in place.after):
        yield kind.StepProblem("a migration after the last shift", "migrate before the release needs it")


def describe(migrate: Migrate, say: Wording) -> str:
    return f"migrate the database with {migrate.script}"


def mark(migrate: Migrate, say: Wording) -> str:
    return "migrate"


def words(migrate: Migrate, say: Wording) -> kind.StepWords:
    return kind.StepWords("Migrating", f"{migrate.script} is running.")


def enter(builder: StepBuilder, migrate: Migrate) -> kind.StepStatus:
    rollout = builder.rollout
    if rollout.known_good:
        return kind.DONE
    builder.wait_for_outcome()
    builder.order(
        RunMigration(rollout.lane, rollout.step, rollout.candidate, migrate.script, migrate.timeout_s)
    )
    builder.tell("migrating", f"Running {migrate.script}.")
    return kind.WAITING


def migrated(builder: StepBuilder, migrate: Migrate, event: Reported) -> kind.StepResult:
    if not event.passed:
        return kind.StepFailed("migration_failed", f"{migrate.script}: {event.said}")
    builder.change(deadline=None)
    builder.tell("migrated", f"{migrate.script} is done.")
    return kind.DONE


def undo(rollout: Rollout, begun: Sequence[Migrate]) -> Iterable[StepEffect]:
    return [RevertMigration(rollout.lane, migrate.script) for migrate in reversed(begun)]


MIGRATE = kind.StepKind(
    step=Migrate,
    problems=problems,
    describe=describe,
    mark=mark,
    words=words,
    enter=enter,
    outcomes={"run_migration": migrated},
    effects={"run_migration": RunMigration, "revert_migration": RevertMigration},
    undo=undo,
)
