"""Traces of rollouts, where an OTLP endpoint is set: the stores that make spans, and their way to the collector."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import structlog

from bot.adapters.postgres.connection.database import Database
from bot.adapters.postgres.store import PostgresStore
from bot.adapters.telemetry import Telemetry
from bot.engine.loops.lease import process_name
from bot.engine.tracing import TracedEffects, TracedRollouts
from bot.ports.coordination import Clock
from bot.redaction import Redactor
from bot.settings import Settings

if TYPE_CHECKING:
    from bot.adapters.opentelemetry.exporter import OtlpExporter

_log = structlog.get_logger(__name__)

LIBRARIES = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")


_ANSWER_S = 5.0


def installed() -> bool:
    """Whether the extra `slipway[otel]` is installed."""
    try:
        return all(importlib.util.find_spec(name) is not None for name in LIBRARIES)
    except ModuleNotFoundError:
        return False


Parts = Sequence[Callable[[], Coroutine[Any, Any, None]]]
Stores = tuple[PostgresStore, PostgresStore]


def stores(
    pools: tuple[Database, Database],
    settings: Settings,
    stack: AsyncExitStack,
    clock: Clock,
    *,
    redact: Redactor,
    telemetry: Telemetry,
) -> tuple[Stores, Parts]:
    """A store on each pool, and what must run beside them: nothing, unless an endpoint for traces is set.

    The endpoint's variable is often set for all programs of a machine, so missing libraries are a line in the log.
    """
    made = (PostgresStore(pools[0]), PostgresStore(pools[1]))
    url = settings.otel.traces_url
    if url is None:
        return made, ()
    if not installed():
        _log.warning("traces_off", why="install slipway[otel]")
        return made, ()
    from bot.adapters.opentelemetry.queue import SpanQueue

    try:
        exporter = _exporter(settings, redact)
    except Exception as error:
        # Of other variables that the library reads, such as a file with a certificate.
        _log.warning("traces_off", why=str(error) or type(error).__name__)
        return made, ()
    spans = SpanQueue(exporter.send, telemetry.spans)
    stack.callback(exporter.close)
    stack.push_async_callback(spans.flush)
    for store in made:
        store.rollouts = TracedRollouts(store.rollouts, spans)
        store.effects = TracedEffects(store.effects, spans, clock)
    return made, (spans.run,)


async def no_answer(settings: Settings) -> str:
    """Why the endpoint does not take a request without spans; "" if it does. Needs the libraries and an endpoint."""
    try:
        exporter = _exporter(settings, Redactor(settings.secrets()))
    except Exception as error:
        return str(error) or type(error).__name__
    try:
        async with asyncio.timeout(_ANSWER_S):
            return await exporter.send(())
    except TimeoutError:
        return f"no answer within {_ANSWER_S:g} s"
    finally:
        exporter.close()


def _exporter(settings: Settings, redact: Redactor) -> OtlpExporter:
    # Some 8 MiB, for those who use it.
    from bot.adapters.opentelemetry.exporter import OtlpExporter

    url, headers = settings.otel.traces_url, settings.otel.headers
    if url is None or not url.startswith(("http://", "https://")):
        raise ValueError("the endpoint must be an address that starts with http:// or https://")
    return OtlpExporter(url, headers.get_secret_value() if headers else "", redact, process_name())
