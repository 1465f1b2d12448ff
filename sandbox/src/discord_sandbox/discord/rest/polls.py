"""Polls: who voted, and their end."""

from discord_sandbox.discord.errors import DiscordError
from discord_sandbox.discord.render import objects as render
from discord_sandbox.discord.rest.context import Context, Result
from discord_sandbox.discord.rest.endpoint import Endpoint
from discord_sandbox.discord.state import permissions as perms
from discord_sandbox.discord.state.model import Message
from discord_sandbox.discord.state.poll import Poll
from discord_sandbox.discord.traffic.rate_limits import READS


def _poll(call: Context) -> tuple[Message, Poll]:
    """Raises 520006 for a message without one."""
    message = call.message(call.channel(perms.READ_MESSAGE_HISTORY))
    if message.poll is None:
        raise DiscordError(520006)
    return message, message.poll


async def voters(call: Context) -> Result:
    _, poll = _poll(call)
    known = {str(one.id): one.id for one in poll.answers}
    if call.params["answer"] not in known:
        raise DiscordError(10008)
    who = poll.votes.get(known[call.params["answer"]], [])
    found = call.query().page(who, str, 25, 100)
    return {"users": [render.user(call.core.state.users[one]) for one in found]}


async def expire(call: Context) -> Result:
    message, poll = _poll(call)
    if message.author.id != call.application.id:
        raise DiscordError(50013)
    call.core.polls.end(message, poll)
    return call.shown(message)


P = "/channels/{channel}/polls/{message}"
ENDPOINTS = (
    Endpoint("GET", f"{P}/answers/{{answer}}", voters, READS, "channel", body=False),
    Endpoint("POST", f"{P}/expire", expire, major="channel", body=False),
)
