"""Every error of the HTTP side in one JSON shape, with a reference that is also in the log."""

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
    413: "too_large",
    503: "unavailable",
}
_SENTENCES = {
    404: "There is nothing at this address.",
    405: "This address does not take that method.",
    413: "The request is too large.",
}


class ApiError(Exception):
    """Raised by handlers: `message` is a sentence for whoever called."""

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
    """Turn everything that goes wrong into the one shape; the unforeseen says nothing but its reference."""
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
            _log.error("http_failed", method=request.method, path=request.path, exc_info=error)
            sentence = "This went wrong on our side. The log has it under the reference."
            return _answer(500, "internal", sentence, ref, {})


def _answer(status: int, code: str, message: str, ref: str, headers: dict[str, str]) -> web.Response:
    body = json.dumps({"error": {"code": code, "message": message, "ref": ref}})
    return web.Response(status=status, text=body, content_type="application/json", headers=headers)
