"""What people do besides using a bot: be in a channel, react, pin."""

import re

from discord_sandbox.api.call import ApiCall
from discord_sandbox.api.errors import ApiError, unknown
from discord_sandbox.api.message_views import time
from discord_sandbox.api.views import Views
from discord_sandbox.discord.state import permissions as perms
from discord_sandbox.discord.state.model import JSON, Channel, Member, Message

_BY_NAME = re.compile(r":(\w+):")


def present(call: ApiCall) -> tuple[Member, Channel]:
    """The call's `user` and `channel`. Raises 403 if they cannot see it."""
    channel = call.channel(call.need("channel"))
    member = call.member(call.need("user"), channel.guild)
    if not call.core.state.permissions(member, channel) & perms.VIEW_CHANNEL:
        raise ApiError(403, "missing_permissions", f"{member.user.name} cannot see #{channel.name}.")
    return member, channel


def not_timed_out(call: ApiCall, member: Member) -> None:
    """Raises 403."""
    until = member.timed_out_until
    if until is not None and call.core.clock.now() < until:
        raise ApiError(403, "timed_out", f"{member.user.name} is timed out until {time(until)}.")


async def react(call: ApiCall) -> JSON:
    """POST reactions: a person reacts to a message."""
    message, member = reader(call)
    not_timed_out(call, member)
    may = bool(call.core.state.permissions(member, message.channel) & perms.ADD_REACTIONS)
    call.core.reactions.add(message, member.user.id, _emoji(call, message), may_begin=may)
    return Views(call.core).message(message)


async def unreact(call: ApiCall) -> JSON:
    """DELETE reactions: a person takes a reaction back."""
    message, member = reader(call)
    call.core.reactions.remove(message, member.user.id, _emoji(call, message))
    return Views(call.core).message(message)


def _emoji(call: ApiCall, message: Message) -> str:
    """The call's emoji as Discord's routes take it: `:name:` is one of the message, or of its server. Raises 404."""
    given = call.text("emoji")
    found = _BY_NAME.fullmatch(given)
    if found is None:
        return given.strip("<>").removeprefix(":")
    state, wanted = call.core.state, found[1]
    if wanted in message.reactions:
        return f"deleted:{wanted}"
    here = [one for key in message.reactions if (one := state.emoji(key)) is not None]
    here += message.channel.guild.emojis.values()
    hit = next((one for one in here if one.name == wanted), None)
    if hit is None:
        raise unknown("emoji", given, (f":{one.name}:" for one in here))
    return f"{hit.name}:{hit.id}"


async def pin(call: ApiCall) -> JSON:
    """POST pins: a person pins a message."""
    message, member = _pinnable(call)
    call.core.pins.pin(message, member.user)
    return Views(call.core).message(message)


async def unpin(call: ApiCall) -> JSON:
    """DELETE pins: a person takes a pin off."""
    message, _ = _pinnable(call)
    call.core.pins.unpin(message)
    return Views(call.core).message(message)


def _pinnable(call: ApiCall) -> tuple[Message, Member]:
    message, member = reader(call)
    not_timed_out(call, member)
    if not call.core.state.permissions(member, message.channel) & perms.PIN_MESSAGES:
        raise ApiError(403, "missing_permissions", f"{member.user.name} may not pin messages here.")
    return message, member


def reader(call: ApiCall, message_id: object = None) -> tuple[Message, Member]:
    """The call's message, and its `user`. Raises 403 if they cannot see it, 404 for an ephemeral one."""
    message = call.message(call.need("message") if message_id is None else message_id)
    member = call.member(call.need("user"), message.channel.guild)
    if not call.core.state.permissions(member, message.channel) & perms.VIEW_CHANNEL:
        raise ApiError(403, "missing_permissions", f"{member.user.name} cannot see #{message.channel.name}.")
    if message.ephemeral_to is not None:
        raise ApiError(
            404, "unknown_message", "Ephemeral messages take no reactions and pins, and have no context menu."
        )
    return message, member
