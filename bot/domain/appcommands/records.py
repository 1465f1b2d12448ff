"""Records of manifests and of changes made to Discord: plain data, without rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from bot.domain.appcommands.applications import Scope
from bot.domain.appcommands.normalization import Json, digest, normal_manifest

_SHORT = 12
EMPTY_VERSION = "empty"


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest with its two digests: some fields mean nothing in a guild.

    `digest` identifies it; `guild_digest` is that of a guild which has these commands.
    """

    digest: str
    guild_digest: str
    commands: Sequence[Json]

    @classmethod
    def of(cls, commands: Sequence[Mapping[str, Any]]) -> Manifest:
        return cls(digest(commands), digest(commands, guild=True), normal_manifest(commands))

    @property
    def version(self) -> str:
        return version_of(self.digest) if self.commands else EMPTY_VERSION

    def digest_in(self, scope: Scope) -> str:
        return self.digest if scope.is_global else self.guild_digest


EMPTY = Manifest.of(())


def version_of(manifest_digest: str) -> str:
    """The version that people see: the short digest, or a name for the empty manifest."""
    return EMPTY_VERSION if manifest_digest == EMPTY.digest else manifest_digest[:_SHORT]


@dataclass(frozen=True, slots=True)
class Accepted:
    """The newest desired state that a lane of commands accepted: the fence that outlives every process.

    `withdrawn`: the manifest with its copies removed from staging, because production has it now.
    """

    generation: int
    stable: str  # digest, "" for none
    candidate: str
    weight: int
    withdrawn: str = ""
    aborted: Mapping[str, Any] | None = None

    @property
    def wanted(self) -> str:
        """The digest of the manifest to serve."""
        return self.candidate if self.candidate and self.weight == 100 else self.stable


@dataclass(frozen=True, slots=True)
class ScopeChange:
    """One change in one scope, recorded before it is made."""

    application: str
    application_id: int
    service: str
    environment: str
    scope: Scope
    generation: int
    from_digest: str
    to_digest: str
    creates: int
    why: str = ""  # empty: the reason of the rollout that ordered this generation


@dataclass(frozen=True, slots=True)
class ScopeBackup:
    """A scope before a change: commands as Discord answers them, overwrites by guild and command."""

    commands: Sequence[Mapping[str, Any]]
    permissions: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, slots=True)
class ScopeReading:
    """One reading of a scope. With `error`, `count` and `digest` are those of the reading before."""

    application_id: int
    scope: Scope
    at: datetime
    ms: float
    count: int
    digest: str
    error: str = ""


@dataclass(frozen=True, slots=True)
class KnownManifest:
    """A manifest that was seen for an application, and where it came from."""

    digest: str
    where: str
    commit: str
    at: datetime


@dataclass(frozen=True, slots=True)
class StoredBackup:
    id: int
    application: str
    application_id: int
    environment: str
    scope: Scope
    at: datetime
    digest: str
    count: int
    why: str
    who: str
    rollout_id: int | None
    overwrites: int
    backup: ScopeBackup = field(default_factory=lambda: ScopeBackup(()))  # empty in lists


@dataclass(frozen=True, slots=True)
class StoredChange:
    id: int
    change: ScopeChange
    who: str
    reason: str
    rollout_id: int | None
    began_at: datetime
    result: str
    detail: str
    calls: int
    ms: float | None
