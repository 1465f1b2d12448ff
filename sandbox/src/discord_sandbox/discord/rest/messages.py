"""Messages in channels: list, post, edit, delete."""

from discord_sandbox.discord.actions.posts import FORWARD, Origin
from discord_sandbox.discord.errors import DiscordError, invalid
from discord_sandbox.discord.rest.context import Context, Result
from discord_sandbox.discord.rest.endpoint import Endpoint
from discord_sandbox.discord.rest.query import Query
from discord_sandbox.discord.state import permissions as perms
from discord_sandbox.discord.state.audit import Action
from discord_sandbox.discord.state.model import (
    ANNOUNCEMENT,
    CROSSPOSTED,
    DEFAULT,
    JSON,
    REPLY,
    WRITTEN,
    Channel,
    Message,
)
from discord_sandbox.discord.traffic.rate_limits import DELETES, MESSAGES, READS

TWO_WEEKS = 14 * 86_400.0
REFERENCE = frozenset({"type", "message_id", "channel_id", "guild_id", "fail_if_not_exists", "forward_only"})


def page(channel: Channel, query: Query, *, person: str | None = None) -> list[Message]:
    """One page of a channel, newest first: before, after or around a message, at most `limit`. Raises 50035."""
    limit = query.limit(50, 100)
    before, after, around = (query.snowflake(key) for key in ("before", "after", "around"))
    query.check()
    shown = (one for one in channel.messages.values() if one.ephemeral_to in (None, person))
    if after is not None:
        found = []
        for one in shown:
            if int(one.id) > after:
                found.append(one)
                if len(found) == limit:
                    break
        return found[::-1]
    if around is not None:
        listed = list(shown)
        older = [one for one in listed if int(one.id) < around][-(limit // 2) :]
        newer = [one for one in listed if int(one.id) >= around][: limit - len(older)]
        return [*older, *newer][::-1]
    found = []
    for one in reversed(channel.messages.values()):
        if one.ephemeral_to not in (None, person) or (before is not None and int(one.id) >= before):
            continue
        found.append(one)
        if len(found) == limit:
            break
    return found


async def listed(call: Context) -> Result:
    channel = call.channel()
    if not call.may(channel, perms.READ_MESSAGE_HISTORY):
        return []
    return [call.shown(one) for one in page(channel, call.query())]


async def get(call: Context) -> Result:
    channel = call.channel(perms.READ_MESSAGE_HISTORY)
    return call.shown(call.message(channel))


def _check_send(call: Context, channel: Channel) -> None:
    """Raises 50013 for a missing permission, 50007 for a person who refuses, 160005 for a locked thread."""
    if not channel.holds_messages:
        raise DiscordError(50008)
    needed = perms.SEND_MESSAGES_IN_THREADS if channel.is_thread else perms.SEND_MESSAGES
    if not call.may(channel, needed):
        raise DiscordError(50013)
    if call.upload.files and not call.may(channel, perms.ATTACH_FILES):
        raise DiscordError(50013)
    if call.body.get("poll") and not call.may(channel, perms.SEND_POLLS):
        raise DiscordError(50013)
    if call.body.get("embeds") and not call.may(channel, perms.EMBED_LINKS):
        raise DiscordError(50013)
    person = channel.recipient
    if person is not None and not call.core.state.accepts(person, call.application):
        raise DiscordError(50007)
    thread = channel.thread
    if thread is not None and thread.locked and not call.may(channel, perms.MANAGE_THREADS):
        raise DiscordError(160005)


def _forwarded(call: Context, channel: Channel) -> Message | None:
    """The message to forward, None if the body forwards none.

    Raises 50035 for one that the bot cannot read, or for a body with more than the reference.
    """
    given = call.body.get("message_reference")
    if not isinstance(given, dict) or given.get("type") != FORWARD:
        return None
    body = call.fields()
    for key in ("content", "embeds", "components", "poll", "attachments"):
        if call.body.get(key):
            body.complain(key, "MESSAGE_FORWARD_INVALID", "A forward has nothing but its reference.")
    place = call.core.state.channels.get(str(given.get("channel_id")))
    target = place.messages.get(str(given.get("message_id"))) if place is not None else None
    me = place.guild.members.get(call.application.id) if place is not None else None
    allowed = call.core.state.permissions(me, place) if me is not None else 0
    readable = allowed & perms.VIEW_CHANNEL and allowed & perms.READ_MESSAGE_HISTORY
    if target is None or target.ephemeral_to is not None or not readable:
        body.complain("message_reference", "MESSAGE_REFERENCE_UNKNOWN_MESSAGE", "Unknown message")
    elif target.kind not in WRITTEN or target.poll is not None:
        body.complain("message_reference", "MESSAGE_FORWARD_INVALID", "This message cannot be forwarded.")
    body.complaints.check()
    return target


def _reference(call: Context, channel: Channel) -> JSON | None:
    given = call.fields().object("message_reference")
    if given is None:
        return None
    given.known(REFERENCE)
    given.choice("type", (0, FORWARD))
    number = given.snowflake("message_id", required=True)
    place, strict = given.snowflake("channel_id"), given.flag("fail_if_not_exists") is not False
    given.complaints.check()
    target = channel.messages.get(str(number)) if place in (None, int(channel.id)) else None
    if target is None or target.ephemeral_to is not None:
        if not strict:
            return None
        raise invalid(("message_reference",), "REPLIES_UNKNOWN_MESSAGE", "Unknown message")
    if not call.may(channel, perms.READ_MESSAGE_HISTORY):
        raise DiscordError(160002, "You cannot reply without permission to read message history")
    return {
        "type": 0,
        "channel_id": channel.id,
        "message_id": target.id,
        **channel.in_guild,
    }


async def create(call: Context) -> Result:
    channel = call.channel()
    _check_send(call, channel)
    core = call.core
    author = call.application.user
    repeated = core.posts.recall(channel, author, call.body)
    if repeated is not None:
        return _with_nonce(call, repeated)
    forwarded = _forwarded(call, channel)
    if forwarded is not None:
        given = call.body.get("nonce")
        nonce = given if isinstance(given, (str, int)) and not isinstance(given, bool) else None
        origin = Origin(author, call.me(channel.guild))
        return _with_nonce(call, core.posts.forward(channel, origin, forwarded, nonce))
    reference = _reference(call, channel)
    origin = Origin(
        author,
        call.me(channel.guild),
        kind=REPLY if reference is not None else DEFAULT,
        reference=reference,
    )
    message = core.posts.create(channel, origin, call.upload)
    core.threads.spoken_in(channel, author)
    return _with_nonce(call, message)


def _with_nonce(call: Context, message: Message) -> JSON:
    body = call.core.render(message)
    return body | {"nonce": message.nonce} if message.nonce is not None else body


async def edit(call: Context) -> Result:
    channel = call.channel()
    message = call.message(channel)
    if message.author.id != call.application.id:
        only_flags = set(call.body) <= {"flags"} and call.may(channel, perms.MANAGE_MESSAGES)
        if not only_flags:
            raise DiscordError(50005)
    if message.kind not in WRITTEN:
        raise DiscordError(50021)
    if channel.thread is not None and channel.thread.archived:
        raise DiscordError(50083)
    if call.upload.files and not call.may(channel, perms.ATTACH_FILES):
        raise DiscordError(50013)
    call.core.posts.spend_old_edit(message)
    return call.shown(call.core.posts.edit(message, call.upload))


async def delete(call: Context) -> Result:
    channel = call.channel()
    message = call.message(channel)
    if message.author.id != call.application.id and not call.may(channel, perms.MANAGE_MESSAGES):
        raise DiscordError(50013)
    if channel.thread is not None and channel.thread.archived:
        raise DiscordError(50083)
    call.core.posts.delete(message)
    return None


async def bulk_delete(call: Context) -> Result:
    channel = call.guild_channel(perms.MANAGE_MESSAGES)
    body = call.fields()
    ids = body.snowflakes("messages", 100, least=2, required=True) or []
    if len(set(ids)) < len(ids):
        body.complain("messages", "SET_TYPE_ALREADY_CONTAINS_VALUE", "The Set already contains this value.")
    body.complaints.check()
    found = [channel.messages[one] for one in ids if one in channel.messages]
    if any(call.core.clock.now() - one.created > TWO_WEEKS for one in found):
        raise DiscordError(50034)
    for message in found:
        call.core.state.remove_message(message)
    call.core.broadcast.messages_deleted(channel, found)
    count = {"count": str(len(found))}
    call.core.audit.add(channel.guild, Action.MESSAGE_BULK_DELETE, channel.id, options=count)
    return None


async def crosspost(call: Context) -> Result:
    """Publish a message of an announcement channel; no other channel follows one here."""
    channel = call.guild_channel(perms.SEND_MESSAGES)
    message = call.message(channel)
    if channel.kind != ANNOUNCEMENT:
        raise DiscordError(50024)
    if message.author.id != call.application.id and not call.may(channel, perms.MANAGE_MESSAGES):
        raise DiscordError(50013)
    if message.flags & CROSSPOSTED:
        raise DiscordError(40033)
    message.flags |= CROSSPOSTED
    call.core.broadcast.message_updated(message)
    return call.shown(message)


M = "/channels/{channel}/messages"
ENDPOINTS = (
    Endpoint("GET", M, listed, READS, "channel", body=False),
    Endpoint("POST", M, create, MESSAGES, "channel"),
    Endpoint("POST", f"{M}/bulk-delete", bulk_delete, DELETES, "channel"),
    Endpoint("GET", f"{M}/{{message}}", get, READS, "channel", body=False),
    Endpoint("PATCH", f"{M}/{{message}}", edit, MESSAGES, "channel"),
    Endpoint("DELETE", f"{M}/{{message}}", delete, DELETES, "channel", body=False),
    Endpoint("POST", f"{M}/{{message}}/crosspost", crosspost, major="channel", body=False),
)
