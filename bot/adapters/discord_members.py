"""Roles of people in a Discord server, asked for by REST: that needs neither the gateway nor a privileged intent."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

import aiohttp
import structlog

from bot import __version__
from bot.adapters.targets.appcommands.rest import API_BASE
from bot.domain.config import GuildConfig, roles_held
from bot.ports.errors import Unreachable
from bot.ports.retention import NoteKind
from bot.ports.store import NoteStore

_log = structlog.get_logger(__name__)

_AGENT = f"DiscordBot (https://github.com/slipway, {__version__})"
_KIND: NoteKind = "member"
_NOT_MEMBERS = (10007, 10013)  # unknown member, unknown user
_PATIENCE_S = 3.0
_AT_ONCE, _REMEMBERED_S = 5, 300.0


class DiscordMembers:
    """Implements `bot.ports.members.Members`. What was seen last is kept as notes, which a restart leaves alone."""

    def __init__(
        self, session: aiohttp.ClientSession, token: str, notes: NoteStore, api_base: str = ""
    ) -> None:
        self._session = session
        self._headers = {"Authorization": f"Bot {token}", "User-Agent": _AGENT}
        self._notes = notes
        self._base = (api_base or API_BASE).rstrip("/")
        self._asking = asyncio.Semaphore(_AT_ONCE)
        self._seen: dict[tuple[int, int], tuple[float, bool]] = {}  # people of schedules, so they are few

    async def roles(self, guild: GuildConfig, user_id: int) -> frozenset[str]:
        key = f"{guild.id}:{user_id}"
        try:
            async with asyncio.timeout(_PATIENCE_S):
                found = await self._asked(guild, user_id)
        except (
            Unreachable,
            aiohttp.ClientError,
            OSError,
            TimeoutError,
            ValueError,
            LookupError,
            TypeError,
        ) as away:
            _log.warning(
                "member_roles_unreachable", guild_id=guild.id, error=f"{type(away).__name__}: {away}"[:300]
            )
            seen = await self._notes.note(_KIND, key)
            if seen is None:
                raise Unreachable("Discord does not say which roles the owner of the token has") from None
            kept = seen["roles"]
            return frozenset(map(str, kept)) if isinstance(kept, list) else frozenset()
        said = sorted(found)
        seen = await self._notes.note(_KIND, key)
        if seen is None or seen["roles"] != said:
            await self._notes.put_note(_KIND, key, {"roles": said})
        return found

    async def gone(self, guild: GuildConfig, user_ids: Iterable[int]) -> frozenset[int]:
        found = await asyncio.gather(*(self._is_gone(guild, user_id) for user_id in dict.fromkeys(user_ids)))
        return frozenset(filter(None, found))

    async def _is_gone(self, guild: GuildConfig, user_id: int) -> int | None:
        key, now = (guild.id, user_id), asyncio.get_running_loop().time()
        seen = self._seen.get(key)
        if seen is not None and now - seen[0] < _REMEMBERED_S:
            return user_id if seen[1] else None
        try:
            async with self._asking, asyncio.timeout(_PATIENCE_S):
                gone = await self._get(f"/guilds/{guild.id}/members/{user_id}", _NOT_MEMBERS) is None
        except (Unreachable, aiohttp.ClientError, OSError, TimeoutError, ValueError) as away:
            _log.warning(
                "member_unreachable", guild_id=guild.id, error=f"{type(away).__name__}: {away}"[:300]
            )
            return None
        self._seen[key] = (now, gone)
        return user_id if gone else None

    async def _asked(self, guild: GuildConfig, user_id: int) -> frozenset[str]:
        member, known = await asyncio.gather(
            self._get(f"/guilds/{guild.id}/members/{user_id}", _NOT_MEMBERS),
            self._get(f"/guilds/{guild.id}/roles"),
        )
        if member is None:
            return frozenset()
        theirs = {int(role) for role in member["roles"]}
        return roles_held(guild, theirs, [(int(role["id"]), str(role["name"])) for role in known])

    async def _get(self, path: str, missing: Sequence[int] = ()) -> Any:
        """The answer; None for an error with one of the codes in `missing`."""
        async with self._session.get(f"{self._base}{path}", headers=self._headers) as answer:
            if answer.status == 200:
                return await answer.json()
            said = await answer.json(content_type=None) if answer.status == 404 else None
        if isinstance(said, dict) and said.get("code") in missing:
            return None
        raise Unreachable(f"Discord answered {answer.status}")
