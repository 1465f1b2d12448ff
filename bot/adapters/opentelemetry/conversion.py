"""Conversion of spans to those of the OpenTelemetry SDK, with secrets hidden in every text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from opentelemetry.sdk.resources import (
    SERVICE_INSTANCE_ID,
    SERVICE_NAME,
    SERVICE_VERSION,
    OTELResourceDetector,
    Resource,
)
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, TraceFlags
from opentelemetry.trace.status import Status, StatusCode

from bot import __version__
from bot.domain.traces.spans import Span, SpanEvent, Value

_KINDS: Mapping[str, SpanKind] = {
    "internal": SpanKind.INTERNAL,
    "server": SpanKind.SERVER,
    "client": SpanKind.CLIENT,
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SCOPE = InstrumentationScope("slipway", __version__)

Hide = Callable[[str], str]


def resource_of(instance: str) -> Resource:
    """Who exports: `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` win over what Slipway says of itself."""
    own = Resource({SERVICE_NAME: "slipway", SERVICE_VERSION: __version__, SERVICE_INSTANCE_ID: instance})
    return Resource.create().merge(own).merge(OTELResourceDetector().detect())


def converted(span: Span, resource: Resource, hide: Hide) -> ReadableSpan:
    """The span as the SDK has it. `hide`: replaces secrets in a text."""
    return ReadableSpan(
        name=hide(span.name),
        context=_context(span.trace_id, span.span_id),
        parent=_context(span.trace_id, span.parent_id) if span.parent_id is not None else None,
        resource=resource,
        attributes=_shown(span.attributes, hide),
        events=[_event(each, hide) for each in span.events],
        kind=_KINDS[span.kind],
        status=Status(StatusCode.UNSET) if span.error is None else Status(StatusCode.ERROR, hide(span.error)),
        start_time=nanoseconds(span.start),
        end_time=nanoseconds(span.end),
        instrumentation_scope=_SCOPE,
    )


def nanoseconds(at: datetime) -> int:
    """Unix time in nanoseconds, exact to the microsecond."""
    return (at - _EPOCH) // timedelta(microseconds=1) * 1000


def _context(trace_id: str, span_id: str) -> SpanContext:
    return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=False, trace_flags=TraceFlags(1))


def _event(event: SpanEvent, hide: Hide) -> Event:
    return Event(hide(event.name), _shown(event.attributes, hide), nanoseconds(event.at))


def _shown(attributes: Mapping[str, Value], hide: Hide) -> dict[str, Value]:
    return {name: _hidden(value, hide) for name, value in attributes.items()}


def _hidden(value: Value, hide: Hide) -> Value:
    if isinstance(value, str):
        return hide(value)
    return tuple(hide(each) for each in value) if isinstance(value, tuple) else value
