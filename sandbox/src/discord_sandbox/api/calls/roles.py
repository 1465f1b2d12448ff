"""Roles of a server, as its administrators make, change and delete them."""

from discord_sandbox.api.call import ApiCall
from discord_sandbox.api.errors import ApiError, invalid
from discord_sandbox.api.permissions import bit_changes
from discord_sandbox.api.views import Views
from discord_sandbox.discord.errors import Complaints
from discord_sandbox.discord.rules import roles as rules
from discord_sandbox.discord.rules.fields import Fields
from discord_sandbox.discord.state.model import JSON, Guild, Role

GIVEN = frozenset({"name", "color", "hoist", "mentionable"})


def _guild(call: ApiCall) -> Guild:
    return call.guild() or next(iter(call.core.state.guilds.values()))


def _read(call: ApiCall, permissions: int | None) -> rules.RoleFields:
    """The body's fields, with `permissions` as changes of those given. Raises 400."""
    complaints = Complaints()
    body = {key: call.body[key] for key in GIVEN & call.body.keys()}
    if "permissions" in call.body:
        allowed, denied, inherited = bit_changes(call.body["permissions"])
        body["permissions"] = (permissions or 0) & ~(denied | inherited) | allowed
    found = rules.read(Fields(body, complaints))
    complaints.check()
    return found


async def create(call: ApiCall) -> JSON:
    """POST roles: name, color, hoist, mentionable, permissions."""
    guild = _guild(call)
    call.text("name")
    everyone = guild.roles[guild.id].permissions
    return Views(call.core).role(call.core.roles.create(guild, _read(call, everyone)))


def _role(call: ApiCall) -> tuple[Guild, Role]:
    guild = _guild(call)
    return guild, call.role(call.params["name"], guild)


async def change(call: ApiCall) -> JSON:
    """PATCH roles/{name}: name, color, hoist, mentionable, permissions, position."""
    guild, role = _role(call)
    call.core.roles.change(guild, role, _read(call, role.permissions))
    if call.body.get("position") is not None:
        position = int(call.number("position"))
        if role.id == guild.id or not 1 <= position < len(guild.roles):
            raise invalid(f'"position" must be from 1 to {len(guild.roles) - 1}; @everyone stays at 0.')
        call.core.roles.move(guild, {role.id: position})
    return Views(call.core).role(role)


async def delete(call: ApiCall) -> JSON:
    """DELETE roles/{name}: members and channels lose it as well."""
    guild, role = _role(call)
    if role.id == guild.id or role.bot_id is not None:
        raise ApiError(409, "conflict", f'The role "{role.name}" cannot be deleted.')
    call.core.roles.delete(guild, role)
    return Views(call.core).role(role)
