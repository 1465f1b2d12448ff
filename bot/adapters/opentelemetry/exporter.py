"""OTLP over HTTP, in a thread of its own: the library's exporter blocks."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import threading
from collections.abc import Sequence
from typing import Any

import requests
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.util.re import parse_env_headers

from bot.adapters.opentelemetry.conversion import Hide, converted, resource_of
from bot.domain.traces.spans import Span

_EXPORTERS_LOG = "opentelemetry.exporter.otlp.proto.http.trace_exporter"

_LONGEST = 200

_Job = tuple[Sequence[Span], "asyncio.Future[str]"]


class OtlpExporter:
    """Sends spans to one collector. The standard `OTEL_EXPORTER_OTLP_…` variables that are not given here count.

    url: the whole address, with its path. headers: as in `OTEL_EXPORTER_OTLP_HEADERS`; they hold keys, and are shown
    nowhere. hide: replaces secrets in texts. instance: the name of this process.
    """

    def __init__(self, url: str, headers: str, hide: Hide, instance: str) -> None:
        self._session = _Session()
        self._exporter = OTLPSpanExporter(
            endpoint=url,
            headers=parse_env_headers(headers, liberal=True) if headers else None,
            session=self._session,
        )
        self._resource = resource_of(instance)
        self._hide = hide
        # Slipway says itself, and once, that a collector is away.
        logging.getLogger(_EXPORTERS_LOG).setLevel(logging.CRITICAL)
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        # A daemon: a collector that hangs must not keep a process that ends from ending.
        threading.Thread(target=self._work, name="otlp", daemon=True).start()

    async def send(self, spans: Sequence[Span]) -> str:
        """Export spans; returns why they were not taken, "" if they were."""
        done: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._jobs.put((spans, done))
        return await done

    def close(self) -> None:
        """End the thread; a request under way is left to itself."""
        self._jobs.put(None)
        self._exporter.shutdown()  # type: ignore[no-untyped-call]

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            spans, done = job
            why = self._export(spans)
            with contextlib.suppress(RuntimeError):  # the loop is closed
                done.get_loop().call_soon_threadsafe(_settle, done, why)

    def _export(self, spans: Sequence[Span]) -> str:
        try:
            # Here, since secrets are looked for in every text.
            batch = [converted(span, self._resource, self._hide) for span in spans]
            if self._exporter.export(batch) is SpanExportResult.SUCCESS:
                return ""
        except Exception as error:
            return self._hide(f"{type(error).__name__}: {error}")
        return self._hide(self._session.problem) or "they could not be sent"


class _Session(requests.Session):
    """Remembers why the last request failed, which the exporter does not tell."""

    problem = ""

    def send(self, request: requests.PreparedRequest, **more: Any) -> requests.Response:
        try:
            answer = super().send(request, **more)
        except requests.RequestException as error:
            cause = _cause(error)
            self.problem = f"{type(cause).__name__}: {cause}"[:_LONGEST]
            raise
        self.problem = (
            "" if answer.ok else f"the collector answered {answer.status_code} {answer.reason}"[:_LONGEST]
        )
        return answer


def _cause(error: BaseException) -> BaseException:
    """The first of the errors that led to this one."""
    while error.__context__ is not None:
        error = error.__context__
    return error


def _settle(done: asyncio.Future[str], why: str) -> None:
    if not done.done():
        done.set_result(why)
