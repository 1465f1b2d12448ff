"""What every REST call passes: log, identity, faults, rate limits, body, errors, headers."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from discord_sandbox.discord.actions.audit import acting
from discord_sandbox.discord.actions.uploads import Upload
from discord_sandbox.discord.core import CORE, Core
from discord_sandbox.discord.errors import DiscordError
from discord_sandbox.discord.rest.context import Context, Result, path_of
from discord_sandbox.discord.rest.replies import rate_limited, refused_by_fault, reply, respond
from discord_sandbox.discord.rest.uploads import read_upload
from discord_sandbox.discord.state.model import Application
from discord_sandbox.discord.traffic.faults import Fault
from discord_sandbox.discord.traffic.rate_limits import ORDINARY, RateLimit, RateLimitResult
from discord_sandbox.discord.traffic.request_log import LoggedCall

BANNED_AFTER, BAN_WINDOW = 10_000, 600.0
LOGGED_HEADERS = ("X-Audit-Log-Reason", "User-Agent")
RETRY_AFTER_S = 2.0  # of a refusal with 429 that no bucket explains

Handler = Callable[[Context], Awaitable[Result]]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A route. `major`: the path parameter with a bucket per value; `limit` None: not rate limited."""

    method: str
    path: str
    handler: Handler
    limit: RateLimit | None = ORDINARY
    major: str | None = None
    token: bool = True
    body: bool = True
    modelled: bool = True

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        core = request.app[CORE]
        started = time.perf_counter()
        path = path_of(request)
        entry = core.log.open(core.clock.now(), self.method, path, self.path)
        entry.modelled = self.modelled
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
        context = Context(core, request, application)
        unreadable = await self._read(context, entry)
        response = await self._answer(context, application, entry, fault, unreadable)
        entry.ignored = context.upload.complaints.ignored
        if fault is not None and fault.kind == "slow" and fault.after:
            await asyncio.sleep(fault.delay_ms / 1000)
        entry.status = response.status
        entry.ms = round((time.perf_counter() - started) * 1000, 3)
        if fault is not None and fault.kind == "reset_after_apply" and request.transport is not None:
            entry.status = 0
            request.transport.abort()
        return response

    async def _read(self, context: Context, entry: LoggedCall) -> DiscordError | None:
        """Read and log the body, also of a call that is then refused. Returns what is wrong with its form."""
        if not self.body:
            return None
        try:
            context.upload = await read_upload(context.request, context.upload.complaints)
        except DiscordError as error:
            return error
        entry.body = _logged(context.upload)
        return None

    async def _answer(
        self,
        context: Context,
        application: Application | None,
        entry: LoggedCall,
        fault: Fault | None,
        unreadable: DiscordError | None,
    ) -> web.Response:
        core, request = context.core, context.request
        headers: dict[str, str] = {}
        try:
            refusal = refused_by_fault(fault, entry, self._bucket(core)) if fault is not None else None
            if refusal is not None:
                return refusal
            if self.token and application is None:
                raise DiscordError(0, "401: Unauthorized", status=401)
            verdict = self._limit(core, request, application)
            if verdict is not None:
                headers = verdict.headers
                if not verdict.allowed:
                    return rate_limited(verdict, entry)
            if unreadable is not None:
                raise unreadable
            with acting(application.id if application is not None else None, self._reason(context)):
                result = await self.handler(context)
        except DiscordError as error:
            entry.error = error.body()
            self._count_refusal(core, application, error)
            if error.status == 429:
                headers = headers | {"Via": "1.1 sandbox", "X-RateLimit-Scope": "user"}
                entry.error |= {"retry_after": RETRY_AFTER_S, "global": False}
            result = reply(entry.error, error.status)
        response = result if isinstance(result, web.Response) else respond(result)
        if fault is not None and fault.kind == "500_after_apply":
            return reply({"message": "500: Internal Server Error", "code": 0}, 500)
        response.headers.update(headers)
        return response

    def _reason(self, context: Context) -> str | None:
        """Of a change. Raises 50035 over 512 characters."""
        return None if self.method == "GET" else context.reason()

    def _limit(
        self, core: Core, request: web.Request, application: Application | None
    ) -> RateLimitResult | None:
        if self.limit is None:
            return None
        identity = application.id if application is not None and self.token else "-"
        if self.token:
            if application is not None and _banned(core, application):
                return RateLimitResult(False, {}, 600.0, True)
            over = core.limits.take_global(identity)
            if over is not None:
                return over
        major = request.match_info.get(self.major, "") if self.major is not None else ""
        return core.limits.take(identity, f"{self.method} {self.path}", major, self.limit)

    def _bucket(self, core: Core) -> dict[str, str]:
        """Headers that name the route's bucket."""
        if self.limit is None:
            return {}
        name = core.limits.bucket(f"{self.method} {self.path}")
        return {"X-RateLimit-Limit": str(self.limit.calls), "X-RateLimit-Bucket": name}

    def _count_refusal(self, core: Core, application: Application | None, error: DiscordError) -> None:
        if application is not None and error.status in (401, 403, 429):
            application.refused.append(core.clock.now())


def _banned(core: Core, application: Application) -> bool:
    """Whether the bot has had 10,000 answers of 401, 403 or 429 within ten minutes."""
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


def _logged(upload: Upload) -> Any:
    if upload.items is not None:
        return upload.items
    if not upload.files:
        return upload.body
    return upload.body | {"files": [one.filename for one in upload.files.values()]}
