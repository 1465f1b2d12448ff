"""Connections to voice: read them, and change who may speak on a stage."""

from discord_sandbox.discord.errors import DiscordError
from discord_sandbox.discord.render.voice import voice_state
from discord_sandbox.discord.rest.context import Context, Result
from discord_sandbox.discord.rest.endpoint import Endpoint
from discord_sandbox.discord.rules import voice as rules
from discord_sandbox.discord.state import permissions as perms
from discord_sandbox.discord.state.model import STAGE, Channel, Member
from discord_sandbox.discord.state.voice import VoiceState
from discord_sandbox.discord.traffic.rate_limits import READS


def _connection(call: Context, member: Member | None) -> tuple[Member, VoiceState, Channel]:
    """Raises 10065 for one who is not connected, or no member."""
    it = call.core.voice.of(member) if member is not None else None
    channel = call.core.voice.channel_of(member) if member is not None else None
    if member is None or it is None or channel is None:
        raise DiscordError(10065)
    return member, it, channel


async def get_own(call: Context) -> Result:
    member, it, _ = _connection(call, call.me(call.guild()))
    return voice_state(member, it)


async def get(call: Context) -> Result:
    """Needs the permission to connect to the channel: 50001 without."""
    guild = call.guild()
    member, it, channel = _connection(call, guild.members.get(call.params["user"]))
    if not call.may(channel, perms.CONNECT):
        raise DiscordError(50001)
    return voice_state(member, it)


def _on_stage(call: Context, member: Member | None, found: rules.StageChanges) -> Member:
    """Raises 10065 for one who is not in that channel, 50024 for one that is no stage."""
    member, _, channel = _connection(call, member)
    if found.channel_id not in (None, channel.id):
        raise DiscordError(10065)
    if channel.kind != STAGE:
        raise DiscordError(50024)
    return member


async def patch_own(call: Context) -> Result:
    """To speak without being asked needs MUTE_MEMBERS, to ask for it REQUEST_TO_SPEAK."""
    guild, body = call.guild(), call.fields()
    found = rules.read_changes(body, call.core.clock.now(), own=True)
    body.complaints.check()
    me = _on_stage(call, call.me(guild), found)
    it, channel = call.core.voice.of(me), call.core.voice.channel_of(me)
    allowed = call.core.state.permissions(me, channel)
    if found.suppress is False and not allowed & perms.MUTE_MEMBERS:
        raise DiscordError(50013)
    if found.requested is not None and not allowed & perms.REQUEST_TO_SPEAK:
        raise DiscordError(50013)
    asked = it.requested if it is not None else None
    call.core.voice.set_stage(me, suppress=found.suppress, requested=found.requested if found.asks else asked)
    return None


async def patch(call: Context) -> Result:
    """Invite a member to speak, or put them into the audience: needs MUTE_MEMBERS."""
    guild, body = call.guild(), call.fields()
    found = rules.read_changes(body, call.core.clock.now(), own=False)
    body.complaints.check()
    member = _on_stage(call, guild.members.get(call.params["user"]), found)
    it, channel = call.core.voice.of(member), call.core.voice.channel_of(member)
    if not call.core.state.permissions(call.me(guild), channel) & perms.MUTE_MEMBERS:
        raise DiscordError(50013)
    asked = it.requested if it is not None else None
    if found.suppress is not None:
        # An invited person accepts by themselves; a bot speaks at once.
        invited = not found.suppress and not member.user.bot
        asked = call.core.clock.now() if invited else None
    call.core.voice.set_stage(member, suppress=found.suppress, requested=asked)
    return None


V = "/guilds/{guild}/voice-states"
ENDPOINTS = (
    Endpoint("GET", f"{V}/@me", get_own, READS, "guild", body=False),
    Endpoint("GET", f"{V}/{{user}}", get, READS, "guild", body=False),
    Endpoint("PATCH", f"{V}/@me", patch_own, major="guild"),
    Endpoint("PATCH", f"{V}/{{user}}", patch, major="guild"),
)
