"""Members of a server: joining, changing, leaving, being banned."""

from discord_sandbox.discord.actions.audit import AuditLog
from discord_sandbox.discord.actions.broadcast import Broadcast
from discord_sandbox.discord.actions.threads import Threads
from discord_sandbox.discord.actions.voice import Voice
from discord_sandbox.discord.state.audit import Action
from discord_sandbox.discord.state.clock import Clock
from discord_sandbox.discord.state.model import Application, Guild, Member, Message, User
from discord_sandbox.discord.state.store import State

DID_REJOIN = 1 << 0


class Members:
    def __init__(
        self,
        state: State,
        clock: Clock,
        broadcast: Broadcast,
        threads: Threads,
        *,
        voice: Voice,
        audit: AuditLog,
    ) -> None:
        self._state = state
        self._clock = clock
        self._broadcast = broadcast
        self._threads = threads
        self._voice = voice
        self._audit = audit

    def join(self, guild: Guild, user: User, roles: list[str]) -> Member:
        """Add a person; those who were here before are marked as rejoined."""
        flags = DID_REJOIN if user.id in guild.former else 0
        member = guild.members[user.id] = Member(user, guild, roles, self._clock.now(), flags=flags)
        guild.permission_cache.clear()
        self._broadcast.member_joined(member)
        return member

    def changed(self, member: Member) -> None:
        member.guild.permission_cache.clear()
        self._broadcast.member_updated(member)
        if member.timed_out_until is not None and self._clock.now() < member.timed_out_until:
            self._voice.leave(member)

    def set_role(self, member: Member, role_id: str, *, held: bool) -> None:
        """Give or take one role; nothing is announced if it was so before."""
        if held != (role_id in member.roles):
            with self._audit.member_change(member):
                kept = [one for one in member.roles if one != role_id]
                member.roles = kept + ([role_id] if held else [])
            self.changed(member)

    def kick(self, member: Member) -> None:
        """Remove a member, as a moderator does."""
        self.leave(member)
        self._audit.add(member.guild, Action.MEMBER_KICK, member.user.id)

    def leave(self, member: Member) -> None:
        """Remove a person or bot from the server and its threads."""
        guild, user = member.guild, member.user
        self._voice.leave(member)
        application = self._state.applications.get(user.id)
        if application is not None:
            self._drop_application(application, guild)
        guild.members.pop(user.id, None)
        guild.former.add(user.id)
        for channel in list(guild.channels.values()):
            if channel.thread is not None:
                self._threads.leave(channel, channel.thread, user.id)
        guild.permission_cache.clear()
        self._broadcast.member_left(member)

    def _drop_application(self, application: Application, guild: Guild) -> None:
        application.guilds.pop(guild.id, None)
        for role in [one for one in guild.roles.values() if one.bot_id == application.id]:
            del guild.roles[role.id]
            self._broadcast.role_deleted(guild, role)
        self._broadcast.application_moved(application, guild, joined=False)

    def install(self, application: Application, guild: Guild) -> None:
        """Add a bot to a server, with its role and the permissions its world gives it."""
        role = self._state.install(application, guild)
        guild.permission_cache.clear()
        self._broadcast.application_moved(application, guild, joined=True)
        self._broadcast.role_changed(guild, role, created=True)
        self._broadcast.member_joined(guild.members[application.id])
        self._audit.add(guild, Action.BOT_ADD, application.id)

    def ban(self, guild: Guild, user: User, reason: str | None, delete_seconds: int) -> None:
        """Ban a user, who need not be a member; their messages of the last `delete_seconds` go with them."""
        known = user.id in guild.bans
        guild.bans[user.id] = reason
        member = guild.members.get(user.id)
        if member is not None:
            self.leave(member)
        if not known:
            self._broadcast.ban_changed(guild, user, added=True)
            self._audit.add(guild, Action.MEMBER_BAN_ADD, user.id)
        if delete_seconds:
            self._delete_messages(guild, user, self._clock.now() - delete_seconds)

    def _delete_messages(self, guild: Guild, user: User, since: float) -> None:
        def due(message: Message) -> bool:
            return message.author is user and message.created >= since and message.ephemeral_to is None

        for channel in list(guild.channels.values()):
            found = [one for one in channel.messages.values() if due(one)]
            for message in found:
                self._state.remove_message(message)
            if found:
                self._broadcast.messages_deleted(channel, found)

    def unban(self, guild: Guild, user: User) -> None:
        del guild.bans[user.id]
        self._broadcast.ban_changed(guild, user, added=False)
        self._audit.add(guild, Action.MEMBER_BAN_REMOVE, user.id)
