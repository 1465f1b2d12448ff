"""Discord REST calls that may be repeated, with failures sorted by how to handle them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import discord
import structlog

from bot.domain.config import GuildConfig, is_id, matching
from bot.ports.errors import Unreachable
from bot.ui.errors import transient, why

_log = structlog.get_logger(__name__)
T = TypeVar("T")

CALL_S = 20.0
_LOOK_BACK = 50
_CODES_GONE = (10003, 10008, 10004)
TOO_OLD = 30046
THREAD_EXISTS = 160004
THREAD_ARCHIVED = 50083


class GoneError(Exception):
    """The message, thread or channel no longer exists."""

    def __init__(self, code: int) -> None:
        super().__init__(f"gone ({code})")
        self.message_only = code == 10008


class ClosedError(Exception):
    """We lack the permission for this in that channel."""


class RejectedError(Exception):
    """Discord rejected the request. `code` is Discord's error code."""

    def __init__(self, code: int, said: str) -> None:
        super().__init__(f"{code}: {said}")
        self.code = code


async def calling(call: Callable[[], Awaitable[T]]) -> T:
    """Do one REST call. Raises `Unreachable` for failures worth a retry, otherwise one of the errors above."""
    try:
        async with asyncio.timeout(CALL_S):
            return await call()
    except discord.NotFound as error:
        raise GoneError(error.code) from None
    except discord.Forbidden as error:
        raise ClosedError(error.text) from None
    except discord.HTTPException as error:
        # The cap on edits of old messages looks like a rate limit, but waiting does not help.
        if transient(error) and error.code != TOO_OLD:
            raise Unreachable(f"Discord answered {error.status}") from None
        _log.warning("discord_refused", **why(error))
        raise RejectedError(error.code, error.text[:300]) from None
    except Exception as error:
        if transient(error):
            raise Unreachable(f"Discord: {type(error).__name__}") from None
        raise


class GuildChannels:
    """Channels and roles of one server, by their names in the catalog."""

    def __init__(self, client: discord.Client, guild: GuildConfig) -> None:
        self.client = client
        self.guild = guild

    async def channel(self, name: str) -> discord.PartialMessageable:
        """The catalog's channel `deploys` or `alerts`. Raises `GoneError` when the server has none."""
        wanted = self.guild.channels.get(name, name)
        if is_id(wanted):
            return self.at(int(wanted))
        cached = self.client.get_guild(self.guild.id)
        known = [(c.id, c.name) for c in cached.text_channels] if cached is not None else []
        if not matching(wanted, known):
            listed = await calling(lambda: self.client.http.get_all_guild_channels(self.guild.id))
            known = [(int(c["id"]), str(c["name"])) for c in listed if c["type"] in (0, 5)]
        found = matching(wanted, known)
        if not found:
            raise GoneError(10003)
        return self.at(found[0])

    def at(self, channel_id: int) -> discord.PartialMessageable:
        return self.client.get_partial_messageable(channel_id, guild_id=self.guild.id)

    async def roles(self, names: Sequence[str]) -> list[int]:
        """Discord ids of catalog roles. Roles missing on the server are logged and left out.

        Roles that share a name are all mentioned: a duplicate must not keep people from being called.
        """
        wanted = {name: self.guild.roles.get(name, name) for name in dict.fromkeys(names)}
        cached = self.client.get_guild(self.guild.id)
        if cached is not None:
            known = [(r.id, r.name) for r in cached.roles]
        elif wanted:
            listed = await calling(lambda: self.client.http.get_roles(self.guild.id))
            known = [(int(r["id"]), r["name"]) for r in listed]
        else:
            known = []
        found: dict[int, None] = {}
        for name, entry in wanted.items():
            ids = matching(entry, known)
            if not ids:
                _log.warning("role_missing", guild_id=self.guild.id, role=name, discord_role=entry)
            found |= dict.fromkeys(ids)
        return list(found)

    async def find(
        self, channel: discord.PartialMessageable, fits: Callable[[discord.Message], bool]
    ) -> discord.Message | None:
        """The newest message of ours that `fits`; None also when the bot may not read the history."""
        me = self.client.user

        async def search() -> discord.Message | None:
            async for message in channel.history(limit=_LOOK_BACK):
                if me is not None and message.author.id == me.id and fits(message):
                    return message
            return None

        try:
            return await calling(search)
        except ClosedError:
            return None


def texts(message: discord.Message) -> list[str]:
    """All texts of a Components V2 message."""
    found = []
    stack = list(reversed(message.components))
    while stack:
        component = stack.pop()
        if isinstance(component, discord.TextDisplay):
            found.append(component.content)
        stack.extend(reversed(getattr(component, "children", ())))
    return found


def link(guild_id: int, channel_id: int, message_id: int) -> str:
    return f"https://discord.com/channels/{guild_id}/{channel_id}/{message_id}"


def mentions(roles: Sequence[int], users: Sequence[int]) -> discord.AllowedMentions:
    """Allow exactly these mentions."""
    return discord.AllowedMentions(
        everyone=False,
        roles=[discord.Object(role) for role in roles],
        users=[discord.Object(user) for user in users],
        replied_user=False,
    )
