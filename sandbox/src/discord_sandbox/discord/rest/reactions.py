"""Reactions to messages: add, take back, list, clear."""

from discord_sandbox.discord.errors import DiscordError
from discord_sandbox.discord.render import objects as render
from discord_sandbox.discord.rest.context import Context, Result
from discord_sandbox.discord.rest.endpoint import Endpoint
from discord_sandbox.discord.state import permissions as perms
from discord_sandbox.discord.state.model import Message
from discord_sandbox.discord.traffic.rate_limits import REACTIONS, READS


def _message(call: Context, *needed: int) -> Message:
    """The message of the path. Raises 50083 in an archived thread."""
    channel = call.channel(*needed)
    message = call.message(channel)
    if channel.thread is not None and channel.thread.archived and call.request.method != "GET":
        raise DiscordError(50083)
    return message


async def add(call: Context) -> Result:
    message = _message(call, perms.READ_MESSAGE_HISTORY)
    may = call.may(message.channel, perms.ADD_REACTIONS)
    call.core.reactions.add(message, call.application.id, call.params["emoji"], may_begin=may)
    return None


async def remove(call: Context) -> Result:
    call.core.reactions.remove(_message(call), call.application.id, call.params["emoji"])
    return None


async def remove_of(call: Context) -> Result:
    channel = call.channel()
    if call.params["user"] != call.application.id:
        if channel.is_direct:
            raise DiscordError(50003)
        if not call.may(channel, perms.MANAGE_MESSAGES):
            raise DiscordError(50013)
    call.core.reactions.remove(_message(call), call.params["user"], call.params["emoji"])
    return None


async def listed(call: Context) -> Result:
    message = _message(call, perms.READ_MESSAGE_HISTORY)
    query = call.query()
    # Bursts, type 1, are for people who pay.
    normal = query.number("type", 0, 1) in (None, 0)
    who = call.core.reactions.of(message, call.params["emoji"]) if normal else []
    ids = query.page(who, str, 25, 100)
    return [render.user(call.core.state.users[one]) for one in ids]


async def clear(call: Context) -> Result:
    call.guild_channel(perms.MANAGE_MESSAGES)
    call.core.reactions.clear(_message(call))
    return None


async def clear_emoji(call: Context) -> Result:
    call.guild_channel(perms.MANAGE_MESSAGES)
    call.core.reactions.clear(_message(call), call.params["emoji"])
    return None


R = "/channels/{channel}/messages/{message}/reactions"
ENDPOINTS = (
    Endpoint("DELETE", R, clear, REACTIONS, "channel", body=False),
    Endpoint("GET", f"{R}/{{emoji}}", listed, READS, "channel", body=False),
    Endpoint("DELETE", f"{R}/{{emoji}}", clear_emoji, REACTIONS, "channel", body=False),
    Endpoint("PUT", f"{R}/{{emoji}}/@me", add, REACTIONS, "channel", body=False),
    Endpoint("DELETE", f"{R}/{{emoji}}/@me", remove, REACTIONS, "channel", body=False),
    Endpoint("DELETE", f"{R}/{{emoji}}/{{user}}", remove_of, REACTIONS, "channel", body=False),
)
