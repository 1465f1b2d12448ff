"""Calls of Discord's API that the sandbox does not model: recorded like all others, and refused by name."""

import re

from aiohttp import web

from discord_sandbox.discord.errors import DiscordError
from discord_sandbox.discord.rest.context import VERSIONS, Context, Result, path_of
from discord_sandbox.discord.rest.endpoint import Endpoint, Handler

_ID = re.compile(r"[0-9]{5,}")
_TOKEN = re.compile(r"[A-Za-z0-9._-]{40,}")


def template(path: str) -> str:
    """The path with `{id}` and `{token}` for what differs from call to call."""
    parts = (_TOKEN.sub("{token}", _ID.sub("{id}", part)) if part else part for part in path.split("/"))
    return "/".join(parts)


async def unmodelled(request: web.Request) -> web.StreamResponse:
    route = template(path_of(request))
    return await _endpoint(request, route, _not_modelled)(request)


async def other_version(request: web.Request) -> web.StreamResponse:
    return await _endpoint(request, template(request.path), _invalid_version)(request)


def _endpoint(request: web.Request, route: str, handler: Handler) -> Endpoint:
    body = request.can_read_body
    return Endpoint(request.method, route, handler, limit=None, token=False, body=body, modelled=False)


async def _not_modelled(call: Context) -> Result:
    route = template(path_of(call.request))
    raise DiscordError(0, f"404: Not Found (discord-sandbox does not model {call.request.method} {route})")


async def _invalid_version(call: Context) -> Result:
    known = " and ".join(f"/api/{one}" for one in VERSIONS)
    raise DiscordError(50041, f"Invalid API version provided (discord-sandbox knows {known})")
