"""Plan of calls from what a scope has to what is desired: as few and as gentle as possible."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from bot.domain.appcommands.diff import Diff
from bot.domain.appcommands.normalization import Json, normal_manifest, sent_command, whole_command

# Above this, single calls cost more than they save: one bulk call replaces all commands or none.
_SINGLES = 3


@dataclass(frozen=True, slots=True)
class DiscordCall:
    """One call. `edit` and `delete` use `id`; `overwrite` sends all `commands` of the scope."""

    kind: Literal["edit", "create", "delete", "overwrite"]
    id: str = ""
    command: Json | None = None
    commands: tuple[Json, ...] = ()


def calls(diff: Diff, desired: Sequence[Json], *, guild: bool) -> tuple[DiscordCall, ...]:
    """Calls in order: renames first, by id, so that permissions stay; then the rest, singly where that changes less.

    Additions come before deletions, so that a command that only moved is never missing.
    """
    renames = tuple(
        DiscordCall("edit", c.id, whole_command(c.desired, guild=guild))
        for c in diff.of("renamed")
        if c.id is not None and c.desired is not None
    )
    rest = [c for c in diff.commands if c.what != "renamed"]
    if not rest:
        return renames
    if len(rest) > _SINGLES or len(rest) >= len(desired):
        return (*renames, DiscordCall("overwrite", commands=_sent(desired, guild)))
    upserts = tuple(
        DiscordCall("create", command=sent_command(c.desired, guild=guild))
        for c in rest
        if c.desired is not None
    )
    deletions = tuple(DiscordCall("delete", c.id) for c in rest if c.what == "deleted" and c.id is not None)
    return (*renames, *upserts, *deletions)


def _sent(commands: Sequence[Json], guild: bool) -> tuple[Json, ...]:
    return tuple(sent_command(command, guild=guild) for command in normal_manifest(commands, guild=guild))
