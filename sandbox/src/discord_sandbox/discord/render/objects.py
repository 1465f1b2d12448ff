"""Users, guilds, channels and threads in Discord's JSON."""

from discord_sandbox.discord.state import permissions as perms
from discord_sandbox.discord.state.clock import iso
from discord_sandbox.discord.state.forum import PINNED_POST, REQUIRES_TAG, Forum
from discord_sandbox.discord.state.model import JSON, Channel, Member, Role, Thread, User
from discord_sandbox.discord.state.permissions import Overwrite
from discord_sandbox.discord.state.voice import VoiceSettings

OBFUSCATED = 1 << 17  # the flag of a channel that is told of without its name and content


def user(it: User) -> JSON:
    body: JSON = {
        "id": it.id,
        "username": it.name,
        "avatar": it.avatar,
        "discriminator": "0000" if it.bot else "0",
        "public_flags": 0,
        "flags": 0,
        "banner": None,
        "accent_color": None,
        "global_name": None if it.bot else it.display_name,
        "avatar_decoration_data": None,
        "collectibles": None,
        "primary_guild": None,
    }
    if it.bot:
        body["bot"] = True
    return body


def private_user(it: User) -> JSON:
    return user(it) | {"mfa_enabled": False, "locale": "en-US", "verified": True, "email": None}


def member_without_user(it: Member) -> JSON:
    return {
        "avatar": None,
        "banner": None,
        "communication_disabled_until": iso(it.timed_out_until) if it.timed_out_until is not None else None,
        "flags": it.flags,
        "joined_at": iso(it.joined_at),
        "nick": it.nick,
        "pending": False,
        "premium_since": None,
        "roles": it.roles.copy(),
        "mute": it.mute,
        "deaf": it.deaf,
    }


def member(it: Member) -> JSON:
    return member_without_user(it) | {"user": user(it.user)}


def role(it: Role) -> JSON:
    body: JSON = {
        "id": it.id,
        "name": it.name,
        "permissions": str(it.permissions),
        "position": it.position,
        "color": it.color,
        "colors": {"primary_color": it.color, "secondary_color": None, "tertiary_color": None},
        "hoist": it.hoist,
        "managed": it.bot_id is not None,
        "mentionable": it.mentionable,
        "icon": None,
        "unicode_emoji": it.unicode_emoji,
        "flags": 0,
    }
    if it.bot_id is not None:
        body["tags"] = {"bot_id": it.bot_id}
    return body


def overwrite(it: Overwrite) -> JSON:
    return {"id": it.target, "type": it.kind, "allow": str(it.allow), "deny": str(it.deny)}


def last_pin(it: Channel) -> str | None:
    return iso(it.last_pin) if it.last_pin is not None else None


def channel(it: Channel, viewer: str | None = None) -> JSON:
    """A channel or thread; `viewer` adds their membership of the thread."""
    if it.thread is not None:
        return _thread(it, it.thread, viewer)
    if it.is_direct:
        return {
            "id": it.id,
            "type": it.kind,
            "last_message_id": it.last_message_id,
            "last_pin_timestamp": last_pin(it),
            "flags": 0,
            "recipients": [user(it.recipient)] if it.recipient is not None else [],
        }
    body: JSON = {
        "id": it.id,
        "type": it.kind,
        "last_message_id": it.last_message_id,
        "last_pin_timestamp": last_pin(it),
        "flags": 0,
        "guild_id": it.guild.id,
        "name": it.name,
        "parent_id": it.category_id,
        "rate_limit_per_user": it.slowmode,
        "topic": it.topic,
        "position": it.position,
        "permission_overwrites": [overwrite(o) for o in it.overwrites.values()],
        "nsfw": it.nsfw,
    }
    if it.forum is not None:
        body |= forum(it.forum)
    if it.voice is not None:
        body |= voice(it.voice)
    if it.auto_archive_minutes is not None:
        body["default_auto_archive_duration"] = it.auto_archive_minutes
    return body


def hidden(it: Channel) -> JSON:
    """A channel of a server as bots are told of it that cannot see it: its id, type, place, and a flag."""
    denied = Overwrite(it.guild.id, 0, 0, perms.VIEW_CHANNEL)
    body: JSON = {
        "id": it.id,
        "type": it.kind,
        "last_message_id": None,
        "last_pin_timestamp": None,
        "flags": OBFUSCATED,
        "guild_id": it.guild.id,
        "name": "___hidden___",
        "parent_id": it.category_id,
        "rate_limit_per_user": 0,
        "topic": None,
        "position": it.position,
        "permission_overwrites": [overwrite(denied)],
        "nsfw": False,
    }
    if it.forum is not None:
        body |= forum(Forum()) | {"flags": OBFUSCATED}
    if it.voice is not None:
        body |= voice(VoiceSettings())
    return body


def voice(it: VoiceSettings) -> JSON:
    """What voice and stage channels have beyond others."""
    return {
        "bitrate": it.bitrate,
        "user_limit": it.user_limit,
        "rtc_region": it.region,
        "video_quality_mode": it.video_quality,
    }


def forum(it: Forum) -> JSON:
    """What a forum has beyond other channels."""
    return {
        "flags": REQUIRES_TAG if it.requires_tag else 0,
        "available_tags": [
            {
                "id": one.id,
                "name": one.name,
                "moderated": one.moderated,
                "emoji_id": one.emoji_id,
                "emoji_name": one.emoji_name,
            }
            for one in it.tags
        ],
        "default_reaction_emoji": {"emoji_id": it.reaction[0], "emoji_name": it.reaction[1]}
        if it.reaction is not None
        else None,
        "default_sort_order": it.sort_order,
        "default_forum_layout": it.layout,
        "default_thread_rate_limit_per_user": it.post_slowmode,
    }


def _thread(it: Channel, thread: Thread, viewer: str | None) -> JSON:
    metadata: JSON = {
        "archived": thread.archived,
        "archive_timestamp": iso(thread.archived_at or thread.created),
        "auto_archive_duration": thread.auto_archive_minutes,
        "locked": thread.locked,
        "create_timestamp": iso(thread.created),
    }
    if it.kind == 12:
        metadata["invitable"] = thread.invitable
    body: JSON = {
        "id": it.id,
        "type": it.kind,
        "last_message_id": it.last_message_id,
        "last_pin_timestamp": last_pin(it),
        "flags": 0,
        "guild_id": it.guild.id,
        "name": it.name,
        "parent_id": thread.parent.id,
        "rate_limit_per_user": it.slowmode,
        "bitrate": 64000,
        "user_limit": 0,
        "rtc_region": None,
        "owner_id": thread.owner_id,
        "thread_metadata": metadata,
        "message_count": thread.message_count,
        "member_count": len(thread.members),
        "total_message_sent": thread.total_sent,
    }
    if thread.post is not None:
        body |= {"applied_tags": thread.post.tags.copy(), "flags": PINNED_POST if thread.post.pinned else 0}
    if viewer is not None and viewer in thread.members:
        body["member"] = thread_member(it, thread, viewer)
    return body


def thread_member(it: Channel, thread: Thread, user_id: str) -> JSON:
    return {
        "id": it.id,
        "user_id": user_id,
        "join_timestamp": iso(thread.members[user_id]),
        "flags": 1,
    }
