"""Spans: finished pieces of a trace, with names and bounded values as OpenTelemetry has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from bot.domain.rollout.model import Actor

Value = str | bool | int | float | tuple[str, ...]

# Of a text, and of the texts in one value. A collector's own limits are far above.
_LONGEST, _MOST = 256, 16


@dataclass(frozen=True, slots=True)
class SpanEvent:
    """Something that happened at one moment of a span."""

    name: str
    at: datetime
    attributes: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Span:
    """One finished span.

    trace_id: 32 hexadecimal digits; span_id, parent_id: 16, no parent for the first span of a trace. error: why it
    failed, as a sentence; None for a span that did not fail. `end` is never before `start`.
    """

    name: str
    trace_id: str
    span_id: str
    parent_id: str | None
    start: datetime
    end: datetime
    attributes: Mapping[str, Value] = field(default_factory=dict)
    events: tuple[SpanEvent, ...] = ()
    error: str | None = None
    kind: Literal["internal", "server", "client"] = "internal"


def attributes(given: Mapping[str, Value | None]) -> dict[str, Value]:
    """Attributes with bounded values, without those that are not known."""
    return {
        name: bounded(value) for name, value in given.items() if value is not None and value not in ("", ())
    }


def bounded(value: Value) -> Value:
    """The value, with long texts and lists cut off."""
    if isinstance(value, str):
        return cut(value)
    return tuple(cut(each) for each in value[:_MOST]) if isinstance(value, tuple) else value


def cut(text: str) -> str:
    """The text in at most 256 characters."""
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def person(actor: Actor) -> dict[str, Value]:
    """A person by the names of OpenTelemetry's conventions; Slipway itself has no id."""
    return attributes({"user.name": actor.name, "user.id": str(actor.id) if actor.id else None})
