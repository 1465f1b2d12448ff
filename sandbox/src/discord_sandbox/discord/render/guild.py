"""Servers in Discord's JSON."""

from collections.abc import Collection

from discord_sandbox.discord.render import objects as render
from discord_sandbox.discord.render.emoji import emoji
from discord_sandbox.discord.state.clock import iso
from discord_sandbox.discord.state.model import JSON, Channel, Guild, Member


def guild(it: Guild) -> JSON:
    """The guild as GET /guilds/{id} answers it."""
    return {
        "id": it.id,
        "name": it.name,
        "icon": None,
        "description": None,
        "home_header": None,
        "splash": None,
        "discovery_splash": None,
        "features": [],
        "banner": None,
        "owner_id": it.owner_id,
        "application_id": None,
        "region": "deprecated",
        "afk_channel_id": None,
        "afk_timeout": 300,
        "system_channel_id": None,
        "system_channel_flags": 0,
        "widget_enabled": False,
        "widget_channel_id": None,
        "verification_level": 0,
        "roles": [render.role(r) for r in it.roles.values()],
        "default_message_notifications": 1,
        "mfa_level": 0,
        "explicit_content_filter": 0,
        "max_presences": None,
        "max_members": 500_000,
        "max_stage_video_channel_users": 50,
        "max_video_channel_users": 25,
        "vanity_url_code": None,
        "premium_tier": 0,
        "premium_subscription_count": 0,
        "preferred_locale": "en-US",
        "rules_channel_id": None,
        "safety_alerts_channel_id": None,
        "public_updates_channel_id": None,
        "premium_progress_bar_enabled": False,
        "nsfw": False,
        "nsfw_level": 0,
        "emojis": [emoji(one) for one in it.emojis.values()],
        "stickers": [],
        "incidents_data": None,
    }


def counts(it: Guild) -> JSON:
    return {
        "approximate_member_count": len(it.members),
        "approximate_presence_count": len(it.members),
    }


def guild_create(
    it: Guild, members: list[Member], seen: Collection[str], threads: list[Channel], viewer: Member
) -> JSON:
    """seen: ids of the channels that the viewer sees; of others they are told no more than that they are there."""
    channels = [one for one in it.channels.values() if not one.is_thread]
    return (
        guild(it)
        | counts(it)
        | {
            "joined_at": iso(viewer.joined_at),
            "large": False,
            "unavailable": False,
            "member_count": len(it.members),
            "hub_type": None,
            "voice_states": [],
            "presences": [],
            "stage_instances": [],
            "guild_scheduled_events": [],
            "soundboard_sounds": [],
            "members": [render.member(m) for m in members],
            "channels": [render.channel(c) if c.id in seen else render.hidden(c) for c in channels],
            "threads": [render.channel(c, viewer.user.id) for c in threads],
        }
    )
