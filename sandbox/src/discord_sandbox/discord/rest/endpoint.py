"""What every REST call goes through: log, identity, faults, rate limits, body, errors, headers."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from discord_sandbox.discord import permissions as perms
from discord_sandbox.discord.core import CORE, Core
from discord_sandbox.discord.errors import DiscordError
from discord_sandbox.discord.faults import Fault
from discord_sandbox.discord.gateway.sessions import dumps
from discord_sandbox.discord.model import JSON, Application, Channel, Guild, Member, Message
from discord_sandbox.discord.posts import Upload
from discord_sandbox.discord.ratelimits import ORDINARY, Rule, Verdict
from discord_sandbox.discord.requestlog import Call
from discord_sandbox.discord.rest.uploads import read_upload

BASE = "/api/v10"
BANNED_AFTER, BAN_WINDOW = 10_000, 600.0
LOGGED_HEADERS = ("X-Audit-Log-Reason", "User-Agent")

Result = web.Response | JSON | list[Any] | tuple[int, JSON] | None


class Context:
    """One authenticated call, and the look-ups that every handler needs."""

    __slots__ = ("_application", "core", "params", "request", "upload")

    def __init__(self, core: Core, request: web.Request, application: Application | None) -> None:
        self.core = core
        self.request = request
        self.params = request.match_info
        self.upload = Upload({})
        self._application = application

    @property
    def application(self) -> Application:
        if self._application is None:
            raise DiscordError(0, "401: Unauthorized", status=401)
        return self._application

    @property
    def body(self) -> JSON:
        return self.upload.body

    def own_application(self) -> Application:
        """The application in the path, which must be the caller's. Raises 20012."""
        if self.params["application"] != self.application.id:
            raise DiscordError(20012)
        return self.application

    def guild(self) -> Guild:
        """The guild in the path. Raises 10004 when the bot is not in it."""
        found = self.application.guilds.get(self.params["guild"])
        if found is None:
            raise DiscordError(10004)
        return found

    def me(self, guild: Guild) -> Member:
        found = guild.members.get(self.application.id)
        if found is None or guild.id not in self.application.guilds:
            raise DiscordError(50001)
        return found

    def channel(self, *needed: int) -> Channel:
        """The channel in the path. Raises 10003, 50001 (cannot see it), 50013 (may not)."""
        channel = self.core.state.channel(self.params["channel"])
        allowed = self.core.state.permissions(self.me(channel.guild), channel)
        if not allowed & perms.VIEW_CHANNEL:
            raise DiscordError(50001)
        for permission in needed:
            if not allowed & permission:
                raise DiscordError(50013)
        return channel

    def may(self, channel: Channel, permission: int) -> bool:
        return bool(self.core.state.permissions(self.me(channel.guild), channel) & permission)

    def message(self, channel: Channel) -> Message:
        """The message in the path; ephemeral ones are not in the channel. Raises 10008."""
        found = channel.messages.get(self.params["message"])
        if found is None or found.ephemeral_to is not None:
            raise DiscordError(10008)
        return found


Handler = Callable[[Context], Awaitable[Result]]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A route: `major` names the path parameter that has buckets of its own; `rule` None means none at all."""

    method: str
    path: str
    handler: Handler
    rule: Rule | None = ORDINARY
    major: str | None = None
    token: bool = True
    body: bool = True

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        core = request.app[CORE]
        started = time.perf_counter()
        path = request.path.removeprefix(BASE)
        entry = core.log.open(core.clock.now(), self.method, path, self.path)
        for name in LOGGED_HEADERS:
            if (value := request.headers.get(name)) is not None:
                entry.headers[name.lower()] = value
        application = _caller(core, request)
        if application is not None:
            entry.application = application.name
        fault = core.faults.take_call(self.method, path, entry.application)
        if fault is not None:
            entry.fault = fault.id
            if fault.kind == "slow" and not fault.after:
                await asyncio.sleep(fault.delay_ms / 1000)
        response = await self._answer(core, request, application, entry, fault)
        if fault is not None and fault.kind == "slow" and fault.after:
            await asyncio.sleep(fault.delay_ms / 1000)
        entry.status = response.status
        entry.ms = round((time.perf_counter() - started) * 1000, 3)
        if fault is not None and fault.kind == "reset_after_apply" and request.transport is not None:
            entry.status = 0
            request.transport.abort()
        return response

    async def _answer(
        self,
        core: Core,
        request: web.Request,
        application: Application | None,
        entry: Call,
        fault: Fault | None,
    ) -> web.Response:
        headers: dict[str, str] = {}
        try:
            if fault is not None and (refusal := _refusal(fault, entry)) is not None:
                return refusal
            if self.token and application is None:
                raise DiscordError(0, "401: Unauthorized", status=401)
            verdict = self._limit(core, request, application)
            if verdict is not None:
                headers = verdict.headers
                if not verdict.allowed:
                    return _limited(verdict, entry)
            context = Context(core, request, application)
            if self.body:
                context.upload = await read_upload(request)
                entry.body = _logged(context.upload)
            result = await self.handler(context)
        except DiscordError as error:
            entry.error = error.body()
            self._count_refusal(core, application, error)
            if error.status == 429:
                headers = headers | {"Via": "1.1 sandbox", "X-RateLimit-Scope": "user"}
                entry.error |= {"retry_after": 2.0, "global": False}
            result = reply(entry.error, error.status)
        response = result if isinstance(result, web.Response) else _respond(result)
        if fault is not None and fault.kind == "500_after_apply":
            return reply({"message": "500: Internal Server Error", "code": 0}, 500)
        response.headers.update(headers)
        return response

    def _limit(self, core: Core, request: web.Request, application: Application | None) -> Verdict | None:
        if self.rule is None:
            return None
        identity = application.id if application is not None and self.token else "-"
        if self.token:
            if application is not None and _banned(core, application):
                return Verdict(False, {}, 600.0, True)
            over = core.limits.take_global(identity)
            if over is not None:
                return over
        major = request.match_info.get(self.major, "") if self.major is not None else ""
        return core.limits.take(identity, f"{self.method} {self.path}", major, self.rule)

    def _count_refusal(self, core: Core, application: Application | None, error: DiscordError) -> None:
        if application is not None and error.status in (401, 403, 429):
            application.refused.append(core.clock.now())


def _banned(core: Core, application: Application) -> bool:
    """10,000 answers of 401, 403 or 429 within ten minutes and the address is banned."""
    if len(application.refused) < BANNED_AFTER:
        return False
    now = core.clock.now()
    application.refused = [one for one in application.refused if now - one < BAN_WINDOW]
    return len(application.refused) >= BANNED_AFTER


def _caller(core: Core, request: web.Request) -> Application | None:
    header = request.headers.get("Authorization")
    if header is None or not header.startswith("Bot "):
        return None
    return core.state.by_token.get(header[4:])


def reply(body: object, status: int = 200) -> web.Response:
    """JSON with exactly the content type that clients compare with."""
    return web.Response(
        body=dumps(body).encode(), status=status, headers={"Content-Type": "application/json"}
    )


def _respond(result: Result) -> web.Response:
    if result is None:
        return web.Response(status=204)
    if isinstance(result, tuple):
        return reply(result[1], result[0])
    return reply(result)


def _limited(verdict: Verdict, entry: Call) -> web.Response:
    body = {
        "message": "You are being rate limited.",
        "retry_after": verdict.retry_after,
        "global": verdict.is_global,
        "code": 0,
    }
    entry.error = body
    response = reply(body, 429)
    response.headers.update(verdict.headers)
    if verdict.headers:
        response.headers["Via"] = "1.1 sandbox"
    response.headers["Retry-After"] = str(max(1, round(verdict.retry_after)))
    return response


def _refusal(fault: Fault, entry: Call) -> web.Response | None:
    if fault.kind == "429":
        scope = {"X-RateLimit-Scope": fault.scope}
        if fault.scope == "global":
            scope["X-RateLimit-Global"] = "true"
        else:
            scope |= {
                "X-RateLimit-Limit": "5",
                "X-RateLimit-Remaining": "0" if fault.scope == "user" else "1",
                "X-RateLimit-Reset-After": f"{fault.retry_after:.3f}",
                "X-RateLimit-Reset": f"{entry.time + fault.retry_after:.3f}",
                "X-RateLimit-Bucket": f"fault{fault.id}",
            }
        return _limited(Verdict(False, scope, fault.retry_after, fault.scope == "global"), entry)
    if fault.kind == "503":
        entry.error = {"message": "503: Service Unavailable", "code": 0}
        return reply(entry.error, 503)
    return None


def _logged(upload: Upload) -> Any:
    if upload.items is not None:
        return upload.items
    if not upload.files:
        return upload.body
    return upload.body | {"files": [one.filename for one in upload.files.values()]}
