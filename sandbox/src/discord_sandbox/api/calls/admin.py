"""Changes behind a bot's back: channels, permissions, deletions, tokens, time, and reset."""

from discord_sandbox.api.call import ApiCall
from discord_sandbox.api.errors import invalid, unknown
from discord_sandbox.api.message_views import time
from discord_sandbox.api.permissions import bit_changes
from discord_sandbox.api.views import Views
from discord_sandbox.discord.errors import DiscordError
from discord_sandbox.discord.state.model import JSON, Channel
from discord_sandbox.discord.state.permissions import BITS, Overwrite


def _overwrite(call: ApiCall, channel: Channel) -> None:
    allow, deny, inherit = bit_changes(call.body["permissions"])
    if call.get("role") is not None:
        target, kind = call.role(call.get("role"), channel.guild).id, 0
    elif call.get("user") is not None:
        target, kind = call.member(call.get("user"), channel.guild).user.id, 1
    else:
        application = call.application() or next(iter(call.core.state.applications.values()))
        target, kind = application.id, 1
    place = channel.thread.parent if channel.thread is not None else channel
    old = place.overwrites.get(target, Overwrite(target, kind, 0, 0))
    touched = allow | deny | inherit
    place.overwrites[target] = Overwrite(
        target, kind, old.allow & ~touched | allow, old.deny & ~touched | deny
    )
    place.guild.permission_cache.clear()
    call.core.broadcast.channel_updated(place)


async def channel(call: ApiCall) -> JSON:
    found = call.channel(call.params["name"])
    if "permissions" in call.body:
        _overwrite(call, found)
    if isinstance(call.body.get("name"), str):
        found.name = call.body["name"]
    if "topic" in call.body and found.thread is None:
        found.topic = call.body["topic"]
    if found.thread is not None:
        if call.body.get("locked") is not None:
            found.thread.locked = bool(call.body["locked"])
        if call.body.get("archived") is not None:
            call.core.threads.archive(found, archived=bool(call.body["archived"]))
        call.core.threads.changed(found)
    elif {"name", "topic"} & call.body.keys():
        call.core.broadcast.channel_updated(found)
    shown = Views(call.core).channel(found)
    place = found.thread.parent if found.thread is not None else found
    return shown | {"overwrites": [_shown(one) for one in place.overwrites.values()]}


def _shown(it: Overwrite) -> JSON:
    return {
        "target": it.target,
        "type": ("role", "member")[it.kind],
        "permissions": {
            name: bool(it.allow & bit) for name, bit in BITS.items() if (it.allow | it.deny) & bit
        },
    }


async def delete_channel(call: ApiCall) -> JSON:
    found = call.channel(call.params["name"])
    shown = Views(call.core).channel(found)
    call.core.threads.remove(found)
    return shown


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
    command.permissions = read
    call.core.broadcast.command_permissions(application, guild, command)
    return {"permissions": read}


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
