"""Interaction callbacks, and what follows them; `webhooks` has the addresses of the latter."""

from aiohttp import web

from discord_sandbox.discord.rest.context import Context, Result
from discord_sandbox.discord.rest.endpoint import Endpoint
from discord_sandbox.discord.state.model import Interaction


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


ENDPOINTS = (Endpoint("POST", "/interactions/{interaction}/{token}/callback", callback, None, token=False),)
