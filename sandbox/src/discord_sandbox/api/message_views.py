"""Messages and interactions in the JSON API's shapes."""

import json
import re
from datetime import UTC, datetime
from typing import Any

from discord_sandbox.api import text
from discord_sandbox.discord.core import Core
from discord_sandbox.discord.state.attachment import Attachment
from discord_sandbox.discord.state.model import (
    COMMAND,
    EPHEMERAL,
    JSON,
    LOADING,
    MESSAGE_COMMAND,
    USER_COMMAND,
    Interaction,
    Member,
    Message,
    User,
)
from discord_sandbox.discord.state.poll import Poll

INTERACTION_TYPES = {2: "command", 4: "autocomplete", 5: "modal"}
_USER, _ROLE, _CHANNEL = re.compile(r"<@!?(\d+)>"), re.compile(r"<@&(\d+)>"), re.compile(r"<#(\d+)>")


def time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def avatar(user: User) -> str:
    if user.avatar is not None:
        return f"/cdn/avatars/{user.id}/{user.avatar}.png"
    return f"/cdn/embed/avatars/{0 if user.bot else 1 + (int(user.id) >> 22) % 5}.png"


def color(member: Member | None) -> int:
    """The color of the highest colored role, 0 if none."""
    if member is None:
        return 0
    held = [member.guild.roles[one] for one in member.roles if one in member.guild.roles]
    best = max((one for one in held if one.color), key=lambda one: one.position, default=None)
    return best.color if best is not None else 0


class MessageViews:
    def __init__(self, core: Core) -> None:
        self._core = core

    def same_origin(self, value: Any) -> Any:
        """Replace CDN addresses with paths, so that a page on any origin of the sandbox loads them."""
        cdn = self._core.render.cdn
        if not value or not cdn:
            return value
        dumped = json.dumps(value)
        return json.loads(dumped.replace(cdn, "/cdn")) if cdn in dumped else value

    def attachment(self, it: Attachment) -> JSON:
        return {
            "id": it.id,
            "filename": it.filename,
            "size": len(it.content),
            "content_type": it.content_type,
            "width": it.width,
            "height": it.height,
            "description": it.description,
            "url": f"/cdn/{it.path}",
        }

    def _mentions(self, it: Message) -> JSON:
        state = self._core.state
        raw = json.dumps([it.content, it.embeds, it.components])
        roles = it.channel.guild.roles
        users = {one: state.users[one].name for one in _USER.findall(raw) if one in state.users}
        users |= {one: state.users[one].name for one in it.mentions if one in state.users}
        return {
            "users": users,
            "roles": {one: roles[one].name for one in _ROLE.findall(raw) if one in roles},
            "channels": {
                one: state.channels[one].name for one in _CHANNEL.findall(raw) if one in state.channels
            },
        }

    def message(self, it: Message) -> JSON:
        state = self._core.state
        thread, asked = it.thread, it.interaction
        member = it.channel.guild.members.get(it.author.id)
        to = state.users.get(it.ephemeral_to) if it.ephemeral_to is not None else None
        return {
            "id": it.id,
            "channel": it.channel.name,
            "channel_id": it.channel.id,
            "guild_id": None if it.channel.is_direct else it.channel.guild.id,
            "type": it.kind,
            "author": it.author.name,
            "author_id": it.author.id,
            "author_name": (member.nick if member is not None else None) or it.author.display_name,
            "bot": it.author.bot,
            "avatar_url": avatar(it.author),
            "color": color(member),
            "created": time(it.created),
            "edited": time(it.edited) if it.edited is not None else None,
            "text": text.visible(state, it),
            "content": it.content,
            "notified": [state.users[one].name for one in it.notified if one in state.users],
            "buttons": text.buttons(it),
            "selects": text.selects(it),
            "attachments": [self.attachment(one) for one in it.attachments],
            "components": self.same_origin(it.components),
            "embeds": self.same_origin(it.embeds),
            "thread": {
                "id": thread.id,
                "name": thread.name,
                "archived": thread.thread.archived,
                "locked": thread.thread.locked,
                "message_count": thread.thread.message_count,
            }
            if thread is not None and thread.thread is not None and thread.id in state.channels
            else None,
            "ephemeral": it.ephemeral_to is not None or bool(it.flags & EPHEMERAL),
            "ephemeral_to": to.name if to is not None else None,
            "loading": bool(it.flags & LOADING),
            "flags": it.flags,
            "pinned": it.pinned,
            "deleted": it.deleted,
            "webhook_id": it.webhook_id,
            "forwarded": text.forwarded(state, it),
            "poll": self._poll(it.poll) if it.poll is not None else None,
            "interaction": {
                "id": asked.id,
                "type": self._kind(asked),
                "user": asked.member.user.name,
                "command": asked.label if asked.kind == 2 else None,
            }
            if asked is not None
            else None,
            "reference": {
                "message_id": it.reference.get("message_id"),
                "channel_id": it.reference.get("channel_id"),
            }
            if it.reference is not None
            else None,
            "reactions": [
                self._reaction(key) | {"count": len(who), "users": [state.users[one].name for one in who]}
                for key, who in it.reactions.items()
            ],
            "mentions": self._mentions(it),
        }

    def _reaction(self, key: str) -> JSON:
        """A custom emoji as `:name:`, or `:id:` once it is deleted."""
        if not key.isdecimal():
            return {"emoji": key, "emoji_id": None}
        found = self._core.state.emoji(key)
        return {"emoji": f":{key if found is None else found.name}:", "emoji_id": key}

    def _poll(self, it: Poll) -> JSON:
        users = self._core.state.users
        return {
            "question": it.question,
            "multiple": it.multiple,
            "expires": time(it.expires),
            "finalized": it.finalized,
            "answers": [
                {
                    "id": one.id,
                    "text": one.text,
                    "emoji": one.emoji if one.emoji_id is None else f":{one.emoji}:",
                    "count": it.count(one.id),
                    "users": [users[who].name for who in it.votes.get(one.id, [])],
                }
                for one in it.answers
            ],
        }

    def _kind(self, it: Interaction) -> str:
        if it.kind == 3:
            return "button" if it.data.get("component_type") == 2 else "select"
        return INTERACTION_TYPES[it.kind]

    def _target(self, it: Interaction, kind: int) -> str | None:
        """What a command of a context menu was used on: a user's name, or a message's id."""
        if it.kind != COMMAND or it.command_type != kind:
            return None
        target: str = it.data["target_id"]
        return self._core.state.users[target].name if kind == USER_COMMAND else target

    def interaction(self, it: Interaction) -> JSON:
        shown = it.original
        return {
            "id": it.id,
            "type": self._kind(it),
            "user": it.member.user.name,
            "user_id": it.member.user.id,
            "channel": it.channel.name,
            "channel_id": it.channel.id,
            "guild": None if it.channel.is_direct else it.channel.guild.name,
            "application": it.application.name,
            "command": it.label if it.kind in (2, 4) else None,
            "target_user": self._target(it, USER_COMMAND),
            "target_message": self._target(it, MESSAGE_COMMAND),
            "custom_id": it.data.get("custom_id"),
            "source_message": it.message.id if it.message is not None else None,
            "created": time(it.created),
            "state": it.state,
            "reason": it.reason,
            "callback": it.callback,
            "ack_ms": _since(it.acked, it.created),
            "answered_ms": _since(it.answered, it.created),
            "ephemeral": it.ephemeral,
            "message": self.message(shown) if shown is not None and not shown.deleted else None,
            "followups": [self.message(one) for one in it.followups if not one.deleted],
            "modal": text.modal(it.modal) if it.modal is not None else None,
        }


def _since(at: float | None, start: float) -> float | None:
    return None if at is None else round((at - start) * 1000, 3)
