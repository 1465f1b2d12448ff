"""Permissions of roles and members in a channel: read from bodies, checked, set and deleted."""

from collections.abc import Mapping

from discord_sandbox.discord.errors import DiscordError
from discord_sandbox.discord.rest.context import Context, Result
from discord_sandbox.discord.rest.endpoint import Endpoint
from discord_sandbox.discord.rules.fields import Fields
from discord_sandbox.discord.state import permissions as perms
from discord_sandbox.discord.state.model import Channel, Guild
from discord_sandbox.discord.state.permissions import Overwrite

ROLE, MEMBER = 0, 1
_LARGEST = 2**63 - 1


def read(body: Fields, guild: Guild, target: str) -> Overwrite:
    """An overwrite for a role or member of the guild. Raises 10009 for others; collects complaints."""
    body.known(("id", "type", "allow", "deny"))
    kind = body.choice("type", (ROLE, MEMBER)) or ROLE
    allow, deny = body.number("allow", 0, _LARGEST) or 0, body.number("deny", 0, _LARGEST) or 0
    body.complaints.check()
    if target not in (guild.roles if kind == ROLE else guild.members):
        raise DiscordError(10009)
    return Overwrite(target, kind, allow & perms.ALL, deny & perms.ALL)


def read_all(body: Fields, guild: Guild) -> dict[str, Overwrite] | None:
    """The overwrites that a channel's body lists; None if it lists none."""
    listed = body.objects("permission_overwrites", 100)
    if listed is None:
        return None
    found = {}
    for one in listed:
        target = one.snowflake("id", required=True)
        body.complaints.check()
        found[str(target)] = read(one, guild, str(target))
    return found


def check_new(call: Context, guild: Guild, new: Mapping[str, Overwrite]) -> None:
    """Raises 50013 if a new channel would allow or deny what the bot lacks in the guild, or MANAGE_ROLES."""
    base = call.core.state.permissions(call.me(guild))
    if not base & perms.ADMINISTRATOR and _touched({}, new) & (~base | perms.MANAGE_ROLES):
        raise DiscordError(50013)


def replace_all(call: Context, channel: Channel, new: Mapping[str, Overwrite]) -> None:
    """Set all overwrites of a channel.

    Raises 50013 if the bot may not manage roles there, or changes a permission that it lacks in the guild, or
    MANAGE_ROLES. Administrators change everything, and so does a bot that an overwrite lets manage roles.
    """
    touched = _touched(channel.overwrites, new)
    if not touched and channel.overwrites.keys() == new.keys():
        return
    me = call.me(channel.guild)
    base = call.core.state.permissions(me)
    if not base & perms.ADMINISTRATOR:
        granted = any(
            one.allow & perms.MANAGE_ROLES
            for target, one in channel.overwrites.items()
            if target in (*me.roles, me.user.id)
        )
        beyond = 0 if granted else touched & (~base | perms.MANAGE_ROLES)
        if beyond or not call.may(channel, perms.MANAGE_ROLES):
            raise DiscordError(50013)
    call.core.audit.overwrites_changed(channel, channel.overwrites, new)
    channel.overwrites = dict(new)
    channel.guild.permission_cache.clear()


def _touched(old: Mapping[str, Overwrite], new: Mapping[str, Overwrite]) -> int:
    """The permissions that are not for everyone what they were."""
    touched = 0
    for target in old.keys() | new.keys():
        was, will = old.get(target), new.get(target)
        touched |= (was.allow if was else 0) ^ (will.allow if will else 0)
        touched |= (was.deny if was else 0) ^ (will.deny if will else 0)
    return touched


def _place(call: Context) -> Channel:
    channel = call.guild_channel()
    if channel.is_thread:
        raise DiscordError(50024)
    if not call.may(channel, perms.MANAGE_ROLES):
        raise DiscordError(50013)
    return channel


async def put(call: Context) -> Result:
    channel, target = _place(call), call.params["target"]
    new = read(call.fields(), channel.guild, target)
    replace_all(call, channel, channel.overwrites | {target: new})
    call.core.broadcast.channel_updated(channel)
    return None


async def delete(call: Context) -> Result:
    channel, target = _place(call), call.params["target"]
    if target not in channel.overwrites:
        raise DiscordError(10009)
    replace_all(call, channel, {key: one for key, one in channel.overwrites.items() if key != target})
    call.core.broadcast.channel_updated(channel)
    return None


P = "/channels/{channel}/permissions/{target}"
ENDPOINTS = (
    Endpoint("PUT", P, put, major="channel"),
    Endpoint("DELETE", P, delete, major="channel", body=False),
)
