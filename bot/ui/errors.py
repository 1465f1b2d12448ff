"""Error replies: the one place where an error becomes a message and a log line."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import aiohttp
import discord
import structlog
from discord import app_commands

from bot.domain import phrasebook
from bot.domain.errors import UserError
from bot.logs import new_trace_id, trace_id
from bot.ports.errors import Unreachable
from bot.ui import escaping

_log = structlog.get_logger(__name__)

TOO_SLOW = "too_slow"  # outcome of what is not confirmed in time


@dataclass(frozen=True, slots=True)
class Upload:
    """A picture, or text too long for a message, attached as a file. A view shows it as `attachment://name`."""

    name: str
    content: str | bytes

    def file(self) -> discord.File:
        """A new file for each attempt: sending consumes it."""
        content = self.content.encode("utf-8", "replace") if isinstance(self.content, str) else self.content
        return discord.File(io.BytesIO(content), self.name)


@dataclass(frozen=True, slots=True)
class Reply:
    """What the person sees. `outcome` is a label for the metrics: `ok`, `repeated`, `refused` …"""

    content: str = ""
    view: discord.ui.LayoutView | None = None
    ephemeral: bool = True
    outcome: str = "ok"
    upload: Upload | None = None
    more: tuple[Upload, ...] = ()

    @property
    def uploads(self) -> tuple[Upload, ...]:
        """All files that go with it."""
        return (self.upload, *self.more) if self.upload is not None else self.more


def explain(error: BaseException, *, command: str) -> Reply:
    """The reply for `error`. An unexpected error is logged under the reference that the reply shows."""
    if isinstance(error, app_commands.CommandInvokeError):
        error = error.original
    if isinstance(error, UserError):
        _log.info("request_refused", command=command, rule=error.rule)
        return Reply(escaping.sentence(f"✋ {error}", escaping.CONTENT), outcome="refused")
    if isinstance(error, Unreachable):
        _log.warning("request_unreachable", command=command, error=str(error))
        return Reply(f"🔌 {phrasebook.unreachable()}", outcome="unreachable")
    if isinstance(error, TimeoutError):
        _log.warning("request_timed_out", command=command)
        return Reply(f"⏳ {phrasebook.not_confirmed()}", outcome=TOO_SLOW)
    if isinstance(error, app_commands.CommandNotFound | app_commands.CommandSignatureMismatch):
        _log.warning("stale_command", command=command, error=str(error))
        return Reply(f"✋ {phrasebook.command_changed()}", outcome="refused")
    reference = trace_id() or new_trace_id()
    _log.error("request_failed", command=command, reference=reference, exc_info=error)
    return Reply(f"💥 {phrasebook.internal_error(reference)}", outcome="error")


def applied_already(error: discord.HTTPException) -> bool:
    """Whether Discord already has our first answer: an earlier attempt was applied, but its reply was lost."""
    return error.code == 40060


def too_late(error: discord.HTTPException) -> bool:
    """Whether the interaction has expired: no answer within 3 s, or older than 15 minutes."""
    return error.code in (10062, 10015, 50027)


def transient(error: BaseException) -> bool:
    """Whether to retry: connection, server error or rate limit. The call may have been applied."""
    if isinstance(error, discord.HTTPException):
        return error.status >= 500 or error.status == 429
    if isinstance(error, discord.RateLimited | aiohttp.ClientError | OSError | TimeoutError):
        return True
    return isinstance(error, RuntimeError) and "closed" in str(error).lower()


def why(error: discord.HTTPException) -> dict[str, Any]:
    """Log fields of a refusal by Discord."""
    return {"status": error.status, "code": error.code, "message": error.text[:300]}
