"""Live stages: what is talked about in a stage channel, from its start to its end."""

from discord_sandbox.discord.actions.audit import AuditLog
from discord_sandbox.discord.actions.broadcast import Broadcast
from discord_sandbox.discord.errors import DiscordError
from discord_sandbox.discord.render.voice import stage_instance as render_stage
from discord_sandbox.discord.state.audit import Action
from discord_sandbox.discord.state.model import JSON, Channel
from discord_sandbox.discord.state.store import State
from discord_sandbox.discord.state.voice import StageInstance


class Stages:
    def __init__(self, state: State, broadcast: Broadcast, audit: AuditLog) -> None:
        self._state = state
        self._broadcast = broadcast
        self._audit = audit

    def of(self, channel: Channel) -> StageInstance:
        """Raises 10067 for a channel that is not live."""
        found = channel.guild.stages.get(channel.id)
        if found is None:
            raise DiscordError(10067)
        return found

    def begin(self, channel: Channel, topic: str, privacy: int, event_id: str | None) -> StageInstance:
        """Make a stage channel live. Raises 10070 for an event that is not there, 150006 if it is live."""
        guild = channel.guild
        if event_id is not None and event_id not in guild.events:
            raise DiscordError(10070)
        if channel.id in guild.stages:
            raise DiscordError(150006)
        made = StageInstance(self._state.new_id(), channel.id, topic, privacy, event_id)
        guild.stages[channel.id] = made
        self._announce(channel, made, "CREATE", Action.STAGE_INSTANCE_CREATE, {})
        return made

    def change(self, channel: Channel, *, topic: str | None, privacy: int | None) -> StageInstance:
        """Raises 10067."""
        it = self.of(channel)
        before = render_stage(channel, it)
        it.topic = it.topic if topic is None else topic
        it.privacy = it.privacy if privacy is None else privacy
        self._announce(channel, it, "UPDATE", Action.STAGE_INSTANCE_UPDATE, before)
        return it

    def end(self, channel: Channel) -> None:
        """Raises 10067."""
        it = self.of(channel)
        del channel.guild.stages[channel.id]
        self._announce(channel, it, "DELETE", Action.STAGE_INSTANCE_DELETE, render_stage(channel, it))

    def clear(self, channel: Channel) -> None:
        """End what is live in a channel that is about to be deleted."""
        if channel.id in channel.guild.stages:
            self.end(channel)

    def _announce(
        self, channel: Channel, it: StageInstance, event: str, action: Action, before: JSON
    ) -> None:
        """before: what is logged as former values, for a new one nothing."""
        self._broadcast.stage_changed(channel, it, f"STAGE_INSTANCE_{event}")
        after = {} if action is Action.STAGE_INSTANCE_DELETE else render_stage(channel, it)
        self._audit.stage_changed(channel, it, action, before, after)
