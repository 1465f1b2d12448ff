"""What people write: messages with files, replies, edits, deletions."""

from typing import Any

from discord_sandbox.api.call import ApiCall
from discord_sandbox.api.calls.people import not_timed_out, present, reader
from discord_sandbox.api.errors import ApiError, invalid, unknown
from discord_sandbox.api.files import read_files
from discord_sandbox.api.slowmode import may_write_now
from discord_sandbox.api.views import Views
from discord_sandbox.discord.actions.posts import Origin
from discord_sandbox.discord.actions.uploads import Upload
from discord_sandbox.discord.state import permissions as perms
from discord_sandbox.discord.state.model import (
    DEFAULT,
    JSON,
    REPLY,
    WRITTEN,
    Channel,
    Member,
    Message,
)


async def create(call: ApiCall) -> JSON:
    """POST messages: content, files, and `reply_to`, a message of the same channel."""
    member, channel = present(call)
    allowed = _may_write(call, member, channel)
    may_write_now(call, member, channel)
    if call.body.get("forward") is not None:
        message = _forward(call, member, channel)
    else:
        message = _written(call, member, channel, allowed)
    call.core.slowmode.wrote(member, channel)
    call.core.threads.spoken_in(channel, member.user)
    return Views(call.core).message(message)


def _written(call: ApiCall, member: Member, channel: Channel, allowed: int) -> Message:
    files = read_files(call.body.get("files"))
    if files and not allowed & perms.ATTACH_FILES:
        raise ApiError(
            403, "missing_permissions", f"{member.user.name} may not attach files in #{channel.name}."
        )
    poll = _poll(call.body.get("poll"))
    if poll is not None and not allowed & perms.SEND_POLLS:
        raise ApiError(
            403, "missing_permissions", f"{member.user.name} may not post polls in #{channel.name}."
        )
    body: JSON = {"content": "" if (files or poll) and not call.get("content") else call.text("content")}
    if poll is not None:
        body["poll"] = poll
    reference = _answered(call, channel, member)
    if reference is not None and call.body.get("mention") is False:
        body["allowed_mentions"] = {"parse": ["users", "roles", "everyone"], "replied_user": False}
    origin = Origin(member.user, member, kind=DEFAULT if reference is None else REPLY, reference=reference)
    return call.core.posts.create(channel, origin, Upload(body, files))


def _poll(given: Any) -> JSON | None:
    """A poll in Discord's form. Raises 400."""
    if given is None:
        return None
    answers = given.get("answers") if isinstance(given, dict) else None
    if not isinstance(answers, list):
        raise invalid('"poll" is {"question", "answers": [text, …], "hours", "multiple"}.')
    return {
        "question": {"text": given.get("question")},
        "answers": [{"poll_media": {"text": one}} for one in answers],
        "duration": given.get("hours"),
        "allow_multiselect": given.get("multiple"),
    }


def _forward(call: ApiCall, member: Member, channel: Channel) -> Message:
    source, _ = reader(call, call.body["forward"])
    if source.kind not in WRITTEN or source.poll is not None:
        raise ApiError(409, "conflict", "This message cannot be forwarded.")
    return call.core.posts.forward(channel, Origin(member.user, member), source, None)


async def vote(call: ApiCall) -> JSON:
    """POST votes: the answers of a poll that the person chooses, by text or number; none takes votes back."""
    message, member = reader(call)
    poll = message.poll
    if poll is None:
        raise ApiError(409, "no_poll", "This message has no poll.")
    given = call.need("answers")
    wanted: set[int] = set()
    for one in given:
        hit = next((answer.id for answer in poll.answers if str(one) in (answer.text, str(answer.id))), None)
        if hit is None:
            raise unknown("answer", one, (answer.text for answer in poll.answers))
        wanted.add(hit)
    if len(wanted) > 1 and not poll.multiple:
        raise ApiError(422, "value_count", "This poll takes one answer.")
    call.core.polls.vote(message, poll, member.user.id, wanted)
    return Views(call.core).message(message)


def _may_write(call: ApiCall, member: Member, channel: Channel) -> int:
    """The person's permissions. Raises 403 if they cannot write in the channel, or in a locked thread."""
    not_timed_out(call, member)
    if not channel.holds_messages:
        raise ApiError(409, "conflict", f'"{channel.name}" holds no messages.')
    allowed = call.core.state.permissions(member, channel)
    needed = perms.SEND_MESSAGES_IN_THREADS if channel.is_thread else perms.SEND_MESSAGES
    if not allowed & needed:
        raise ApiError(403, "missing_permissions", f"{member.user.name} may not write in #{channel.name}.")
    if channel.thread is not None and channel.thread.locked and not allowed & perms.MANAGE_THREADS:
        raise ApiError(403, "locked", f'The thread "{channel.name}" is locked.')
    return allowed


def _answered(call: ApiCall, channel: Channel, member: Member) -> JSON | None:
    given = call.body.get("reply_to")
    if given is None:
        return None
    target = channel.messages.get(str(given))
    if target is None or target.ephemeral_to is not None:
        raise ApiError(404, "unknown_message", f'There is no message "{given}" in #{channel.name}.')
    if not call.core.state.permissions(member, channel) & perms.READ_MESSAGE_HISTORY:
        raise ApiError(403, "missing_permissions", f"{member.user.name} cannot read what was said before.")
    return {"type": 0, "channel_id": channel.id, "message_id": target.id, **channel.in_guild}


def _open(message: Message) -> None:
    thread = message.channel.thread
    if thread is not None and thread.archived:
        raise ApiError(409, "archived", f'The thread "{message.channel.name}" is archived.')


async def edit(call: ApiCall) -> JSON:
    """PATCH messages/{id}: people change the content of what they wrote themselves."""
    message, member = reader(call, call.params["id"])
    if message.author is not member.user:
        raise ApiError(403, "forbidden", f"{member.user.name} did not write this message.")
    _open(message)
    content: Any = call.body.get("content")
    if not isinstance(content, str):
        raise invalid('"content" is missing.')
    return Views(call.core).message(call.core.posts.edit(message, Upload({"content": content})))


async def delete(call: ApiCall) -> JSON:
    """DELETE messages/{id}: as `user`, their own or with MANAGE_MESSAGES; without, behind everyone's back."""
    member: Member | None = None
    if call.get("user") is None:
        message = call.message(call.params["id"])
    else:
        message, member = reader(call, call.params["id"])
        manages = call.core.state.permissions(member, message.channel) & perms.MANAGE_MESSAGES
        if message.author is not member.user and not manages:
            raise ApiError(
                403, "missing_permissions", f"{member.user.name} may not delete messages of others here."
            )
        _open(message)
    call.core.posts.delete(message)
    if message.author.id != (member.user.id if member is not None else message.channel.guild.owner_id):
        call.core.audit.message_deleted(message)
    return Views(call.core).message(message)
