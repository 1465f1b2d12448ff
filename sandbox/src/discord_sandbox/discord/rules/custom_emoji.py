"""Custom emoji: their fields in a body, and who may use which where."""

import re
from dataclasses import dataclass

from discord_sandbox.discord.errors import DiscordError
from discord_sandbox.discord.rules.fields import Fields
from discord_sandbox.discord.state import permissions as perms
from discord_sandbox.discord.state.emoji import CustomEmoji
from discord_sandbox.discord.state.model import Channel, Guild
from discord_sandbox.discord.state.store import State

MOST, MOST_OF_APPLICATION = 50, 2000  # in a server, of those that move and of those that do not
LARGEST = 256 * 1024  # bytes
MOST_ROLES = 1521
SHORTEST, LONGEST = 2, 32
_NAME = re.compile(r"[A-Za-z0-9_]+")
_WRITTEN = re.compile(r"<a?:(\w{2,32}):(\d{1,20})>")


def read_name(body: Fields, *, required: bool = False) -> str | None:
    """Collects complaints; the caller checks them. A change cannot take the name away."""
    if "name" in body.body and body.body["name"] is None and not required:
        body.complain("name", "BASE_TYPE_REQUIRED", "This field is required")
    name = body.text("name", LONGEST, shortest=SHORTEST, required=required)
    if name is not None and _NAME.fullmatch(name) is None:
        body.complain("name", "STRING_TYPE_REGEX", "String value did not match validation regex.")
    return name


def read_roles(body: Fields) -> list[str] | None:
    """Ids of roles, none twice; null is an empty list. Collects complaints; the caller checks them."""
    if "roles" not in body.body:
        return None
    given = body.snowflakes("roles", MOST_ROLES) or []
    if len(set(given)) < len(given):
        body.complain("roles", "SET_TYPE_ALREADY_CONTAINS_VALUE", "The Set already contains this value.")
    return given


def known_roles(guild: Guild, given: list[str]) -> list[str]:
    """Those that restrict an emoji: @everyone does not. Raises 50028 for one that is not there."""
    if any(one not in guild.roles for one in given):
        raise DiscordError(50028)
    return [one for one in given if one != guild.id]


@dataclass(frozen=True, slots=True)
class Palette:
    """The custom emoji that a user has in a channel. `anywhere`: without USE_EXTERNAL_EMOJIS, as webhooks write."""

    state: State
    channel: Channel
    user_id: str
    anywhere: bool = False

    def known(self, emoji_id: str) -> CustomEmoji | None:
        """One of the application, or of a server that the user is in; None if it is not for them."""
        found = self._found(emoji_id)
        return found[1] if found is not None else None

    def usable(self, emoji_id: str) -> CustomEmoji | None:
        """As `known`; from another server only with USE_EXTERNAL_EMOJIS."""
        found = self._found(emoji_id)
        if found is None:
            return None
        home, emoji = found
        here = self.channel.guild
        if home is None or home is here or here.hidden or self.anywhere:
            return emoji
        member = here.members.get(self.user_id)
        allowed = self.state.permissions(member, self.channel) if member is not None else 0
        return emoji if allowed & perms.USE_EXTERNAL_EMOJIS else None

    def written(self, text: str) -> str:
        """A text as Discord keeps it: with the name alone of emoji that cannot be used."""
        if "<" not in text:
            return text

        def kept(match: re.Match[str]) -> str:
            return match[0] if self.usable(match[2]) is not None else f":{match[1]}:"

        return _WRITTEN.sub(kept, text)

    def _found(self, emoji_id: str) -> tuple[Guild | None, CustomEmoji] | None:
        """The emoji and its server, None for one of the application."""
        application = self.state.applications.get(self.user_id)
        if application is not None and emoji_id in application.emojis:
            return None, application.emojis[emoji_id]
        for guild in self.state.guilds.values():
            emoji, member = guild.emojis.get(emoji_id), guild.members.get(self.user_id)
            if emoji is not None and member is not None:
                mine = not emoji.roles or bool(set(emoji.roles) & set(member.roles))
                return (guild, emoji) if mine else None
        return None
