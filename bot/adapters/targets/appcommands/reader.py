"""Reader of Discord's commands, with a cache, so that observing a lane costs no call. The watch refreshes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.adapters.targets.appcommands.rest import CommandsApi
from bot.domain.appcommands.applications import Application, Scope
from bot.domain.appcommands.normalization import digest
from bot.domain.appcommands.records import EMPTY, Accepted, Manifest, ScopeReading
from bot.ports.appcommands import AppCommandStore, ServedCommands
from bot.ports.errors import TargetRefused, Unreachable

Key = tuple[int, Scope]

# A reading is valid for somewhat longer than the watch's interval.
_SLACK = 1.5


class ScopeReader:
    """Implements `bot.ports.appcommands.CommandsReader`. Every reading is stored, and cached until the next."""

    def __init__(self, api: CommandsApi, records: AppCommandStore) -> None:
        self._api = api
        self._records = records
        self._last: dict[Key, ScopeReading] = {}

    async def read(self, application: Application, scope: Scope) -> ServedCommands:
        """Read from Discord now. A failure is stored as well."""
        at = datetime.now(UTC)
        try:
            found = await self._api.read(application, scope)
        except (Unreachable, TargetRefused) as error:
            ms = (datetime.now(UTC) - at).total_seconds() * 1000
            last = await self._known(application, scope)
            count, served = (last.count, last.digest) if last else (0, "")
            reading = ScopeReading(application.id, scope, at, ms, count, served, str(error))
            await self._records.readings.put(reading)
            raise
        await self._note(application, scope, found)
        return found

    async def seen(self, application: Application, scope: Scope, found: ServedCommands) -> None:
        """Store what a change read back."""
        await self._note(application, scope, found)

    def forget(self, application: Application, scope: Scope) -> None:
        """Discard the cached reading of a scope."""
        self._last[application.id, scope] = ScopeReading(
            application.id, scope, datetime.min.replace(tzinfo=UTC), 0.0, 0, ""
        )

    async def served(self, application: Application, scope: Scope, accepted: Accepted | None) -> str:
        """Digest of the manifest in a scope. Reads from Discord only when the cached reading is too old.

        Raises `Unreachable`, also when Discord refuses.
        """
        last = await self._known(application, scope)
        oldest = datetime.now(UTC) - timedelta(seconds=application.check_s * _SLACK)
        if last is None or not last.digest or last.at < oldest:
            try:
                await self.read(application, scope)
            except TargetRefused as error:
                raise Unreachable(str(error)) from None
            last = self._last[application.id, scope]
        return await self._manifest_of(application, scope, last.digest, accepted)

    async def _known(self, application: Application, scope: Scope) -> ScopeReading | None:
        key = (application.id, scope)
        if key not in self._last:
            newest = await self._records.readings.newest(application.id, scope, 1)
            if not newest:
                return None
            self._last[key] = newest[0]
        return self._last[key]

    async def _note(self, application: Application, scope: Scope, found: ServedCommands) -> None:
        served = digest(found.commands, guild=not scope.is_global)
        known = self._last.get((application.id, scope))
        if known is None or known.digest != served:
            await self._keep(application, scope, served, found.commands)
        reading = ScopeReading(application.id, scope, found.at, found.ms, len(found.commands), served)
        await self._records.readings.put(reading)
        self._last[application.id, scope] = reading

    async def _keep(
        self, application: Application, scope: Scope, served: str, commands: Sequence[Mapping[str, Any]]
    ) -> None:
        """Store an unknown manifest, so that a rollback can return to it."""
        if scope.is_global:
            known = await self._records.manifests.get(served) is not None
        else:
            known = bool(await self._records.manifests.with_guild_digest(served, application.name))
        if not known:
            where = f"found in Discord ({scope})"
            await self._records.manifests.put(Manifest.of(commands), application.name, where, found=True)

    async def _manifest_of(
        self, application: Application, scope: Scope, served: str, accepted: Accepted | None
    ) -> str:
        """Digest of the manifest behind a guild's digest: of all that look the same in a guild, the desired one."""
        if scope.is_global or served == EMPTY.guild_digest:
            return EMPTY.digest if served == EMPTY.guild_digest else served
        candidates = await self._records.manifests.with_guild_digest(served, application.name)
        for wanted in (accepted.candidate, accepted.stable) if accepted else ():
            if wanted in candidates:
                return wanted
        return candidates[0] if candidates else served
