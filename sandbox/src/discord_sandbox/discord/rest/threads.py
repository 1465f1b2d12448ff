"""Threads: start, list archived ones, members."""

from discord_sandbox.discord.actions.threads import ThreadDraft
from discord_sandbox.discord.errors import DiscordError
from discord_sandbox.discord.render import objects as render
from discord_sandbox.discord.rest import forums
from discord_sandbox.discord.rest.context import Context, Result
from discord_sandbox.discord.rest.endpoint import Endpoint
from discord_sandbox.discord.rules.channels import ARCHIVE
from discord_sandbox.discord.rules.fields import Fields
from discord_sandbox.discord.state import permissions as perms
from discord_sandbox.discord.state.model import (
    ANNOUNCEMENT,
    ANNOUNCEMENT_THREAD,
    PRIVATE_THREAD,
    PUBLIC_THREAD,
    Channel,
    Thread,
)
from discord_sandbox.discord.traffic.rate_limits import READS, THREADS

KEYS = frozenset({"name", "auto_archive_duration", "rate_limit_per_user"})


def _draft(body: Fields, keys: frozenset[str]) -> ThreadDraft:
    body.known(keys)
    name = body.text("name", 100, shortest=1, required=True)
    minutes = body.choice("auto_archive_duration", ARCHIVE)
    slowmode = body.number("rate_limit_per_user", 0, 21600)
    invitable = body.flag("invitable")
    body.choice("type", (10, 11, 12))
    body.complaints.check()
    return ThreadDraft(name or "", minutes, slowmode or 0, invitable is not False)


async def thread_from_message(call: Context) -> Result:
    channel = call.guild_channel(perms.CREATE_PUBLIC_THREADS)
    if channel.is_thread or channel.is_voice:
        raise DiscordError(50024)
    if not call.may(channel, perms.READ_MESSAGE_HISTORY):
        raise DiscordError(50013)
    message = call.message(channel)
    if message.kind not in (0, 19, 20):
        raise DiscordError(50021)
    draft = _draft(call.fields(), KEYS)
    made = call.core.threads.from_message(message, call.me(channel.guild), draft)
    return 201, render.channel(made, call.application.id)


async def thread_alone(call: Context) -> Result:
    channel = call.guild_channel()
    if channel.is_thread or channel.is_voice:
        raise DiscordError(50024)
    if channel.forum is not None:
        return await forums.post(call, channel, channel.forum)
    draft = _draft(call.fields(), KEYS | {"type", "invitable"})
    kind = call.body.get("type") or PRIVATE_THREAD
    needed = perms.CREATE_PRIVATE_THREADS if kind == PRIVATE_THREAD else perms.CREATE_PUBLIC_THREADS
    if not call.may(channel, needed):
        raise DiscordError(50013)
    if not channel.holds_messages or (channel.kind == ANNOUNCEMENT and kind == PRIVATE_THREAD):
        raise DiscordError(50024)
    if kind != PRIVATE_THREAD:
        kind = ANNOUNCEMENT_THREAD if channel.kind == ANNOUNCEMENT else PUBLIC_THREAD
    made = call.core.threads.alone(channel, call.me(channel.guild), draft, kind)
    return 201, render.channel(made, call.application.id)


def _archived(call: Context, channel: Channel, *, private: bool) -> list[Channel]:
    return [
        one
        for one in call.core.state.threads_of(channel)
        if one.thread is not None and one.thread.archived and (one.kind == PRIVATE_THREAD) == private
    ]


def _page_of_archive(call: Context, threads: list[Channel]) -> Result:
    """Newest archived first; `before` is a time."""
    query = call.query()
    limit, before = query.limit(50, 100, least=2), query.moment("before")
    query.check()
    archived = [(one.thread.archived_at, one) for one in threads if one.thread is not None]
    archived = [pair for pair in archived if before is None or pair[0] < before]
    archived.sort(key=lambda pair: pair[0], reverse=True)
    return _threads(call, [one for _, one in archived], limit)


def _threads(call: Context, threads: list[Channel], limit: int) -> Result:
    me, shown = call.application.id, threads[:limit]
    return {
        "threads": [render.channel(one, me) for one in shown],
        "members": [
            render.thread_member(one, one.thread, me)
            for one in shown
            if one.thread is not None and me in one.thread.members
        ],
        "has_more": len(threads) > limit,
    }


async def archived_threads(call: Context) -> Result:
    channel = call.guild_channel(perms.READ_MESSAGE_HISTORY)
    return _page_of_archive(call, _archived(call, channel, private=False))


async def archived_private_threads(call: Context) -> Result:
    channel = call.guild_channel(perms.READ_MESSAGE_HISTORY, perms.MANAGE_THREADS)
    return _page_of_archive(call, _archived(call, channel, private=True))


async def own_private_threads(call: Context) -> Result:
    """Archived private threads that the bot is a member of, newest first; `before` is an id."""
    channel = call.guild_channel(perms.READ_MESSAGE_HISTORY)
    query = call.query()
    limit, before = query.limit(50, 100, least=2), query.snowflake("before")
    query.check()
    found = [
        one
        for one in _archived(call, channel, private=True)
        if one.thread is not None
        and call.application.id in one.thread.members
        and (before is None or int(one.id) < before)
    ]
    return _threads(call, sorted(found, key=lambda one: int(one.id), reverse=True), limit)


def _thread(call: Context) -> tuple[Channel, Thread]:
    channel = call.channel()
    if channel.thread is None:
        raise DiscordError(50024)
    return channel, channel.thread


async def thread_members(call: Context) -> Result:
    """All members; with `with_member`, one page of them, each with their membership of the guild."""
    channel, thread = _thread(call)
    query = call.query()
    if not query.flag("with_member"):
        query.check()
        return [render.thread_member(channel, thread, one) for one in thread.members]
    members = channel.guild.members
    return [
        render.thread_member(channel, thread, one) | {"member": render.member(members[one])}
        for one in query.page((one for one in thread.members if one in members), str, 100, 100)
    ]


async def thread_member(call: Context) -> Result:
    channel, thread = _thread(call)
    query, user_id = call.query(), call.params["user"]
    whole = query.flag("with_member")
    query.check()
    if user_id not in thread.members:
        raise DiscordError(10007)
    body = render.thread_member(channel, thread, user_id)
    return body | {"member": render.member(channel.guild.members[user_id])} if whole else body


def _open(call: Context) -> tuple[Channel, Thread]:
    """Raises 50083 for an archived thread."""
    channel, thread = _thread(call)
    if thread.archived:
        raise DiscordError(50083)
    return channel, thread


async def join_thread(call: Context) -> Result:
    channel, thread = _open(call)
    call.core.threads.join(channel, thread, call.application.id)
    return None


async def add_thread_member(call: Context) -> Result:
    """Needs SEND_MESSAGES_IN_THREADS, and MANAGE_THREADS in a private thread that only moderators invite to."""
    channel, thread = _open(call)
    user_id = call.params["user"]
    invites = thread.invitable or channel.kind != PRIVATE_THREAD or thread.owner_id == call.application.id
    if not call.may(channel, perms.SEND_MESSAGES_IN_THREADS) or not (
        invites or call.may(channel, perms.MANAGE_THREADS)
    ):
        raise DiscordError(50013)
    if user_id not in channel.guild.members:
        raise DiscordError(10013 if user_id not in call.core.state.users else 10007)
    call.core.threads.join(channel, thread, user_id)
    return None


async def leave_thread(call: Context) -> Result:
    channel, thread = _open(call)
    call.core.threads.leave(channel, thread, call.application.id)
    return None


async def remove_thread_member(call: Context) -> Result:
    """Needs MANAGE_THREADS, or to have started the private thread."""
    channel, thread = _open(call)
    owns = channel.kind == PRIVATE_THREAD and thread.owner_id == call.application.id
    if not owns and not call.may(channel, perms.MANAGE_THREADS):
        raise DiscordError(50013)
    if call.params["user"] not in thread.members:
        raise DiscordError(10007)
    call.core.threads.leave(channel, thread, call.params["user"])
    return None


C = "/channels/{channel}"
T, M = f"{C}/threads", f"{C}/thread-members"
ENDPOINTS = (
    Endpoint("POST", f"{C}/messages/{{message}}/threads", thread_from_message, THREADS, "channel"),
    Endpoint("POST", T, thread_alone, THREADS, "channel"),
    Endpoint("GET", f"{T}/archived/public", archived_threads, READS, "channel", body=False),
    Endpoint("GET", f"{T}/archived/private", archived_private_threads, READS, "channel", body=False),
    Endpoint(
        "GET", f"{C}/users/@me/threads/archived/private", own_private_threads, READS, "channel", body=False
    ),
    Endpoint("GET", M, thread_members, READS, "channel", body=False),
    Endpoint("PUT", f"{M}/@me", join_thread, major="channel", body=False),
    Endpoint("DELETE", f"{M}/@me", leave_thread, major="channel", body=False),
    Endpoint("GET", f"{M}/{{user}}", thread_member, READS, "channel", body=False),
    Endpoint("PUT", f"{M}/{{user}}", add_thread_member, major="channel", body=False),
    Endpoint("DELETE", f"{M}/{{user}}", remove_thread_member, major="channel", body=False),
)
