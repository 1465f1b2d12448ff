"""Requests to the engine, its results, and the views that cards and lists are drawn from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.domain.judge.history.backtest import Backtest
from bot.domain.judge.why import Why
from bot.domain.records import Lock, RolloutSummary, SeriesPoint
from bot.domain.rollout.changes import Changes
from bot.domain.rollout.events import Transition
from bot.domain.rollout.model import Action, Actor, Lane, Observed, Readiness, Release, Rollout, WordingKind
from bot.domain.rollout.soaks import ShortSoaks

__all__ = [
    "ActRequest",
    "ActResult",
    "DeployRequest",
    "DryRun",
    "LaneStatus",
    "Lock",
    "OpenedVerdict",
    "PreflightFinding",
    "RollbackRequest",
    "RolloutSummary",
    "RolloutView",
    "SeriesPoint",
]


# Which lanes a caller may see, beyond what the server may.
Within = Callable[[Lane], bool]


def everywhere(lane: Lane) -> bool:
    """No limit."""
    return True


@dataclass(frozen=True, slots=True)
class DeployRequest:
    """Request to deploy a version.

    interaction: Discord's interaction id, or any key of the caller; repeating it starts one rollout. release: the
    release of that version, if the caller has it. emergency: skip the prerequisite; needs `reason` and the catalog's
    emergency role, and is announced. verified_at: when the prerequisite's success was last confirmed.
    """

    guild_id: int
    actor: Actor
    service: str
    version: str
    environment: str
    reason: str = ""
    interaction: str = ""
    dry_run: bool = False
    release: Release | None = None
    emergency: bool = False
    verified_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class RollbackRequest:
    """Request to return to an earlier release. `version` None: the newest known-good release before the present one.

    release: the release itself, where the caller knows that it ran before (a backup). confirmed: also back from a
    release that is irreversible.
    """

    guild_id: int
    actor: Actor
    service: str
    environment: str
    version: str | None = None
    reason: str = ""
    interaction: str = ""
    release: Release | None = None
    confirmed: bool = False


@dataclass(frozen=True, slots=True)
class ActRequest:
    """A button press, or the same from the command line. `seal`, `step`: what the button was drawn for.

    confirmed: as of a rollback.
    """

    rollout_id: int
    action: Action
    actor: Actor
    guild_id: int
    step: int | None = None
    seal: str = ""
    reason: str = ""
    seconds: float = 0.0
    interaction: str = ""
    confirmed: bool = False


@dataclass(frozen=True, slots=True)
class PreflightFinding:
    """One line of a dry run: a gate, lock, prerequisite or check, whether it blocks the deploy, and why."""

    what: str
    ok: bool
    sentence: str


@dataclass(frozen=True, slots=True)
class DryRun:
    lane: Lane
    stable: Release | None
    candidate: Release
    steps: tuple[str, ...]  # one line for each step of the plan
    readiness: Readiness
    findings: tuple[PreflightFinding, ...]
    words: WordingKind = "traffic"
    changes: Changes | None = None
    backtest: Backtest | None = None
    not_replayed: str = ""  # why there is no backtest, in words that follow a colon
    short_soaks: ShortSoaks | None = None


@dataclass(frozen=True, slots=True)
class LaneStatus:
    """Status of a lane: what runs, what is desired, rollout and lock."""

    lane: Lane
    desired_version: str | None
    known_good: bool
    observed: Observed | None  # None: the target could not be asked; `problem` says why
    problem: str
    active: Rollout | None
    lock: Lock | None
    drift: str = ""
    words: WordingKind = "traffic"


@dataclass(frozen=True, slots=True)
class RolloutView:
    """Everything that a card shows, read from the database alone."""

    rollout: Rollout
    series: Sequence[SeriesPoint]
    transitions: Sequence[Transition]
    lock: Lock | None


@dataclass(frozen=True, slots=True)
class OpenedVerdict:
    """A rollout and why its judge said what it said."""

    rollout: Rollout
    why: Why


@dataclass(frozen=True, slots=True)
class ActResult:
    """Result of a press: the rollout after it, a sentence for the person, and whether it was done before."""

    rollout: Rollout
    sentence: str
    repeated: bool = False
