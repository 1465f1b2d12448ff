"""Change of one scope: back up, record, call, read back. A crash after any of these is harmless."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.adapters.targets.appcommands.refusals import TOO_MANY_CREATED, RefusedByDiscord
from bot.adapters.targets.appcommands.rest import CommandsApi
from bot.domain.appcommands.applications import Application, Scope
from bot.domain.appcommands.calls import DiscordCall, calls
from bot.domain.appcommands.diff import Diff, compare
from bot.domain.appcommands.limits import CREATES_A_DAY
from bot.domain.appcommands.normalization import digest
from bot.domain.appcommands.records import Manifest, ScopeBackup, ScopeChange
from bot.domain.appcommands.validation import budget, validate
from bot.domain.formatting import stamp
from bot.ports.appcommands import AppCommandStore, ServedCommands
from bot.ports.errors import StaleGeneration, TargetRefused, Unreachable

Probe = Callable[[str], Awaitable[None]]
Json = Mapping[str, Any]

_DAY = timedelta(days=1)
_ROUNDS = 2  # the second one when commands were changed elsewhere at the same moment


async def no_probe(point: str) -> None:
    """Probe that does nothing."""


@dataclass(frozen=True, slots=True)
class CommandsOrder:
    """Desired commands of one scope, with the change's origin. `current`: raises `StaleGeneration` if outdated."""

    application: Application
    service: str
    environment: str
    scope: Scope
    generation: int
    manifest: Manifest
    current: Callable[[], Awaitable[None]]
    why: str = ""

    @property
    def guild(self) -> bool:
        return not self.scope.is_global


class ScopeChanger:
    """Brings scopes to their manifest. Safe to repeat at any point, by any process.

    probe: awaited between the steps (`backed_up`, `noted`, `called`, `verified`).
    """

    def __init__(self, api: CommandsApi, records: AppCommandStore, probe: Probe = no_probe) -> None:
        self._api = api
        self._records = records
        self._probe = probe

    async def bring(self, order: CommandsOrder) -> ServedCommands:
        """Bring a scope to its manifest; returns the commands that Discord has then.

        Raises `TargetRefused`, `Unreachable`, `StaleGeneration`.
        """
        found = await self._api.listed(order.application, order.scope)
        diff = self._diff(order, found)
        if not diff:
            await self._already(order)
            return found
        mistakes = validate(list(order.manifest.commands))
        if mistakes:
            listed = "; ".join(str(mistake) for mistake in mistakes[:10])
            raise TargetRefused(f"the manifest has {len(mistakes)} mistakes: {listed}")
        return await self._change(order, found, diff)

    async def _already(self, order: CommandsOrder) -> None:
        """Close a change that is done already: an earlier attempt succeeded before a crash."""
        begun = await self._records.changes.unfinished(self._note(order, "", 0))
        if begun is not None:
            await self._records.changes.end(begun, "verified", "found complete after an interruption", 0)

    async def _change(self, order: CommandsOrder, found: ServedCommands, diff: Diff) -> ServedCommands:
        note = self._note(order, digest(found.commands, guild=order.guild), diff.creates)
        await self._within_budget(order, note)
        change_id, made = None, 0
        try:
            for _ in range(_ROUNDS):
                await order.current()
                note = replace(note, creates=diff.creates)
                await self._records.changes.back_up(note, await self._backup(order, found.commands))
                await self._probe("backed_up")
                change_id = await self._records.changes.begin(note)
                await self._probe("noted")
                for call in calls(diff, order.manifest.commands, guild=order.guild):
                    await order.current()
                    await self._do(order, call)
                    made += 1
                    await self._probe("called")
                found = await self._api.listed(order.application, order.scope)
                diff = self._diff(order, found)
                if not diff:
                    await self._probe("verified")
                    await self._records.changes.end(change_id, "verified", "", made)
                    return found
        except RefusedByDiscord as error:
            sentence = await self._explained(order, error)
            await self._end(change_id, "refused", sentence, made)
            raise TargetRefused(sentence) from None
        except Unreachable as error:
            # The next attempt finds out what was done.
            await self._end(change_id, "failed", str(error), made)
            raise
        except StaleGeneration:
            await self._end(change_id, "failed", "replaced by a newer change", made)
            raise
        sentence = _not_as_sent(diff)
        await self._end(change_id, "failed", sentence, made)
        raise TargetRefused(sentence)

    async def _do(self, order: CommandsOrder, call: DiscordCall) -> None:
        application, scope = order.application, order.scope
        match call.kind:
            case "edit" if call.command is not None:
                await self._api.edit(application, scope, call.id, call.command)
            case "create" if call.command is not None:
                await self._api.create(application, scope, call.command)
            case "delete":
                await self._api.delete(application, scope, call.id)
            case _:
                await self._api.overwrite(application, scope, call.commands)

    async def _backup(self, order: CommandsOrder, present: Sequence[Json]) -> ScopeBackup:
        """Back up a scope. Overwrites belong to guilds: for global commands, those of the catalog's guilds are kept."""
        application = order.application
        guilds = [order.scope.guild_id] if order.guild else _guilds(application)
        ids = {str(command.get("id")) for command in present}
        found = await asyncio.gather(*(self._api.permissions(application, guild) for guild in guilds))
        kept = [one for overwrites in found for one in overwrites if str(one.get("id")) in ids]
        return ScopeBackup(tuple(present), tuple(kept))

    # ---- the day's budget ----

    async def _within_budget(self, order: CommandsOrder, note: ScopeChange) -> None:
        spent = await self._spent(note)
        mistake = budget(note.creates, sum(n for _, n in spent))
        if mistake is not None:
            ends = _free_again(spent, note.creates)
            raise TargetRefused(f"{mistake.sentence}. The limit resets {stamp(ends)}")

    async def _explained(self, order: CommandsOrder, error: RefusedByDiscord) -> str:
        """Error 30034 with the time until it ends: from Slipway's history, or a day at most if others created too."""
        if error.code != TOO_MANY_CREATED:
            return str(error)
        note = self._note(order, "", 0)
        spent = await self._spent(note)
        ours = sum(n for _, n in spent)
        begins = spent[0][0] if spent else datetime.now(UTC)
        return (
            f"{error} Slipway created {ours} of the {CREATES_A_DAY} in the last 24 hours; the first of them stops "
            f"counting {stamp(begins + _DAY)}. Existing commands stay as they are."
        )

    async def _spent(self, note: ScopeChange) -> Sequence[tuple[datetime, int]]:
        return await self._records.changes.creates(note, datetime.now(UTC) - _DAY)

    # ---- helpers ----

    async def _end(self, change_id: int | None, result: str, detail: str, made: int) -> None:
        if change_id is not None:
            await self._records.changes.end(change_id, result, detail, made)

    def _diff(self, order: CommandsOrder, found: ServedCommands) -> Diff:
        return compare(found.commands, order.manifest.commands, guild=order.guild)

    def _note(self, order: CommandsOrder, from_digest: str, creates: int) -> ScopeChange:
        return ScopeChange(
            application=order.application.name,
            application_id=order.application.id,
            service=order.service,
            environment=order.environment,
            scope=order.scope,
            generation=order.generation,
            from_digest=from_digest,
            to_digest=order.manifest.digest,
            creates=creates,
            why=order.why,
        )


def _guilds(application: Application) -> list[int]:
    scopes = (*application.staging, *application.production)
    return list(dict.fromkeys(scope.guild_id for scope in scopes if not scope.is_global))


def _free_again(spent: Sequence[tuple[datetime, int]], wanted: int) -> datetime:
    """When enough creations are a day old for `wanted` more."""
    over = sum(n for _, n in spent) + wanted - CREATES_A_DAY
    for at, n in spent:
        over -= n
        if over <= 0:
            return at + _DAY
    return datetime.now(UTC) + _DAY


def _not_as_sent(diff: Diff) -> str:
    named = ", ".join(f"/{c.name} ({c.what})" for c in diff.commands[:5])
    return (
        "Discord does not have the commands that were sent; another program may be changing them at the same time. "
        f"{len(diff.commands)} differ: {named}"
    )
