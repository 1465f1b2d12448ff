"""Registration of Slipway's own slash commands: only when they changed, not at every start.

Discord allows 200 new commands per day and server, which a crash loop that registers at every start would use up.
The hash of the last registration is kept for each application and server. Discord's list is also read once per
start (reads are free), which repairs commands that were removed by hand or lost by the server.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import discord
import structlog
from discord import app_commands

from bot.ports.errors import Unreachable
from bot.ports.retention import NoteKind
from bot.ports.store import NoteStore
from bot.ui.errors import why

_log = structlog.get_logger(__name__)
_KIND: NoteKind = "commands"
_TOO_MANY_CREATED = 30034
# Discord's defaults: an absent field means the same.
_DEFAULTS: dict[str, Any] = {
    "required": False,
    "autocomplete": False,
    "choices": [],
    "options": [],
    "nsfw": False,
}


def manifest(tree: app_commands.CommandTree[Any]) -> list[dict[str, Any]]:
    """The commands of one server, normalised: sorted by name, without Discord's defaults."""
    found = [_normal(command.to_dict(tree)) for command in tree.get_commands()]
    for command in found:
        # Only for global commands.
        for key in ("dm_permission", "contexts", "integration_types"):
            command.pop(key, None)
    return sorted(found, key=lambda command: str(command["name"]))


def digest(commands: Sequence[dict[str, Any]]) -> str:
    return hashlib.sha256(json.dumps(commands, sort_keys=True).encode()).hexdigest()


async def sync(
    client: discord.Client, guild_id: int, commands: list[dict[str, Any]], notes: NoteStore, at: datetime
) -> str:
    """Bring a server's commands up to date. Returns `unchanged`, `synced`, or a sentence about what is wrong.

    Without the stored hash it compares only the names in Discord's list.
    """
    application = client.application_id
    if application is None:
        return "The bot has not logged in yet."
    key, ours = f"{application}:{guild_id}", digest(commands)
    try:
        known = await _known(notes, key)
        theirs = await client.http.get_guild_commands(application, guild_id)
        same_names = {c["name"] for c in theirs} == {c["name"] for c in commands}
        if same_names and known in (ours, None):
            if known is None:
                _log.info("commands_compared_by_name", guild_id=guild_id)
            return "unchanged"
        await client.http.bulk_upsert_guild_commands(application, guild_id, commands)
    except discord.HTTPException as error:
        return _refused(error, guild_id)
    try:
        await notes.put_note(_KIND, key, {"hash": ours, "at": at.isoformat()})
    except Unreachable:
        _log.warning("commands_hash_not_saved", guild_id=guild_id)
    return "synced"


async def _known(notes: NoteStore, key: str) -> str | None:
    """The hash of the last registration; "" when there is none, None when it cannot be read."""
    try:
        note = await notes.note(_KIND, key)
    except Unreachable:
        return None
    return str(note["hash"]) if note else ""


def _refused(error: discord.HTTPException, guild_id: int) -> str:
    _log.error("commands_refused", guild_id=guild_id, **why(error))
    if error.code == _TOO_MANY_CREATED:
        return (
            "Discord accepts no more new commands for this server today: the limit is 200 per day. Existing commands "
            "still work; Slipway tries again at its next start."
        )
    if error.status in (403, 404):
        return "The bot is not in this server, or was invited without the scope `applications.commands`."
    return f"Discord rejected the commands: {error.text[:200]}"


def _normal(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {key: _normal(item) for key, item in value.items() if item is not None}
        return {key: item for key, item in kept.items() if key not in _DEFAULTS or item != _DEFAULTS[key]}
    if isinstance(value, list):
        return [_normal(item) for item in value]
    return value.value if hasattr(value, "value") and not isinstance(value, int | str) else value
