"""Sync commands: an application's slash commands, deployed and rolled back with the release."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

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
from bot.domain.rollout.wording import Wording

Mode = Literal["additions", "all"]


@dataclass(frozen=True, slots=True)
class SyncCommands(Step):
    """Bring an application's slash commands to the candidate's manifest; a rollback brings the former one back.

    mode: `additions` adds what is new, before the candidate serves; `all` changes and deletes as well, once it does.
    """

    application: str
    mode: Mode = "all"
    timeout_s: float = 90.0
    kind: Literal["sync_commands"] = "sync_commands"

    @property
    def may_follow_observe(self) -> bool:
        return True


@dataclass(frozen=True, slots=True)
class RunSync(ReportedEffect):
    """Bring an application's slash commands to the release's manifest."""

    lane: Lane
    step: int
    release: Release
    application: str
    mode: Mode
    timeout_s: float
    kind: Literal["run_sync"] = "run_sync"


@dataclass(frozen=True, slots=True)
class RestoreCommands(StepEffect):
    """Bring back the manifest that was there before this rollout changed it, if it did."""

    lane: Lane
    application: str
    kind: Literal["restore_commands"] = "restore_commands"


def problems(sync: SyncCommands, place: Place) -> Iterator[StepProblem]:
    yield from not_positive("timeout", sync.timeout_s)
    if sync.mode == "all" and any(step.shifts_to is not None for step in place.after):
        yield StepProblem(
            "slash commands are deleted before the release serves traffic",
            "use additions before the last shift, and all after it",
        )


def describe(sync: SyncCommands, say: Wording) -> str:
    what = "add the new" if sync.mode == "additions" else "update all"
    return f"{what} slash commands of {sync.application}"


def mark(sync: SyncCommands, say: Wording) -> str:
    return "new commands" if sync.mode == "additions" else "commands"


def enter(builder: StepBuilder, sync: SyncCommands) -> StepStatus:
    rollout = builder.rollout
    builder.wait_for_outcome()
    builder.order(
        RunSync(rollout.lane, rollout.step, rollout.candidate, sync.application, sync.mode, sync.timeout_s)
    )
    what = "Adding the new" if sync.mode == "additions" else "Updating all"
    builder.tell("syncing", f"{what} slash commands of {sync.application} for {rollout.candidate.version}.")
    return WAITING


def synced(builder: StepBuilder, sync: SyncCommands, event: Reported) -> StepResult:
    if not event.passed:
        return StepFailed(
            "sync_failed", f"the slash commands of {sync.application} were not updated: {event.said}"
        )
    builder.tell(
        "synced",
        f"The slash commands of {sync.application} match {builder.rollout.candidate.version}.",
    )
    return DONE


def restore(rollout: Rollout, begun: Sequence[SyncCommands]) -> Iterable[StepEffect]:
    """Restore each application once; the executor leaves alone what was not changed yet."""
    applications = dict.fromkeys(sync.application for sync in begun)
    return (RestoreCommands(rollout.lane, application) for application in applications)


def on_return(usual: Sequence[SyncCommands]) -> Iterable[SyncCommands]:
    """Each application's commands return with the release, in one step."""
    last = {sync.application: sync for sync in usual}
    return (SyncCommands(sync.application, "all", sync.timeout_s) for sync in last.values())


def words(sync: SyncCommands, say: Wording) -> StepWords:
    return StepWords(
        "Updating slash commands",
        f"Discord receives the slash commands of {sync.application}. Done when it returns exactly these.",
    )


SYNC_COMMANDS = StepKind(
    step=SyncCommands,
    problems=problems,
    describe=describe,
    mark=mark,
    words=words,
    enter=enter,
    outcomes={"run_sync": synced},
    effects={"run_sync": RunSync, "restore_commands": RestoreCommands},
    undo=restore,
    on_return=on_return,
)
