"""Errors of the HTTP server: one JSON format, with a reference that is also in the log."""

from __future__ import annotations

import json

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from bot.logs import new_trace_id, tracing

_log = structlog.get_logger(__name__)

_CODES = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    408: "timeout",
    413: "too_large",
    503: "unavailable",
}
_SENTENCES = {
    404: "Not found.",
    405: "Method not allowed here.",
    413: "The request is too large.",
}


class ApiError(Exception):
    """Raised by handlers. `message` is a sentence for the caller."""

    def __init__(
        self, status: int, message: str, *, code: str = "", headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code or _CODES.get(status, "error")
        self.headers = headers or {}


@web.middleware
async def errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Middleware that turns every error into the JSON format. Unexpected errors show only their reference."""
    with tracing(new_trace_id()) as ref:
        try:
            return await handler(request)
        except ApiError as error:
            return _answer(error.status, error.code, error.message, ref, error.headers)
        except web.HTTPException as error:
            if error.status < 400:
                raise
            message = _SENTENCES.get(error.status, error.reason)
            allow = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
            return _answer(error.status, _CODES.get(error.status, "error"), message, ref, allow)
        except Exception as error:
            _log.error("http_request_failed", method=request.method, path=request.path, exc_info=error)
            sentence = "Internal error. The log has the details under this reference."
            return _answer(500, "internal", sentence, ref, {})


def _answer(status: int, code: str, message: str, ref: str, headers: dict[str, str]) -> web.Response:
    body = json.dumps({"error": {"code": code, "message": message, "ref": ref}})
    return web.Response(status=status, text=body, content_type="application/json", headers=headers)
