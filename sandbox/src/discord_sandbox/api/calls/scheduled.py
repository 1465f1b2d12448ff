"""Scheduled events, and the people who are interested in them. Bots make the events."""

from discord_sandbox.api.call import ApiCall
from discord_sandbox.api.errors import ApiError, unknown
from discord_sandbox.api.message_views import time
from discord_sandbox.discord.core import Core
from discord_sandbox.discord.state import permissions as perms
from discord_sandbox.discord.state.event import ScheduledEvent
from discord_sandbox.discord.state.model import JSON, Guild

STATES = {1: "scheduled", 2: "active", 3: "completed", 4: "canceled"}


def shown(core: Core, guild: Guild, it: ScheduledEvent) -> JSON:
    users = core.state.users
    channel = guild.channels.get(it.channel_id or "")
    return {
        "id": it.id,
        "name": it.name,
        "description": it.description,
        "guild": guild.name,
        "channel": channel.name if channel is not None else None,
        "location": it.location,
        "start": time(it.start),
        "end": time(it.end) if it.end is not None else None,
        "status": STATES[it.status],
        "creator": users[it.creator_id].name,
        "users": [users[one].name for one in it.users],
    }


def _all(call: ApiCall) -> list[tuple[Guild, ScheduledEvent]]:
    """Of the server that the call names, or of all."""
    guild = call.guild()
    guilds = list(call.core.state.guilds.values()) if guild is None else [guild]
    return [(one, event) for one in guilds for event in one.events.values()]


async def listed(call: ApiCall) -> JSON:
    """GET scheduled-events: also those that are over."""
    return {"events": [shown(call.core, guild, one) for guild, one in _all(call)]}


def _interest(call: ApiCall, *, interested: bool) -> JSON:
    """Of events with the same name, the newest. Raises 404, or 403 if they cannot see its channel."""
    wanted, every = call.params["name"], _all(call)
    found = next((pair for pair in reversed(every) if wanted in (pair[1].id, pair[1].name)), None)
    if found is None:
        raise unknown("event", wanted, (one.name for _, one in every))
    guild, event = found
    member = call.member(call.need("user"), guild)
    channel = guild.channels.get(event.channel_id or "")
    if channel is not None and not call.core.state.permissions(member, channel) & perms.VIEW_CHANNEL:
        raise ApiError(403, "missing_permissions", f"{member.user.name} cannot see #{channel.name}.")
    if event.is_over:
        raise ApiError(409, "conflict", f'"{event.name}" is over.')
    call.core.events.interest(guild, event, member.user.id, interested=interested)
    return shown(call.core, guild, event)


async def join(call: ApiCall) -> JSON:
    """PUT scheduled-events/{name}/users: a person is interested."""
    return _interest(call, interested=True)


async def leave(call: ApiCall) -> JSON:
    """DELETE scheduled-events/{name}/users: a person is not interested any more."""
    return _interest(call, interested=False)
