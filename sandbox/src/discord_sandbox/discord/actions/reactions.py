"""Reactions of bots and people to messages."""

from discord_sandbox.discord.actions.broadcast import Broadcast
from discord_sandbox.discord.errors import DiscordError
from discord_sandbox.discord.rules.emoji import is_emoji
from discord_sandbox.discord.state.model import Message

MOST = 20


class Reactions:
    def __init__(self, broadcast: Broadcast) -> None:
        self._broadcast = broadcast

    def add(self, message: Message, user_id: str, emoji: str, *, may_begin: bool) -> None:
        """React; a second time changes nothing.

        may_begin: whether the user may add an emoji that no one used yet. Raises 10014, 30010 or 50013.
        """
        if not is_emoji(emoji):
            raise DiscordError(10014)
        if emoji not in message.reactions:
            if not may_begin:
                raise DiscordError(50013)
            if len(message.reactions) >= MOST:
                raise DiscordError(30010)
        who = message.reactions.setdefault(emoji, [])
        if user_id not in who:
            who.append(user_id)
            self._broadcast.reaction(message, user_id, emoji, added=True)

    def remove(self, message: Message, user_id: str, emoji: str) -> None:
        """Take a user's reaction back, if there is one."""
        who = message.reactions.get(emoji, [])
        if user_id in who:
            who.remove(user_id)
            if not who:
                del message.reactions[emoji]
            self._broadcast.reaction(message, user_id, emoji, added=False)

    def clear(self, message: Message, emoji: str | None = None) -> None:
        """Remove everyone's reactions with one emoji, or with all of them."""
        if emoji is None:
            message.reactions.clear()
            self._broadcast.reactions_cleared(message, None)
        elif message.reactions.pop(emoji, None) is not None:
            self._broadcast.reactions_cleared(message, emoji)
