"""Announcements of what a server has: channels, threads, members, bans, roles."""

import secrets

from discord_sandbox.discord.actions.feed import Feed
from discord_sandbox.discord.gateway.hub import Gateway
from discord_sandbox.discord.gateway.sessions import (
    EVENTS,
    EXPRESSIONS,
    INVITES,
    MEMBERS,
    MODERATION,
    VOICE_STATES,
    WEBHOOKS,
)
from discord_sandbox.discord.render import objects as render
from discord_sandbox.discord.render.audit import entry as render_entry
from discord_sandbox.discord.render.emoji import emoji
from discord_sandbox.discord.render.events import event as render_event
from discord_sandbox.discord.render.invites import created as render_invite
from discord_sandbox.discord.render.voice import stage_instance, voice_state
from discord_sandbox.discord.state import permissions as perms
from discord_sandbox.discord.state.audit import AuditEntry
from discord_sandbox.discord.state.event import ScheduledEvent
from discord_sandbox.discord.state.invite import Invite
from discord_sandbox.discord.state.model import JSON, Application, Channel, Guild, Member, Role, Thread, User
from discord_sandbox.discord.state.store import State
from discord_sandbox.discord.state.voice import StageInstance, VoiceState


class GuildNews:
    def __init__(self, state: State, gateway: Gateway, feed: Feed) -> None:
        self._state = state
        self._gateway = gateway
        self.feed = feed

    def thread_created(self, channel: Channel) -> None:
        body = render.channel(channel) | {"newly_created": True}
        self._gateway.to_guild(channel.guild, "THREAD_CREATE", body, channel=channel)
        self.feed.publish("thread_create", channel)

    def thread_members_changed(
        self, channel: Channel, thread: Thread, *, added: str | None = None, removed: str | None = None
    ) -> None:
        """For bots with the members' intent, and for the bot that it is about."""
        body: JSON = {
            "id": channel.id,
            "guild_id": channel.guild.id,
            "member_count": len(thread.members),
        }
        if added is not None:
            member = render.member(channel.guild.members[added])
            one = render.thread_member(channel, thread, added)
            body["added_members"] = [one | {"member": member, "presence": None}]
        if removed is not None:
            body["removed_member_ids"] = [removed]
        self._gateway.to_guild(
            channel.guild,
            "THREAD_MEMBERS_UPDATE",
            body,
            intent=MEMBERS,
            channel=channel,
            also=self._state.applications.get(added or removed or ""),
        )
        self.feed.publish("thread_update", channel)

    def thread_updated(self, channel: Channel) -> None:
        self._gateway.to_guild(channel.guild, "THREAD_UPDATE", render.channel(channel), channel=channel)
        self.feed.publish("thread_update", channel)

    def channel_created(self, channel: Channel) -> None:
        self._gateway.channel("CHANNEL_CREATE", channel)
        self._gateway.channel_made(channel)
        self.feed.publish("channel_create", channel)

    def channel_updated(self, channel: Channel) -> None:
        self._gateway.channel("CHANNEL_UPDATE", channel)
        self._gateway.access_changed(channel.guild, channel)
        self.feed.publish("channel_update", channel)

    def channel_deleted(self, channel: Channel) -> None:
        """Call before removing the channel."""
        if channel.thread is not None:
            body: JSON = {
                "id": channel.id,
                "guild_id": channel.guild.id,
                "parent_id": channel.thread.parent.id,
                "type": channel.kind,
            }
            self._gateway.to_guild(channel.guild, "THREAD_DELETE", body, channel=channel)
            self.feed.publish("thread_delete", channel)
            return
        self._gateway.channel("CHANNEL_DELETE", channel)
        self.feed.publish("channel_delete", channel)

    def channels_gone(self, guild: Guild) -> None:
        """After a deletion: a category is seen with a channel in it, and maybe not without."""
        self._gateway.access_changed(guild)

    def webhooks_changed(self, channel: Channel) -> None:
        """Bots are told of the channel alone, and read its webhooks again."""
        body = {"guild_id": channel.guild.id, "channel_id": channel.id}
        self._gateway.to_guild(channel.guild, "WEBHOOKS_UPDATE", body, intent=WEBHOOKS, channel=channel)

    def emojis_changed(self, guild: Guild) -> None:
        """Bots are told of all that there are now."""
        body = {"guild_id": guild.id, "emojis": [emoji(one) for one in guild.emojis.values()]}
        self._gateway.to_guild(guild, "GUILD_EMOJIS_UPDATE", body, intent=EXPRESSIONS)

    def event_changed(self, guild: Guild, it: ScheduledEvent, verb: str) -> None:
        """verb: CREATE, UPDATE or DELETE. For bots that see the event's channel."""
        body, channel = render_event(self._state, guild, it), guild.channels.get(it.channel_id or "")
        event = f"GUILD_SCHEDULED_EVENT_{verb}"
        self._gateway.to_guild(guild, event, body, intent=EVENTS, channel=channel)

    def event_interest(self, guild: Guild, it: ScheduledEvent, user_id: str, *, added: bool) -> None:
        body = {"guild_scheduled_event_id": it.id, "user_id": user_id, "guild_id": guild.id}
        event = f"GUILD_SCHEDULED_EVENT_USER_{'ADD' if added else 'REMOVE'}"
        channel = guild.channels.get(it.channel_id or "")
        self._gateway.to_guild(guild, event, body, intent=EVENTS, channel=channel)

    def invite_created(self, channel: Channel, it: Invite) -> None:
        body = render_invite(self._state, channel.guild, it)
        self._of_invite("INVITE_CREATE", channel, body)

    def invite_deleted(self, channel: Channel, it: Invite) -> None:
        body = {"channel_id": channel.id, "guild_id": channel.guild.id, "code": it.code}
        self._of_invite("INVITE_DELETE", channel, body)

    def _of_invite(self, event: str, channel: Channel, body: JSON) -> None:
        """For bots that manage the channel."""
        needs = perms.MANAGE_CHANNELS
        self._gateway.to_guild(channel.guild, event, body, intent=INVITES, channel=channel, needs=needs)

    def member_updated(self, member: Member) -> None:
        body = render.member(member) | {"guild_id": member.guild.id}
        self._gateway.to_guild(member.guild, "GUILD_MEMBER_UPDATE", body, intent=MEMBERS)
        own = self._state.applications.get(member.user.id)
        if own is not None:
            for session in self._gateway.of(own):
                if not session.intents & MEMBERS:
                    self._gateway.to_application(own, member.guild, "GUILD_MEMBER_UPDATE", body)
                    break
            self._gateway.access_changed(member.guild)
        self.feed.publish("people_update", member)

    def member_joined(self, member: Member) -> None:
        body = render.member(member) | {"guild_id": member.guild.id}
        self._gateway.to_guild(member.guild, "GUILD_MEMBER_ADD", body, intent=MEMBERS)
        if not member.user.bot:
            self.feed.publish("people_create", member)

    def member_left(self, member: Member) -> None:
        """Call after removing the member."""
        body = {"guild_id": member.guild.id, "user": render.user(member.user)}
        self._gateway.to_guild(member.guild, "GUILD_MEMBER_REMOVE", body, intent=MEMBERS)
        if not member.user.bot:
            self.feed.publish("people_delete", member)

    def ban_changed(self, guild: Guild, user: User, *, added: bool) -> None:
        event = "GUILD_BAN_ADD" if added else "GUILD_BAN_REMOVE"
        body = {"guild_id": guild.id, "user": render.user(user)}
        needs = perms.BAN_MEMBERS | perms.VIEW_AUDIT_LOG
        self._gateway.to_guild(guild, event, body, intent=MODERATION, needs=needs)

    def audit_entry(self, guild: Guild, it: AuditEntry) -> None:
        body = render_entry(it) | {"guild_id": guild.id}
        event, needs = "GUILD_AUDIT_LOG_ENTRY_CREATE", perms.VIEW_AUDIT_LOG
        self._gateway.to_guild(guild, event, body, intent=MODERATION, needs=needs)

    def application_moved(self, application: Application, guild: Guild, *, joined: bool) -> None:
        """Tell a bot that it joined or left a server."""
        self._gateway.moved(application, guild, joined=joined)
        self.feed.publish("session_update", application)

    def voice_changed(
        self, member: Member, it: VoiceState, before: Channel | None, after: Channel | None
    ) -> None:
        """For those who see the channel; on a move, those who see only the former one are told that they left."""
        gone = voice_state(member, it, connected=False)
        there: list[str] = []
        if after is not None:
            body, guild = voice_state(member, it), member.guild
            there = self._gateway.to_guild(
                guild, "VOICE_STATE_UPDATE", body, intent=VOICE_STATES, channel=after
            )
        if before is not None and before is not after:
            self._gateway.to_guild(
                member.guild,
                "VOICE_STATE_UPDATE",
                gone,
                intent=VOICE_STATES,
                channel=before,
                without=there,
            )
        for channel in {before, after} - {None}:
            self.feed.publish("channel_update", channel)

    def stage_changed(self, channel: Channel, it: StageInstance, event: str) -> None:
        self._gateway.to_guild(channel.guild, event, stage_instance(channel, it), channel=channel)
        self.feed.publish("channel_update", channel)

    def voice_status(self, channel: Channel) -> None:
        body = {"id": channel.id, "guild_id": channel.guild.id, "status": channel.voice_status}
        self._gateway.to_guild(channel.guild, "VOICE_CHANNEL_STATUS_UPDATE", body, channel=channel)
        self.feed.publish("channel_update", channel)

    def voice_server(self, member: Member, it: VoiceState) -> None:
        """To the session that joined. There is no voice server: its address is null, as while Discord looks for one."""
        body = {"token": secrets.token_hex(8), "guild_id": member.guild.id, "endpoint": None}
        self._gateway.to_session(it.session_id, "VOICE_SERVER_UPDATE", body)

    def role_changed(self, guild: Guild, role: Role, *, created: bool = False) -> None:
        event = "GUILD_ROLE_CREATE" if created else "GUILD_ROLE_UPDATE"
        self._gateway.to_guild(guild, event, {"guild_id": guild.id, "role": render.role(role)})
        self._gateway.access_changed(guild)
        self.feed.publish("role_create" if created else "role_update", role)

    def role_deleted(self, guild: Guild, role: Role) -> None:
        self._gateway.to_guild(guild, "GUILD_ROLE_DELETE", {"guild_id": guild.id, "role_id": role.id})
        self._gateway.access_changed(guild)
        self.feed.publish("role_delete", role)
