"""Pinned messages of channels: pin, unpin."""

from discord_sandbox.discord.actions.audit import AuditLog
from discord_sandbox.discord.actions.broadcast import Broadcast
from discord_sandbox.discord.errors import DiscordError
from discord_sandbox.discord.state.clock import Clock
from discord_sandbox.discord.state.model import CHANNEL_PIN, WRITTEN, Message, User
from discord_sandbox.discord.state.store import State

MOST = 250


class Pins:
    def __init__(self, state: State, clock: Clock, broadcast: Broadcast, audit: AuditLog) -> None:
        self._state = state
        self._clock = clock
        self._broadcast = broadcast
        self._audit = audit

    def pin(self, message: Message, by: User) -> None:
        """Pin a message, which the channel is told by a message; one that is pinned stays as it is.

        Raises 30003 for too many, 50021 for a system message.
        """
        channel, now = message.channel, self._clock.now()
        if message.kind not in WRITTEN:
            raise DiscordError(50021)
        if message.pinned:
            return
        if len(channel.pins) >= MOST:
            raise DiscordError(30003)
        channel.pins.insert(0, message.id)
        message.pinned, message.pinned_at = True, now
        self._announce(message)
        notice = Message(self._state.new_id(), channel, by, CHANNEL_PIN, now)
        notice.reference = {
            "type": 0,
            "channel_id": channel.id,
            "message_id": message.id,
            **channel.in_guild,
        }
        self._state.add_message(notice)
        self._broadcast.message_created(notice)

    def unpin(self, message: Message) -> None:
        """Nothing happens to a message that is not pinned."""
        if message.pinned:
            message.unpin()
            self._announce(message)

    def _announce(self, message: Message) -> None:
        self._broadcast.message_updated(message)
        self._broadcast.pins_changed(message.channel)
        self._audit.message_pinned(message, pinned=message.pinned)
