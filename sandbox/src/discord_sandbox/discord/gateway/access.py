"""Which channels a session sees, how it is told of them, and the threads of those that it did not see before."""

from discord_sandbox.discord.gateway.sessions import Session
from discord_sandbox.discord.render import objects as render
from discord_sandbox.discord.state import permissions as perms
from discord_sandbox.discord.state.model import JSON, Channel, Guild
from discord_sandbox.discord.state.store import State


def changed(state: State, session: Session, guild: Guild) -> list[Channel]:
    """The channels that the session sees now and did not see when this was last asked, or the reverse."""
    member = guild.members.get(session.application.id)
    now = state.visible(member) if member is not None else set()
    before = session.sees.get(guild.id, now)
    session.sees[guild.id] = now
    return [one for one in guild.channels.values() if one.id in now ^ before]


def with_threads(session: Session, channels: list[Channel]) -> list[str]:
    """Ids of those that it sees and that can have threads."""
    return [one.id for one in channels if one.id in session.sees[one.guild.id] and _has_threads(one)]


def _has_threads(channel: Channel) -> bool:
    return not channel.is_voice and (channel.holds_messages or channel.forum is not None)


def note(session: Session, channel: Channel) -> None:
    """The session sees a channel that has just been made."""
    session.sees.setdefault(channel.guild.id, set()).add(channel.id)


def told(state: State, session: Session, channel: Channel) -> JSON:
    """The channel as the session is told of it: to a bot that cannot see it, without its name and content."""
    member = channel.guild.members.get(session.application.id)
    seen = member is not None and channel.id in state.visible(member)
    return render.channel(channel) if seen else render.hidden(channel)


def _sees(state: State, session: Session, guild: Guild, channel: Channel) -> bool:
    member = guild.members.get(session.application.id)
    return member is not None and bool(state.permissions(member, channel) & perms.VIEW_CHANNEL)


def thread_list_sync(state: State, session: Session, guild: Guild, channel_ids: list[str]) -> JSON:
    """Data of THREAD_LIST_SYNC: the active threads in these channels, and the bot's memberships of them."""
    me = session.application.id
    threads = [
        one
        for one in guild.channels.values()
        if one.thread is not None
        and one.thread.parent.id in channel_ids
        and not one.thread.archived
        and _sees(state, session, guild, one)
    ]
    return {
        "guild_id": guild.id,
        "channel_ids": channel_ids,
        "threads": [render.channel(one, me) for one in threads],
        "members": [
            render.thread_member(one, one.thread, me)
            for one in threads
            if one.thread is not None and me in one.thread.members
        ],
    }
