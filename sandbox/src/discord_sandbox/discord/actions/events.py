"""Scheduled events of servers: make, change, delete, and who is interested."""

from discord_sandbox.discord.actions.audit import AuditLog
from discord_sandbox.discord.actions.broadcast import Broadcast
from discord_sandbox.discord.errors import DiscordError
from discord_sandbox.discord.rules.events import MOST, EventFields
from discord_sandbox.discord.state.event import ScheduledEvent
from discord_sandbox.discord.state.model import Channel, Guild, User
from discord_sandbox.discord.state.store import State


class Events:
    def __init__(self, state: State, broadcast: Broadcast, audit: AuditLog) -> None:
        self._state = state
        self._broadcast = broadcast
        self._audit = audit

    def create(self, guild: Guild, given: EventFields, creator: User) -> ScheduledEvent:
        """Raises 30038."""
        if sum(not one.is_over for one in guild.events.values()) >= MOST:
            raise DiscordError(30038)
        made = ScheduledEvent(self._state.new_id(), given.name, creator.id, given.kind, given.start)
        _apply(made, given)
        guild.events[made.id] = made
        self._broadcast.event_changed(guild, made, "CREATE")
        self._audit.event_made(guild, made)
        return made

    def change(self, guild: Guild, it: ScheduledEvent, given: EventFields) -> None:
        with self._audit.event_change(guild, it):
            _apply(it, given)
        self._broadcast.event_changed(guild, it, "UPDATE")

    def delete(self, guild: Guild, it: ScheduledEvent) -> None:
        del guild.events[it.id]
        self._broadcast.event_changed(guild, it, "DELETE")
        self._audit.event_deleted(guild, it)

    def clear(self, channel: Channel) -> None:
        """Delete those in a channel that is about to be deleted."""
        guild = channel.guild
        for one in [it for it in guild.events.values() if it.channel_id == channel.id]:
            self.delete(guild, one)

    def interest(self, guild: Guild, it: ScheduledEvent, user_id: str, *, interested: bool) -> None:
        """Nothing is announced if it was so before."""
        if interested == (user_id in it.users):
            return
        if interested:
            it.users.append(user_id)
        else:
            it.users.remove(user_id)
        self._broadcast.event_interest(guild, it, user_id, added=interested)


def _apply(it: ScheduledEvent, given: EventFields) -> None:
    it.name, it.description = given.name, given.description
    it.kind, it.channel_id, it.location = given.kind, given.channel_id, given.location
    it.start, it.end, it.status = given.start, given.end, given.status
    it.recurrence, it.image = given.recurrence, given.image
