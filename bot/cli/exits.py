"""What ends a command: sentences for people, numbers for scripts."""

from __future__ import annotations

import errno

from bot.catalog import Diagnostic
from bot.domain.errors import BadCatalog, UserError
from bot.logs import Redactor
from bot.ports.errors import StaleGeneration, TargetRefused, Unreachable
from bot.settings import Settings, SettingsError, load_settings

EXIT_FAILED = 1
EXIT_CONFIG = 3
EXIT_REFUSED_BY_DISCORD = 4
EXIT_UNREACHABLE = 5
EXIT_DIFFERENT = 10
EXIT_WAITING = 11
EXIT_INTERRUPTED = 130


def exit_code(error: BaseException) -> int | None:
    """The exit code of an error that a sentence explains; None for one that needs a traceback."""
    if isinstance(error, SettingsError | BadCatalog):
        return EXIT_CONFIG
    if isinstance(error, UserError):
        refused = error.rule == "token_refused" or error.rule.startswith("gateway_")
        return EXIT_REFUSED_BY_DISCORD if refused else EXIT_FAILED
    if isinstance(error, Unreachable):
        return EXIT_UNREACHABLE
    # The machine's own refusals (a port that is taken, a folder that cannot be written) say what is wrong.
    return EXIT_FAILED if isinstance(error, TargetRefused | StaleGeneration | OSError) else None


def sentence(error: BaseException) -> str:
    """The error as it is shown, without secrets."""
    text = Redactor()(_of_the_machine(error) if isinstance(error, OSError) else str(error))
    first = text.partition(" ")[0]
    return text[:1].upper() + text[1:] if first.isalpha() else text


def _of_the_machine(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"{str(error.strerror or error).rstrip('.')}. Stop the other program, or set SLIPWAY_WEB_PORT."
    return f"{error.filename}: {error.strerror}." if error.filename else str(error)


def settings() -> Settings:
    """The settings. Raises `SettingsError`."""
    return load_settings()


def listed(mistakes: tuple[Diagnostic, ...]) -> str:
    """Every mistake on a line of its own, and how many there are."""
    return "\n".join([*map(str, mistakes), f"✗ {counted(len(mistakes), 'mistake')}"])


def counted(number: int, noun: str) -> str:
    """`1 lane`, `2 lanes`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
