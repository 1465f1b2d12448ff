"""Connections to voice and stage channels, without audio: join, move, mute, leave."""

import secrets
from collections.abc import Callable

from discord_sandbox.discord.actions.audit import AuditLog
from discord_sandbox.discord.actions.broadcast import Broadcast
from discord_sandbox.discord.gateway.sessions import Session
from discord_sandbox.discord.state import permissions as perms
from discord_sandbox.discord.state.audit import Action
from discord_sandbox.discord.state.model import JSON, STAGE, Application, Channel, Member
from discord_sandbox.discord.state.store import State
from discord_sandbox.discord.state.voice import VoiceState


class Voice:
    def __init__(self, state: State, broadcast: Broadcast, audit: AuditLog) -> None:
        self._state = state
        self._broadcast = broadcast
        self._audit = audit

    def of(self, member: Member) -> VoiceState | None:
        return member.guild.voice.get(member.user.id)

    def channel_of(self, member: Member) -> Channel | None:
        it = self.of(member)
        return member.guild.channels.get(it.channel_id) if it is not None else None

    def inside(self, channel: Channel) -> list[VoiceState]:
        return [one for one in channel.guild.voice.values() if one.channel_id == channel.id]

    def is_full(self, channel: Channel) -> bool:
        limit = channel.voice.user_limit if channel.voice is not None else 0
        return bool(limit) and len(self.inside(channel)) >= limit

    def may_join(self, member: Member, channel: Channel) -> bool:
        """Whether they can connect to it; MOVE_MEMBERS lets them into a full one."""
        allowed = self._state.permissions(member, channel)
        if not allowed & perms.VIEW_CHANNEL or not allowed & perms.CONNECT:
            return False
        here = self.channel_of(member) is channel
        return here or not self.is_full(channel) or bool(allowed & perms.MOVE_MEMBERS)

    def connect(
        self,
        member: Member,
        channel: Channel,
        session_id: str | None = None,
        *,
        self_mute: bool | None = None,
        self_deaf: bool | None = None,
    ) -> VoiceState:
        """Join the channel, or move there; unchecked. On a stage they are in the audience at first."""
        guild, before = member.guild, self.channel_of(member)
        it = self.of(member)
        if it is None:
            session_id = session_id or secrets.token_hex(16)
            it = guild.voice[member.user.id] = VoiceState(member.user.id, channel.id, session_id)
        renewed = before is not channel or session_id not in (None, it.session_id)
        it.session_id = session_id or it.session_id
        it.self_mute = it.self_mute if self_mute is None else self_mute
        it.self_deaf = it.self_deaf if self_deaf is None else self_deaf
        if before is not channel:
            it.channel_id, it.requested = channel.id, None
            speaks = bool(self._state.permissions(member, channel) & perms.SPEAK)
            it.suppress = channel.kind == STAGE or not speaks
        self._broadcast.voice_changed(member, it, before, channel)
        if member.user.bot and renewed:
            self._broadcast.voice_server(member, it)
        return it

    def leave(self, member: Member) -> None:
        """Disconnect them, if they are connected."""
        before, it = self.channel_of(member), member.guild.voice.pop(member.user.id, None)
        if it is not None:
            self._broadcast.voice_changed(member, it, before, None)

    def clear(self, channel: Channel) -> None:
        """Disconnect everyone in a channel, which is about to be deleted."""
        for it in self.inside(channel):
            self.leave(channel.guild.members[it.user_id])

    def move(self, member: Member, channel: Channel | None) -> None:
        """Put a connected member into another channel, or disconnect them, as the server's moderators do."""
        before = self.channel_of(member)
        if channel is None:
            self.leave(member)
            self._audit.add(member.guild, Action.MEMBER_DISCONNECT, None)
        elif channel is not before:
            self.connect(member, channel)
            self._audit.add(member.guild, Action.MEMBER_MOVE, None, options={"channel_id": channel.id})

    def set_server(self, member: Member, *, mute: bool | None, deaf: bool | None) -> None:
        """Mute or deafen a member for everyone, as the server's moderators do."""
        with self._audit.member_change(member):
            member.mute = member.mute if mute is None else mute
            member.deaf = member.deaf if deaf is None else deaf
        self.changed(member)

    def set_stage(self, member: Member, *, suppress: bool | None, requested: float | None) -> None:
        """Who may speak on a stage, and who asked to."""
        it = self.of(member)
        if it is not None:
            it.suppress = it.suppress if suppress is None else suppress
            it.requested = requested
            self.changed(member)

    def set_status(self, channel: Channel, status: str | None) -> None:
        """What the channel says is going on in it; None for nothing."""
        if channel.voice_status == status:
            return
        channel.voice_status = status
        self._broadcast.voice_status(channel)
        if status is None:
            self._audit.add(channel.guild, Action.VOICE_CHANNEL_STATUS_DELETE, channel.id)
        else:
            options = {"status": status, "channel_id": channel.id}
            self._audit.add(channel.guild, Action.VOICE_CHANNEL_STATUS_CREATE, channel.id, options=options)

    def changed(self, member: Member) -> None:
        it, channel = self.of(member), self.channel_of(member)
        if it is not None:
            self._broadcast.voice_changed(member, it, channel, channel)

    def requested(self, session: Session, data: JSON) -> None:
        """A bot's op 4. What it may not do has no answer, as on Discord."""
        guild = session.application.guilds.get(str(data.get("guild_id")))
        member = guild.members.get(session.application.id) if guild is not None else None
        if guild is None or member is None:
            return
        wanted = data.get("channel_id")
        if wanted is None:
            self.leave(member)
            return
        channel = guild.channels.get(str(wanted))
        if channel is not None and channel.is_voice and self.may_join(member, channel):
            mute, deaf = data.get("self_mute") is True, data.get("self_deaf") is True
            self.connect(member, channel, session.id, self_mute=mute, self_deaf=deaf)

    def session_ended(self, session: Session) -> None:
        """A bot leaves voice with the gateway session that it joined by."""
        self._drop(session.application, lambda it: it.session_id == session.id)

    def began(self, session: Session, live: set[str]) -> None:
        """Forget what a bot's former sessions left behind. live: ids of sessions."""
        self._drop(session.application, lambda it: it.session_id not in live)

    def _drop(self, application: Application, ended: Callable[[VoiceState], bool]) -> None:
        for guild in list(application.guilds.values()):
            it, member = guild.voice.get(application.id), guild.members.get(application.id)
            if it is not None and member is not None and ended(it):
                self.leave(member)
