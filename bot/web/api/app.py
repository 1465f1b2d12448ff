"""The API as an application below `/api/v1`: each operation reads its request, checks the token, and answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace

import structlog
from aiohttp import web
from pydantic import BaseModel

from bot.domain import phrasebook
from bot.domain.errors import UserError
from bot.ports.errors import Unreachable
from bot.web.api import PREFIX, openapi
from bot.web.api.access import Access, require
from bot.web.api.calls import ApiCall
from bot.web.api.dependencies import ApiDependencies
from bot.web.api.handlers import Handlers
from bot.web.api.operations import OPERATIONS, Operation
from bot.web.api.parsing import interaction_of, read
from bot.web.api.problems import Problem, asked_by, problems
from bot.web.api.reports import Download

Handle = Callable[[ApiCall], Awaitable[BaseModel | Download]]
# A download that is not read holds a connection to the database.
_DOWNLOAD_S = 600.0

_log = structlog.get_logger(__name__)


def create_api(parts: ApiDependencies) -> web.Application:
    """The application to add below `PREFIX`."""
    app = web.Application(middlewares=[problems])
    access = Access(parts.tokens, parts.limiter, parts.clock.now)
    handlers = Handlers(parts.engine, parts.incidents, parts.catalog, access, parts.clock.now)
    for operation in OPERATIONS:
        handle: Handle = getattr(handlers, operation.name)
        route = _Route(operation, handle, access, parts)
        app.router.add_route(operation.method, operation.path, route.answer)
    app.router.add_get("/openapi.json", _description)
    return app


async def _description(request: web.Request) -> web.Response:
    return web.Response(text=openapi.text(), content_type="application/json")


class _Route:
    """One operation as a handler of aiohttp."""

    def __init__(self, operation: Operation, handle: Handle, access: Access, parts: ApiDependencies) -> None:
        self._operation = operation
        self._handle = handle
        self._access = access
        self._parts = parts

    async def answer(self, request: web.Request) -> web.StreamResponse:
        started, outcome = time.perf_counter(), "ok"
        try:
            return await self._answered(request)
        except Exception as error:
            outcome = _outcome(error)
            raise
        finally:
            self._parts.observed(f"http:{self._operation.name}", outcome, time.perf_counter() - started)

    async def _answered(self, request: web.Request) -> web.StreamResponse:
        if not self._parts.ready():
            raise Problem(503, "starting", "Slipway is starting.", headers={"Retry-After": "2"})
        operation, token = self._operation, await self._access.token(request)
        if operation.scope is not None:
            require(token, operation.scope)
        if operation.budget is not None:
            await self._access.spend(token, operation.budget)
        guild = self._parts.catalog().guilds.get(token.guild_id)
        if guild is None:
            raise phrasebook.unknown_server()
        if operation.method != "GET":
            # What the owner may do no more, the token may not either.
            roles = await self._parts.members.roles(guild, token.owner_id)
            token = replace(token, roles=token.roles & roles)
        asked = await read(operation, request)
        call = ApiCall(token, guild, asked, interaction_of(token.id, asked.key, operation))
        with asked_by(guild_id=guild.id, user_id=token.owner_id, token=token.name):
            found = await self._handle(call)
        if isinstance(found, Download):
            return await _sent(request, found)
        return web.Response(
            status=operation.status,
            text=found.model_dump_json(),
            content_type="application/json",
            headers=_location(operation, found),
        )


async def _sent(request: web.Request, download: Download) -> web.StreamResponse:
    """Send a file as it is read. What fails after its begin breaks the connection: a part must not look whole."""
    async with asyncio.timeout(_DOWNLOAD_S), aclosing(download.chunks) as chunks:
        first = await anext(chunks)  # what can be refused, is refused here
        headers = {
            "Content-Disposition": f'attachment; filename="{download.name}"',
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
        }
        response = web.StreamResponse(headers=headers)
        response.content_type, response.charset = "text/csv", "utf-8"
        await response.prepare(request)
        try:
            await response.write(first)
            async for chunk in chunks:
                await response.write(chunk)
            await response.write_eof()
        except (Exception, asyncio.CancelledError) as error:
            _log.warning("download_broken", name=download.name, error=repr(error))
            if request.transport is not None:
                request.transport.abort()
            if isinstance(error, asyncio.CancelledError):
                raise
    return response


def _location(operation: Operation, found: BaseModel) -> dict[str, str]:
    number = getattr(found, "id", None)
    headers = {"Cache-Control": "no-store"}
    return headers | {"Location": f"{PREFIX}/rollouts/{number}"} if operation.status == 201 else headers


def _outcome(error: Exception) -> str:
    """As of an interaction in Discord."""
    if isinstance(error, Unreachable) or (isinstance(error, Problem) and error.status == 503):
        return "unreachable"
    return "refused" if isinstance(error, Problem | UserError | web.HTTPException) else "error"
