"""Channels and threads: read, change, delete, typing."""

from discord_sandbox.discord.errors import DiscordError
from discord_sandbox.discord.render import objects as render
from discord_sandbox.discord.rest import overwrites
from discord_sandbox.discord.rest.context import Context, Result
from discord_sandbox.discord.rest.endpoint import Endpoint
from discord_sandbox.discord.rules import channels as rules
from discord_sandbox.discord.rules import forums
from discord_sandbox.discord.rules.voice import read_settings
from discord_sandbox.discord.state import permissions as perms
from discord_sandbox.discord.state.forum import PINNED_POST
from discord_sandbox.discord.state.model import Channel, Thread
from discord_sandbox.discord.traffic.rate_limits import READS, THREADS

THREAD_KEYS = frozenset(
    {
        "name",
        "archived",
        "auto_archive_duration",
        "locked",
        "invitable",
        "rate_limit_per_user",
        "flags",
        "applied_tags",
    }
)


async def get(call: Context) -> Result:
    return render.channel(call.channel(), call.application.id)


async def patch(call: Context) -> Result:
    channel = call.guild_channel()
    if channel.thread is not None:
        return _patch_thread(call, channel, channel.thread)
    if not call.may(channel, perms.MANAGE_CHANNELS):
        raise DiscordError(50013)
    body = call.fields()
    found = rules.read(body, channel.guild, channel.kind, new=False, own=channel.id)
    new = overwrites.read_all(body, channel.guild)
    former, voice = channel.forum, channel.voice
    forum = None
    if former is not None:
        forum = forums.read(body, former, call.core.state.new_id, channel.guild.emojis)
    voice = read_settings(body, channel.kind, voice) if voice is not None else None
    body.complaints.check()
    if new is not None:
        overwrites.replace_all(call, channel, new)
    call.core.channels.change(channel, found, forum, voice)
    return render.channel(channel)


def _patch_thread(call: Context, channel: Channel, thread: Thread) -> Result:
    body = call.fields()
    body.known(THREAD_KEYS)
    name = body.text("name", 100, shortest=1)
    archived, locked = body.flag("archived"), body.flag("locked")
    minutes = body.choice("auto_archive_duration", rules.ARCHIVE)
    slowmode = body.number("rate_limit_per_user", 0, 21600)
    invitable = body.flag("invitable")
    flags = body.number("flags", 0, 2**31 - 1)
    body.complaints.check()
    manages = call.may(channel, perms.MANAGE_THREADS)
    owns = thread.owner_id == call.application.id
    only_unarchives = set(call.body) <= {"archived", "auto_archive_duration"} and archived is False
    if not manages:
        if locked is not None or thread.locked or not (owns or only_unarchives):
            raise DiscordError(50013)
        if only_unarchives and not call.may(channel, perms.SEND_MESSAGES_IN_THREADS):
            raise DiscordError(50013)
    if thread.archived and archived is not False and set(call.body) - {"archived", "locked"}:
        raise DiscordError(50083)
    if thread.post is not None and thread.parent.forum is not None:
        post = thread.post
        post.tags = forums.read_applied(body, thread.parent.forum, manages=manages, held=post.tags)
        if flags is not None and bool(flags & PINNED_POST) != post.pinned:
            if not manages:
                raise DiscordError(50013)
            post.pinned = not post.pinned
    with call.core.audit.channel_change(channel):
        channel.name = channel.name if name is None else name
        thread.locked = thread.locked if locked is None else locked
        thread.auto_archive_minutes = minutes or thread.auto_archive_minutes
        thread.invitable = thread.invitable if invitable is None else invitable
        channel.slowmode = channel.slowmode if slowmode is None else slowmode
        if archived is not None:
            call.core.threads.archive(channel, archived=archived)
    call.core.threads.changed(channel)
    return render.channel(channel, call.application.id)


async def delete(call: Context) -> Result:
    channel = call.channel()
    if channel.is_direct:
        # Closes it in the bot's list; it is still there.
        return render.channel(channel)
    if not call.may(channel, perms.MANAGE_THREADS if channel.is_thread else perms.MANAGE_CHANNELS):
        raise DiscordError(50013)
    body = render.channel(channel)
    call.core.channels.remove(channel)
    return body


async def typing(call: Context) -> Result:
    channel = call.channel(perms.SEND_MESSAGES)
    if not channel.holds_messages:
        raise DiscordError(50008)
    call.core.broadcast.typing(channel, call.me(channel.guild), call.core.clock.now())
    return None


C = "/channels/{channel}"
ENDPOINTS = (
    Endpoint("GET", C, get, READS, "channel", body=False),
    Endpoint("PATCH", C, patch, THREADS, "channel"),
    Endpoint("DELETE", C, delete, major="channel", body=False),
    Endpoint("POST", f"{C}/typing", typing, major="channel", body=False),
)
