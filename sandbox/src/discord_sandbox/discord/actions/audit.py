"""The audit logs of servers: who did what, with which reason."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from typing import NamedTuple

from discord_sandbox.discord.actions.broadcast import Broadcast
from discord_sandbox.discord.render import audit as render
from discord_sandbox.discord.state.audit import Action, AuditEntry
from discord_sandbox.discord.state.clock import Clock
from discord_sandbox.discord.state.emoji import CustomEmoji
from discord_sandbox.discord.state.event import ScheduledEvent
from discord_sandbox.discord.state.invite import Invite
from discord_sandbox.discord.state.model import JSON, Channel, Guild, Member, Message, Role
from discord_sandbox.discord.state.permissions import Overwrite
from discord_sandbox.discord.state.store import State
from discord_sandbox.discord.state.voice import StageInstance
from discord_sandbox.discord.state.webhook import Webhook

MOST = 10_000
KEPT_SECONDS = 45 * 86_400.0
GROUP_SECONDS = 300.0
# One entry counts the same action of one user within five minutes.
GROUPED = frozenset({Action.MESSAGE_DELETE, Action.MEMBER_MOVE, Action.MEMBER_DISCONNECT})
OWNER = "owner"


class Actor(NamedTuple):
    """Who acts during a call. user_id: OWNER is the owner of the server, None is unknown."""

    user_id: str | None = OWNER
    reason: str | None = None


_ACTOR: ContextVar[Actor] = ContextVar("actor", default=Actor())  # noqa: B039 - it is immutable


@contextlib.contextmanager
def acting(user_id: str | None, reason: str | None = None) -> Iterator[None]:
    """What is logged inside was done by that user, for that reason."""
    token = _ACTOR.set(Actor(user_id, reason))
    try:
        yield
    finally:
        _ACTOR.reset(token)


class AuditLog:
    def __init__(self, state: State, clock: Clock, broadcast: Broadcast) -> None:
        self._state = state
        self._clock = clock
        self._broadcast = broadcast

    def of(self, guild: Guild) -> list[AuditEntry]:
        """The entries of the last 45 days, oldest first."""
        since = self._clock.now() - KEPT_SECONDS
        return [one for one in guild.audit_log if one.created > since]

    def add(
        self,
        guild: Guild,
        action: Action,
        target_id: str | None,
        changes: Sequence[JSON] = (),
        options: Mapping[str, str] | None = None,
    ) -> None:
        """Record and announce what the call's actor did; nothing in direct messages."""
        if guild.hidden:
            return
        actor, now, details = _ACTOR.get(), self._clock.now(), dict(options or {})
        user_id = guild.owner_id if actor.user_id == OWNER else actor.user_id
        if action in GROUPED:
            for known in reversed(guild.audit_log):
                if now - known.created > GROUP_SECONDS:
                    break
                same = (known.action, known.user_id, known.target_id) == (action, user_id, target_id)
                if same and known.options | {"count": ""} == details | {"count": ""}:
                    known.options["count"] = str(int(known.options["count"]) + 1)
                    return
            details["count"] = "1"
        made = AuditEntry(
            self._state.new_id(), int(action), user_id, target_id, now, list(changes), details, actor.reason
        )
        guild.audit_log.append(made)
        del guild.audit_log[:-MOST]
        self._broadcast.audit_entry(guild, made)

    def _changed(self, guild: Guild, action: Action, target: str, before: JSON, after: JSON) -> None:
        changes = render.diff(before, after)
        if changes:
            self.add(guild, action, target, changes)

    def channel_made(self, channel: Channel) -> None:
        """A new channel or thread."""
        action = Action.THREAD_CREATE if channel.is_thread else Action.CHANNEL_CREATE
        self.add(channel.guild, action, channel.id, render.diff({}, _whole(channel)))

    def channel_deleted(self, channel: Channel) -> None:
        action = Action.THREAD_DELETE if channel.is_thread else Action.CHANNEL_DELETE
        self.add(channel.guild, action, channel.id, render.diff(_whole(channel), {}))

    @contextlib.contextmanager
    def channel_change(self, channel: Channel) -> Iterator[None]:
        """Record what changes inside about a channel or thread."""
        before = render.channel(channel)
        yield
        action = Action.THREAD_UPDATE if channel.is_thread else Action.CHANNEL_UPDATE
        self._changed(channel.guild, action, channel.id, before, render.channel(channel))

    def overwrites_changed(
        self, channel: Channel, before: Mapping[str, Overwrite], after: Mapping[str, Overwrite]
    ) -> None:
        """An entry for each role or member that has other permissions in the channel."""
        roles = channel.guild.roles
        for target in dict.fromkeys((*before, *after)):
            was, will = before.get(target), after.get(target)
            known = will or was
            if was == will or known is None:
                continue
            action = Action.CHANNEL_OVERWRITE_UPDATE
            if was is None or will is None:
                made = was is None
                action = Action.CHANNEL_OVERWRITE_CREATE if made else Action.CHANNEL_OVERWRITE_DELETE
            options = {"id": target, "type": str(known.kind)}
            if target in roles:
                options["role_name"] = roles[target].name
            changes = render.diff(render.overwrite(was), render.overwrite(will))
            self.add(channel.guild, action, channel.id, changes, options)

    @contextlib.contextmanager
    def member_change(self, member: Member) -> Iterator[None]:
        """Record what changes inside about a member: name, timeout, sound; and their roles, in an entry of its own."""
        before, roles = render.member(member), list(member.roles)
        yield
        guild, target = member.guild, member.user.id
        self._changed(guild, Action.MEMBER_UPDATE, target, before, render.member(member))
        changes: list[JSON] = []
        for key, ids in (
            ("$add", set(member.roles) - set(roles)),
            ("$remove", set(roles) - set(member.roles)),
        ):
            named = [{"id": one, "name": guild.roles[one].name} for one in sorted(ids) if one in guild.roles]
            changes += [{"key": key, "new_value": named}] if named else []
        if changes:
            self.add(guild, Action.MEMBER_ROLE_UPDATE, target, changes)

    def role_made(self, guild: Guild, role: Role) -> None:
        self.add(guild, Action.ROLE_CREATE, role.id, render.diff({}, render.role(role)))

    def role_deleted(self, guild: Guild, role: Role) -> None:
        self.add(guild, Action.ROLE_DELETE, role.id, render.diff(render.role(role), {}))

    @contextlib.contextmanager
    def role_change(self, guild: Guild, role: Role) -> Iterator[None]:
        before = render.role(role)
        yield
        self._changed(guild, Action.ROLE_UPDATE, role.id, before, render.role(role))

    def webhook_made(self, it: Webhook) -> None:
        self.add(it.channel.guild, Action.WEBHOOK_CREATE, it.id, render.diff({}, render.webhook(it)))

    def webhook_deleted(self, it: Webhook) -> None:
        self.add(it.channel.guild, Action.WEBHOOK_DELETE, it.id, render.diff(render.webhook(it), {}))

    @contextlib.contextmanager
    def webhook_change(self, it: Webhook) -> Iterator[None]:
        guild, before = it.channel.guild, render.webhook(it)
        yield
        self._changed(guild, Action.WEBHOOK_UPDATE, it.id, before, render.webhook(it))

    def invite_made(self, guild: Guild, it: Invite) -> None:
        self.add(guild, Action.INVITE_CREATE, None, render.diff({}, render.invite(it)))

    def invite_deleted(self, guild: Guild, it: Invite) -> None:
        self.add(guild, Action.INVITE_DELETE, None, render.diff(render.invite(it), {}))

    def event_made(self, guild: Guild, it: ScheduledEvent) -> None:
        self.add(guild, Action.SCHEDULED_EVENT_CREATE, it.id, render.diff({}, render.event(it)))

    def event_deleted(self, guild: Guild, it: ScheduledEvent) -> None:
        self.add(guild, Action.SCHEDULED_EVENT_DELETE, it.id, render.diff(render.event(it), {}))

    @contextlib.contextmanager
    def event_change(self, guild: Guild, it: ScheduledEvent) -> Iterator[None]:
        before = render.event(it)
        yield
        self._changed(guild, Action.SCHEDULED_EVENT_UPDATE, it.id, before, render.event(it))

    def emoji_made(self, guild: Guild, it: CustomEmoji) -> None:
        self.add(guild, Action.EMOJI_CREATE, it.id, render.diff({}, {"name": it.name}))

    def emoji_deleted(self, guild: Guild, it: CustomEmoji) -> None:
        self.add(guild, Action.EMOJI_DELETE, it.id, render.diff({"name": it.name}, {}))

    def emoji_renamed(self, guild: Guild, it: CustomEmoji, former: str) -> None:
        self._changed(guild, Action.EMOJI_UPDATE, it.id, {"name": former}, {"name": it.name})

    def stage_changed(
        self, channel: Channel, it: StageInstance, action: Action, before: JSON, after: JSON
    ) -> None:
        def told(body: JSON) -> JSON:
            return {key: body[key] for key in ("topic", "privacy_level") if key in body}

        options = {"channel_id": channel.id}
        self.add(channel.guild, action, it.id, render.diff(told(before), told(after)), options)

    def message_deleted(self, message: Message) -> None:
        """A person deleted what another user wrote; what a bot deletes one by one is not logged on Discord."""
        channel = message.channel
        if message.ephemeral_to is None:
            options = {"channel_id": channel.id}
            self.add(channel.guild, Action.MESSAGE_DELETE, message.author.id, options=options)

    def message_pinned(self, message: Message, *, pinned: bool) -> None:
        action = Action.MESSAGE_PIN if pinned else Action.MESSAGE_UNPIN
        options = {"channel_id": message.channel.id, "message_id": message.id}
        self.add(message.channel.guild, action, message.author.id, options=options)


def _whole(channel: Channel) -> JSON:
    more = {} if channel.is_thread else render.overwrites(channel)
    return render.channel(channel) | more
