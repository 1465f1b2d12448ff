"""Changes behind a bot's back: permissions of commands, tokens, time, and reset."""

from discord_sandbox.api.call import ApiCall
from discord_sandbox.api.errors import ApiError, invalid, unknown
from discord_sandbox.api.message_views import time
from discord_sandbox.api.views import Views
from discord_sandbox.discord.errors import DiscordError
from discord_sandbox.discord.render.audit import diff
from discord_sandbox.discord.state.audit import Action
from discord_sandbox.discord.state.model import JSON


async def command_permissions(call: ApiCall) -> JSON:
    application = call.application(call.params["name"])
    given = call.need("permissions")
    guild = call.guild() or next(iter(call.core.state.guilds.values()))
    if application is None or not isinstance(given, list):
        raise invalid('"permissions" must be a list.')
    wanted = call.params["command"]
    command = next((one for one in application.commands.values() if wanted in (one.id, one.name)), None)
    if command is None:
        raise unknown("command", wanted, (one.name for one in application.commands.values()))
    read = []
    for one in given:
        if not isinstance(one, dict) or one.get("type") not in (1, 2, 3):
            raise invalid(
                "Each permission is {id, type, permission}; type 1 is a role, 2 a person, 3 a channel."
            )
        if one["type"] == 1:
            target = call.role(one.get("id"), guild).id
        elif one["type"] == 2:
            target = call.member(one.get("id"), guild).user.id
        else:
            target = call.channel(one.get("id")).id
        read.append({"id": target, "type": one["type"], "permission": bool(one.get("permission"))})
    former = {one["id"]: one for one in command.permissions}
    now = {one["id"]: one for one in read}
    command.permissions = read
    if changes := diff(former, now):
        options = {"application_id": application.id}
        call.core.audit.add(guild, Action.APPLICATION_COMMAND_PERMISSION_UPDATE, command.id, changes, options)
    call.core.broadcast.command_permissions(application, guild, command)
    return {"permissions": read}


async def application(call: ApiCall) -> JSON:
    """PATCH applications/{name}: the endpoint that takes its interactions; null for the gateway."""
    found = call.application(call.params["name"])
    if found is None:
        raise DiscordError(10002)
    url = call.body.get("interactions_endpoint_url")
    if url is not None and (reason := await call.core.endpoints.refusal(found, url)) is not None:
        raise ApiError(422, "endpoint_invalid", reason)
    if "interactions_endpoint_url" in call.body:
        found.endpoint_url = url
    call.core.feed.publish("session_update", found)
    return Views(call.core).application(found)


async def token(call: ApiCall) -> JSON:
    application = call.application(call.params["name"])
    if application is None:
        raise DiscordError(10002)
    call.core.gateway.end_all(application, 4004, "Authentication failed.")
    return {"token": call.core.state.reset_token(application)}


async def clock(call: ApiCall) -> JSON:
    seconds = call.number("advance")
    if seconds < 0:
        raise invalid('"advance" cannot be negative.')
    call.core.clock.advance(seconds)
    call.core.feed.publish("clock_update", None)
    return {"now": time(call.core.clock.now()), "clock_offset": call.core.clock.offset}


async def reset(call: ApiCall) -> JSON:
    call.core.restart(keep_commands=not call.body.get("commands"))
    return {"event_id": call.core.feed.last}
