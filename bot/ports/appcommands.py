"""Slash commands: manifests, what Discord serves, changes and readings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from bot.domain.appcommands.applications import Application, Scope
from bot.domain.appcommands.records import (
    Accepted,
    KnownManifest,
    Manifest,
    ScopeBackup,
    ScopeChange,
    ScopeReading,
    StoredBackup,
    StoredChange,
)
from bot.domain.records import AuditEntry, LaneRow
from bot.domain.rollout.model import Desired, Lane, Release
from bot.domain.rollout.steps import RestoreCommands, RunSync


@dataclass(frozen=True, slots=True)
class SourcedManifest:
    """A manifest from its source: any JSON value, not validated. `where`: one line for people; `commit`: if known."""

    content: Any
    where: str
    commit: str = ""


class ManifestSource(Protocol):
    """Reads an application's manifest from where the catalog says."""

    async def read(self, application: Application) -> SourcedManifest:
        """The present manifest. Raises `ManifestUnavailable`; bounded in time and size."""
        ...

    async def of_release(self, application: Application, release: Release) -> SourcedManifest:
        """The manifest of this release where manifests are artifacts, else the present one."""
        ...


@dataclass(frozen=True, slots=True)
class ServedCommands:
    """Commands that Discord has in one scope, as it answers: with ids, defaults filled in, localisations included."""

    commands: Sequence[Mapping[str, Any]]
    at: datetime
    ms: float


class AppCommandsSync(Protocol):
    """Slash commands as a step of another service's rollout."""

    async def sync(self, rollout_id: int, effect: RunSync) -> list[str]:
        """Deploy the release's manifest; returns a sentence for each failure. Raises `Unreachable` to be retried."""
        ...

    async def restore(self, rollout_id: int, effect: RestoreCommands) -> None:
        """Restore the commands from before the rollout. Raises `Unreachable`, `TargetRefused`."""
        ...


class CommandsReader(Protocol):
    """Reads commands from Discord, with one call each."""

    async def read(self, application: Application, scope: Scope) -> ServedCommands:
        """Raises `Unreachable`, `TargetRefused` (with a sentence: token, permission, unknown application)."""
        ...


class ManifestStore(Protocol):
    """Manifests by digest, and where each was seen."""

    async def put(
        self, manifest: Manifest, application: str, where: str, commit: str = "", *, found: bool = False
    ) -> None:
        """Store the manifest under its digest. `found`: seen in Discord, which does not replace a better origin."""
        ...

    async def get(self, digest: str) -> Manifest | None: ...

    async def known(self, application: str, limit: int) -> Sequence[KnownManifest]:
        """Newest first."""
        ...

    async def with_guild_digest(self, guild_digest: str, application: str) -> Sequence[str]:
        """Digests of the manifests with this digest in a guild; the application's newest first."""
        ...


class AcceptedStates(Protocol):
    """The desired state that each lane of commands has accepted: the fence of this target."""

    async def accept(self, lane: Lane, desired: Desired) -> bool:
        """Record the desired state; False for an older generation, or for other content under the same one."""
        ...

    async def accepted(self, lane: Lane) -> Accepted | None: ...

    async def withdraw(self, lane: Lane, digest: str) -> None: ...

    async def abort(self, lane: Lane, generation: int, abort: Mapping[str, Any]) -> None: ...


class CommandChanges(Protocol):
    """Changes of one scope, recorded before they are made."""

    async def back_up(self, change: ScopeChange, backup: ScopeBackup) -> None:
        """Store what is there before `change`; the same state is stored once for each generation."""
        ...

    async def begin(self, change: ScopeChange) -> int:
        """Record that `change` begins; what it creates counts against the day's budget from now on."""
        ...

    async def unfinished(self, change: ScopeChange) -> int | None:
        """The id of this change if it began and no end was recorded."""
        ...

    async def end(self, change_id: int, result: str, detail: str, calls: int) -> None: ...

    async def creates(self, change: ScopeChange, since: datetime) -> Sequence[tuple[datetime, int]]:
        """Creations in the scope since then, oldest first, without those of `change` itself."""
        ...

    async def last(self, application_id: int, scope: Scope) -> str | None:
        """The digest that our last verified change left in a scope."""
        ...


class CommandReadings(Protocol):
    """Readings of Discord: what it had, and when."""

    async def put(self, reading: ScopeReading) -> None: ...

    async def newest(self, application_id: int, scope: Scope, limit: int) -> Sequence[ScopeReading]:
        """Newest first."""
        ...

    async def tidy(self, before: datetime) -> None: ...


class AppCommandHistory(Protocol):
    """History of changes to commands, for people to read."""

    async def backups(
        self, application: str, environment: str | None, before: int | None, limit: int
    ) -> Sequence[StoredBackup]: ...

    async def backup(self, backup_id: int) -> StoredBackup | None: ...

    async def changes(
        self, applications: Sequence[str], before: int | None, limit: int
    ) -> Sequence[StoredChange]: ...

    async def rate(self, applications: Sequence[str], since: datetime) -> tuple[int, int]:
        """How many changes were verified, of how many that ended."""
        ...

    async def took_over(self, row: LaneRow, base: LaneRow, entry: AuditEntry) -> bool:
        """Make what was found the lane's desired state; False while a rollout is active there."""
        ...


class AppCommandStore(Protocol):
    """Slash commands in the database. Every method may raise `Unreachable`."""

    @property
    def manifests(self) -> ManifestStore: ...
    @property
    def states(self) -> AcceptedStates: ...
    @property
    def changes(self) -> CommandChanges: ...
    @property
    def readings(self) -> CommandReadings: ...
    @property
    def history(self) -> AppCommandHistory: ...
