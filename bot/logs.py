"""Logs: JSON lines with a trace id and without secrets.

structlog and the standard library's logging share one chain. Redaction works on finished lines, including tracebacks,
so it does not matter where a secret came from.
"""

from __future__ import annotations

import contextlib
import logging
import re
import secrets
import sys
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from typing import Any, Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

_HIDDEN = "***"
_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"  # without characters that are easily confused
_SHORTEST_SECRET = 6

_trace: ContextVar[str | None] = ContextVar("slipway_trace", default=None)

_SENSITIVE = (
    r"(?:[\w-]*(?:token|secret|password|passwd|authorization|api[_-]?key|private[_-]?key|credential)s?)"
)
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    # Discord bot tokens: id, time and signature in base64.
    (re.compile(r"\b[A-Za-z0-9_-]{18,}\.[A-Za-z0-9_-]{6,7}\.[A-Za-z0-9_-]{24,}"), _HIDDEN),
    # Interaction and webhook tokens in paths.
    (re.compile(r"(/(?:webhooks|interactions)/\d+/)[A-Za-z0-9_.~%-]{8,}"), rf"\1{_HIDDEN}"),
    # Passwords in addresses.
    (re.compile(r"([a-z][a-z0-9+.-]*://[^\s:/@\"']*:)[^\s@/\"']+(@)"), rf"\1{_HIDDEN}\2"),
    (
        re.compile(
            r"(?i)(authorization\\?[\"']?\s*[:=]\s*\\?[\"']?)(?:(?:bot|bearer|basic) )?(?!\*)[^\s\"'\\,;]+"
        ),
        rf"\1{_HIDDEN}",
    ),
    (re.compile(r"\b(Bot|Bearer|Basic)\s+(?!token\b)(?=\S*\d)[A-Za-z0-9._~+/=-]{16,}"), rf"\1 {_HIDDEN}"),
    # "key": "value" and 'key': 'value', also with the quotes escaped in a JSON line; key=value.
    (
        re.compile(rf"(?i)({_SENSITIVE}\\?[\"']?\s*[:=]\s*b?\\?[\"'])[^\"'\\]+"),
        rf"\1{_HIDDEN}",
    ),
    (re.compile(rf"(?i)({_SENSITIVE}=\\?[\"']?)(?!\*)[^\s\"'\\,;&)}}]+"), rf"\1{_HIDDEN}"),
    # key: value in prose, if the value does not look like a word.
    (
        re.compile(rf"(?i)({_SENSITIVE}: )(?=[\w.~+/=-]*\d)(?=[\w.~+/=-]*[a-z])[\w.~+/=-]{{12,}}"),
        rf"\1{_HIDDEN}",
    ),
)


def is_sensitive(name: str) -> bool:
    """Whether a key or variable of this name holds a secret."""
    return re.fullmatch(rf"(?i){_SENSITIVE}", name) is not None


class Redactor:
    """Hides known secrets and text that looks like one."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        words = sorted({k for k in known if len(k) >= _SHORTEST_SECRET}, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, words))) if words else None

    def __call__(self, line: str) -> str:
        """`line` without secrets."""
        if self._known is not None:
            line = self._known.sub(_HIDDEN, line)
        for pattern, instead in _PATTERNS:
            line = pattern.sub(instead, line)
        return line


def configure(
    level: str = "info",
    format: Literal["json", "console"] = "json",  # noqa: A002 - the setting's own name
    known_secrets: Iterable[str] = (),
    stream: TextIO | None = None,
) -> None:
    """Set up structlog and standard logging for the whole process. Can be called again."""
    sink = stream or sys.stderr
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        _add_trace,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name, structlog.stdlib.ExtraAdder()],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            *_rendering(format, sink),
            _Redacting(Redactor(known_secrets)),
        ],
    )
    handler = logging.StreamHandler(sink)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for noisy in ("aiohttp.access", "asyncio"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    logging.captureWarnings(True)


def new_trace_id() -> str:
    """Eight characters that are easy to read out; shown to people as a reference and found in the log."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(8))


def trace_id() -> str | None:
    """The trace id of the current work."""
    return _trace.get()


@contextlib.contextmanager
def tracing(given: str | None = None) -> Iterator[str]:
    """Give all log lines inside one trace id: `given`, the current one, or a new one."""
    token = _trace.set(given or _trace.get() or new_trace_id())
    try:
        yield _trace.get() or ""
    finally:
        _trace.reset(token)


def _add_trace(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    current = _trace.get()
    if current is not None:
        event.setdefault("trace_id", current)
    return event


def _rendering(format: str, sink: TextIO) -> list[Processor]:  # noqa: A002
    if format == "console":
        return [structlog.dev.ConsoleRenderer(colors=sink.isatty())]
    return [
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        _in_order,
        structlog.processors.JSONRenderer(default=_as_text, ensure_ascii=False),
    ]


def _in_order(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Most wanted fields first."""
    first = [key for key in ("timestamp", "level", "event", "trace_id", "logger") if key in event]
    return {**{key: event[key] for key in first}, **event}


def _as_text(value: Any) -> str:
    return str(value) if hasattr(value, "__str__") else repr(value)


class _Redacting:
    def __init__(self, redact: Redactor) -> None:
        self._redact = redact

    def __call__(self, logger: WrappedLogger, method: str, line: Any) -> Any:
        return self._redact(line) if isinstance(line, str) else line
