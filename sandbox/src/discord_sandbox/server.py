"""The sandbox as a web application: REST, gateway, CDN, JSON API and page on one loopback port."""

import asyncio
import functools
from pathlib import Path
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler

from discord_sandbox.api.routes import add_routes
from discord_sandbox.discord.core import CORE, Core
from discord_sandbox.discord.gateway.connection import GATEWAY, connect
from discord_sandbox.discord.rest import (
    applications,
    channels,
    commands,
    emojis,
    empty_lists,
    interactions,
    invites,
    messages,
    overwrites,
    pins,
    polls,
    reactions,
    stages,
    threads,
    users,
    webhooks,
)
from discord_sandbox.discord.rest.context import VERSIONS
from discord_sandbox.discord.rest.guild import audit, bans, events, members, reads, roles, voice
from discord_sandbox.discord.rest.guild import channels as guild_channels
from discord_sandbox.discord.rest.replies import reply
from discord_sandbox.discord.rest.unmodelled import other_version, unmodelled
from discord_sandbox.discord.rest.uploads import REQUEST_LIMIT
from discord_sandbox.discord.state.clock import Clock
from discord_sandbox.world import World

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
PAGE = Path(__file__).parent / "page"
CONTENT_TYPES = {".js": "text/javascript", ".woff2": "font/woff2", ".svg": "image/svg+xml"}
ENDPOINTS = (
    *applications.ENDPOINTS,
    *users.ENDPOINTS,
    *roles.ENDPOINTS,  # `member-counts` before `{role}`
    *reads.ENDPOINTS,
    *members.ENDPOINTS,
    *bans.ENDPOINTS,
    *voice.ENDPOINTS,
    *stages.ENDPOINTS,
    *events.ENDPOINTS,
    *audit.ENDPOINTS,
    *guild_channels.ENDPOINTS,
    *channels.ENDPOINTS,
    *overwrites.ENDPOINTS,
    *threads.ENDPOINTS,
    *pins.ENDPOINTS,
    *messages.ENDPOINTS,
    *reactions.ENDPOINTS,
    *polls.ENDPOINTS,
    *interactions.ENDPOINTS,
    *webhooks.ENDPOINTS,
    *commands.ENDPOINTS,
    *emojis.ENDPOINTS,
    *invites.ENDPOINTS,
    *empty_lists.ENDPOINTS,
)


def create_app(world: World, clock: Clock, *, processes_file: Path | None = None) -> web.Application:
    """The whole sandbox. Call `app[CORE].bind(url)` once its address is known."""
    app = web.Application(client_max_size=REQUEST_LIMIT + 1)
    core = app[CORE] = Core(world, clock, processes_file)
    app[GATEWAY] = core.gateway
    for version in VERSIONS:
        for endpoint in ENDPOINTS:
            app.router.add_route(endpoint.method, f"/api/{version}{endpoint.path}", endpoint.__call__)
    app.router.add_get("/gateway/", connect)
    app.router.add_get("/gateway", connect)
    app.router.add_get("/gateway/resume/{application}/", connect)
    app.router.add_get("/cdn/embed/avatars/{name}", _avatar)
    app.router.add_get("/cdn/avatars/{user}/{name}", _webhook_avatar)
    app.router.add_get("/cdn/guild-events/{event}/{name}", _event_image)
    app.router.add_get("/cdn/emojis/{name}", _emoji)
    app.router.add_get("/cdn/{path:(?:ephemeral-)?attachments/.+}", _attachment)
    add_routes(app)
    for version in VERSIONS:
        app.router.add_route("*", f"/api/{version}/{{rest:.*}}", unmodelled)
    app.router.add_route("*", "/api/{rest:.*}", other_version)
    app.router.add_get("/", _index)
    app.router.add_get("/{path:.+}", _page)
    app.on_shutdown.append(_close_sockets)
    app.on_cleanup.append(_close_endpoints)
    app.middlewares.append(_loopback_only)
    return app


@web.middleware
async def _loopback_only(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse foreign Host and Origin headers, so that no web page elsewhere can act as people here."""
    host = request.headers.get("Host", "")
    origin = request.headers.get("Origin")
    if _hostname(f"//{host}") in LOOPBACK and (origin is None or _hostname(origin) in LOOPBACK):
        return await handler(request)
    return reply(
        {
            "error": {
                "code": "forbidden",
                "message": "The sandbox answers only this machine.",
                "hint": "Use 127.0.0.1 or localhost in the address.",
            }
        },
        403,
    )


@functools.lru_cache(maxsize=256)
def _hostname(address: str) -> str | None:
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None


async def _attachment(request: web.Request) -> web.Response:
    found = request.app[CORE].state.attachments.get(request.match_info["path"])
    if found is None:
        return reply({"message": "404: Not Found", "code": 0}, 404)
    return _shown(found.content, found.content_type)


async def _emoji(request: web.Request) -> web.Response:
    """The picture as it was uploaded, whatever type is asked for."""
    found = request.app[CORE].state.emoji(request.match_info["name"].partition(".")[0])
    if found is None:
        return reply({"message": "404: Not Found", "code": 0}, 404)
    return _shown(found.image, found.content_type)


async def _webhook_avatar(request: web.Request) -> web.Response:
    """The picture as it was uploaded. Of an address, which is not asked for its picture, a drawn one."""
    webhook = request.app[CORE].state.webhooks.get(request.match_info["user"])
    found = webhook.avatar if webhook is not None else None
    if found is None or found.digest != request.match_info["name"].partition(".")[0]:
        return await _avatar(request)
    return _shown(found.content, found.content_type)


async def _event_image(request: web.Request) -> web.Response:
    for guild in request.app[CORE].state.guilds.values():
        event = guild.events.get(request.match_info["event"])
        if event is not None and event.image is not None:
            return _shown(event.image.content, event.image.content_type)
    return reply({"message": "404: Not Found", "code": 0}, 404)


def _shown(content: bytes, content_type: str) -> web.Response:
    return web.Response(
        body=content,
        headers={
            "Content-Type": content_type,
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
        },
    )


COLORS = ("#5865f2", "#757e8a", "#3ba55c", "#faa61a", "#ed4245", "#eb459e")


async def _avatar(request: web.Request) -> web.Response:
    digits = "".join(char for char in request.match_info["name"] if char.isdecimal())[-9:] or "0"
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 40">'
        f'<rect width="40" height="40" fill="{COLORS[int(digits) % len(COLORS)]}"/>'
        '<circle cx="20" cy="15" r="7" fill="#fff"/><path d="M6 36a14 12 0 0 1 28 0z" fill="#fff"/></svg>'
    )
    return web.Response(text=svg, content_type="image/svg+xml")


async def _index(request: web.Request) -> web.StreamResponse:
    return _file("index.html")


async def _page(request: web.Request) -> web.StreamResponse:
    return _file(request.match_info["path"])


def _file(name: str) -> web.StreamResponse:
    path = (PAGE / name).resolve()
    if not path.is_relative_to(PAGE) or not path.is_file() or path.suffix == ".py":
        return web.Response(status=404, text="Not found.\n")
    headers = {"Cache-Control": "no-cache"}
    if path.suffix in CONTENT_TYPES:
        headers["Content-Type"] = CONTENT_TYPES[path.suffix]
    return web.FileResponse(path, headers=headers)


async def _close_endpoints(app: web.Application) -> None:
    await app[CORE].endpoints.close()


async def _close_sockets(app: web.Application) -> None:
    core = app[CORE]
    core.feed.stop()
    for socket in list(core.gateway.sockets):
        socket.close(1001, "The sandbox is shutting down.")
    if core.gateway.sockets:
        await asyncio.wait([socket.writer for socket in core.gateway.sockets], timeout=1)
