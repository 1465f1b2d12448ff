"""Custom emoji of servers and applications: make, change, delete."""

from collections.abc import Sequence

from discord_sandbox.discord.actions.audit import AuditLog
from discord_sandbox.discord.actions.broadcast import Broadcast
from discord_sandbox.discord.errors import DiscordError
from discord_sandbox.discord.rules.custom_emoji import MOST, MOST_OF_APPLICATION
from discord_sandbox.discord.state.emoji import CustomEmoji
from discord_sandbox.discord.state.model import Application, Guild
from discord_sandbox.discord.state.picture import Picture
from discord_sandbox.discord.state.store import State

Owner = Guild | Application


class Emojis:
    def __init__(self, state: State, broadcast: Broadcast, audit: AuditLog) -> None:
        self._state = state
        self._broadcast = broadcast
        self._audit = audit

    def create(
        self, owner: Owner, name: str, picture: Picture, creator_id: str, roles: Sequence[str] = ()
    ) -> CustomEmoji:
        """Raises 30008 or, for one that moves, 30018."""
        _check_room(owner, animated=picture.animated)
        made = CustomEmoji(
            self._state.new_id(),
            name,
            creator_id,
            picture.content,
            picture.content_type,
            picture.animated,
            list(roles),
        )
        owner.emojis[made.id] = made
        if isinstance(owner, Guild):
            self._broadcast.emojis_changed(owner)
            self._audit.emoji_made(owner, made)
        return made

    def change(
        self, owner: Owner, it: CustomEmoji, name: str | None, roles: Sequence[str] | None = None
    ) -> None:
        """What is None stays."""
        former = it.name
        it.name = it.name if name is None else name
        it.roles = it.roles if roles is None else list(roles)
        self._seen_again(it)
        if isinstance(owner, Guild):
            self._broadcast.emojis_changed(owner)
            self._audit.emoji_renamed(owner, it, former)

    def delete(self, owner: Owner, it: CustomEmoji) -> None:
        """Reactions with it stay, without its name."""
        del owner.emojis[it.id]
        self._seen_again(it)
        if isinstance(owner, Guild):
            self._broadcast.emojis_changed(owner)
            self._audit.emoji_deleted(owner, it)

    def _seen_again(self, it: CustomEmoji) -> None:
        """Messages with such a reaction are rendered again."""
        for message in self._state.messages.values():
            if it.id in message.reactions:
                message.rendered = None


def _check_room(owner: Owner, *, animated: bool) -> None:
    if isinstance(owner, Application):
        if len(owner.emojis) >= MOST_OF_APPLICATION:
            raise DiscordError(30008, f"Maximum number of emojis reached ({MOST_OF_APPLICATION})")
    elif sum(one.animated is animated for one in owner.emojis.values()) >= MOST:
        raise DiscordError(30018 if animated else 30008)
