"""HTTP responses of the REST API: results, rate limits, and injected refusals."""

from aiohttp import web

from discord_sandbox.discord.render.encoding import dumps
from discord_sandbox.discord.rest.context import Result
from discord_sandbox.discord.traffic.faults import Fault
from discord_sandbox.discord.traffic.rate_limits import RateLimitResult
from discord_sandbox.discord.traffic.request_log import LoggedCall


def reply(body: object, status: int = 200) -> web.Response:
    """JSON with the exact content type that clients compare with."""
    return web.Response(
        body=dumps(body).encode(), status=status, headers={"Content-Type": "application/json"}
    )


def respond(result: Result) -> web.Response:
    if result is None:
        return web.Response(status=204)
    if isinstance(result, tuple):
        return reply(result[1], result[0])
    return reply(result)


def rate_limited(verdict: RateLimitResult, entry: LoggedCall) -> web.Response:
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


def refused_by_fault(fault: Fault, entry: LoggedCall, bucket: dict[str, str]) -> web.Response | None:
    """The refusal that a fault asks for; with the headers of the route's own `bucket`, if it has one."""
    if fault.kind == "429":
        scope = {"X-RateLimit-Scope": fault.scope}
        if fault.scope == "global":
            scope["X-RateLimit-Global"] = "true"
        elif bucket:
            scope |= bucket | {
                "X-RateLimit-Remaining": "0" if fault.scope == "user" else "1",
                "X-RateLimit-Reset-After": f"{fault.retry_after:.3f}",
                "X-RateLimit-Reset": f"{entry.time + fault.retry_after:.3f}",
            }
        return rate_limited(RateLimitResult(False, scope, fault.retry_after, fault.scope == "global"), entry)
    if fault.kind == "503":
        entry.error = {"message": "503: Service Unavailable", "code": 0}
        return reply(entry.error, 503)
    return None
