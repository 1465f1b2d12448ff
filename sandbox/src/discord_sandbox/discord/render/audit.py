"""Entries of an audit log in Discord's JSON, and the changes that they name."""

from collections.abc import Iterable, Mapping
from typing import Any

from discord_sandbox.discord.render import objects as render
from discord_sandbox.discord.render.events import GUILD_ONLY
from discord_sandbox.discord.state.audit import AuditEntry
from discord_sandbox.discord.state.clock import iso
from discord_sandbox.discord.state.event import ScheduledEvent
from discord_sandbox.discord.state.invite import Invite
from discord_sandbox.discord.state.model import JSON, Channel, Member, Role
from discord_sandbox.discord.state.permissions import Overwrite
from discord_sandbox.discord.state.webhook import Webhook

_CHANNEL = (
    *("name", "type", "topic", "nsfw", "rate_limit_per_user", "bitrate", "user_limit", "rtc_region"),
    *("video_quality_mode", "default_auto_archive_duration", "available_tags", "default_reaction_emoji"),
    *("default_sort_order", "default_forum_layout", "default_thread_rate_limit_per_user", "flags"),
)
_THREAD = (
    *("name", "type", "archived", "locked", "auto_archive_duration", "rate_limit_per_user"),
    *("invitable", "flags", "applied_tags"),
)


def entry(it: AuditEntry) -> JSON:
    body: JSON = {
        "id": it.id,
        "action_type": int(it.action),
        "user_id": it.user_id,
        "target_id": it.target_id,
    }
    if it.changes:
        body["changes"] = it.changes
    if it.options:
        body["options"] = it.options
    if it.reason is not None:
        body["reason"] = it.reason
    return body


def diff(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[JSON]:
    """The changes from one view to the other. A value that was or is null is left out of its change."""
    found = []
    for key in dict.fromkeys((*before, *after)):
        old, new = before.get(key), after.get(key)
        if old != new:
            change: JSON = {"key": key, "new_value": new, "old_value": old}
            found.append({name: value for name, value in change.items() if value is not None})
    return found


def _of(body: JSON, keys: Iterable[str]) -> JSON:
    return {key: body[key] for key in keys if key in body}


def channel(it: Channel) -> JSON:
    """What is logged of a channel or thread, without its place and its permissions."""
    body = render.channel(it)
    if it.thread is not None:
        return _of(body | body["thread_metadata"], _THREAD)
    return _of(body, _CHANNEL)


def overwrites(it: Channel) -> JSON:
    """What is logged besides of a new or deleted channel."""
    return {"permission_overwrites": [render.overwrite(one) for one in it.overwrites.values()]}


def overwrite(it: Overwrite | None) -> JSON:
    return {} if it is None else render.overwrite(it)


def role(it: Role) -> JSON:
    return _of(render.role(it), ("name", "permissions", "color", "hoist", "mentionable", "unicode_emoji"))


def member(it: Member) -> JSON:
    until = iso(it.timed_out_until) if it.timed_out_until is not None else None
    return {"nick": it.nick, "communication_disabled_until": until, "mute": it.mute, "deaf": it.deaf}


def event(it: ScheduledEvent) -> JSON:
    return {
        "name": it.name,
        "description": it.description,
        "channel_id": it.channel_id,
        "entity_type": it.kind,
        "status": it.status,
        "privacy_level": GUILD_ONLY,
        "location": it.location,
        "image_hash": it.image_hash,
    }


def invite(it: Invite) -> JSON:
    return {
        "code": it.code,
        "channel_id": it.channel_id,
        "inviter_id": it.inviter_id,
        "uses": it.uses,
        "max_uses": it.max_uses,
        "max_age": it.max_age,
        "temporary": it.temporary,
    }


def webhook(it: Webhook) -> JSON:
    return {
        "type": 1,
        "name": it.name,
        "channel_id": it.channel.id,
        "application_id": it.application_id,
        "avatar_hash": it.avatar_hash,
    }
