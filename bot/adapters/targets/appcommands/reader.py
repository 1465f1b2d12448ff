"""What Discord was last seen to have, so that asking a lane costs no call; who looks regularly is the watch."""

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

# A look is good for somewhat longer than the distance between two of the watch.
_SLACK = 1.5


class ScopeReader:
    """Implements `bot.ports.appcommands.CommandsReader`. Every look is written down, and remembered until the next."""

    def __init__(self, api: CommandsApi, records: AppCommandStore) -> None:
        self._api = api
        self._records = records
        self._last: dict[Key, ScopeReading] = {}

    async def read(self, application: Application, scope: Scope) -> ServedCommands:
        """Ask Discord, now. What does not answer is written down as well."""
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
        """What a change read back is a look as well."""
        await self._note(application, scope, found)

    def forget(self, application: Application, scope: Scope) -> None:
        """What is there is not known any more."""
        self._last[application.id, scope] = ScopeReading(
            application.id, scope, datetime.min.replace(tzinfo=UTC), 0.0, 0, ""
        )

    async def served(self, application: Application, scope: Scope, accepted: Accepted | None) -> str:
        """The digest of the manifest that the scope has. Asks Discord only when nobody did for long.

        Raises `Unreachable`: also what Discord refuses is, for a look, not to be known.
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
        """What nobody has seen before is kept by its content, so that it can be gone back to."""
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
        """A guild does not show all of a manifest: of those that look like this, the one that was desired."""
        if scope.is_global or served == EMPTY.guild_digest:
            return EMPTY.digest if served == EMPTY.guild_digest else served
        candidates = await self._records.manifests.with_guild_digest(served, application.name)
        for wanted in (accepted.candidate, accepted.stable) if accepted else ():
            if wanted in candidates:
                return wanted
        return candidates[0] if candidates else served
