"""One authenticated REST call, and the look-ups that every handler needs."""

import re
from typing import Any
from urllib.parse import unquote

from aiohttp import web

from discord_sandbox.discord.actions.uploads import Upload
from discord_sandbox.discord.core import Core
from discord_sandbox.discord.errors import Complaints, DiscordError, invalid
from discord_sandbox.discord.rest.query import Query
from discord_sandbox.discord.rules.fields import Fields
from discord_sandbox.discord.state import permissions as perms
from discord_sandbox.discord.state.model import JSON, Application, Channel, Guild, Member, Message

VERSIONS = ("v9", "v10")  # those that Discord serves; what is modelled is the same in both
_PREFIX = re.compile(rf"/api/({'|'.join(VERSIONS)})(?=/)")
LONGEST_REASON = 512

Result = web.Response | JSON | list[Any] | tuple[int, JSON] | None


def path_of(request: web.Request) -> str:
    """The path of a call within Discord's API: `/users/@me`."""
    return _PREFIX.sub("", request.path, count=1)


class Context:
    __slots__ = ("_application", "core", "params", "request", "upload")

    def __init__(self, core: Core, request: web.Request, application: Application | None) -> None:
        self.core = core
        self.request = request
        self.params = request.match_info
        self.upload = Upload({}, complaints=Complaints(strict=core.state.world.strict))
        self._application = application

    @property
    def application(self) -> Application:
        if self._application is None:
            raise DiscordError(0, "401: Unauthorized", status=401)
        return self._application

    @property
    def body(self) -> JSON:
        return self.upload.body

    def fields(self) -> Fields:
        """The body, to be read key by key. Its complaints are the call's: `fields().complaints.check()`.

        Raises 50035 for a body that is a list.
        """
        if self.upload.items is not None:
            raise invalid((), "MODEL_TYPE_CONVERT", "Only dictionaries may be used in a ModelType")
        return self.upload.fields()

    def items(self) -> list[JSON]:
        """The objects of a body that is a list. Raises 50035."""
        if self.upload.items is None:
            raise invalid((), "LIST_TYPE_CONVERT", "Only iterables may be used in a ListType")
        return self.upload.items

    def query(self) -> Query:
        return Query(dict(self.request.query), self.upload.complaints)

    def own_application(self) -> Application:
        """The application in the path, which must be the caller's. Raises 20012."""
        if self.params["application"] != self.application.id:
            raise DiscordError(20012)
        return self.application

    def guild(self) -> Guild:
        """The guild in the path. Raises 10004 if the bot is not in it."""
        found = self.application.guilds.get(self.params["guild"])
        if found is None:
            raise DiscordError(10004)
        return found

    def me(self, guild: Guild) -> Member:
        found = guild.members.get(self.application.id)
        if found is None or not (guild.hidden or guild.id in self.application.guilds):
            raise DiscordError(50001)
        return found

    def managed_guild(self, *needed: int) -> Guild:
        """As `guild`. Raises 50013 if the bot lacks a permission there."""
        found = self.guild()
        allowed = self.core.state.permissions(self.me(found))
        if any(not allowed & permission for permission in needed):
            raise DiscordError(50013)
        return found

    def member(self, guild: Guild) -> Member:
        """The member in the path. Raises 10007."""
        found = guild.members.get(self.params["user"])
        if found is None:
            raise DiscordError(10007)
        return found

    def reason(self) -> str | None:
        """The audit log reason, decoded. Raises 50035 over 512 characters."""
        given = self.request.headers.get("X-Audit-Log-Reason")
        found = unquote(given) if given else None
        if found is not None and len(found) > LONGEST_REASON:
            message = f"Must be {LONGEST_REASON} or fewer in length."
            raise invalid(("reason",), "BASE_TYPE_MAX_LENGTH", message)
        return found

    def channel(self, *needed: int) -> Channel:
        """The channel in the path. Raises 10003, 50001 (not visible) or 50013 (lacks a permission)."""
        return self.visible_channel(self.params["channel"], *needed)

    def visible_channel(self, channel_id: str, *needed: int) -> Channel:
        """As `channel`, by its id."""
        channel = self.core.state.channel(channel_id)
        allowed = self.core.state.permissions(self.me(channel.guild), channel)
        if not allowed & perms.VIEW_CHANNEL:
            raise DiscordError(50001)
        for permission in needed:
            if not allowed & permission:
                raise DiscordError(50013)
        return channel

    def guild_channel(self, *needed: int) -> Channel:
        """As `channel`, for what direct messages do not have. Raises 50003."""
        channel = self.channel(*needed)
        if channel.is_direct:
            raise DiscordError(50003)
        return channel

    def may(self, channel: Channel, permission: int) -> bool:
        return bool(self.core.state.permissions(self.me(channel.guild), channel) & permission)

    def shown(self, message: Message) -> JSON:
        """The message as this bot sees it: with its own reactions marked."""
        return self.core.render.seen_by(message, self.application.id)

    def message(self, channel: Channel) -> Message:
        """The message in the path; ephemeral ones are not listed. Raises 10008."""
        found = channel.messages.get(self.params["message"])
        if found is None or found.ephemeral_to is not None:
            raise DiscordError(10008)
        return found
