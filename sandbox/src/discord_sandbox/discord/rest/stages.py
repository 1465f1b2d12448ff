"""Live stages, the status of voice channels, and the regions that they can have."""

from discord_sandbox.discord.errors import DiscordError
from discord_sandbox.discord.render.voice import REGIONS, stage_instance
from discord_sandbox.discord.rest.context import Context, Result
from discord_sandbox.discord.rest.endpoint import Endpoint
from discord_sandbox.discord.rules import voice as rules
from discord_sandbox.discord.state import permissions as perms
from discord_sandbox.discord.state.model import STAGE, VOICE, Channel
from discord_sandbox.discord.traffic.rate_limits import READS

MODERATES = (perms.MANAGE_CHANNELS, perms.MUTE_MEMBERS, perms.MOVE_MEMBERS)


def _stage(channel: Channel) -> Channel:
    """Raises 50024 for a channel that is no stage."""
    if channel.kind != STAGE:
        raise DiscordError(50024)
    return channel


async def create(call: Context) -> Result:
    body = call.fields()
    found = rules.read_stage(body, new=True)
    body.complaints.check()
    channel = _stage(call.visible_channel(str(found.channel_id), *MODERATES))
    if found.notify and not call.may(channel, perms.MENTION_EVERYONE):
        raise DiscordError(50013)
    event_id = str(found.event_id) if found.event_id is not None else None
    privacy = found.privacy or rules.GUILD_ONLY
    made = call.core.stages.begin(channel, found.topic or "", privacy, event_id)
    return stage_instance(channel, made)


async def get(call: Context) -> Result:
    channel = _stage(call.channel())
    return stage_instance(channel, call.core.stages.of(channel))


async def patch(call: Context) -> Result:
    channel, body = _stage(call.channel(*MODERATES)), call.fields()
    found = rules.read_stage(body, new=False)
    body.complaints.check()
    changed = call.core.stages.change(channel, topic=found.topic, privacy=found.privacy)
    return stage_instance(channel, changed)


async def delete(call: Context) -> Result:
    call.core.stages.end(_stage(call.channel(*MODERATES)))
    return None


async def status(call: Context) -> Result:
    """Needs SET_VOICE_CHANNEL_STATUS, and MANAGE_CHANNELS of one who is not in the channel."""
    channel = call.guild_channel(perms.SET_VOICE_CHANNEL_STATUS)
    if channel.kind != VOICE:
        raise DiscordError(50024)
    inside = call.core.voice.channel_of(call.me(channel.guild)) is channel
    if not inside and not call.may(channel, perms.MANAGE_CHANNELS):
        raise DiscordError(50013)
    body = call.fields()
    body.known(("status",))
    wanted = body.text("status", rules.LONGEST_STATUS)
    body.complaints.check()
    call.core.voice.set_status(channel, wanted or None)
    return None


async def regions(call: Context) -> Result:
    return REGIONS


async def regions_of_guild(call: Context) -> Result:
    call.guild()
    return REGIONS


S = "/stage-instances"
ENDPOINTS = (
    Endpoint("POST", S, create),
    Endpoint("GET", f"{S}/{{channel}}", get, READS, "channel", body=False),
    Endpoint("PATCH", f"{S}/{{channel}}", patch, major="channel"),
    Endpoint("DELETE", f"{S}/{{channel}}", delete, major="channel", body=False),
    Endpoint("PUT", "/channels/{channel}/voice-status", status, major="channel"),
    Endpoint("GET", "/voice/regions", regions, READS, body=False),
    Endpoint("GET", "/guilds/{guild}/regions", regions_of_guild, READS, "guild", body=False),
)
