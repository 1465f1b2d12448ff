"""Polls: votes, and their end, by their author or with their time."""

from discord_sandbox.discord.actions.broadcast import Broadcast
from discord_sandbox.discord.errors import DiscordError
from discord_sandbox.discord.render.polls import result
from discord_sandbox.discord.state.clock import Clock
from discord_sandbox.discord.state.model import POLL_RESULT, Message
from discord_sandbox.discord.state.poll import Poll
from discord_sandbox.discord.state.store import State


class Polls:
    def __init__(self, state: State, clock: Clock, broadcast: Broadcast) -> None:
        self._state = state
        self._clock = clock
        self._broadcast = broadcast
        clock.subscribe(self.end_due)

    def vote(self, message: Message, poll: Poll, user_id: str, wanted: set[int]) -> None:
        """Set a user's votes. Raises 520001 for a poll that has ended."""
        self.end_due()
        if poll.finalized:
            raise DiscordError(520001)
        for answer in poll.answers:
            who = poll.votes.setdefault(answer.id, [])
            if answer.id in wanted and user_id not in who:
                who.append(user_id)
                self._broadcast.poll_voted(message, user_id, answer.id, added=True)
            elif answer.id not in wanted and user_id in who:
                who.remove(user_id)
                self._broadcast.poll_voted(message, user_id, answer.id, added=False)

    def end(self, message: Message, poll: Poll) -> None:
        """Finalize a poll, and post how it ended. Raises 520001 if it has ended."""
        if poll.finalized:
            raise DiscordError(520001)
        poll.finalized = True
        poll.expires = min(poll.expires, self._clock.now())
        self._broadcast.message_updated(message)
        notice = Message(
            self._state.new_id(), message.channel, message.author, POLL_RESULT, self._clock.now()
        )
        notice.embeds = [result(poll)]
        notice.reference = {
            "type": 0,
            "channel_id": message.channel.id,
            "message_id": message.id,
            **message.channel.in_guild,
        }
        self._state.add_message(notice)
        self._broadcast.message_created(notice)

    def end_due(self) -> None:
        now = self._clock.now()
        for message in list(self._state.messages.values()):
            if message.poll is not None and not message.poll.finalized and now >= message.poll.expires:
                self.end(message, message.poll)
