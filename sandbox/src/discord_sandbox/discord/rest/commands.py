"""Application commands, global and per guild: single, bulk, and their permissions."""

from discord_sandbox.discord.errors import DiscordError
from discord_sandbox.discord.rest.context import Context, Result
from discord_sandbox.discord.rest.endpoint import Endpoint
from discord_sandbox.discord.state.model import JSON, Application, Command
from discord_sandbox.discord.traffic.rate_limits import COMMANDS, READS


def _scope(call: Context) -> tuple[Application, str | None]:
    application = call.own_application()
    guild = call.params.get("guild")
    if guild is not None and guild not in application.guilds:
        raise DiscordError(50001)
    return application, guild


def _found(call: Context) -> tuple[Application, Command]:
    application, guild = _scope(call)
    return application, call.core.commands.get(application, guild, call.params["command"])


async def listed(call: Context) -> Result:
    application, guild = _scope(call)
    whole = call.request.query.get("with_localizations") == "true"
    return [shown(one.body, whole=whole) for one in call.core.commands.of(application, guild)]


def shown(body: JSON, *, whole: bool) -> JSON:
    """A command as lists show it: without localizations unless `whole`."""
    return body if whole else body | {"name_localizations": None, "description_localizations": None}


async def create(call: Context) -> Result:
    application, guild = _scope(call)
    command, new = call.core.commands.create(application, guild, call.fields())
    return (201 if new else 200), command.body


async def overwrite(call: Context) -> Result:
    application, guild = _scope(call)
    made = call.core.commands.overwrite(application, guild, call.items(), call.upload.complaints)
    return [one.body for one in made]


async def get(call: Context) -> Result:
    return _found(call)[1].body


async def patch(call: Context) -> Result:
    application, command = _found(call)
    return call.core.commands.patch(application, command, call.fields()).body


async def delete(call: Context) -> Result:
    application, command = _found(call)
    call.core.commands.delete(application, command)
    return None


def _permissions(application: Application, guild: str, command: Command) -> JSON:
    return {
        "id": command.id,
        "application_id": application.id,
        "guild_id": guild,
        "permissions": command.permissions,
    }


async def all_permissions(call: Context) -> Result:
    application, guild = _scope(call)
    return [
        _permissions(application, guild or "", one)
        for one in application.commands.values()
        if one.permissions
    ]


async def permissions(call: Context) -> Result:
    application, guild = _scope(call)
    command = _found_anywhere(call)
    if not command.permissions:
        raise DiscordError(10066)
    return _permissions(application, guild or "", command)


def _found_anywhere(call: Context) -> Command:
    """The command in the path, of the guild or global. Raises 10063."""
    application, _ = _scope(call)
    command = application.commands.get(call.params["command"])
    if command is None:
        raise DiscordError(10063)
    return command


async def set_permissions(call: Context) -> Result:
    """Only a person's own token may: administrators set them, here through the JSON API."""
    _found_anywhere(call)
    raise DiscordError(20001)


def _both(path: str, method: str, handler: object) -> list[Endpoint]:
    base = "/applications/{application}"
    body = method in ("POST", "PUT", "PATCH")
    limit = READS if method == "GET" else COMMANDS
    return [
        Endpoint(method, f"{base}{scope}/commands{path}", handler, limit, major, body=body)  # type: ignore[arg-type]
        for scope, major in (("", "application"), ("/guilds/{guild}", "guild"))
    ]


G = "/applications/{application}/guilds/{guild}/commands"
ENDPOINTS = (
    Endpoint("GET", f"{G}/permissions", all_permissions, READS, "guild", body=False),
    Endpoint("GET", f"{G}/{{command}}/permissions", permissions, READS, "guild", body=False),
    Endpoint("PUT", f"{G}/{{command}}/permissions", set_permissions, COMMANDS, "guild"),
    *_both("", "GET", listed),
    *_both("", "POST", create),
    *_both("", "PUT", overwrite),
    *_both("/{command}", "GET", get),
    *_both("/{command}", "PATCH", patch),
    *_both("/{command}", "DELETE", delete),
)
