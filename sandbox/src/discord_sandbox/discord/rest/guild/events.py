"""Scheduled events of a server: list, get, create, change, delete, and who is interested."""

from collections.abc import Mapping

from discord_sandbox.discord.errors import DiscordError
from discord_sandbox.discord.render.events import event as render
from discord_sandbox.discord.render.events import interested
from discord_sandbox.discord.rest.context import Context, Result
from discord_sandbox.discord.rest.endpoint import Endpoint
from discord_sandbox.discord.rules import events as rules
from discord_sandbox.discord.state import permissions as perms
from discord_sandbox.discord.state.event import EXTERNAL, IN_VOICE, ON_STAGE, ScheduledEvent
from discord_sandbox.discord.state.model import Guild
from discord_sandbox.discord.traffic.rate_limits import READS

_HOSTS: Mapping[int, tuple[int, ...]] = {  # in its channel, besides CREATE_EVENTS
    ON_STAGE: (perms.MANAGE_CHANNELS, perms.MUTE_MEMBERS, perms.MOVE_MEMBERS),
    IN_VOICE: (perms.VIEW_CHANNEL, perms.CONNECT),
    EXTERNAL: (),
}


def _sees(call: Context, guild: Guild, it: ScheduledEvent) -> bool:
    channel = guild.channels.get(it.channel_id or "")
    return channel is None or call.may(channel, perms.VIEW_CHANNEL)


def _event(call: Context, guild: Guild) -> ScheduledEvent:
    """The event in the path. Raises 10070."""
    found = guild.events.get(call.params["event"])
    if found is None or not _sees(call, guild, found):
        raise DiscordError(10070)
    return found


def _managed(call: Context) -> tuple[Guild, ScheduledEvent]:
    """Raises 10070, or 50013 for one who neither made it nor manages all."""
    guild = call.guild()
    found = _event(call, guild)
    channel = guild.channels.get(found.channel_id or "")
    allowed = call.core.state.permissions(call.me(guild), channel)
    own = found.creator_id == call.application.id and allowed & perms.CREATE_EVENTS
    if not allowed & perms.MANAGE_EVENTS and not own:
        raise DiscordError(50013)
    return guild, found


def _check_host(call: Context, guild: Guild, given: rules.EventFields, *needed: int) -> None:
    """Raises 50013 for who lacks a permission at the event's place."""
    channel = guild.channels.get(given.channel_id or "")
    allowed = call.core.state.permissions(call.me(guild), channel)
    if any(not allowed & one for one in (*needed, *_HOSTS[given.kind])):
        raise DiscordError(50013)


async def listed(call: Context) -> Result:
    guild, counted = call.guild(), _counted(call)
    found = [one for one in guild.events.values() if not one.is_over and _sees(call, guild, one)]
    return [render(call.core.state, guild, one, counted=counted) for one in found]


def _counted(call: Context) -> bool:
    query = call.query()
    wanted = query.flag("with_user_count")
    query.check()
    return wanted is True


async def get(call: Context) -> Result:
    guild, counted = call.guild(), _counted(call)
    return render(call.core.state, guild, _event(call, guild), counted=counted)


async def create(call: Context) -> Result:
    guild, body = call.guild(), call.fields()
    found = rules.read(body, guild, call.core.clock.now())
    body.complaints.check()
    _check_host(call, guild, found, perms.CREATE_EVENTS)
    made = call.core.events.create(guild, found, call.application.user)
    return render(call.core.state, guild, made)


async def patch(call: Context) -> Result:
    guild, event = _managed(call)
    if event.is_over:
        raise DiscordError(180000)
    body = call.fields()
    found = rules.read(body, guild, call.core.clock.now(), event)
    body.complaints.check()
    _check_host(call, guild, found)
    call.core.events.change(guild, event, found)
    return render(call.core.state, guild, event)


async def delete(call: Context) -> Result:
    call.core.events.delete(*_managed(call))
    return None


async def users(call: Context) -> Result:
    guild, query = call.guild(), call.query()
    event, member = _event(call, guild), query.flag("with_member")
    ids = query.page(event.users, str, 100, 100)
    return [interested(guild, event, one, call.core.state, member=member is True) for one in ids]


async def count(call: Context) -> Result:
    event = _event(call, call.guild())
    return {
        "guild_scheduled_event_count": len(event.users),
        "guild_scheduled_event_exception_counts": {},
    }


E = "/guilds/{guild}/scheduled-events"
ENDPOINTS = (
    Endpoint("GET", E, listed, READS, "guild", body=False),
    Endpoint("POST", E, create, major="guild"),
    Endpoint("GET", f"{E}/{{event}}", get, READS, "guild", body=False),
    Endpoint("PATCH", f"{E}/{{event}}", patch, major="guild"),
    Endpoint("DELETE", f"{E}/{{event}}", delete, major="guild", body=False),
    Endpoint("GET", f"{E}/{{event}}/users", users, READS, "guild", body=False),
    Endpoint("GET", f"{E}/{{event}}/users/counts", count, READS, "guild", body=False),
)
