"""Threads: start from a message or alone, change, archive, delete."""

from dataclasses import dataclass

from discord_sandbox.discord.actions.audit import AuditLog
from discord_sandbox.discord.actions.broadcast import Broadcast
from discord_sandbox.discord.errors import DiscordError
from discord_sandbox.discord.state.clock import Clock
from discord_sandbox.discord.state.forum import Post
from discord_sandbox.discord.state.model import (
    ANNOUNCEMENT,
    ANNOUNCEMENT_THREAD,
    HAS_THREAD,
    PRIVATE_THREAD,
    PUBLIC_THREAD,
    THREAD_CREATED,
    THREAD_STARTER,
    Channel,
    Member,
    Message,
    Thread,
    User,
)
from discord_sandbox.discord.state.store import State


@dataclass(frozen=True, slots=True)
class ThreadDraft:
    """What a new thread is to be. `minutes` None: as the channel has it; `slowmode` in seconds."""

    name: str
    minutes: int | None = None
    slowmode: int = 0
    invitable: bool = True


class Threads:
    def __init__(self, state: State, clock: Clock, broadcast: Broadcast, audit: AuditLog) -> None:
        self._state = state
        self._clock = clock
        self._broadcast = broadcast
        self._audit = audit
        clock.subscribe(self.archive_idle)

    def draft_post(self, parent: Channel, owner: User, draft: ThreadDraft, tags: list[str]) -> Channel:
        """A post in a forum, which is there once it is `opened`."""
        minutes = draft.minutes or parent.auto_archive_minutes or 4320
        thread = Thread(parent, owner.id, self._clock.now(), auto_archive_minutes=minutes, post=Post(tags))
        if owner.id in parent.guild.members:
            thread.members[owner.id] = thread.created
        slowmode = draft.slowmode or (parent.forum.post_slowmode if parent.forum is not None else 0)
        return Channel(
            self._state.new_id(), parent.guild, PUBLIC_THREAD, draft.name, slowmode=slowmode, thread=thread
        )

    def opened(self, post: Channel) -> None:
        """Announce a post, called with its first message, which does not count."""
        if post.thread is not None:
            post.thread.message_count = post.thread.total_sent = 0
        self._state.add_channel(post)
        self._broadcast.thread_created(post)
        self._audit.channel_made(post)

    def _make(
        self, thread_id: str, parent: Channel, owner: Member, draft: ThreadDraft, kind: int
    ) -> tuple[Channel, Thread]:
        now = self._clock.now()
        minutes = draft.minutes or parent.auto_archive_minutes or 4320
        thread = Thread(parent, owner.user.id, now, auto_archive_minutes=minutes, invitable=draft.invitable)
        thread.members[owner.user.id] = now
        channel = Channel(thread_id, parent.guild, kind, draft.name, slowmode=draft.slowmode, thread=thread)
        self._state.add_channel(channel)
        return channel, thread

    def from_message(self, message: Message, owner: Member, draft: ThreadDraft) -> Channel:
        """Start a thread, which gets the message's id. Raises 160004 if the message has a thread."""
        if message.thread is not None or message.id in self._state.channels:
            raise DiscordError(160004)
        kind = ANNOUNCEMENT_THREAD if message.channel.kind == ANNOUNCEMENT else PUBLIC_THREAD
        channel, thread = self._make(message.id, message.channel, owner, draft, kind)
        thread.message_id = message.id
        message.thread = channel
        message.flags |= HAS_THREAD
        self._broadcast.thread_created(channel)
        self._audit.channel_made(channel)
        self._broadcast.message_updated(message)
        starter = self._system(channel, owner, THREAD_STARTER)
        starter.reference = {
            "type": 0,
            "channel_id": message.channel.id,
            "message_id": message.id,
            "guild_id": channel.guild.id,
        }
        self._say(starter, counted=False)
        return channel

    def alone(self, parent: Channel, owner: Member, draft: ThreadDraft, kind: int) -> Channel:
        channel, thread = self._make(self._state.new_id(), parent, owner, draft, kind)
        self._broadcast.thread_created(channel)
        self._audit.channel_made(channel)
        if kind != PRIVATE_THREAD:
            notice = self._system(parent, owner, THREAD_CREATED)
            notice.content = draft.name
            notice.flags |= HAS_THREAD
            notice.thread = channel
            notice.reference = {"type": 0, "channel_id": channel.id, "guild_id": channel.guild.id}
            thread.message_id = notice.id
            self._say(notice)
        return channel

    def _system(self, channel: Channel, owner: Member, kind: int) -> Message:
        return Message(self._state.new_id(), channel, owner.user, kind, self._clock.now())

    def _say(self, message: Message, *, counted: bool = True) -> None:
        self._state.add_message(message)
        if not counted and message.channel.thread is not None:
            message.channel.thread.message_count -= 1
            message.channel.thread.total_sent -= 1
        self._broadcast.message_created(message)

    def changed(self, channel: Channel) -> None:
        thread = channel.thread
        if thread is not None and thread.message_id is not None:
            starter = self._state.messages.get(thread.message_id)
            if starter is not None:
                starter.rendered = None
        self._broadcast.thread_updated(channel)

    def remove(self, channel: Channel) -> None:
        """Delete a channel with its threads, or a thread; its message can then start another."""
        for thread in list(self._state.threads_of(channel)):
            self.remove(thread)
        self._broadcast.channel_deleted(channel)
        self._state.remove_channel(channel)

    def spoken_in(self, channel: Channel, user: User) -> None:
        """A user who writes in a thread joins it, and an archived one is open again."""
        if channel.thread is None:
            return
        if user.id in channel.guild.members:
            self.join(channel, channel.thread, user.id)
        if channel.thread.archived:
            self.archive(channel, archived=False)
            self.changed(channel)

    def join(self, channel: Channel, thread: Thread, user_id: str) -> None:
        """Add a member of the guild to a thread; nothing is announced if they are in it."""
        if user_id not in thread.members:
            thread.members[user_id] = self._clock.now()
            self._broadcast.thread_members_changed(channel, thread, added=user_id)

    def leave(self, channel: Channel, thread: Thread, user_id: str) -> None:
        if thread.members.pop(user_id, None) is not None:
            self._broadcast.thread_members_changed(channel, thread, removed=user_id)

    def archive_idle(self) -> None:
        """Archive the threads in which nothing happened for as long as their settings say."""
        now = self._clock.now()
        for channel in list(self._state.channels.values()):
            thread = channel.thread
            if thread is None or thread.archived:
                continue
            last = next(reversed(channel.messages.values()), None)
            active = max(thread.created, thread.archived_at, last.created if last is not None else 0.0)
            if now - active >= thread.auto_archive_minutes * 60:
                self.archive(channel, archived=True)
                self.changed(channel)

    def archive(self, channel: Channel, *, archived: bool) -> None:
        if channel.thread is not None and channel.thread.archived != archived:
            channel.thread.archived = archived
            channel.thread.archived_at = self._clock.now()
