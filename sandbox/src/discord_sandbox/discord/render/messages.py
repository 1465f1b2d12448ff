"""Messages and interactions in Discord's JSON."""

from discord_sandbox.discord.render import objects as render
from discord_sandbox.discord.render.emoji import reaction
from discord_sandbox.discord.render.polls import poll
from discord_sandbox.discord.state.attachment import Attachment
from discord_sandbox.discord.state.clock import iso
from discord_sandbox.discord.state.model import (
    COMMAND,
    COMPONENT,
    JSON,
    MESSAGE_COMMAND,
    MODAL_SUBMIT,
    REPLY,
    THREAD_STARTER,
    USER_COMMAND,
    Interaction,
    Member,
    Message,
)
from discord_sandbox.discord.state.store import State

SNAPSHOT = (
    "type",
    "content",
    "mentions",
    "mention_roles",
    "attachments",
    "embeds",
    "timestamp",
    "edited_timestamp",
    "flags",
    "components",
)
GUILD, BOT_DIRECT = 0, 1  # where an interaction takes place


def attachment(it: Attachment, cdn: str, *, ephemeral: bool) -> JSON:
    url = f"{cdn}/{it.path}"
    body: JSON = {
        "id": it.id,
        "filename": it.filename,
        "size": len(it.content),
        "url": url,
        "proxy_url": url,
        "content_type": it.content_type,
    }
    if it.width is not None and it.height is not None:
        body |= {"width": it.width, "height": it.height}
    if it.description is not None:
        body["description"] = it.description
    if ephemeral:
        body["ephemeral"] = True
    return body


def metadata(it: Interaction) -> JSON:
    body: JSON = {
        "id": it.id,
        "type": it.kind,
        "user": render.user(it.member.user),
        "authorizing_integration_owners": {"0": "0" if it.channel.is_direct else it.channel.guild.id},
    }
    if it.kind == COMMAND:
        body["name"] = it.label
        body["command_type"] = it.command_type
        if it.command_type == USER_COMMAND:
            body["target_user"] = it.data["resolved"]["users"][it.data["target_id"]]
        elif it.command_type == MESSAGE_COMMAND:
            body["target_message_id"] = it.data["target_id"]
    if it.kind == COMPONENT and it.message is not None:
        body["interacted_message_id"] = it.message.id
    if it.kind == MODAL_SUBMIT and it.source is not None:
        body["triggering_interaction_metadata"] = metadata(it.source)
    return body


class MessageRenderer:
    """Renders messages; caches the result until the message changes."""

    def __init__(self, state: State, cdn: str = "") -> None:
        self._state = state
        self.cdn = cdn

    def __call__(self, it: Message) -> JSON:
        """The message as REST answers it. The result is shared: copy before changing it."""
        body = self._basic(it)
        if it.reference is None or it.kind not in (REPLY, THREAD_STARTER):
            return body
        target = self._state.messages.get(it.reference.get("message_id", ""))
        return body | {"referenced_message": self._basic(target) if target is not None else None}

    def _basic(self, it: Message) -> JSON:
        """Without the message that it answers. That and the thread change by themselves, and are not cached."""
        if it.rendered is None:
            it.rendered = self._render(it)
        return it.rendered if it.thread is None else it.rendered | {"thread": render.channel(it.thread)}

    def seen_by(self, it: Message, user_id: str) -> JSON:
        """As a call, with `me` set on the user's own reactions."""
        body = self(it)
        if it.poll is not None:
            body = body | {"poll": poll(it.poll, user_id)}
        if not any(user_id in who for who in it.reactions.values()):
            return body
        return body | {
            "reactions": [
                one | {"me": user_id in who}
                for one, who in zip(body["reactions"], it.reactions.values(), strict=True)
            ]
        }

    def snapshot(self, it: Message) -> JSON:
        """What a forward keeps of the message."""
        body = self(it)
        return {key: body[key] for key in SNAPSHOT}

    def _render(self, it: Message) -> JSON:
        users = self._state.users
        body: JSON = {
            "type": it.kind,
            "content": it.content,
            "mentions": [render.user(users[u]) for u in it.mentions if u in users],
            "mention_roles": it.mention_roles.copy(),
            "attachments": [
                attachment(a, self.cdn, ephemeral=it.ephemeral_to is not None) for a in it.attachments
            ],
            "embeds": it.embeds,
            "timestamp": iso(it.created),
            "edited_timestamp": iso(it.edited) if it.edited is not None else None,
            "flags": it.flags,
            "components": it.components,
            "id": it.id,
            "channel_id": it.channel.id,
            "author": render.user(it.author),
            "pinned": it.pinned,
            "mention_everyone": it.mention_everyone,
            "tts": it.tts,
        }
        if it.application_id is not None:
            body["application_id"] = it.application_id
        if it.webhook_id is not None:
            body["webhook_id"] = it.webhook_id
        if it.position is not None:
            body["position"] = it.position
        if it.interaction is not None:
            body["interaction_metadata"] = metadata(it.interaction)
            if it.interaction.kind == COMMAND:
                body["interaction"] = {
                    "id": it.interaction.id,
                    "type": it.interaction.kind,
                    "name": it.interaction.label,
                    "user": render.user(it.interaction.member.user),
                }
        if it.reference is not None:
            body["message_reference"] = it.reference
        if it.poll is not None:
            body["poll"] = poll(it.poll)
        if it.snapshots:
            body["message_snapshots"] = it.snapshots
        if it.reactions:
            body["reactions"] = [
                {
                    "emoji": reaction(self._state, emoji),
                    "count": len(who),
                    "count_details": {"burst": 0, "normal": len(who)},
                    "burst_colors": [],
                    "me_burst": False,
                    "burst_me": False,
                    "burst_count": 0,
                    "me": False,
                }
                for emoji, who in it.reactions.items()
            ]
        return body


def interacting_member(it: Member, permissions: int) -> JSON:
    return render.member(it) | {"permissions": str(permissions)}


def interaction(state: State, messages: MessageRenderer, it: Interaction) -> JSON:
    """Data of INTERACTION_CREATE."""
    guild = it.channel.guild
    allowed = state.permissions(it.member, it.channel)
    bot = guild.members.get(it.application.id)
    body: JSON = {
        "id": it.id,
        "application_id": it.application.id,
        "type": it.kind,
        "token": it.token,
        "version": 1,
        "data": it.data,
        "channel_id": it.channel.id,
        "channel": render.channel(it.channel) | {"permissions": str(allowed)},
        "locale": "en-US",
        "app_permissions": str(state.permissions(bot, it.channel) if bot is not None else 0),
        "entitlements": [],
        "authorizing_integration_owners": {"0": guild.id},
        "context": BOT_DIRECT if it.channel.is_direct else GUILD,
        "attachment_size_limit": 10 * 1024 * 1024,
    }
    if it.channel.is_direct:
        body["user"] = render.user(it.member.user)
    else:
        body |= {
            "guild_id": guild.id,
            "guild": {"id": guild.id, "features": [], "locale": "en-US"},
            "guild_locale": "en-US",
            "member": interacting_member(it.member, allowed),
        }
    if it.message is not None:
        body["message"] = messages(it.message)
    return body
