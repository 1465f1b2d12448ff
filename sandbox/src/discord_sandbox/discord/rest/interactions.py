"""Interaction callbacks, and the webhook for follow-ups."""

from aiohttp import web

from discord_sandbox.discord.rest.context import Context, Result
from discord_sandbox.discord.rest.endpoint import Endpoint
from discord_sandbox.discord.state.model import Interaction
from discord_sandbox.discord.traffic.rate_limits import READS, RateLimit

FOLLOW = RateLimit(5, 2.0)


async def callback(call: Context) -> Result:
    interaction = call.core.interactions.unanswered(call.params["interaction"], call.params["token"])
    body = call.core.responses.first(interaction, call.upload)
    if call.request.query.get("with_response") in ("true", "True", "1"):
        return body
    return web.Response(status=204)


def _interaction(call: Context) -> Interaction:
    return call.core.interactions.of_token(call.params["application"], call.params["token"])


async def follow(call: Context) -> Result:
    message = call.core.responses.follow(_interaction(call), call.upload)
    return call.core.render(message)


async def get(call: Context) -> Result:
    return call.core.render(call.core.responses.find(_interaction(call), call.params["message"]))


async def edit(call: Context) -> Result:
    interaction = _interaction(call)
    message = call.core.responses.find(interaction, call.params["message"])
    return call.core.render(call.core.responses.edit(interaction, message, call.upload))


async def delete(call: Context) -> Result:
    interaction = _interaction(call)
    message = call.core.responses.find(interaction, call.params["message"])
    call.core.responses.delete(interaction, message)
    return None


W = "/webhooks/{application}/{token}"
ENDPOINTS = (
    Endpoint("POST", "/interactions/{interaction}/{token}/callback", callback, None, token=False),
    Endpoint("POST", W, follow, FOLLOW, "token", token=False),
    Endpoint("GET", f"{W}/messages/{{message}}", get, READS, "token", token=False, body=False),
    Endpoint("PATCH", f"{W}/messages/{{message}}", edit, FOLLOW, "token", token=False),
    Endpoint("DELETE", f"{W}/messages/{{message}}", delete, FOLLOW, "token", token=False, body=False),
)
