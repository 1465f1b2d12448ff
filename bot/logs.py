"""Logs: JSON lines with a trace id and without secrets.

structlog and the standard library's logging share one chain. Redaction works on finished lines, including tracebacks,
so it does not matter where a secret came from.
"""

from __future__ import annotations

import contextlib
import logging
import random
import sys
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any, Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from bot.redaction import Redactor

_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"  # without characters that are easily confused
_SERVICE = "slipway"
_FIRST = ("timestamp", "level", "event", "trace_id", "span_id", "service", "guild_id", "user_id", "logger")
# Its own, so that seeding the common one gives the same pauses however many ids were made.
_ids = random.Random()

_trace: ContextVar[str | None] = ContextVar("slipway_trace", default=None)
# One variable for all fields: structlog's own has one for each, and reads every variable of the context.
_fields: ContextVar[Mapping[str, object]] = ContextVar("slipway_fields", default=MappingProxyType({}))


def configure(
    level: str = "info",
    format: Literal["json", "console"] = "json",  # noqa: A002 - the setting's own name
    redact: Redactor | None = None,
    stream: TextIO | None = None,
) -> None:
    """Set up structlog and standard logging for the whole process. Can be called again.

    What `redact` learns later is hidden from then on.
    """
    sink = stream or sys.stderr
    shared: list[Processor] = [
        add_context,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name, structlog.stdlib.ExtraAdder()],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            *_rendering(format, sink),
            _Redacting(redact or Redactor()),
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
    return "".join(_ids.choices(_ALPHABET, k=8))  # no secret, and needed for every press and effect


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


@contextlib.contextmanager
def concerning(**known: object) -> Iterator[None]:
    """Give all log lines inside these fields, such as `guild_id` and `user_id`; None is left out."""
    token = _fields.set({**_fields.get(), **{k: v for k, v in known.items() if v is not None}})
    try:
        yield
    finally:
        _fields.reset(token)


def fields() -> Mapping[str, object]:
    """What every log line has now, beside the trace id."""
    return _fields.get()


def add_context(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """A processor of structlog: adds the trace id and the fields of `concerning` to a line."""
    for name, value in _fields.get().items():
        event.setdefault(name, value)
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
        _add_service,
        _in_order,
        structlog.processors.JSONRenderer(default=_as_text, ensure_ascii=False),
    ]


def _add_service(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Tells these lines from those of other programs in the same store."""
    event.setdefault("service", _SERVICE)
    return event


def _in_order(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Most wanted fields first."""
    first = [key for key in _FIRST if key in event]
    return {**{key: event[key] for key in first}, **event}


def _as_text(value: Any) -> str:
    return str(value) if hasattr(value, "__str__") else repr(value)


class _Redacting:
    def __init__(self, redact: Redactor) -> None:
        self._redact = redact

    def __call__(self, logger: WrappedLogger, method: str, line: Any) -> Any:
        return self._redact(line) if isinstance(line, str) else line
