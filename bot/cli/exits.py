"""Output and exit codes of the command line."""

from __future__ import annotations

import errno
from datetime import UTC, datetime
from typing import Any

import click

from bot.domain.errors import BadCatalog, UserError
from bot.domain.formatting import plain_time, with_times
from bot.ports.errors import StaleGeneration, TargetRefused, Unreachable
from bot.redaction import Redactor
from bot.settings import Settings, SettingsError, load_settings

EXIT_FAILED = 1
EXIT_CONFIG = 3
EXIT_REFUSED_BY_DISCORD = 4
EXIT_UNREACHABLE = 5
EXIT_REFUSED = 6
EXIT_ROLLED_BACK = 7
EXIT_DIFFERENT = 10
EXIT_WAITING = 11
EXIT_INTERRUPTED = 130


class ApiRefused(UserError):
    """A problem that the HTTP API answered with. `problem`: its JSON (RFC 9457)."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        self.problem = problem
        super().__init__(str(problem.get("detail") or status), rule=str(problem.get("rule") or "refused"))


def tell(text: str, *, err: bool = False, nl: bool = True, now: datetime | None = None) -> None:
    """Print `text`, on standard error with `err`. Times in sentences are shown for a terminal.

    now: what they are counted from; by default this machine's time.
    """
    since = now or datetime.now(UTC)
    click.echo(with_times(text, lambda at: plain_time(at, since)), err=err, nl=nl)


def exit_code(error: BaseException) -> int | None:
    """The exit code of an error that its sentence explains; None for one that needs a traceback."""
    if isinstance(error, SettingsError | BadCatalog):
        return EXIT_CONFIG
    if isinstance(error, ApiRefused):
        return EXIT_REFUSED
    if isinstance(error, UserError):
        refused = error.rule == "token_refused" or error.rule.startswith("gateway_")
        return EXIT_REFUSED_BY_DISCORD if refused else EXIT_FAILED
    if isinstance(error, Unreachable):
        return EXIT_UNREACHABLE
    # Errors of the operating system (port in use, folder not writable) say what is wrong.
    return EXIT_FAILED if isinstance(error, TargetRefused | StaleGeneration | OSError) else None


def sentence(error: BaseException) -> str:
    """The error as text, without secrets."""
    text = Redactor()(_of_the_machine(error) if isinstance(error, OSError) else str(error))
    first = text.partition(" ")[0]
    return text[:1].upper() + text[1:] if first.isalpha() else text


def _of_the_machine(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"{str(error.strerror or error).rstrip('.')}. Stop the other program or set SLIPWAY_WEB_PORT."
    return f"{error.filename}: {error.strerror}." if error.filename else str(error)


def settings() -> Settings:
    """The settings. Raises `SettingsError`."""
    return load_settings()
