"""Messages of bots and people: post, edit, delete, with nonces, replies and mentions."""

from collections.abc import Callable
from dataclasses import dataclass

from discord_sandbox.discord.actions.broadcast import Broadcast
from discord_sandbox.discord.actions.uploads import Upload, listed
from discord_sandbox.discord.errors import DiscordError
from discord_sandbox.discord.render.messages import MessageRenderer
from discord_sandbox.discord.rules import mentions
from discord_sandbox.discord.rules import messages as rules
from discord_sandbox.discord.rules.custom_emoji import Palette
from discord_sandbox.discord.rules.media import Media
from discord_sandbox.discord.state.attachment import Attachment
from discord_sandbox.discord.state.clock import Clock
from discord_sandbox.discord.state.model import (
    COMPONENTS_V2,
    DEFAULT,
    EPHEMERAL,
    HAS_SNAPSHOT,
    JSON,
    LOADING,
    REPLY,
    SUPPRESS_NOTIFICATIONS,
    Channel,
    Interaction,
    Member,
    Message,
    User,
)
from discord_sandbox.discord.state.store import State
from discord_sandbox.discord.state.webhook import Webhook

FORWARD = 1  # the type of such a reference
NONCE_SECONDS = 300.0
OLD_SECONDS, OLD_EDITS, OLD_WINDOW = 3600.0, 30, 3600.0


@dataclass(slots=True)
class Origin:
    """The author of a message, and what it answers."""

    author: User
    member: Member | None
    interaction: Interaction | None = None
    ephemeral_to: str | None = None
    kind: int = DEFAULT
    reference: JSON | None = None
    webhook: Webhook | None = None


class Posts:
    def __init__(self, state: State, clock: Clock, broadcast: Broadcast, render: MessageRenderer) -> None:
        self._state = state
        self._clock = clock
        self._broadcast = broadcast
        self._render = render

    def palette(self, channel: Channel, author_id: str, webhook: Webhook | None = None) -> Palette:
        """The emoji that an author has; of a webhook, its maker's from all servers."""
        if webhook is not None:
            return Palette(self._state, channel, webhook.creator.id, anywhere=True)
        return Palette(self._state, channel, author_id)

    def _keep(self, attachments: list[Attachment]) -> None:
        for one in attachments:
            self._state.attachments[one.path] = one

    def recall(self, channel: Channel, author: User, body: JSON) -> Message | None:
        """The message that the author posted with the body's enforced nonce in the last five minutes."""
        nonce = body.get("nonce")
        if nonce is None or not body.get("enforce_nonce"):
            return None
        found = self._state.nonces.get((channel.id, author.id, str(nonce)))
        if found is None or self._clock.now() - found[0] > NONCE_SECONDS:
            return None
        return found[1]

    def create(
        self,
        channel: Channel,
        origin: Origin,
        upload: Upload,
        *,
        keys: frozenset[str] = rules.CREATE,
        flags_allowed: int = rules.CHANNEL_FLAGS,
        path: tuple[str, ...] = (),
        message_id: str | None = None,
        before: Callable[[], None] | None = None,
    ) -> Message:
        """Post a message; `before` is called when it is sound and not announced yet. Raises 50035 or 50006."""
        attachments = listed(upload, channel, [], self._state)
        draft = rules.read(
            upload.fields(*path),
            Media(attachments, self._render.cdn),
            self.palette(channel, origin.author.id, origin.webhook),
            keys=keys,
            flags_allowed=flags_allowed,
            has_files=bool(attachments),
        )
        flags = draft.flags or 0
        if origin.ephemeral_to is not None:
            flags |= EPHEMERAL
        message = Message(
            message_id or self._state.new_id(),
            channel,
            origin.author,
            origin.kind,
            self._clock.now(),
            draft.content or "",
            draft.embeds or [],
            draft.components or [],
            attachments,
            flags,
            reference=origin.reference,
            nonce=draft.nonce,
            ephemeral_to=origin.ephemeral_to,
            interaction=origin.interaction,
            tts=upload.body.get("tts") is True,
            poll=draft.poll,
        )
        if message.poll is not None:
            message.poll.expires = message.created + message.poll.hours * 3600
        if origin.interaction is not None:
            message.application_id = origin.interaction.application.id
            message.webhook_id = message.application_id
        elif origin.webhook is not None:
            message.application_id, message.webhook_id = origin.webhook.application_id, origin.webhook.id
        elif origin.author.bot:
            message.application_id = origin.author.id
        self._mention(message, origin, draft.allowed)
        self._keep(attachments)
        self._state.add_message(message)
        if draft.nonce is not None and upload.body.get("enforce_nonce"):
            self._remember(channel, origin.author, draft.nonce, message)
        if before is not None:
            before()
        self._broadcast.message_created(message)
        return message

    def forward(self, channel: Channel, origin: Origin, source: Message, nonce: str | int | None) -> Message:
        """Post a snapshot of another message."""
        message = Message(
            self._state.new_id(), channel, origin.author, DEFAULT, self._clock.now(), flags=HAS_SNAPSHOT
        )
        message.application_id = origin.author.id if origin.author.bot else None
        message.nonce = nonce
        message.reference = {
            "type": FORWARD,
            "channel_id": source.channel.id,
            "message_id": source.id,
            **source.channel.in_guild,
        }
        message.snapshots = source.snapshots or [{"message": self._render.snapshot(source)}]
        self._state.add_message(message)
        self._broadcast.message_created(message)
        return message

    def _remember(self, channel: Channel, author: User, nonce: str | int, message: Message) -> None:
        now = self._clock.now()
        nonces = self._state.nonces
        nonces[channel.id, author.id, str(nonce)] = (now, message)
        if len(nonces) > 10_000:
            self._state.nonces = {key: one for key, one in nonces.items() if now - one[0] <= NONCE_SECONDS}

    def _mention(self, message: Message, origin: Origin, allowed: mentions.Allowed) -> None:
        replied = None
        if origin.reference is not None and origin.kind == REPLY and origin.interaction is None:
            target = self._state.messages.get(str(origin.reference.get("message_id")))
            replied = target.author.id if target is not None else None
        found = mentions.find(self._state, message, origin.member, allowed, replied)
        message.mentions, message.mention_roles = found.users, found.roles
        message.mention_everyone = found.everyone
        person = message.channel.recipient
        if person is not None:
            # Every direct message notifies, with or without a mention.
            found.notified = [person.id] if origin.author.bot else []
        if message.ephemeral_to is not None:
            found.notified = [one for one in found.notified if one == message.ephemeral_to]
        if not message.flags & SUPPRESS_NOTIFICATIONS:
            message.notified = found.notified

    def edit(
        self,
        message: Message,
        upload: Upload,
        *,
        keys: frozenset[str] = rules.EDIT,
        path: tuple[str, ...] = (),
        mark: bool = True,
    ) -> Message:
        """Edit in place. What the body omits stays; attachments stay unless it lists others."""
        attachments = listed(upload, message.channel, message.attachments, self._state)
        draft = rules.read(
            upload.fields(*path),
            Media(attachments, self._render.cdn),
            self.palette(
                message.channel, message.author.id, self._state.webhooks.get(message.webhook_id or "")
            ),
            keys=keys,
            flags_allowed=rules.EDIT_FLAGS,
            present_flags=message.flags,
            has_files=bool(attachments),
            existing=rules.Draft(
                message.content, message.embeds, message.components, None, mentions.Allowed()
            ),
        )
        if draft.content is not None:
            message.content = draft.content
        if draft.embeds is not None:
            message.embeds = draft.embeds
        if draft.components is not None:
            message.components = draft.components
        message.attachments = attachments
        if draft.flags is not None:
            changeable = rules.EDIT_FLAGS
            kept = message.flags & (~changeable | COMPONENTS_V2)
            message.flags = kept | draft.flags & changeable
        message.flags &= ~LOADING
        self._keep(attachments)
        if draft.content is not None or draft.components is not None:
            member = message.channel.guild.members.get(message.author.id)
            found = mentions.find(self._state, message, member, draft.allowed)
            message.mentions, message.mention_roles = found.users, found.roles
            message.mention_everyone = found.everyone
        if mark:
            message.edited = self._clock.now()
        self._broadcast.message_updated(message)
        return message

    def spend_old_edit(self, message: Message) -> None:
        """Count an edit of a message older than an hour. Raises 30046 over the limit."""
        now = self._clock.now()
        if now - message.created <= OLD_SECONDS:
            return
        recent = [one for one in self._state.old_edits.get(message.channel.id, []) if now - one < OLD_WINDOW]
        if len(recent) >= OLD_EDITS:
            raise DiscordError(30046)
        self._state.old_edits[message.channel.id] = [*recent, now]

    def delete(self, message: Message) -> None:
        self._state.remove_message(message)
        self._broadcast.message_deleted(message)
