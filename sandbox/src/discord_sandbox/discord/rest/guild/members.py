"""Members: change, give and take roles, kick, and leave."""

from discord_sandbox.discord.errors import DiscordError
from discord_sandbox.discord.render import objects as render
from discord_sandbox.discord.rest.context import Context, Result
from discord_sandbox.discord.rest.endpoint import Endpoint
from discord_sandbox.discord.rest.uploads import FILE_LIMIT
from discord_sandbox.discord.rules import members as rules
from discord_sandbox.discord.state import permissions as perms
from discord_sandbox.discord.state.hierarchy import manages, outranks
from discord_sandbox.discord.state.model import Guild, Member

VOICE = frozenset({"mute", "deaf", "channel_id"})
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
    if "nick" in found.given:
        target.nick = found.nick
    if found.roles is not None:
        target.roles = found.roles
    if "communication_disabled_until" in found.given:
        target.timed_out_until = found.timed_out_until
    if found.flags is not None:
        kept = target.flags & ~rules.BYPASSES_VERIFICATION
        target.flags = kept | found.flags & rules.BYPASSES_VERIFICATION
    call.core.members.changed(target)
    return render.member(target)


def _check(call: Context, me: Member, target: Member, found: rules.MemberChanges) -> None:
    """Raises 50013 for a permission or role that the bot lacks, 40032 for voice without a connection."""
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
    if any(call.body.get(key) is not None for key in VOICE):
        raise DiscordError(40032)


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
    call.core.members.leave(target)
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
