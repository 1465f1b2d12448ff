"""Errors of the API as RFC 9457 problems, with the engine's own sentences."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from http import HTTPStatus

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from bot.domain import phrasebook
from bot.domain.errors import UserError
from bot.logs import concerning, new_trace_id, trace_id
from bot.ports.errors import Unreachable
from bot.web.api.formatting import plain
from bot.web.api.models import Mistake, ProblemInfo

_log = structlog.get_logger(__name__)
# For whom the request is, as fields of log lines.
_asking: ContextVar[dict[str, object]] = ContextVar("slipway_api_asking")

CONTENT_TYPE = "application/problem+json"
_AWAY_S = 5
_NOT_YOURS = frozenset({"role", "emergency_role", "requester", "not_the_requester", "people_only"})
_RULES = {404: "not_found", 405: "method_not_allowed", 413: "too_large"}
_SENTENCES = {
    404: "Not found. /api/v1/openapi.json describes what there is.",
    405: "Method not allowed here.",
    413: "The request is too large.",
}


class Problem(Exception):
    """Raised by handlers. `sentence` is for the caller, `rule` a stable word for programs."""

    def __init__(
        self,
        status: int,
        rule: str,
        sentence: str,
        *,
        mistakes: Sequence[Mistake] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(sentence)
        self.status, self.rule, self.sentence = status, rule, sentence
        self.mistakes = list(mistakes)
        self.headers = dict(headers or {})


def too_fast(wait_s: float) -> Problem:
    refused = phrasebook.too_fast(wait_s, "api")
    return Problem(429, refused.rule, str(refused), headers={"Retry-After": str(max(1, math.ceil(wait_s)))})


def problem_of(error: Exception) -> Problem:
    """The problem for anything that a handler raised. An unexpected error shows only its reference."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, UserError):
        return Problem(_status(error.rule), error.rule, str(error))
    if isinstance(error, Unreachable):
        _log.warning("api_unreachable", error=str(error))
        again = {"Retry-After": str(_AWAY_S)}
        return Problem(503, "unreachable", phrasebook.unreachable(), headers=again)
    if isinstance(error, web.HTTPException):
        sentence = _SENTENCES.get(error.status, f"{error.reason}.")
        allow = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
        return Problem(error.status, _RULES.get(error.status, "bad_request"), sentence, headers=allow)
    _log.error("api_request_failed", exc_info=error)
    return Problem(500, "internal", phrasebook.internal_error(_reference()))


def _status(rule: str) -> int:
    if rule in _NOT_YOURS:
        return 403
    return 404 if rule.startswith("unknown_") else 409


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Middleware that turns every error into a problem."""
    asking: dict[str, object] = {}
    token = _asking.set(asking)
    try:
        return await handler(request)
    except Exception as error:
        if isinstance(error, web.HTTPException) and error.status < 400:
            raise
        with concerning(**asking):
            return answer(problem_of(error))
    finally:
        _asking.reset(token)


def asked_by(**known: object) -> contextlib.AbstractContextManager[None]:
    """Give all log lines inside these fields, and the line about an error that leaves the request."""
    _asking.get().update(known)
    return concerning(**known)


def answer(problem: Problem) -> web.Response:
    body = ProblemInfo(
        type="about:blank",
        title=HTTPStatus(problem.status).phrase,
        status=problem.status,
        detail=plain(problem.sentence),
        rule=problem.rule,
        ref=_reference(),
        errors=problem.mistakes or None,
    )
    text = body.model_dump_json(exclude_none=True)
    return web.Response(status=problem.status, text=text, content_type=CONTENT_TYPE, headers=problem.headers)


def _reference() -> str:
    return trace_id() or new_trace_id()
