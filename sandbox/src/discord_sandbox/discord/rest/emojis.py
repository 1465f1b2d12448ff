"""Custom emoji of servers and applications: list, get, create, change, delete."""

from discord_sandbox.discord.errors import DiscordError
from discord_sandbox.discord.render.emoji import emoji as render
from discord_sandbox.discord.rest.context import Context, Result
from discord_sandbox.discord.rest.endpoint import Endpoint
from discord_sandbox.discord.rules import custom_emoji as rules
from discord_sandbox.discord.rules import images
from discord_sandbox.discord.rules.fields import Fields
from discord_sandbox.discord.state import permissions as perms
from discord_sandbox.discord.state.emoji import CustomEmoji
from discord_sandbox.discord.state.model import JSON, Application, Guild
from discord_sandbox.discord.state.picture import Picture
from discord_sandbox.discord.traffic.rate_limits import READS


def _whole(call: Context, it: CustomEmoji) -> JSON:
    """With who made it."""
    return render(it, call.core.state.users.get(it.creator_id))


def _of(call: Context, owner: Guild | Application) -> CustomEmoji:
    """The emoji in the path. Raises 10014."""
    found = owner.emojis.get(call.params["emoji"])
    if found is None:
        raise DiscordError(10014, status=404)
    return found


def _shown(call: Context, guild: Guild, it: CustomEmoji) -> JSON:
    """With who made it, for those who manage all of them, or made it and may make others."""
    return _whole(call, it) if _manages(call, guild, it) else render(it)


def _manages(call: Context, guild: Guild, it: CustomEmoji) -> bool:
    allowed = call.core.state.permissions(call.me(guild))
    own = it.creator_id == call.application.id and allowed & perms.CREATE_GUILD_EXPRESSIONS
    return bool(allowed & perms.MANAGE_GUILD_EXPRESSIONS or own)


def _managed(call: Context) -> tuple[Guild, CustomEmoji]:
    """Raises 10014 or 50013."""
    guild = call.guild()
    found = _of(call, guild)
    if not _manages(call, guild, found):
        raise DiscordError(50013)
    return guild, found


def _read(body: Fields) -> tuple[str, Picture]:
    """The name and picture of a new emoji. Raises 50035 or 50046."""
    name = rules.read_name(body, required=True)
    picture = images.read(body, "image", rules.LARGEST, required=True)
    body.complaints.check()
    if name is None or picture is None:
        raise DiscordError(50035)
    return name, picture


async def listed(call: Context) -> Result:
    guild = call.guild()
    allowed = call.core.state.permissions(call.me(guild))
    told = allowed & (perms.CREATE_GUILD_EXPRESSIONS | perms.MANAGE_GUILD_EXPRESSIONS)
    return [_whole(call, one) if told else render(one) for one in guild.emojis.values()]


async def get(call: Context) -> Result:
    guild = call.guild()
    return _shown(call, guild, _of(call, guild))


async def create(call: Context) -> Result:
    guild = call.managed_guild(perms.CREATE_GUILD_EXPRESSIONS)
    body = call.fields()
    given = rules.read_roles(body)
    name, picture = _read(body)
    roles = rules.known_roles(guild, given or [])
    return 201, _whole(call, call.core.emojis.create(guild, name, picture, call.application.id, roles))


async def patch(call: Context) -> Result:
    guild, found = _managed(call)
    body = call.fields()
    name, roles = rules.read_name(body), rules.read_roles(body)
    body.complaints.check()
    allowed = rules.known_roles(guild, roles) if roles is not None else None
    call.core.emojis.change(guild, found, name, allowed)
    return _whole(call, found)


async def delete(call: Context) -> Result:
    call.core.emojis.delete(*_managed(call))
    return None


async def listed_of_application(call: Context) -> Result:
    return {"items": [_whole(call, one) for one in call.own_application().emojis.values()]}


async def get_of_application(call: Context) -> Result:
    return _whole(call, _of(call, call.own_application()))


async def create_of_application(call: Context) -> Result:
    application = call.own_application()
    name, picture = _read(call.fields())
    return 201, _whole(call, call.core.emojis.create(application, name, picture, application.id))


async def patch_of_application(call: Context) -> Result:
    application = call.own_application()
    found, body = _of(call, application), call.fields()
    name = rules.read_name(body)
    body.complaints.check()
    call.core.emojis.change(application, found, name)
    return _whole(call, found)


async def delete_of_application(call: Context) -> Result:
    application = call.own_application()
    call.core.emojis.delete(application, _of(call, application))
    return None


G, A = "/guilds/{guild}/emojis", "/applications/{application}/emojis"
ENDPOINTS = (
    Endpoint("GET", G, listed, READS, "guild", body=False),
    Endpoint("POST", G, create, major="guild"),
    Endpoint("GET", f"{G}/{{emoji}}", get, READS, "guild", body=False),
    Endpoint("PATCH", f"{G}/{{emoji}}", patch, major="guild"),
    Endpoint("DELETE", f"{G}/{{emoji}}", delete, major="guild", body=False),
    Endpoint("GET", A, listed_of_application, READS, body=False),
    Endpoint("POST", A, create_of_application),
    Endpoint("GET", f"{A}/{{emoji}}", get_of_application, READS, body=False),
    Endpoint("PATCH", f"{A}/{{emoji}}", patch_of_application),
    Endpoint("DELETE", f"{A}/{{emoji}}", delete_of_application, body=False),
)
