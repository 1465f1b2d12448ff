"""Threads that people start, join and leave."""

from discord_sandbox.api.call import ApiCall
from discord_sandbox.api.calls.people import not_timed_out, present
from discord_sandbox.api.errors import ApiError, invalid, unknown
from discord_sandbox.api.slowmode import may_begin_now
from discord_sandbox.api.views import Views
from discord_sandbox.discord.actions.posts import Origin
from discord_sandbox.discord.actions.threads import ThreadDraft
from discord_sandbox.discord.actions.uploads import Upload
from discord_sandbox.discord.errors import Complaints
from discord_sandbox.discord.rules.fields import Fields
from discord_sandbox.discord.rules.forums import read_applied
from discord_sandbox.discord.state import permissions as perms
from discord_sandbox.discord.state.forum import Forum
from discord_sandbox.discord.state.model import (
    ANNOUNCEMENT,
    ANNOUNCEMENT_THREAD,
    JSON,
    PRIVATE_THREAD,
    PUBLIC_THREAD,
    Channel,
    Member,
    Thread,
)

LONGEST = 100


async def start(call: ApiCall) -> JSON:
    """POST threads: from a message or alone, private on request; `content` is its first message."""
    member, channel = present(call)
    not_timed_out(call, member)
    draft = ThreadDraft(call.text("name"))
    if len(draft.name) > LONGEST:
        raise invalid(f'"name" takes at most {LONGEST} characters.')
    if channel.forum is not None:
        return _post(call, member, channel, channel.forum, draft)
    if channel.is_thread or channel.is_direct or channel.is_voice or not channel.holds_messages:
        raise ApiError(409, "conflict", f'There are no threads in "{channel.name}".')
    private = call.body.get("private") is True
    needed = perms.CREATE_PRIVATE_THREADS if private else perms.CREATE_PUBLIC_THREADS
    if not call.core.state.permissions(member, channel) & needed:
        raise ApiError(403, "missing_permissions", f"{member.user.name} may not start threads here.")
    may_begin_now(call, member, channel)
    made = _made(call, member, channel, draft, private=private)
    call.core.slowmode.began(member, channel)
    if call.body.get("content") is not None:
        upload = Upload({"content": call.text("content")})
        call.core.posts.create(made, Origin(member.user, member), upload)
        call.core.slowmode.wrote(member, made)
    return Views(call.core).channel(made)


def _post(call: ApiCall, member: Member, channel: Channel, forum: Forum, draft: ThreadDraft) -> JSON:
    allowed = call.core.state.permissions(member, channel)
    if not allowed & perms.SEND_MESSAGES:
        raise ApiError(403, "missing_permissions", f'{member.user.name} may not post in "{channel.name}".')
    known, wanted = {one.name: one.id for one in forum.tags}, call.body.get("tags") or []
    for name in wanted:
        if name not in known:
            raise unknown("tag", name, known)
    complaints = Complaints()
    body = Fields({"applied_tags": [known[one] for one in wanted]}, complaints)
    tags = read_applied(body, forum, manages=bool(allowed & perms.MANAGE_THREADS))
    may_begin_now(call, member, channel)
    upload = Upload({"content": call.text("content")})
    made, _ = call.core.forum_posts.create(channel, Origin(member.user, member), draft, tags, upload)
    call.core.slowmode.began(member, channel)
    call.core.slowmode.wrote(member, made)
    return Views(call.core).channel(made)


def _made(call: ApiCall, member: Member, channel: Channel, draft: ThreadDraft, *, private: bool) -> Channel:
    wanted = call.body.get("message")
    if wanted is None:
        public = ANNOUNCEMENT_THREAD if channel.kind == ANNOUNCEMENT else PUBLIC_THREAD
        kind = PRIVATE_THREAD if private else public
        return call.core.threads.alone(channel, member, draft, kind)
    message = call.message(wanted)
    if private or message.channel is not channel or message.ephemeral_to is not None:
        raise invalid(f'A thread on "{wanted}" must be public, and in the channel of that message.')
    return call.core.threads.from_message(message, member, draft)


def _thread(call: ApiCall) -> tuple[Member, Channel, Thread]:
    channel = call.channel(call.params["name"])
    member = call.member(call.need("user"), channel.guild)
    if channel.thread is None:
        raise ApiError(409, "conflict", f'"{channel.name}" is no thread.')
    if channel.thread.archived:
        raise ApiError(409, "archived", f'The thread "{channel.name}" is archived.')
    return member, channel, channel.thread


async def join(call: ApiCall) -> JSON:
    """PUT threads/{name}/members: only public ones are joined without an invitation."""
    member, channel, thread = _thread(call)
    if not call.core.state.permissions(member, channel) & perms.VIEW_CHANNEL:
        raise ApiError(403, "missing_permissions", f'{member.user.name} cannot see "{channel.name}".')
    call.core.threads.join(channel, thread, member.user.id)
    return Views(call.core).channel(channel)


async def leave(call: ApiCall) -> JSON:
    """DELETE threads/{name}/members: `user` leaves."""
    member, channel, thread = _thread(call)
    call.core.threads.leave(channel, thread, member.user.id)
    return Views(call.core).channel(channel)
