"""The sandbox as a server: REST, gateway, CDN, JSON API and page on one loopback port."""

import asyncio
import functools
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler

from discord_sandbox.discord.clock import Clock, WallClock
from discord_sandbox.discord.core import CORE, Core
from discord_sandbox.discord.gateway import connection
from discord_sandbox.discord.ids import named_id
from discord_sandbox.discord.rest import channels, commands, guilds, interactions, messages, users
from discord_sandbox.discord.rest.endpoint import BASE, reply
from discord_sandbox.discord.rest.uploads import REQUEST_LIMIT
from discord_sandbox.discord.world import World

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
PAGE = Path(__file__).parent.parent / "page"
ENDPOINTS = (
    *users.ENDPOINTS,
    *guilds.ENDPOINTS,
    *channels.ENDPOINTS,
    *messages.ENDPOINTS,
    *interactions.ENDPOINTS,
    *commands.ENDPOINTS,
)


def create_app(world: World, clock: Clock, *, processes_file: Path | None = None) -> web.Application:
    """The whole sandbox as an aiohttp application; `app[CORE].bind(url)` says where it is reached."""
    from discord_sandbox.api.routes import add_routes

    app = web.Application(client_max_size=REQUEST_LIMIT + 1)
    app[CORE] = Core(world, clock, processes_file)
    for endpoint in ENDPOINTS:
        app.router.add_route(endpoint.method, BASE + endpoint.path, endpoint.__call__)
    app.router.add_get("/gateway/", connection.serve)
    app.router.add_get("/gateway", connection.serve)
    app.router.add_get("/gateway/resume/", connection.serve)
    app.router.add_get("/cdn/embed/avatars/{name}", _avatar)
    app.router.add_get("/cdn/{path:attachments/.+}", _attachment)
    add_routes(app)
    app.router.add_route("*", BASE + "/{rest:.*}", _unknown)
    app.router.add_get("/", _index)
    app.router.add_get("/{path:.+}", _page)
    app.on_shutdown.append(_close_sockets)
    app.middlewares.append(_only_from_here)
    return app


@web.middleware
async def _only_from_here(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuses foreign Host and Origin headers: a web page elsewhere must not play people here."""
    host = request.headers.get("Host", "")
    origin = request.headers.get("Origin")
    if _name(f"//{host}") in LOOPBACK and (origin is None or _name(origin) in LOOPBACK):
        return await handler(request)
    return reply(
        {
            "error": {
                "code": "forbidden",
                "message": "Only this machine may talk to the sandbox.",
                "hint": "Use 127.0.0.1 or localhost in the address.",
            }
        },
        403,
    )


@functools.lru_cache(maxsize=256)
def _name(address: str) -> str | None:
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None


async def _unknown(request: web.Request) -> web.Response:
    return reply({"message": "404: Not Found", "code": 0}, 404)


async def _attachment(request: web.Request) -> web.Response:
    found = request.app[CORE].state.attachments.get(request.match_info["path"])
    if found is None:
        return reply({"message": "404: Not Found", "code": 0}, 404)
    return web.Response(
        body=found.content,
        headers={
            "Content-Type": found.content_type,
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
        },
    )


COLORS = ("#5865f2", "#757e8a", "#3ba55c", "#faa61a", "#ed4245", "#eb459e")


async def _avatar(request: web.Request) -> web.Response:
    digits = "".join(char for char in request.match_info["name"] if char.isdigit()) or "0"
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 40">'
        f'<rect width="40" height="40" fill="{COLORS[int(digits) % len(COLORS)]}"/>'
        '<circle cx="20" cy="15" r="7" fill="#fff"/><path d="M6 36a14 12 0 0 1 28 0z" fill="#fff"/></svg>'
    )
    return web.Response(text=svg, content_type="image/svg+xml")


async def _index(request: web.Request) -> web.StreamResponse:
    return await _file("index.html")


async def _page(request: web.Request) -> web.StreamResponse:
    return await _file(request.match_info["path"])


async def _file(name: str) -> web.StreamResponse:
    path = (PAGE / name).resolve()
    if not path.is_relative_to(PAGE) or not path.is_file() or path.suffix == ".py":
        return web.Response(status=404, text="There is nothing here.\n")
    return web.FileResponse(path, headers={"Cache-Control": "no-cache"})


async def _close_sockets(app: web.Application) -> None:
    core = app[CORE]
    core.feed.stop()
    for socket in list(core.sockets):
        socket.close(1001, "The sandbox is going away.")
    if core.sockets:
        await asyncio.wait([socket.writer for socket in core.sockets], timeout=1)


class Sandbox:
    """A running sandbox: `async with Sandbox() as sb: sb.api_base, sb.gateway_url, sb.token("slipway")`."""

    def __init__(
        self,
        world: World | None = None,
        port: int = 0,
        *,
        clock: Clock | None = None,
        processes_file: Path | None = None,
    ) -> None:
        self.app = create_app(world or World(), clock or WallClock(), processes_file=processes_file)
        self._port = port
        self._runner = web.AppRunner(self.app, access_log=None, shutdown_timeout=1.0)

    @property
    def core(self) -> Core:
        return self.app[CORE]

    @property
    def url(self) -> str:
        return self.core.url

    @property
    def api_base(self) -> str:
        return self.core.api_base

    @property
    def api(self) -> str:
        """The base of the JSON API."""
        return f"{self.url}/sandbox/v1"

    @property
    def gateway_url(self) -> str:
        return self.core.gateway_url

    async def start(self) -> None:
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.core.bind(f"http://{host}:{port}")

    async def stop(self) -> None:
        await self._runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def token(self, application: str = "slipway") -> str:
        return self.core.state.applications[self.application_id(application)].token

    def application_id(self, application: str = "slipway") -> str:
        return named_id("application", application)

    def guild_id(self, guild: str = "") -> str:
        return named_id("guild", guild or self.core.state.world.guilds[0].name)

    def channel_id(self, channel: str, guild: str = "") -> str:
        return named_id("channel", guild or self.core.state.world.guilds[0].name, channel.removeprefix("#"))

    def role_id(self, role: str, guild: str = "") -> str:
        return named_id("role", guild or self.core.state.world.guilds[0].name, role)

    def person_id(self, person: str) -> str:
        return named_id("user", person)

    def describe(self) -> dict[str, object]:
        """Addresses, applications and guilds, as `python -m discord_sandbox.discord` prints them."""
        state = self.core.state
        return {
            "url": self.url,
            "api_base": self.api_base,
            "gateway_url": self.gateway_url,
            "cdn_url": self.core.render.cdn,
            "applications": [
                {"id": one.id, "name": one.name, "token": one.token} for one in state.applications.values()
            ],
            "guilds": [
                {
                    "id": guild.id,
                    "name": guild.name,
                    "channels": {one.name: one.id for one in guild.channels.values() if not one.is_thread},
                    "roles": {one.name: one.id for one in guild.roles.values()},
                }
                for guild in state.guilds.values()
            ],
        }
