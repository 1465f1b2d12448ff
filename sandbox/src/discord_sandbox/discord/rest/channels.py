"""Channels and threads: read, change, delete, start threads, thread members, typing."""

from discord_sandbox.discord.errors import DiscordError, invalid
from discord_sandbox.discord.render import objects as render
from discord_sandbox.discord.rest.context import Context, Result
from discord_sandbox.discord.rest.endpoint import Endpoint
from discord_sandbox.discord.rules.fields import Fields
from discord_sandbox.discord.state import permissions as perms
from discord_sandbox.discord.state.model import PRIVATE_THREAD, PUBLIC_THREAD, Channel, Thread
from discord_sandbox.discord.state.permissions import Overwrite
from discord_sandbox.discord.traffic.rate_limits import READS, THREADS

ARCHIVE = (60, 1440, 4320, 10080)


async def get(call: Context) -> Result:
    return render.channel(call.channel(), call.application.id)


async def patch(call: Context) -> Result:
    channel = call.guild_channel()
    if channel.thread is not None:
        return _patch_thread(call, channel, channel.thread)
    if not call.may(channel, perms.MANAGE_CHANNELS):
        raise DiscordError(50013)
    body = call.fields()
    name = body.text("name", 100, shortest=1)
    topic = body.text("topic", 1024)
    slowmode = body.number("rate_limit_per_user", 0, 21600)
    body.complaints.check()
    channel.name = channel.name if name is None else name
    channel.topic = topic if "topic" in call.body else channel.topic
    channel.slowmode = channel.slowmode if slowmode is None else slowmode
    call.core.broadcast.channel_updated(channel)
    return render.channel(channel)


def _patch_thread(call: Context, channel: Channel, thread: Thread) -> Result:
    body = call.fields()
    name = body.text("name", 100, shortest=1)
    archived, locked = body.flag("archived"), body.flag("locked")
    minutes = body.choice("auto_archive_duration", ARCHIVE)
    slowmode = body.number("rate_limit_per_user", 0, 21600)
    invitable = body.flag("invitable")
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
    call.core.threads.remove(channel)
    return body


async def typing(call: Context) -> Result:
    channel = call.channel(perms.SEND_MESSAGES)
    call.core.broadcast.typing(channel, call.me(channel.guild), call.core.clock.now())
    return None


def _thread_body(call: Context) -> tuple[Fields, str, int | None]:
    body = call.fields()
    name = body.text("name", 100, shortest=1, required=True)
    minutes = body.choice("auto_archive_duration", ARCHIVE)
    body.number("rate_limit_per_user", 0, 21600)
    body.choice("type", (10, 11, 12))
    body.complaints.check()
    return body, name or "", minutes


async def thread_from_message(call: Context) -> Result:
    channel = call.guild_channel(perms.CREATE_PUBLIC_THREADS)
    if channel.is_thread:
        raise DiscordError(50024)
    if not call.may(channel, perms.READ_MESSAGE_HISTORY):
        raise DiscordError(50013)
    message = call.message(channel)
    if message.kind not in (0, 19, 20):
        raise DiscordError(50021)
    _, name, minutes = _thread_body(call)
    made = call.core.threads.from_message(message, call.me(channel.guild), name, minutes)
    return 201, render.channel(made, call.application.id)


async def thread_alone(call: Context) -> Result:
    channel = call.guild_channel()
    if channel.is_thread:
        raise DiscordError(50024)
    body, name, minutes = _thread_body(call)
    kind = body.body.get("type") or PRIVATE_THREAD
    needed = perms.CREATE_PRIVATE_THREADS if kind == PRIVATE_THREAD else perms.CREATE_PUBLIC_THREADS
    if not call.may(channel, needed):
        raise DiscordError(50013)
    kind = PRIVATE_THREAD if kind == PRIVATE_THREAD else PUBLIC_THREAD
    made = call.core.threads.alone(channel, call.me(channel.guild), name, minutes, kind)
    return 201, render.channel(made, call.application.id)


async def archived_threads(call: Context) -> Result:
    channel = call.guild_channel(perms.READ_MESSAGE_HISTORY)
    threads = [
        one
        for one in call.core.state.threads_of(channel)
        if one.thread is not None and one.thread.archived and one.kind != PRIVATE_THREAD
    ]
    return {"threads": [render.channel(one) for one in threads], "members": [], "has_more": False}


def _thread(call: Context) -> tuple[Channel, Thread]:
    channel = call.channel()
    if channel.thread is None:
        raise DiscordError(50024)
    return channel, channel.thread


async def thread_members(call: Context) -> Result:
    channel, thread = _thread(call)
    return [render.thread_member(channel, thread, one) for one in thread.members]


async def join_thread(call: Context) -> Result:
    return await _join(call, call.application.id)


async def add_thread_member(call: Context) -> Result:
    if call.params["user"] not in call.core.state.users:
        raise DiscordError(10013)
    return await _join(call, call.params["user"])


async def _join(call: Context, user_id: str) -> Result:
    _, thread = _thread(call)
    if thread.archived:
        raise DiscordError(50083)
    thread.members.setdefault(user_id, call.core.clock.now())
    return None


async def leave_thread(call: Context) -> Result:
    _, thread = _thread(call)
    thread.members.pop(call.application.id, None)
    return None


async def set_overwrite(call: Context) -> Result:
    channel = call.guild_channel()
    if channel.is_thread:
        raise DiscordError(50024)
    if not call.may(channel, perms.MANAGE_ROLES):
        raise DiscordError(50013)
    kind = call.body.get("type")
    if kind not in (0, 1):
        raise invalid(("type",), "BASE_TYPE_CHOICES", "Value must be one of {0, 1}.")
    target = call.params["target"]
    allow, deny = int(call.body.get("allow") or 0), int(call.body.get("deny") or 0)
    channel.overwrites[target] = Overwrite(target, kind, allow, deny)
    channel.guild.permission_cache.clear()
    call.core.broadcast.channel_updated(channel)
    return None


C = "/channels/{channel}"
ENDPOINTS = (
    Endpoint("GET", C, get, READS, "channel", body=False),
    Endpoint("PATCH", C, patch, THREADS, "channel"),
    Endpoint("DELETE", C, delete, major="channel", body=False),
    Endpoint("POST", f"{C}/typing", typing, major="channel", body=False),
    Endpoint("POST", f"{C}/messages/{{message}}/threads", thread_from_message, THREADS, "channel"),
    Endpoint("POST", f"{C}/threads", thread_alone, THREADS, "channel"),
    Endpoint("GET", f"{C}/threads/archived/public", archived_threads, READS, "channel", body=False),
    Endpoint("GET", f"{C}/thread-members", thread_members, READS, "channel", body=False),
    Endpoint("PUT", f"{C}/thread-members/@me", join_thread, major="channel", body=False),
    Endpoint("DELETE", f"{C}/thread-members/@me", leave_thread, major="channel", body=False),
    Endpoint("PUT", f"{C}/thread-members/{{user}}", add_thread_member, major="channel", body=False),
    Endpoint("PUT", f"{C}/permissions/{{target}}", set_overwrite, major="channel"),
)
