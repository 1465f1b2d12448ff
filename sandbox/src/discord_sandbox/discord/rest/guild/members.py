"""Members: change, give and take roles, kick, and leave."""

from discord_sandbox.discord.errors import DiscordError
from discord_sandbox.discord.render import objects as render
from discord_sandbox.discord.rest.context import Context, Result
from discord_sandbox.discord.rest.endpoint import Endpoint
from discord_sandbox.discord.rest.uploads import FILE_LIMIT
from discord_sandbox.discord.rules import members as rules
from discord_sandbox.discord.state import permissions as perms
from discord_sandbox.discord.state.hierarchy import manages, outranks
from discord_sandbox.discord.state.model import Channel, Guild, Member

# What each of these changes needs in the channel that the member is in.
VOICE = {"mute": perms.MUTE_MEMBERS, "deaf": perms.DEAFEN_MEMBERS, "channel_id": perms.MOVE_MEMBERS}
# To change a member's flags: one of the first, or all of the second.
FLAGS_ALONE = perms.MANAGE_GUILD | perms.MANAGE_ROLES
FLAGS_TOGETHER = perms.MODERATE_MEMBERS | perms.KICK_MEMBERS | perms.BAN_MEMBERS


async def patch_me(call: Context) -> Result:
    guild = call.guild()
    me = call.me(guild)
    body = call.fields()
    nick = body.text("nick", rules.NICK)
    body.text("bio", 190)
    for picture in ("avatar", "banner"):
        body.text(picture, FILE_LIMIT)
    body.complaints.check()
    allowed = call.core.state.permissions(me)
    if "nick" in call.body:
        if not allowed & (perms.CHANGE_NICKNAME | perms.MANAGE_NICKNAMES):
            raise DiscordError(50013)
        with call.core.audit.member_change(me):
            me.nick = nick or None
        call.core.members.changed(me)
    return render.member(me) | {"permissions": str(allowed)}


async def patch(call: Context) -> Result:
    guild = call.guild()
    target, me = call.member(guild), call.me(guild)
    body = call.fields()
    found = rules.read(body, guild.roles, guild.id, call.core.clock.now())
    body.complaints.check()
    _check(call, me, target, found)
    moved = _check_voice(call, me, target, found)
    with call.core.audit.member_change(target):
        if "nick" in found.given:
            target.nick = found.nick
        if found.roles is not None:
            target.roles = found.roles
        if "communication_disabled_until" in found.given:
            target.timed_out_until = found.timed_out_until
    if found.flags is not None:
        kept = target.flags & ~rules.BYPASSES_VERIFICATION
        target.flags = kept | found.flags & rules.BYPASSES_VERIFICATION
    if found.mute is not None or found.deaf is not None:
        call.core.voice.set_server(target, mute=found.mute, deaf=found.deaf)
    if "channel_id" in found.given:
        call.core.voice.move(target, moved)
    if not found.given or found.given - VOICE.keys():
        call.core.members.changed(target)
    return render.member(target)


def _check(call: Context, me: Member, target: Member, found: rules.MemberChanges) -> None:
    """Raises 50013 for a permission or role that the bot lacks."""
    allowed = call.core.state.permissions(me)
    needed = {
        "nick": perms.MANAGE_NICKNAMES,
        "roles": perms.MANAGE_ROLES,
        "communication_disabled_until": perms.MODERATE_MEMBERS,
    }
    for key, permission in needed.items():
        if key in found.given and not allowed & permission:
            raise DiscordError(50013)
    moderates = allowed & FLAGS_TOGETHER == FLAGS_TOGETHER
    if "flags" in found.given and not (moderates or allowed & FLAGS_ALONE):
        raise DiscordError(50013)
    if {"nick", "communication_disabled_until"} & set(found.given) and not outranks(me, target):
        raise DiscordError(50013)
    administrates = call.core.state.permissions(target) & perms.ADMINISTRATOR
    if found.timed_out_until is not None and administrates:
        raise DiscordError(50013)
    for role in set(target.roles) ^ set(target.roles if found.roles is None else found.roles):
        _check_role(me, target.guild, role)


def _check_voice(call: Context, me: Member, target: Member, found: rules.MemberChanges) -> Channel | None:
    """The channel that the target is to move to, if it is one.

    Raises 40032 for one who is not connected, 50013 for a permission that the bot lacks where they are, or to connect
    where they go; 10003 or 50024 for a place without voice.
    """
    changes = {key for key in VOICE if key in found.given}
    changes -= {key for key in ("mute", "deaf") if getattr(found, key) is None}
    if not changes:
        return None
    here = call.core.voice.channel_of(target)
    if here is None:
        raise DiscordError(40032)
    if any(not call.may(here, VOICE[key]) for key in changes):
        raise DiscordError(50013)
    if found.channel_id is None:
        return None
    wanted = target.guild.channels.get(found.channel_id)
    if wanted is None:
        raise DiscordError(10003)
    if not wanted.is_voice:
        raise DiscordError(50024)
    if not call.core.state.permissions(me, wanted) & perms.CONNECT:
        raise DiscordError(50013)
    return wanted


def _check_role(me: Member, guild: Guild, role_id: str) -> None:
    """Raises 10011, 50028 for @everyone, or 50013 for a role above the bot's own or of a bot."""
    role = guild.roles.get(role_id)
    if role is None:
        raise DiscordError(10011)
    if role_id == guild.id:
        raise DiscordError(50028)
    if role.bot_id is not None or not manages(me, role):
        raise DiscordError(50013)


async def add_role(call: Context) -> Result:
    return await _set_role(call, held=True)


async def remove_role(call: Context) -> Result:
    return await _set_role(call, held=False)


async def _set_role(call: Context, *, held: bool) -> Result:
    guild = call.managed_guild(perms.MANAGE_ROLES)
    target = call.member(guild)
    _check_role(call.me(guild), guild, call.params["role"])
    call.core.members.set_role(target, call.params["role"], held=held)
    return None


async def kick(call: Context) -> Result:
    guild = call.managed_guild(perms.KICK_MEMBERS)
    target = call.member(guild)
    if not outranks(call.me(guild), target):
        raise DiscordError(50013)
    call.core.members.kick(target)
    return None


async def leave(call: Context) -> Result:
    guild = call.guild()
    call.core.members.leave(call.me(guild))
    return None


M = "/guilds/{guild}/members"
ENDPOINTS = (
    Endpoint("PATCH", f"{M}/@me", patch_me, major="guild"),
    Endpoint("PATCH", f"{M}/{{user}}", patch, major="guild"),
    Endpoint("DELETE", f"{M}/{{user}}", kick, major="guild", body=False),
    Endpoint("PUT", f"{M}/{{user}}/roles/{{role}}", add_role, major="guild"),
    Endpoint("DELETE", f"{M}/{{user}}/roles/{{role}}", remove_role, major="guild"),
    Endpoint("DELETE", "/users/@me/guilds/{guild}", leave, body=False),
)
