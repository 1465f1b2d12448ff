"""Requests and results of the application commands service, as `cogs`, `ui` and the command line use them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bot.domain.appcommands.applications import Scope
from bot.domain.appcommands.diff import Diff
from bot.domain.appcommands.texts import ManifestProblem
from bot.domain.errors import UserError
from bot.domain.records import Lock
from bot.domain.rollout.model import Actor, Rollout

__all__ = [
    "ApplicationStatus",
    "ApplicationView",
    "ApplyRequest",
    "ApplyResult",
    "Backup",
    "BackupLine",
    "Comparison",
    "Detection",
    "EnvironmentStatus",
    "History",
    "HistoryLine",
    "InvalidManifest",
    "ManifestView",
    "ManualStep",
    "RestoreRequest",
    "Restored",
    "ScopeDiff",
    "ScopeStatus",
    "Validation",
    "WatchFinding",
]


class InvalidManifest(UserError):
    """A manifest with mistakes: all of them, each with its JSON path. The sentence says how many."""

    def __init__(self, application: str, mistakes: Sequence[ManifestProblem]) -> None:
        many = f"{len(mistakes)} mistakes" if len(mistakes) > 1 else "a mistake"
        super().__init__(
            f"The manifest of {application} has {many}; nothing was sent to Discord.",
            rule="manifest",
            remedy="\n".join(str(mistake) for mistake in mistakes[:10]),
        )
        self.mistakes = tuple(mistakes)


@dataclass(frozen=True, slots=True)
class ApplicationView:
    """An application as a guild may see it. `source`: one line on where its manifest comes from."""

    name: str
    id: int
    source: str
    environments: Mapping[str, tuple[Scope, ...]]


@dataclass(frozen=True, slots=True)
class ManifestView:
    """A manifest. `version`: its short digest; `commands`: the canonical form; `where`: one line on its origin."""

    digest: str
    version: str
    commands: Sequence[Mapping[str, Any]]
    where: str


@dataclass(frozen=True, slots=True)
class ScopeDiff:
    """Changes that an apply would make in one scope. `drift`: a sentence when the commands were changed elsewhere."""

    scope: Scope
    present_digest: str
    present_count: int
    diff: Diff
    drift: str = ""
    created_today: int = 0


@dataclass(frozen=True, slots=True)
class Comparison:
    """Diff from what Discord has now to a manifest, scope by scope. `mistakes`: why it could not be applied."""

    application: str
    environment: str
    wanted: ManifestView
    scopes: tuple[ScopeDiff, ...]
    mistakes: tuple[ManifestProblem, ...] = ()

    @property
    def different(self) -> bool:
        return any(scope.diff for scope in self.scopes)

    @property
    def dangers(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(danger for scope in self.scopes for danger in scope.diff.dangers))

    @property
    def drift(self) -> str:
        return "; ".join(scope.drift for scope in self.scopes if scope.drift)


@dataclass(frozen=True, slots=True)
class Validation:
    application: str
    manifest: ManifestView | None  # None: it is not even a list of commands
    mistakes: tuple[ManifestProblem, ...]
    where: str

    @property
    def ok(self) -> bool:
        return not self.mistakes


@dataclass(frozen=True, slots=True)
class ApplyRequest:
    """Request to apply a manifest. `emergency`: skip staging; needs `reason` and the catalog's emergency role."""

    guild_id: int
    actor: Actor
    application: str
    environment: str
    reason: str = ""
    interaction: str = ""
    emergency: bool = False


@dataclass(frozen=True, slots=True)
class ApplyResult:
    """Result of an apply. `rollout` is None when nothing differs: Discord was read and not changed."""

    comparison: Comparison
    rollout: Rollout | None
    sentence: str


@dataclass(frozen=True, slots=True)
class ManualStep:
    """A permission overwrite that a bot cannot set: a person does, in the server's settings under Integrations."""

    scope: Scope
    command: str
    sentence: str


@dataclass(frozen=True, slots=True)
class BackupLine:
    """A backup in a list: the commands of one scope before a change."""

    id: int
    application: str
    environment: str
    scope: Scope
    at: datetime
    digest: str
    version: str
    count: int
    why: str
    who: str
    rollout_id: int | None
    overwrites: int  # commands with permission overwrites


@dataclass(frozen=True, slots=True)
class Backup:
    """A complete backup: commands as Discord answered them, ids included, and permissions by command name."""

    line: BackupLine
    commands: Sequence[Mapping[str, Any]]
    permissions: Mapping[str, Sequence[Mapping[str, Any]]]
    manual: tuple[ManualStep, ...]  # what people must set by hand after a restore


@dataclass(frozen=True, slots=True)
class RestoreRequest:
    guild_id: int
    actor: Actor
    backup_id: int
    reason: str = ""
    interaction: str = ""


@dataclass(frozen=True, slots=True)
class Restored:
    """Result of a restore. `rollout` is None when nothing differs. `manual`: what must be set by hand afterwards."""

    comparison: Comparison
    rollout: Rollout | None
    manual: tuple[ManualStep, ...]
    sentence: str


@dataclass(frozen=True, slots=True)
class ScopeStatus:
    """One reading of a scope. `error`: why there was no answer; `count` and `digest` are then the last known."""

    scope: Scope
    at: datetime
    ms: float
    count: int
    digest: str
    error: str = ""


@dataclass(frozen=True, slots=True)
class WatchFinding:
    """A problem that the watch found and that lasts. `what`: slow, away, count or drift."""

    what: str
    sentence: str
    since: datetime


@dataclass(frozen=True, slots=True)
class EnvironmentStatus:
    """Status in an environment. `served`: what Discord has; `desired`: what was applied last; `trend`: oldest first."""

    environment: str
    desired_version: str | None
    served_version: str | None
    drift: str
    readings: tuple[ScopeStatus, ...]
    trend: tuple[ScopeStatus, ...]
    findings: tuple[WatchFinding, ...]
    active: Rollout | None
    lock: Lock | None
    created_today: int


@dataclass(frozen=True, slots=True)
class ApplicationStatus:
    application: str
    id: int
    source: str
    environments: tuple[EnvironmentStatus, ...]


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """One change in one scope. `result`: started, verified, refused, failed, unchanged; `ms`: how long it took."""

    id: int
    application: str
    environment: str
    scope: Scope
    who: str
    reason: str
    at: datetime
    from_version: str
    to_version: str
    result: str
    detail: str
    creates: int
    calls: int
    ms: float | None
    rollout_id: int | None


@dataclass(frozen=True, slots=True)
class History:
    """Changes, newest first. Of the last 30 days, `succeeded` of `finished` changes were verified."""

    lines: tuple[HistoryLine, ...]
    succeeded: int
    finished: int

    @property
    def rate(self) -> float | None:
        return self.succeeded / self.finished if self.finished else None


@dataclass(frozen=True, slots=True)
class Detection:
    """Whether there is anything to apply, from checksums in the database alone: Discord is not asked.

    `applied`: by environment, the version that was applied last (None: never); `pending`: where it differs.
    """

    application: str
    wanted: ManifestView
    applied: Mapping[str, str | None]
    pending: tuple[str, ...]
