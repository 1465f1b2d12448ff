"""Connections to voice in Discord's JSON."""

from discord_sandbox.discord.render import objects as render
from discord_sandbox.discord.state.clock import iso
from discord_sandbox.discord.state.model import JSON, Member
from discord_sandbox.discord.state.voice import VoiceState


def voice_state(member: Member, it: VoiceState, *, connected: bool = True) -> JSON:
    """connected: False as it is announced when the member left."""
    return {
        "guild_id": member.guild.id,
        "channel_id": it.channel_id if connected else None,
        "user_id": it.user_id,
        "member": render.member(member),
        "session_id": it.session_id,
        "deaf": member.deaf,
        "mute": member.mute,
        "self_deaf": it.self_deaf,
        "self_mute": it.self_mute,
        "self_stream": False,
        "self_video": False,
        "suppress": it.suppress,
        "request_to_speak_timestamp": iso(it.requested) if it.requested is not None else None,
    }


def in_guild(member: Member, it: VoiceState) -> JSON:
    """As GUILD_CREATE has it: the server and the member are listed there already."""
    body = voice_state(member, it)
    del body["guild_id"], body["member"]
    return body
