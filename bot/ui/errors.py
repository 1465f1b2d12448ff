"""The one error path: what a person is told when something did not happen, and what the log gets."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import aiohttp
import discord
import structlog
from discord import app_commands

from bot.domain.errors import UserError
from bot.logs import new_trace_id, trace_id
from bot.ports.errors import Unreachable
from bot.ui import escaping

_log = structlog.get_logger(__name__)

UNREACHABLE = (
    "🔌 **This could not be recorded, and nothing was changed.** Slipway cannot reach its database, or what "
    "it would have to ask. Try again in a moment.\nTo stop a rollout right now, on the machine: "
    "`slipway abort SERVICE ENVIRONMENT`"
)
TOO_SLOW = (
    "⏳ **No answer from the database in time, so this is not confirmed.** If it was recorded, the card "
    "shows it; asking again is safe.\nTo stop a rollout right now, on the machine: `slipway abort SERVICE ENVIRONMENT`"
)


@dataclass(frozen=True, slots=True)
class Upload:
    """A text that is too long for a message, as a file beside it. A view shows it as `attachment://name`."""

    name: str
    content: str

    def file(self) -> discord.File:
        """Made anew for each attempt: sending uses a file up."""
        return discord.File(io.BytesIO(self.content.encode("utf-8", "replace")), self.name)


@dataclass(frozen=True, slots=True)
class Reply:
    """What the person sees. `outcome` is a word for the metrics: `ok`, `repeated`, `refused` …"""

    content: str = ""
    view: discord.ui.LayoutView | None = None
    ephemeral: bool = True
    outcome: str = "ok"
    upload: Upload | None = None


def explain(error: BaseException, *, command: str) -> Reply:
    """The words for `error`. Anything that no person caused is logged under the reference that is shown."""
    if isinstance(error, app_commands.CommandInvokeError):
        error = error.original
    if isinstance(error, UserError):
        _log.info("refused", command=command, rule=error.rule)
        return Reply(escaping.sentence(f"✋ {error}", escaping.CONTENT), outcome="refused")
    if isinstance(error, Unreachable):
        _log.warning("unreachable", command=command, error=str(error))
        return Reply(UNREACHABLE, outcome="unreachable")
    if isinstance(error, TimeoutError):
        _log.warning("too_slow", command=command)
        return Reply(TOO_SLOW, outcome="too_slow")
    if isinstance(error, app_commands.CommandNotFound | app_commands.CommandSignatureMismatch):
        _log.warning("stale_command", command=command, error=str(error))
        return Reply("✋ This command has just changed. Type it anew in a minute.", outcome="refused")
    reference = trace_id() or new_trace_id()
    _log.error("unexpected", command=command, reference=reference, exc_info=error)
    return Reply(
        f"💥 Something went wrong inside Slipway. Whoever runs it finds why in its log under `{reference}`.",
        outcome="error",
    )


def applied_already(error: discord.HTTPException) -> bool:
    """Discord has our first answer: an earlier attempt was applied although its answer got lost."""
    return error.code == 40060


def too_late(error: discord.HTTPException) -> bool:
    """The interaction is dead: not answered within 3 s, or its 15 minutes are over."""
    return error.code in (10062, 10015, 50027)


def transient(error: BaseException) -> bool:
    """Worth another try: the connection, a server error, or a rate limit; may have been applied."""
    if isinstance(error, discord.HTTPException):
        return error.status >= 500 or error.status == 429
    if isinstance(error, discord.RateLimited | aiohttp.ClientError | OSError | TimeoutError):
        return True
    return isinstance(error, RuntimeError) and "closed" in str(error).lower()


def why(error: discord.HTTPException) -> dict[str, Any]:
    """What the log should know of a refusal by Discord."""
    return {"status": error.status, "code": error.code, "message": error.text[:300]}
