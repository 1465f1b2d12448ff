"""People, channels, applications and calls in the JSON API's shapes."""

from discord_sandbox.api.message_views import MessageViews, avatar, color, time
from discord_sandbox.discord.state.ed25519 import public_key, seed_of
from discord_sandbox.discord.state.model import JSON, Application, Channel, Guild, Member, Role
from discord_sandbox.discord.state.permissions import names
from discord_sandbox.discord.state.voice import VoiceState
from discord_sandbox.discord.traffic.faults import Fault
from discord_sandbox.discord.traffic.request_log import LoggedCall

CHANNEL_TYPES = {
    0: "text",
    1: "direct",
    2: "voice",
    4: "category",
    5: "announcement",
    15: "forum",
    10: "thread",
    11: "thread",
    12: "private_thread",
    13: "stage",
}


class Views(MessageViews):
    def role(self, it: Role) -> JSON:
        return {
            "id": it.id,
            "name": it.name,
            "color": it.color,
            "mentionable": it.mentionable,
            "hoist": it.hoist,
            "position": it.position,
            "managed": it.bot_id is not None,
            "permissions": names(it.permissions),
        }

    def guild(self, it: Guild) -> JSON:
        return {
            "id": it.id,
            "name": it.name,
            "roles": [self.role(one) for one in it.roles.values()],
            "channels": list(it.channels),
            "people": [one.user.id for one in it.members.values() if not one.user.bot],
        }

    def person(self, it: Member) -> JSON:
        return {
            "id": it.user.id,
            "name": it.user.name,
            "display_name": it.nick or it.user.display_name,
            "nick": it.nick,
            "avatar_url": avatar(it.user),
            "color": color(it),
            "guild": it.guild.name,
            "guild_id": it.guild.id,
            "roles": [it.guild.roles[one].name for one in it.roles if one in it.guild.roles],
            "accepts_messages": it.user.accepts_messages,
            "timed_out_until": time(it.timed_out_until) if it.timed_out_until is not None else None,
        }

    def channel(self, it: Channel) -> JSON:
        thread = it.thread
        bot = next((one.user for one in it.guild.members.values() if one.user.bot), None)
        return {
            "id": it.id,
            "name": it.name,
            "type": CHANNEL_TYPES.get(it.kind, "text"),
            "topic": it.topic,
            "guild": None if it.is_direct else it.guild.name,
            "guild_id": None if it.is_direct else it.guild.id,
            "user": it.name if it.is_direct else None,
            "application": bot.name if it.is_direct and bot is not None else None,
            "position": it.position,
            "slowmode": it.slowmode,
            "category_id": it.category_id,
            "parent_id": thread.parent.id if thread is not None else None,
            "message_id": thread.message_id if thread is not None else None,
            "archived": thread.archived if thread is not None else False,
            "locked": thread.locked if thread is not None else False,
            "tags": _tags(it),
            "members": self._members(it),
            "message_count": thread.message_count if thread is not None else len(it.messages),
            "last_message_id": it.last_message_id,
            "user_limit": it.voice.user_limit if it.voice is not None else 0,
            "voice": [
                self.voice(it.guild.members[one.user_id], one)
                for one in (self._core.voice.inside(it) if it.is_voice else ())
            ],
        }

    def voice(self, member: Member, it: VoiceState) -> JSON:
        """Who is where in voice, and whether they can be heard. `mute` and `deaf` are the server's."""
        channel = member.guild.channels[it.channel_id]
        return {
            "user": member.user.name,
            "user_id": member.user.id,
            "display_name": member.nick or member.user.display_name,
            "bot": member.user.bot,
            "guild": member.guild.name,
            "channel": channel.name,
            "channel_id": channel.id,
            "mute": member.mute,
            "deaf": member.deaf,
            "self_mute": it.self_mute,
            "self_deaf": it.self_deaf,
            "suppress": it.suppress,
            "requested_to_speak": time(it.requested) if it.requested is not None else None,
        }

    def _members(self, it: Channel) -> list[str]:
        """The names of a thread's members."""
        users = self._core.state.users
        return [users[one].name for one in it.thread.members] if it.thread is not None else []

    def application(self, it: Application) -> JSON:
        now = self._core.clock.now()
        spent = sum(now - one < 86_400 for one in it.identifies)
        return {
            "id": it.id,
            "name": it.name,
            "display_name": it.display_name,
            "bot_id": it.user.id,
            "avatar_url": avatar(it.user),
            "connected": self._core.gateway.connected(it),
            "guilds": [guild.name for guild in it.guilds.values()],
            "invalid_requests": len(it.refused),
            "identifies_left": max(0, self._core.state.world.identifies_per_day - spent),
            "interactions_endpoint_url": it.endpoint_url,
            "public_key": public_key(seed_of(it.id)).hex(),
            "commands": [
                one.body | ({"permissions": one.permissions} if one.permissions else {})
                for one in it.commands.values()
            ],
        }

    def fault(self, it: Fault) -> JSON:
        return {
            "id": it.id,
            "kind": it.kind,
            "method": it.method,
            "route": it.route,
            "application": it.application,
            "count": it.count,
            "seconds": it.seconds,
            "retry_after": it.retry_after,
            "scope": it.scope,
            "delay_ms": it.delay_ms,
            "after": it.after,
            "code": it.code,
            "event": it.event,
            "hits": it.hits,
            "active": self._core.faults.is_active(it),
        }

    def call(self, it: LoggedCall) -> JSON:
        return {
            "n": it.n,
            "time": time(it.time),
            "application": it.application,
            "method": it.method,
            "path": it.path,
            "route": it.route,
            "status": it.status,
            "ms": it.ms,
            "body": it.body,
            "error": it.error,
            "ignored": it.ignored,
            "modelled": it.modelled,
            "fault": it.fault,
            "headers": it.headers,
        }


def _tags(it: Channel) -> list[str]:
    """The names of a forum's tags, or of those that a post has."""
    if it.forum is not None:
        return [one.name for one in it.forum.tags]
    if it.thread is None or it.thread.post is None or it.thread.parent.forum is None:
        return []
    return [one.name for one in it.thread.parent.forum.tags if one.id in it.thread.post.tags]
