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
from discord_sandbox.discord.state.picture import Picture
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

    def create(self, channel: Channel, name: str, creator: User, avatar: Picture | None = None) -> Webhook:
        """Raises 30007."""
        if len(self.of(channel)) >= MOST:
            raise DiscordError(30007)
        application_id = creator.id if creator.bot else None
        token = secrets.token_urlsafe(51)
        made = Webhook(self._state.new_id(), token, channel, name, creator, application_id, avatar)
        self._state.webhooks[made.id] = made
        self._broadcast.webhooks_changed(channel)
        self._audit.webhook_made(made)
        return made

    def change(self, it: Webhook, name: str | None, channel: Channel | None, avatar: Picture | None) -> None:
        """A name or channel that is None stays; an avatar that is None is taken away."""
        former = it.channel
        with self._audit.webhook_change(it):
            it.name = it.name if name is None else name
            it.channel = it.channel if channel is None else channel
            it.avatar = avatar
        if it.channel is not former:
            self._broadcast.webhooks_changed(former)
        self._broadcast.webhooks_changed(it.channel)

    def delete(self, it: Webhook) -> None:
        del self._state.webhooks[it.id]
        self._broadcast.webhooks_changed(it.channel)
        self._audit.webhook_deleted(it)

    def post(self, place: Channel, origin: Origin, upload: Upload) -> Message:
        """Post in the channel of a webhook, or in a thread of it."""
        return self._posts.create(place, origin, upload, keys=rules.WEBHOOK)


def author(it: Webhook, name: str | None, picture: str | None) -> Origin:
    """A webhook as the author of a message: under its own name and picture, or others. `picture`: its hash."""
    shown, own = name or it.name, it.avatar_hash
    return Origin(User(it.id, shown, shown, bot=True, avatar=picture or own), None, webhook=it)
