"""Metrics: one owner of all names, none without a line in the docs, no label that grows for ever."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from bot.adapters.telemetry import Telemetry, rest_trace
from bot.domain.rollout.model import Lane
from bot.domain.watch.health import Availability, LaneHealth

CHECKOUT = LaneHealth(
    Lane("checkout", "production"),
    errors=0.02,
    limit=0.01,
    day=Availability(0.99, 86_400),
    week=Availability(0.995, 86_400),
    budget=0.5,
    at=1_000.0,
)


def value(telemetry: Telemetry, name: str, **labels: str) -> float | None:
    return telemetry.registry.get_sample_value(name, labels)


def everything() -> Telemetry:
    """A telemetry in which everything has happened once."""
    telemetry = Telemetry(CollectorRegistry())
    telemetry.interaction("deploy", "ok", 0.2)
    telemetry.interaction("press:approve", "ok", 0.1)
    telemetry.rate_limited("deploy")
    telemetry.rollouts({"soaking": 2})
    telemetry.rollout_ended("succeeded")
    telemetry.effect("set_desired", "done", 0.1)
    telemetry.effect_queue(3, 1.5)
    telemetry.verdict("PASS")
    telemetry.rolled_back(0.8)
    telemetry.tick(-0.5)
    telemetry.catalog_reload("changed")
    telemetry.gateway(True, 0.04)
    telemetry.reconnected()
    telemetry.identified()
    telemetry.rest_call(200, 0.1)
    telemetry.rest_call(0, 3.0)
    telemetry.component("db", True)
    telemetry.watch_database_pool(lambda: (1, 9))
    telemetry.query(0.001)
    telemetry.query(1.0, failed=True)
    telemetry.redis(True)
    telemetry.check("http", "passed", 0.1)
    telemetry.check("http", "gap", 0.0)
    for what in ("opened", "acknowledged", "resolved"):
        telemetry.alert(what, "critical", 90.0)
    telemetry.alerts_open({"critical": 2})
    telemetry.delivery("prometheus", "taken", 3)
    telemetry.sink("pagerduty", "told")
    telemetry.sinks_waiting({"pagerduty": 1})
    telemetry.page("sent")
    telemetry.lanes([CHECKOUT])
    telemetry.process(1, 0.5)
    telemetry.heartbeat("sent")
    telemetry.spans("sent", 3)
    return telemetry


def test_what_happens_is_counted() -> None:
    telemetry = everything()
    assert value(telemetry, "slipway_interactions_total", command="deploy", outcome="ok") == 1
    assert value(telemetry, "slipway_rollouts", phase="soaking") == 2
    assert value(telemetry, "slipway_rest_calls_total", status="none") == 1
    assert value(telemetry, "slipway_tick_lateness_seconds_sum") == 0
    assert value(telemetry, "slipway_database_errors_total") == 1


def test_presses_have_a_histogram_of_their_own() -> None:
    telemetry = everything()
    assert value(telemetry, "slipway_press_seconds_count") == 1
    assert value(telemetry, "slipway_interaction_seconds_count", command="deploy") == 1


async def test_calls_of_a_traced_session_are_counted_by_status() -> None:
    telemetry = Telemetry(CollectorRegistry())
    app = web.Application()
    async with (
        TestServer(app) as server,
        aiohttp.ClientSession(trace_configs=[rest_trace(telemetry)]) as session,
    ):
        await (await session.get(server.make_url("/"))).read()
        with suppress(aiohttp.ClientError):
            await session.get("http://127.0.0.1:1/")
    assert value(telemetry, "slipway_rest_calls_total", status="404") == 1
    assert value(telemetry, "slipway_rest_calls_total", status="none") == 1
    assert value(telemetry, "slipway_rest_seconds_count") == 2


def test_a_phase_without_rollouts_goes_back_to_zero() -> None:
    telemetry = everything()
    telemetry.rollouts({"gated": 1})
    assert value(telemetry, "slipway_rollouts", phase="soaking") == 0
    assert value(telemetry, "slipway_rollouts", phase="gated") == 1


def test_no_label_grows_without_bound() -> None:
    telemetry = Telemetry(CollectorRegistry())
    for number in range(500):
        telemetry.interaction(f"command{number}", "ok", 0.1)
        telemetry.rest_call(number, 0.1)
    text = telemetry.render().decode()
    assert text.count('slipway_interactions_total{command="') == 101
    assert 'command="other"' in text


def test_what_is_exposed_can_be_read_by_prometheus() -> None:
    names = {f.name for f in text_string_to_metric_families(everything().render().decode())}
    assert "slipway_info" in names
    assert all(name.startswith("slipway_") for name in names)


def test_the_process_own_figures_are_there_by_default() -> None:
    text = Telemetry().render().decode()
    assert "process_resident_memory_bytes" in text
    assert "# HELP slipway_interactions_total" in text


def test_every_metric_is_described_with_its_labels() -> None:
    telemetry = everything()
    described = {each.name.removesuffix("_total"): set(each.labels) for each in telemetry.described}
    shown = {
        family.name: {label for sample in family.samples for label in sample.labels} - {"le"}
        for family in telemetry.registry.collect()
    }
    described["slipway"] = described.pop("slipway_info")
    assert described == shown
    assert [each.name for each in telemetry.described if not each.what.endswith(".")] == []


def test_figures_of_lanes_are_those_of_now_and_what_is_not_known_is_left_out() -> None:
    telemetry = everything()
    labels = {"service": "checkout", "environment": "production"}
    assert value(telemetry, "slipway_lane_error_ratio", **labels) == 0.02
    assert value(telemetry, "slipway_lane_availability_ratio", **labels, window="7d") == 0.995
    telemetry.lanes([replace(CHECKOUT, errors=None)])
    assert value(telemetry, "slipway_lane_error_ratio", **labels) is None
    assert value(telemetry, "slipway_lane_error_limit_ratio", **labels) == 0.01
    telemetry.lanes([replace(CHECKOUT, lane=Lane(f"s{number}", "production")) for number in range(600)])
    text = telemetry.render().decode()
    assert 'service="checkout"' not in text
    assert text.count("slipway_lane_error_ratio{") == 500


def test_alerts_checks_and_sinks_are_counted() -> None:
    telemetry = everything()
    assert value(telemetry, "slipway_alerts_open", severity="critical") == 2
    assert value(telemetry, "slipway_alerts_open", severity="low") == 0
    assert value(telemetry, "slipway_alert_acknowledge_seconds_sum", severity="critical") == 90
    assert value(telemetry, "slipway_checks_total", kind="http", outcome="gap") == 1
    assert value(telemetry, "slipway_check_seconds_count", kind="http") == 1
    assert value(telemetry, "slipway_alert_findings_total", source="prometheus") == 3
    telemetry.sinks_waiting({"slack": 2})
    assert value(telemetry, "slipway_sink_waiting", sink="pagerduty") is None
    assert value(telemetry, "slipway_sink_waiting", sink="slack") == 2


def test_it_is_what_the_engine_counts_with() -> None:
    from bot.ports.meter import Meter

    meter: Meter = Telemetry(CollectorRegistry())
    meter.tick(0.1)
