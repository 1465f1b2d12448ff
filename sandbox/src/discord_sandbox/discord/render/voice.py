"""Connections to voice in Discord's JSON."""

from discord_sandbox.discord.render import objects as render
from discord_sandbox.discord.state.clock import iso
from discord_sandbox.discord.state.model import JSON, Channel, Member
from discord_sandbox.discord.state.voice import StageInstance, VoiceState

# Discord's list changes; of these, none is nearer to the sandbox than another.
REGIONS: list[JSON] = [
    {"id": region, "name": name, "optimal": region == "rotterdam", "deprecated": False, "custom": False}
    for region, name in (
        ("brazil", "Brazil"),
        ("hongkong", "Hong Kong"),
        ("india", "India"),
        ("japan", "Japan"),
        ("rotterdam", "Rotterdam"),
        ("singapore", "Singapore"),
        ("south-korea", "South Korea"),
        ("southafrica", "South Africa"),
        ("sydney", "Sydney"),
        ("us-central", "US Central"),
        ("us-east", "US East"),
        ("us-south", "US South"),
        ("us-west", "US West"),
    )
]


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


def stage_instance(channel: Channel, it: StageInstance) -> JSON:
    return {
        "id": it.id,
        "guild_id": channel.guild.id,
        "channel_id": it.channel_id,
        "topic": it.topic,
        "privacy_level": it.privacy,
        "discoverable_disabled": True,
        "guild_scheduled_event_id": it.event_id,
    }
