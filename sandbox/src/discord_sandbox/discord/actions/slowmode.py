"""Slow mode: how long people wait between two messages in a channel, and between two threads."""

from discord_sandbox.discord.state import permissions as perms
from discord_sandbox.discord.state.clock import Clock
from discord_sandbox.discord.state.model import Channel, Member
from discord_sandbox.discord.state.store import State


class SlowMode:
    """Holds for people; bots, and those with the permission to bypass it, are exempt."""

    def __init__(self, state: State, clock: Clock) -> None:
        self._state = state
        self._clock = clock

    def until_message(self, member: Member, channel: Channel) -> float:
        """Seconds until the member can write there again; 0.0 for now."""
        return self._left(member, channel, channel.wrote)

    def until_thread(self, member: Member, channel: Channel) -> float:
        """Seconds until the member can start a thread, or a post of a forum, again; 0.0 for now."""
        return self._left(member, channel, channel.began)

    def wrote(self, member: Member, channel: Channel) -> None:
        channel.wrote[member.user.id] = self._clock.now()

    def began(self, member: Member, channel: Channel) -> None:
        channel.began[member.user.id] = self._clock.now()

    def _left(self, member: Member, channel: Channel, since: dict[str, float]) -> float:
        last = since.get(member.user.id)
        if last is None or channel.slowmode == 0 or member.user.bot:
            return 0.0
        if self._state.permissions(member, channel) & perms.BYPASS_SLOWMODE:
            return 0.0
        return max(0.0, last + channel.slowmode - self._clock.now())
