"""Errors of the JSON API: one shape, with near misses as a hint."""

import difflib
import math
from collections.abc import Iterable

from aiohttp import web

from discord_sandbox.discord.rest.replies import reply


class ApiError(Exception):
    """A refusal: HTTP status, stable code, sentence, and a hint at a way out.

    retry_after: in seconds, if waiting helps.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        hint: str | None = None,
        *,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.status = status
        self.code = code
        self.message = message
        self.hint = hint

    def response(self) -> web.Response:
        error: dict[str, object] = {"code": self.code, "message": self.message, "hint": self.hint}
        if self.retry_after is None:
            return reply({"error": error}, self.status)
        answer = reply({"error": error | {"retry_after": self.retry_after}}, self.status)
        answer.headers["Retry-After"] = str(math.ceil(self.retry_after))
        return answer


def unknown(what: str, name: object, known: Iterable[str]) -> ApiError:
    """404 `unknown_<what>` with the closest known names, or all of them."""
    names = sorted(set(known))
    near = difflib.get_close_matches(str(name), names, n=3, cutoff=0.6)
    if near:
        hint = f"Did you mean {' or '.join(near)}?"
    else:
        hint = f"Known: {', '.join(names[:25])}." if names else "There are none."
    return ApiError(404, f"unknown_{what}", f'There is no {what.replace("_", " ")} "{name}".', hint)


def invalid(message: str, hint: str | None = None) -> ApiError:
    return ApiError(400, "invalid", message, hint)
