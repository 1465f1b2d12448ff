"""Spans on their way to a collector that decodes the real protobuf, and what happens when it is not well."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from bot.adapters.opentelemetry.exporter import OtlpExporter
from bot.adapters.postgres.connection.database import Database
from bot.adapters.telemetry import Telemetry
from bot.composition import tracing
from bot.doctor.traces import examine_traces
from bot.domain.rollout.model import Action, Phase
from bot.domain.traces.ids import span_id_of, trace_id_of
from bot.domain.traces.spans import Span, SpanEvent
from bot.redaction import Redactor
from bot.settings import OtelSettings, Settings
from tests.support import harness
from tests.support.actors import LEAD
from tests.support.catalogs import PRODUCTION
from tests.support.harness import World
from tests.support.otlp import Collector, collector, plain
from tests.support.waiting import until

AT = datetime(2026, 7, 1, 9, 30, 15, 123456, tzinfo=UTC)
NS = 1_782_898_215_123_456_000
SPAN = Span(
    name="gate production",
    trace_id="0d0f30c932f2bfb9efb42b20252f0824",
    span_id="00f067aa0ba902b7",
    parent_id="f067aa0ba902b700",
    start=AT,
    end=AT + timedelta(hours=3),
    attributes={
        "slipway.weight": 5,
        "slipway.decided_by": ("mia", "tom"),
        "slipway.reason": "token=hunter2hunter2",
    },
    events=(SpanEvent("approved", AT, {"user.name": "mia"}),),
    error="login with s3cr3t-value failed",
)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The exporter's own retries would take ten seconds; no variable of this machine counts."""
    for name in (
        "OTEL_SERVICE_NAME",
        "OTEL_RESOURCE_ATTRIBUTES",
        "OTEL_EXPORTER_OTLP_HEADERS",
        "HTTP_PROXY",
        "http_proxy",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.5")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield


@asynccontextmanager
async def exporting(url: str, headers: str = "") -> AsyncIterator[OtlpExporter]:
    exporter = OtlpExporter(f"{url}/v1/traces", headers, Redactor(["s3cr3t-value"]), "host:1")
    try:
        yield exporter
    finally:
        exporter.close()


def settings(url: str, **more: Any) -> Settings:
    return Settings(otel=OtelSettings(endpoint=SecretStr(url), **more))


# ---- one batch -----------------------------------------------------------------------------------------------


async def test_a_collector_gets_ids_times_values_and_status_and_no_secret() -> None:
    async with collector() as taken, exporting(taken.url, "api-key=k%20ey,tenant=acme") as exporter:
        assert await exporter.send([SPAN]) == ""
        (span,) = taken.spans
        assert (span.trace_id.hex(), span.span_id.hex()) == (SPAN.trace_id, SPAN.span_id)
        assert (span.parent_span_id.hex(), span.name, span.kind) == (SPAN.parent_id, "gate production", 1)
        assert (span.start_time_unix_nano, span.end_time_unix_nano) == (NS, NS + 3 * 3600 * 10**9)
        assert plain(span.attributes) == {
            "slipway.weight": 5,
            "slipway.decided_by": ["mia", "tom"],
            "slipway.reason": "token=***",
        }
        assert (span.status.code, span.status.message) == (2, "login with *** failed")
        assert [(e.name, e.time_unix_nano, plain(e.attributes)) for e in span.events] == [
            ("approved", NS, {"user.name": "mia"})
        ]
        (resource,) = taken.batches[0].resource_spans
        own = plain(resource.resource.attributes)
        assert (own["service.name"], own["service.instance.id"]) == ("slipway", "host:1")
        assert own["service.version"]
        assert (taken.headers[0]["api-key"], taken.headers[0]["tenant"]) == ("k ey", "acme")


async def test_the_standard_variables_name_the_service_and_compress(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "deploys")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=production")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
    async with collector() as taken, exporting(taken.url) as exporter:
        assert await exporter.send([SPAN]) == ""
        own = plain(taken.batches[0].resource_spans[0].resource.attributes)
        assert (own["service.name"], own["deployment.environment.name"]) == ("deploys", "production")
        assert taken.headers[0]["Content-Encoding"] == "gzip"


@pytest.mark.parametrize("status", [400, 401, 503])
async def test_a_refusal_says_what_the_collector_answered(status: int) -> None:
    async with collector() as taken, exporting(taken.url) as exporter:
        taken.status = status
        assert f"the collector answered {status}" in await exporter.send([SPAN])
        taken.status = 200
        assert await exporter.send([SPAN]) == ""


async def test_a_collector_that_is_away_or_hangs_is_told_and_keeps_no_one_waiting() -> None:
    async with exporting("http://127.0.0.1:1") as exporter:
        assert await exporter.send([SPAN]) == "ConnectionRefusedError: [Errno 111] Connection refused"
    async with collector() as taken, exporting(taken.url) as exporter:
        taken.status = None
        assert "imed out" in await exporter.send([SPAN])


# ---- a whole rollout -----------------------------------------------------------------------------------------


@asynccontextmanager
async def traced(
    monkeypatch: pytest.MonkeyPatch, world: World, url: str, redact: Redactor | None = None
) -> AsyncIterator[tuple[harness.Slipway, Telemetry]]:
    """A process with traces, as composition makes it."""
    telemetry = Telemetry()
    async with AsyncExitStack() as stack:
        parts: list[Any] = []

        def store(database: Database) -> Any:
            (made, _), found = tracing.stores(
                (database, database),
                settings(url),
                stack,
                world.clock,
                redact=redact or Redactor(),
                telemetry=telemetry,
            )
            parts.extend(found)
            return made

        monkeypatch.setattr(harness, "PostgresStore", store)
        async with world.open() as slipway:
            tasks = [asyncio.create_task(part()) for part in parts]
            yield slipway, telemetry
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_two_processes_send_one_trace_of_a_rollout_and_each_span_once(
    dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(dsn)
    await world.serve()
    async with collector() as taken:
        async with traced(monkeypatch, world, taken.url) as (first, _):
            rollout = await first.deploy(lane=PRODUCTION)
            await first.reaches(rollout, Phase.GATED)
            # A process that ends waits two seconds for its last spans to be taken, and no longer.
            await until(lambda: _named(taken, "verify"))
        # The first process is gone before the gate: what it knew of the trace is gone, too.
        async with traced(monkeypatch, world, taken.url) as (second, telemetry):
            await second.press(rollout, Action.APPROVE, LEAD)
            done = await second.reaches(rollout, Phase.SUCCEEDED)
            await second.quiet()
            await until(lambda: _named(taken, "RUN checkout/production"))
        sent = Counter(span.span_id.hex() for span in taken.spans)
        assert max(sent.values()) == 1
        assert {span.trace_id.hex() for span in taken.spans} == {trace_id_of(rollout.identity)}
        assert {span.parent_span_id.hex() for span in taken.spans} <= {"", *sent}
        (root,) = [span for span in taken.spans if not span.parent_span_id]
        assert root.span_id.hex() == span_id_of(trace_id_of(rollout.identity), "rollout")
        assert root.name == "RUN checkout/production"
        assert root.start_time_unix_nano // 1000 == round(rollout.created_at.timestamp() * 1e6)
        assert done.ended_at is not None
        assert root.end_time_unix_nano // 1000 == round(done.ended_at.timestamp() * 1e6)
        steps = {span.name for span in taken.spans if span.parent_span_id == root.span_id}
        assert {"verify", "gate go", "take over"} <= steps
        assert b'slipway_spans_total{outcome="sent"}' in telemetry.render()


async def test_a_rollout_goes_on_while_the_collector_is_away_and_its_trace_follows(
    dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(dsn)
    await world.serve()
    async with collector() as taken:
        taken.status = 503
        async with traced(monkeypatch, world, taken.url) as (slipway, _):
            rollout = await slipway.deploy()
            await slipway.reaches(rollout, Phase.SUCCEEDED)
            await slipway.quiet()

            async def asked() -> int:
                return taken.asked

            await until(asked)
            assert taken.spans == []
            taken.status = 200
            await until(lambda: _named(taken, "RUN checkout/staging"))


async def _named(taken: Collector, name: str) -> bool:
    return any(span.name == name for span in taken.spans)


# ---- off, and doctor -----------------------------------------------------------------------------------------


def test_without_an_endpoint_or_libraries_nothing_stands_around_the_stores(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def made(given: Settings) -> bool:
        pools: Any = (Database("postgres://x"), Database("postgres://x"))
        (people, _), parts = tracing.stores(
            pools, given, AsyncExitStack(), World("").clock, redact=Redactor(), telemetry=Telemetry()
        )
        return bool(parts) or type(people.rollouts).__name__ != "PostgresRollouts"

    assert not made(Settings())
    assert not made(settings("http://127.0.0.1:4318", disabled=True))
    with capture_logs() as logs:
        assert not made(settings("collector:4317"))
        monkeypatch.setattr(tracing, "LIBRARIES", ("opentelemetry.no_such_library",))
        assert not made(settings("http://127.0.0.1:4318"))
    assert [(line["event"], line["why"]) for line in logs] == [
        ("traces_off", "the endpoint must be an address that starts with http:// or https://"),
        ("traces_off", "install slipway[otel]"),
    ]


async def test_doctor_says_whether_the_endpoint_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    off = await examine_traces(Settings())
    assert off.mark == "ok" and off.found.startswith("not configured")
    async with collector() as taken:
        line = await examine_traces(settings(taken.url))
        assert str(line) == f"✓ traces: {taken.url}/v1/traces answers"
        taken.status = 401
        line = await examine_traces(settings(taken.url))
        assert "does not take them (the collector answered 401 Unauthorized)" in str(line)
        assert taken.spans == []
    away = await examine_traces(settings("http://user:hunter2@127.0.0.1:1"))
    assert away.mark == "warn"
    assert "Connection refused" in str(away) and "hunter2" not in str(away)
    monkeypatch.setattr(tracing, "LIBRARIES", ("opentelemetry.no_such_library",))
    line = await examine_traces(settings("http://127.0.0.1:1"))
    assert 'pip install "slipway[otel]"' in str(line)
