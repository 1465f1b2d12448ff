"""Channels of a server: new ones, changes, places, deletion."""

from collections.abc import Mapping

from discord_sandbox.discord.actions.audit import AuditLog
from discord_sandbox.discord.actions.broadcast import Broadcast
from discord_sandbox.discord.actions.events import Events
from discord_sandbox.discord.actions.stages import Stages
from discord_sandbox.discord.actions.threads import Threads
from discord_sandbox.discord.actions.voice import Voice
from discord_sandbox.discord.errors import DiscordError
from discord_sandbox.discord.rules.channels import MOST, ChannelFields
from discord_sandbox.discord.state.forum import Forum
from discord_sandbox.discord.state.model import CATEGORY, Channel, Guild
from discord_sandbox.discord.state.permissions import Overwrite
from discord_sandbox.discord.state.store import State
from discord_sandbox.discord.state.voice import VoiceSettings


class Channels:
    def __init__(
        self,
        state: State,
        broadcast: Broadcast,
        threads: Threads,
        voice: Voice,
        audit: AuditLog,
        *,
        stages: Stages,
        events: Events,
    ) -> None:
        self._state = state
        self._broadcast = broadcast
        self._threads = threads
        self._voice = voice
        self._audit = audit
        self._stages = stages
        self._events = events

    def create(
        self,
        guild: Guild,
        kind: int,
        given: ChannelFields,
        overwrites: Mapping[str, Overwrite] | None,
        *,
        forum: Forum | None = None,
        voice: VoiceSettings | None = None,
    ) -> Channel:
        """A channel at the end of the list; without overwrites, it has its category's. Raises 30013."""
        plain = [one for one in guild.channels.values() if not one.is_thread]
        if len(plain) >= MOST:
            raise DiscordError(30013)
        position = max((one.position for one in plain), default=-1) + 1
        made = Channel(self._state.new_id(), guild, kind, "", position=position, forum=forum, voice=voice)
        if not overwrites and given.category_id is not None:
            overwrites = guild.channels[given.category_id].overwrites
        made.overwrites = dict(overwrites or {})
        apply(made, given)
        self._state.add_channel(made)
        self._broadcast.channel_created(made)
        self._audit.channel_made(made)
        return made

    def change(
        self,
        channel: Channel,
        given: ChannelFields,
        forum: Forum | None = None,
        voice: VoiceSettings | None = None,
    ) -> None:
        with self._audit.channel_change(channel):
            apply(channel, given)
            channel.forum = channel.forum if forum is None else forum
            channel.voice = channel.voice if voice is None else voice
        self._broadcast.channel_updated(channel)

    def move(self, channel: Channel, position: int | None, category_id: str | None, *, sync: bool) -> None:
        """Put a channel elsewhere; `sync`: with its category's overwrites."""
        channel.position = channel.position if position is None else position
        channel.category_id = category_id
        if sync and category_id is not None:
            former = channel.overwrites
            channel.overwrites = dict(channel.guild.channels[category_id].overwrites)
            self._audit.overwrites_changed(channel, former, channel.overwrites)
            channel.guild.permission_cache.clear()
        self._broadcast.channel_updated(channel)

    def remove(self, channel: Channel) -> None:
        """Delete a channel with its threads; what was in a category stays, outside."""
        inside: list[Channel] = []
        if channel.kind == CATEGORY:
            inside = [one for one in channel.guild.channels.values() if one.category_id == channel.id]
        self._audit.channel_deleted(channel)
        self._stages.clear(channel)
        self._events.clear(channel)
        self._voice.clear(channel)
        self._threads.remove(channel)
        for one in inside:
            self.move(one, None, None, sync=False)
        self._broadcast.channels_gone(channel.guild)


def apply(channel: Channel, given: ChannelFields) -> None:
    """Set what the fields give."""
    channel.name = channel.name if given.name is None else given.name
    channel.topic = given.topic or None if "topic" in given.given else channel.topic
    channel.position = channel.position if given.position is None else given.position
    channel.nsfw = channel.nsfw if given.nsfw is None else given.nsfw
    if "rate_limit_per_user" in given.given:
        channel.slowmode = given.slowmode or 0
    if "default_auto_archive_duration" in given.given:
        channel.auto_archive_minutes = given.archive_minutes
    if "parent_id" in given.given:
        channel.category_id = given.category_id
