"""Comparison of a manifest with what Discord has now, and drift."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from bot.domain import phrasebook
from bot.domain.appcommands.applications import PRODUCTION, STAGING, Application, Scope
from bot.domain.appcommands.diff import Diff, compare
from bot.domain.appcommands.normalization import digest
from bot.domain.appcommands.records import EMPTY, Manifest, ScopeChange
from bot.domain.appcommands.validation import budget, validate
from bot.domain.errors import UserError
from bot.domain.rollout.model import Phase, Rollout
from bot.engine.appcommands.api import Comparison, ManifestView, ScopeDiff, Validation
from bot.ports.appcommands import (
    AppCommandStore,
    CommandsReader,
    ManifestSource,
    ServedCommands,
    SourcedManifest,
)
from bot.ports.errors import ManifestUnavailable, TargetRefused

_DAY = timedelta(days=1)
# Repeated questions within this time get the same answer.
_NOTHING = Diff((), 0)
_DANGERS, _NAMES = 6, 12


class Comparer:
    """Reads manifests and Discord. One call to Discord for each scope."""

    def __init__(
        self,
        manifests: ManifestSource,
        reader: CommandsReader,
        records: AppCommandStore,
        now: Callable[[], datetime],
    ) -> None:
        self._manifests = manifests
        self._reader = reader
        self._records = records
        self._now = now

    # ---- the manifest ----

    async def validated(self, application: Application) -> Validation:
        """The manifest from its source, with every mistake. Raises `UserError` when it cannot be read."""
        source = await self._sourced(application)
        mistakes = tuple(await asyncio.to_thread(validate, source.content))
        if mistakes:
            return Validation(application.name, None, mistakes, source.where)
        manifest = Manifest.of(source.content)
        await self._records.manifests.put(manifest, application.name, source.where, source.commit)
        return Validation(application.name, viewed(manifest, source.where), (), source.where)

    async def _sourced(self, application: Application) -> SourcedManifest:
        try:
            return await self._manifests.read(application)
        except ManifestUnavailable as error:
            raise phrasebook.manifest_unreadable(application.name, str(error)) from None

    # ---- against what Discord has ----

    async def compare(self, application: Application, environment: str, wanted: ManifestView) -> Comparison:
        """Compare a manifest with what Discord has. Raises `UserError` for what Discord refuses, `Unreachable`."""
        manifest = Manifest.of(wanted.commands)
        scopes = await asyncio.gather(
            *(
                self._scope(application, environment, scope, manifest)
                for scope in application.scopes(environment)
            )
        )
        mistakes = [
            replace(found, path=f"$ ({scope.scope})")
            for scope in scopes
            if (found := budget(scope.diff.creates, scope.created_today)) is not None and scope.diff
        ]
        return Comparison(application.name, environment, wanted, tuple(scopes), tuple(mistakes))

    async def _scope(
        self, application: Application, environment: str, scope: Scope, manifest: Manifest
    ) -> ScopeDiff:
        served = await self._read(application, scope)
        present = digest(served.commands, guild=not scope.is_global)
        created = await self.created_today(application, environment, scope)
        if environment == STAGING and await self._in_production(application, manifest, served):
            return ScopeDiff(scope, present, len(served.commands), _NOTHING, "", created)
        diff = await asyncio.to_thread(compare, served.commands, manifest.commands, guild=not scope.is_global)
        drift = await self.drift(application, environment, scope, present)
        return ScopeDiff(scope, present, len(served.commands), diff, drift, created)

    async def _read(self, application: Application, scope: Scope) -> ServedCommands:
        try:
            return await self._reader.read(application, scope)
        except TargetRefused as error:
            raise UserError(str(error), rule="discord_refuses") from None

    async def _in_production(
        self, application: Application, manifest: Manifest, served: ServedCommands
    ) -> bool:
        """Whether the staging guild's copies were removed because the commands are global now."""
        if served.commands:
            return False
        staging = await self._records.states.accepted(application.lane(STAGING))
        production = await self._records.states.accepted(application.lane(PRODUCTION))
        return (
            staging is not None
            and production is not None
            and staging.withdrawn == manifest.digest == production.wanted
        )

    # ---- drift ----

    async def expected(self, application: Application, environment: str, scope: Scope) -> Manifest | None:
        """What Slipway's last change left in the scope; None before the first one."""
        left = await self._records.changes.last(application.id, scope)
        return (
            None
            if left is None
            else EMPTY
            if left == EMPTY.digest
            else await self._records.manifests.get(left)
        )

    async def drift(self, application: Application, environment: str, scope: Scope, present: str) -> str:
        """A sentence when the scope is not as Slipway's last change left it."""
        expected = await self.expected(application, environment, scope)
        if expected is None or expected.digest_in(scope) == present:
            return ""
        which = "The global commands" if scope.is_global else f"The commands in server {scope.guild_id}"
        return f"{which} were changed outside Slipway after {expected.version} was applied"

    async def created_today(self, application: Application, environment: str, scope: Scope) -> int:
        lane = application.lane(environment)
        note = ScopeChange(application.name, application.id, lane.service, environment, scope, -1, "", "", 0)
        return sum(n for _, n in await self._records.changes.creates(note, self._now() - _DAY))


def viewed(manifest: Manifest, where: str) -> ManifestView:
    return ManifestView(manifest.digest, manifest.version, manifest.commands, where)


def said(comparison: Comparison) -> str:
    """The number of differences by kind, in a few words."""
    counts: dict[str, set[tuple[int, str]]] = {}
    for scope in comparison.scopes:
        for command in scope.diff.commands:
            counts.setdefault(command.what, set()).add((command.type, command.name))
    words = [
        f"{len(counts[what])} {what}"
        for what in ("created", "changed", "renamed", "deleted")
        if what in counts
    ]
    return ", ".join(words) or "nothing"


def begun(comparison: Comparison, rollout: Rollout) -> str:
    return said(comparison) + ("; waiting for approval." if rollout.phase is Phase.GATED else ".")


def changes(comparison: Comparison) -> list[str]:
    """A summary for approvers in a few lines: dangers first, then the commands by kind of change."""
    names: dict[str, dict[str, None]] = {}
    for scope in comparison.scopes:
        for command in scope.diff.commands:
            names.setdefault(command.what, {})[f"/{command.name}"] = None
    dangers = [f"DANGER: {danger}" for danger in comparison.dangers]
    if len(dangers) > _DANGERS:
        dangers[_DANGERS:] = [f"DANGER: and {len(dangers) - _DANGERS} more"]
    return dangers + [
        f"{what}: {', '.join(list(names[what])[:_NAMES])}"
        + (f" and {len(names[what]) - _NAMES} more" if len(names[what]) > _NAMES else "")
        for what in ("deleted", "renamed", "changed", "created")
        if what in names
    ]
