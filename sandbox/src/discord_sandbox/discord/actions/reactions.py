"""Reactions of bots and people to messages."""

from discord_sandbox.discord.actions.broadcast import Broadcast
from discord_sandbox.discord.errors import DiscordError
from discord_sandbox.discord.rules.custom_emoji import Palette
from discord_sandbox.discord.rules.emoji import reaction_key
from discord_sandbox.discord.state.model import Message
from discord_sandbox.discord.state.store import State

MOST = 20


class Reactions:
    def __init__(self, state: State, broadcast: Broadcast) -> None:
        self._state = state
        self._broadcast = broadcast

    def add(self, message: Message, user_id: str, emoji: str, *, may_begin: bool) -> None:
        """React with a Unicode emoji, or with a custom one as `name:id`; a second time changes nothing.

        may_begin: whether the user may add an emoji that no one used yet. Raises 10014, 30010 or 50013.
        """
        key = reaction_key(emoji)
        if key is None:
            raise DiscordError(10014)
        if key not in message.reactions:
            if key.isdecimal() and Palette(self._state, message.channel, user_id).usable(key) is None:
                raise DiscordError(10014)
            if not may_begin:
                raise DiscordError(50013)
            if len(message.reactions) >= MOST:
                raise DiscordError(30010)
        who = message.reactions.setdefault(key, [])
        if user_id not in who:
            who.append(user_id)
            self._broadcast.reaction(message, user_id, key, added=True)

    def of(self, message: Message, emoji: str) -> list[str]:
        """Ids of those who reacted with an emoji."""
        return message.reactions.get(reaction_key(emoji) or "", [])

    def remove(self, message: Message, user_id: str, emoji: str) -> None:
        """Take a user's reaction back, if there is one."""
        who, key = self.of(message, emoji), reaction_key(emoji)
        if key is not None and user_id in who:
            who.remove(user_id)
            if not who:
                del message.reactions[key]
            self._broadcast.reaction(message, user_id, key, added=False)

    def clear(self, message: Message, emoji: str | None = None) -> None:
        """Remove everyone's reactions with one emoji, or with all of them."""
        if emoji is None:
            message.reactions.clear()
            self._broadcast.reactions_cleared(message, None)
            return
        key = reaction_key(emoji)
        if key is not None and message.reactions.pop(key, None) is not None:
            self._broadcast.reactions_cleared(message, key)
