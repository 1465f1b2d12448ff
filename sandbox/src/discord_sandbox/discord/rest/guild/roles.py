"""Roles: create, change, move, delete, count their members."""

from discord_sandbox.discord.errors import Complaints, DiscordError
from discord_sandbox.discord.render import objects as render
from discord_sandbox.discord.rest.context import Context, Result
from discord_sandbox.discord.rest.endpoint import Endpoint
from discord_sandbox.discord.rules import roles as rules
from discord_sandbox.discord.rules.fields import Fields
from discord_sandbox.discord.state import permissions as perms
from discord_sandbox.discord.state.hierarchy import manages, top
from discord_sandbox.discord.state.model import Guild, Role
from discord_sandbox.discord.traffic.rate_limits import READS


def _read(call: Context, guild: Guild, before: int) -> rules.RoleFields:
    """Raises 50035, or 50013 for a permission that the bot lacks itself and that `before` does not have."""
    body = call.fields()
    found = rules.read(body)
    body.complaints.check()
    if found.permissions is not None:
        allowed = call.core.state.permissions(call.me(guild))
        if (found.permissions ^ before) & ~allowed:
            raise DiscordError(50013)
    return found


def _role(call: Context, guild: Guild, role_id: str) -> Role:
    """A role that the bot manages. Raises 10011, or 50013 for one that is not below its own."""
    role = guild.roles.get(role_id)
    if role is None:
        raise DiscordError(10011)
    if not manages(call.me(guild), role):
        raise DiscordError(50013)
    return role


async def create(call: Context) -> Result:
    guild = call.managed_guild(perms.MANAGE_ROLES)
    found = _read(call, guild, guild.roles[guild.id].permissions)
    return render.role(call.core.roles.create(guild, found))


async def patch(call: Context) -> Result:
    guild = call.managed_guild(perms.MANAGE_ROLES)
    role = _role(call, guild, call.params["role"])
    call.core.roles.change(guild, role, _read(call, guild, role.permissions))
    return render.role(role)


async def move(call: Context) -> Result:
    guild = call.managed_guild(perms.MANAGE_ROLES)
    complaints, highest = Complaints(), top(call.me(guild))
    positions: dict[str, int] = {}
    for index, one in enumerate(call.items()):
        body = Fields(one, complaints, (index,))
        role_id, position = body.snowflake("id", required=True), body.number("position", 0, 2**31 - 1)
        if role_id is not None and position is not None:
            positions[str(role_id)] = int(position)
    complaints.check()
    positions = {
        one: wanted
        for one, wanted in positions.items()
        if one not in guild.roles or guild.roles[one].position != wanted
    }
    for moved, wanted in positions.items():
        _role(call, guild, moved)
        if moved == guild.id:
            raise DiscordError(50028)
        if wanted >= highest and call.application.id != guild.owner_id:
            raise DiscordError(50013)
    call.core.roles.move(guild, positions)
    return [render.role(one) for one in guild.roles.values()]


async def delete(call: Context) -> Result:
    guild = call.managed_guild(perms.MANAGE_ROLES)
    role = _role(call, guild, call.params["role"])
    if role.id == guild.id or role.bot_id is not None:
        raise DiscordError(50028)
    call.core.roles.delete(guild, role)
    return None


async def member_counts(call: Context) -> Result:
    guild = call.guild()
    counts = {one: 0 for one in guild.roles if one != guild.id}
    for member in guild.members.values():
        for role_id in member.roles:
            counts[role_id] = counts.get(role_id, 0) + 1
    return counts


R = "/guilds/{guild}/roles"
ENDPOINTS = (
    Endpoint("POST", R, create, major="guild"),
    Endpoint("PATCH", R, move, major="guild"),
    Endpoint("GET", f"{R}/member-counts", member_counts, READS, "guild", body=False),
    Endpoint("PATCH", f"{R}/{{role}}", patch, major="guild"),
    Endpoint("DELETE", f"{R}/{{role}}", delete, major="guild", body=False),
)
