"""What `/health` says of metric sources and loops."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bot.composition.health import HealthService, MetricSourceHealth
from bot.domain.rollout.model import Desired, Release
from bot.web.health import HealthChecks
from tests.fakes.outside import FakeMetrics
from tests.fakes.target import FakeTarget
from tests.support.catalog_files import SOUND, reloader, write


@pytest.fixture
async def parts(tmp_path: Path) -> tuple[MetricSourceHealth, FakeTarget, FakeMetrics]:
    catalog = reloader(write(tmp_path, all=SOUND)).current
    target, metrics = FakeTarget(), FakeMetrics()
    lane = next(iter(catalog.lanes))
    await target.apply(lane, Desired(1, Release(lane.service, "1.0.0", "sha256:1", "c0ffee", {}), None, 0))
    return MetricSourceHealth(lambda: catalog, {"local": target}, {"router": metrics}), target, metrics


async def test_sources_that_can_be_read_are_named(
    parts: tuple[MetricSourceHealth, FakeTarget, FakeMetrics],
) -> None:
    sources, _, metrics = parts
    assert await sources() == "ok: router"
    assert metrics.looks.total() == 1


async def test_one_that_cannot_be_read_is_a_degradation_and_says_why(
    parts: tuple[MetricSourceHealth, FakeTarget, FakeMetrics],
) -> None:
    sources, target, metrics = parts
    metrics.error = "http://127.0.0.1:9 refused the connection"
    said = await sources()
    assert said.startswith("degraded: router: ")
    assert said.endswith(metrics.error)
    metrics.error, metrics.away = None, True
    assert await sources() == "degraded: router: the metrics are away"
    target.away = True
    assert (await sources()).startswith("degraded: router: ")


async def test_where_nothing_runs_there_is_nothing_to_read(tmp_path: Path) -> None:
    catalog = reloader(write(tmp_path, all=SOUND)).current
    metrics = FakeMetrics(away=True)
    assert (
        await MetricSourceHealth(lambda: catalog, {"local": FakeTarget()}, {"router": metrics})()
        == "ok: router"
    )


async def test_a_loop_without_a_round_makes_the_process_unready_and_is_named() -> None:
    late: dict[str, float] = {}
    starting = ["orders", "ticks"]

    async def ping() -> None: ...

    async def ok() -> str:
        return "ok"

    connection, telemetry = SimpleNamespace(connected=True, latency_s=0.04, trouble=""), SimpleNamespace()
    health = HealthService(
        connection=cast(Any, connection),
        ping=ping,
        redis=ok,
        targets={},
        telemetry=cast(Any, telemetry),
        sources=ok,
        late=lambda: late,
        starting=lambda: starting,
    )
    report = await HealthChecks(health.probes)()
    assert (report.status, report.findings["loops"].detail) == ("degraded", "no round yet of orders, ticks")
    assert not report.findings["loops"].ready
    starting.clear()
    assert (await HealthChecks(health.probes)()).status == "ok"
    late["ticks"] = 42.4
    report = await HealthChecks(health.probes)()
    assert (report.status, report.findings["loops"].detail) == ("unhealthy", "ticks: no round for 42 s")
