"""Invites: create, list, look up, delete."""

from discord_sandbox.discord.errors import DiscordError
from discord_sandbox.discord.render.events import event
from discord_sandbox.discord.render.guild import counts
from discord_sandbox.discord.render.invites import invite as render
from discord_sandbox.discord.render.invites import metadata
from discord_sandbox.discord.rest.context import Context, Result
from discord_sandbox.discord.rest.endpoint import Endpoint
from discord_sandbox.discord.rules import invites as rules
from discord_sandbox.discord.state import permissions as perms
from discord_sandbox.discord.state.invite import Invite
from discord_sandbox.discord.state.model import CATEGORY, JSON, Guild
from discord_sandbox.discord.traffic.rate_limits import READS


def _whole(call: Context, guild: Guild, it: Invite) -> JSON:
    return render(call.core.state, guild, it) | metadata(it)


async def create(call: Context) -> Result:
    channel = call.guild_channel(perms.CREATE_INSTANT_INVITE)
    if channel.is_thread or channel.kind == CATEGORY:
        raise DiscordError(50024)
    body = call.fields()
    found = rules.read(body)
    body.complaints.check()
    made = call.core.invites.create(channel, call.application.user, found)
    return _whole(call, channel.guild, made)


async def of_channel(call: Context) -> Result:
    channel = call.guild_channel(perms.MANAGE_CHANNELS)
    guild = channel.guild
    return [_whole(call, guild, one) for one in call.core.invites.of(guild, channel)]


async def of_guild(call: Context) -> Result:
    guild = call.managed_guild(perms.MANAGE_GUILD)
    return [_whole(call, guild, one) for one in call.core.invites.of(guild)]


async def get(call: Context) -> Result:
    query = call.query()
    wanted, event_id = query.flag("with_counts"), query.snowflake("guild_scheduled_event_id")
    for key in ("target_channel_id", "target_message_id"):
        query.snowflake(key)
    query.check()
    guild, found = call.core.invites.find(call.params["code"])
    body = render(call.core.state, guild, found)
    if event_id is not None and str(event_id) in guild.events:
        body["guild_scheduled_event"] = event(call.core.state, guild, guild.events[str(event_id)])
    return body | counts(guild) if wanted else body


async def delete(call: Context) -> Result:
    guild, found = call.core.invites.find(call.params["code"])
    manages = call.core.state.permissions(call.me(guild)) & perms.MANAGE_GUILD
    if not manages and not call.may(guild.channels[found.channel_id], perms.MANAGE_CHANNELS):
        raise DiscordError(50013)
    call.core.invites.delete(guild, found)
    return render(call.core.state, guild, found)


C, CODE = "/channels/{channel}/invites", "/invites/{code}"
ENDPOINTS = (
    Endpoint("GET", C, of_channel, READS, "channel", body=False),
    Endpoint("POST", C, create, major="channel"),
    Endpoint("GET", "/guilds/{guild}/invites", of_guild, READS, "guild", body=False),
    Endpoint("GET", CODE, get, READS, token=False, body=False),
    Endpoint("DELETE", CODE, delete, body=False),
)
