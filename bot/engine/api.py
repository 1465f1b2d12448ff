"""What the engine is asked and what it answers: requests, and the views that cards and lists are drawn from.

`cogs`, `ui`, `web` and the command line know the engine by these types and by `Engine`'s public methods.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bot.domain.records import Lock, RolloutSummary, SeriesPoint
from bot.domain.rollout.events import Transition
from bot.domain.rollout.model import Action, Actor, Lane, Observed, Readiness, Release, Rollout, WordingKind

__all__ = [
    "ActRequest",
    "ActResult",
    "DeployRequest",
    "DryRun",
    "Engine",
    "LaneStatus",
    "Lock",
    "PreflightFinding",
    "RollbackRequest",
    "RolloutSummary",
    "RolloutView",
    "SeriesPoint",
]


@dataclass(frozen=True, slots=True)
class DeployRequest:
    """`interaction` is Discord's interaction id (or any key of the caller's): asking twice starts once.

    release: the very release of that version, if the caller has it. emergency: go on without the prerequisite;
    needs `reason` and the catalog's emergency role, and everybody hears of it. verified_at: when somebody last made
    sure that what succeeded in the environment before is still there.
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
    """`version` None means: the newest known-good release before the present one.

    release: the very release, where the caller knows that it was there before (a backup).
    """

    guild_id: int
    actor: Actor
    service: str
    environment: str
    version: str | None = None
    reason: str = ""
    interaction: str = ""
    release: Release | None = None


@dataclass(frozen=True, slots=True)
class ActRequest:
    """A press, or the same from the command line. `seal` and `step` are what the button was drawn for."""

    rollout_id: int
    action: Action
    actor: Actor
    guild_id: int
    step: int | None = None
    seal: str = ""
    reason: str = ""
    seconds: float = 0.0
    interaction: str = ""


@dataclass(frozen=True, slots=True)
class PreflightFinding:
    """One line of a dry run: a gate, lock, prerequisite or check, whether it stands in the way, and why."""

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


@dataclass(frozen=True, slots=True)
class LaneStatus:
    """What runs in a lane, and what is going on there."""

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
    """All that a card shows, read from the database alone."""

    rollout: Rollout
    series: Sequence[SeriesPoint]
    transitions: Sequence[Transition]
    lock: Lock | None


@dataclass(frozen=True, slots=True)
class ActResult:
    """The answer to a press: the rollout after it, a sentence for the person, and whether it was done before."""

    rollout: Rollout
    sentence: str
    repeated: bool = False


class Engine(Protocol):
    """The public face of the engine. All methods raise `UserError` with a sentence, or `Unreachable`."""

    async def deploy(self, request: DeployRequest) -> Rollout | DryRun: ...

    async def roll_back(self, request: RollbackRequest) -> Rollout:
        """Return to an earlier release: of the active rollout when there is one, else a new straight rollout."""
        ...

    async def act(self, request: ActRequest) -> ActResult: ...

    async def panic(self, guild_id: int, actor: Actor, reason: str, on: bool) -> int:
        """Hold (or let go) every rollout of the guild; returns how many."""
        ...

    async def lock(
        self, guild_id: int, actor: Actor, lane: Lane, reason: str, expires: datetime | None
    ) -> Lock: ...

    async def unlock(self, guild_id: int, actor: Actor, lane: Lane) -> None: ...

    async def status(
        self, guild_id: int, service: str | None = None, environment: str | None = None
    ) -> Sequence[LaneStatus]: ...

    async def history(
        self,
        guild_id: int,
        service: str | None = None,
        environment: str | None = None,
        *,
        before: int | None = None,
        limit: int = 10,
    ) -> Sequence[RolloutSummary]: ...

    async def view(self, rollout_id: int, guild_id: int | None = None) -> RolloutView: ...

    async def releases(self, guild_id: int, service: str, environment: str) -> Sequence[Release]:
        """What `/deploy` may offer, newest first."""
        ...

    async def known_good(self, guild_id: int, service: str, environment: str) -> Sequence[Release]:
        """What `/rollback` may offer, newest first."""
        ...
