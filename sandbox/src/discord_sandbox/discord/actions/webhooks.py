"""Webhooks of channels: make, change, delete, and post through them."""

import secrets

from discord_sandbox.discord.actions.audit import AuditLog
from discord_sandbox.discord.actions.broadcast import Broadcast
from discord_sandbox.discord.actions.posts import Origin, Posts
from discord_sandbox.discord.actions.uploads import Upload
from discord_sandbox.discord.errors import DiscordError
from discord_sandbox.discord.rules import messages as rules
from discord_sandbox.discord.rules.webhooks import MOST
from discord_sandbox.discord.state.model import Channel, Message, User
from discord_sandbox.discord.state.store import State
from discord_sandbox.discord.state.webhook import Webhook


class Webhooks:
    def __init__(self, state: State, broadcast: Broadcast, posts: Posts, audit: AuditLog) -> None:
        self._state = state
        self._broadcast = broadcast
        self._posts = posts
        self._audit = audit

    def of(self, channel: Channel) -> list[Webhook]:
        return [one for one in self._state.webhooks.values() if one.channel is channel]

    def create(self, channel: Channel, name: str, creator: User) -> Webhook:
        """Raises 30007."""
        if len(self.of(channel)) >= MOST:
            raise DiscordError(30007)
        application_id = creator.id if creator.bot else None
        made = Webhook(
            self._state.new_id(), secrets.token_urlsafe(51), channel, name, creator, application_id
        )
        self._state.webhooks[made.id] = made
        self._broadcast.webhooks_changed(channel)
        self._audit.webhook_made(made)
        return made

    def change(self, it: Webhook, name: str | None, channel: Channel | None) -> None:
        former = it.channel
        with self._audit.webhook_change(it):
            it.name = it.name if name is None else name
            it.channel = it.channel if channel is None else channel
        if it.channel is not former:
            self._broadcast.webhooks_changed(former)
        self._broadcast.webhooks_changed(it.channel)

    def delete(self, it: Webhook) -> None:
        del self._state.webhooks[it.id]
        self._broadcast.webhooks_changed(it.channel)
        self._audit.webhook_deleted(it)

    def post(self, it: Webhook, place: Channel, name: str | None, upload: Upload) -> Message:
        """Post in its channel or a thread of it, under the webhook's name or another one."""
        return self._posts.create(place, author(it, name), upload, keys=rules.WEBHOOK)


def author(it: Webhook, name: str | None) -> Origin:
    """A webhook as the author of a message, under its own name or another one."""
    shown = name or it.name
    return Origin(User(it.id, shown, shown, bot=True), None, webhook=it)
