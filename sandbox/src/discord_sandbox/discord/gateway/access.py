"""Which channels a session sees, and the threads of those that it did not see before."""

from discord_sandbox.discord.gateway.sessions import Session
from discord_sandbox.discord.render import objects as render
from discord_sandbox.discord.state import permissions as perms
from discord_sandbox.discord.state.model import JSON, Channel, Guild
from discord_sandbox.discord.state.store import State


def _sees(state: State, session: Session, guild: Guild, channel: Channel) -> bool:
    member = guild.members.get(session.application.id)
    return member is not None and bool(state.permissions(member, channel) & perms.VIEW_CHANNEL)


def gained(state: State, session: Session, guild: Guild) -> list[str]:
    """Ids of the channels that the session sees now and did not see when this was last asked."""
    now = {
        one.id for one in guild.channels.values() if not one.is_thread and _sees(state, session, guild, one)
    }
    before = session.sees.get(guild.id, now)
    session.sees[guild.id] = now
    return [one for one in guild.channels if one in now - before and _has_threads(guild.channels[one])]


def _has_threads(channel: Channel) -> bool:
    """Whether there can be threads in it."""
    return not channel.is_voice and (channel.holds_messages or channel.forum is not None)


def note(session: Session, channel: Channel) -> None:
    """The session sees a channel that has just been made."""
    session.sees.setdefault(channel.guild.id, set()).add(channel.id)


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
