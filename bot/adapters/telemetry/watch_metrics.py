"""Metrics of watching: checks, alerts and where they come from and go to, and the health of lanes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from bot.adapters.telemetry.metrics import PEOPLE, MetricDescription, Metrics
from bot.domain.watch.alerts.findings import Severity
from bot.domain.watch.health import LaneHealth

# Lanes beyond these have no series of their own: each has six.
MOST_LANES = 500
_LANE = ("service", "environment")
_LANES: Mapping[str, tuple[tuple[str, ...], str]] = {
    "slipway_lane_error_ratio": (_LANE, "Share of failed requests in the last five minutes, 0 to 1."),
    "slipway_lane_error_limit_ratio": (_LANE, "The tightest limit on errors of the lane's policy, 0 to 1."),
    "slipway_lane_availability_ratio": (
        (*_LANE, "window"),
        "Share of requests that succeeded in the last `24h` and `7d`, 0 to 1.",
    ),
    "slipway_lane_error_budget_left_ratio": (
        _LANE,
        "What is left of a week's error budget: 1 untouched, 0 spent.",
    ),
    "slipway_lane_measured_timestamp_seconds": (_LANE, "When the lane was measured last, in unix seconds."),
}


class WatchMetrics(Metrics):
    """Implements `bot.ports.watch.meter.WatchMeter`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__(registry)
        self._checks = self._counter(
            "checks", "Checks that monitors asked: `passed`, `failed`, `gap` (not asked).", "kind", "outcome"
        )
        self._check_seconds = self._histogram("check_seconds", "Time to a check's answer.", "kind")
        self._alerts_open = self._gauge(
            "alerts_open", "Alerts that are not over, of all processes.", "severity"
        )
        self._alert_events = self._counter(
            "alert_events",
            "What happened to alerts: `opened`, `acknowledged`, `called`, `resolved`, and so on.",
            "what",
            "severity",
        )
        self._acknowledged = self._histogram(
            "alert_acknowledge_seconds",
            "From an alert's opening until a person acknowledged it.",
            "severity",
            buckets=PEOPLE,
        )
        self._resolved = self._histogram(
            "alert_resolve_seconds",
            "From an alert's opening until it was resolved.",
            "severity",
            buckets=PEOPLE,
        )
        self._pages = self._counter(
            "oncall_pages", "Weekly test pages: `sent`, `answered`, `missed`.", "outcome"
        )
        self._delivering()
        self._lanes = _LaneCollector()
        registry.register(self._lanes)
        self.described += [MetricDescription(name, "gauge", *rest) for name, rest in _LANES.items()]

    def _delivering(self) -> None:
        self._deliveries = self._counter(
            "alert_deliveries",
            "Deliveries of other programs at `/alerts/NAME`: `taken`, `known`, `empty`, `refused`, `again`.",
            "source",
            "outcome",
        )
        self._findings = self._counter("alert_findings", "Findings in deliveries that were taken.", "source")
        self._sinks = self._counter(
            "sink_deliveries",
            "Alerts told beside Discord: `told`, `nothing`, `dry_run`, `refused`, `gone`, `away`.",
            "sink",
            "outcome",
        )
        self._sinks_waiting = self._gauge(
            "sink_waiting", "Alerts that a sink could not be told, and that are tried again.", "sink"
        )

    def check(self, kind: str, outcome: str, seconds: float) -> None:
        kind = self._bound("check_kind", kind)
        self._checks.labels(kind, self._bound("check_outcome", outcome)).inc()
        if outcome != "gap":
            self._check_seconds.labels(kind).observe(seconds)

    def alert(self, what: str, severity: str, seconds: float) -> None:
        severity = self._bound("severity", severity)
        self._alert_events.labels(self._bound("alert_event", what), severity).inc()
        if what == "acknowledged":
            self._acknowledged.labels(severity).observe(seconds)
        elif what == "resolved":
            self._resolved.labels(severity).observe(seconds)

    def alerts_open(self, by_severity: Mapping[str, int]) -> None:
        for severity in Severity:
            self._alerts_open.labels(severity).set(by_severity.get(severity, 0))

    def lanes(self, found: Sequence[LaneHealth]) -> None:
        self._lanes.found = found[:MOST_LANES]

    def sink(self, name: str, outcome: str) -> None:
        self._sinks.labels(self._bound("sink", name), self._bound("sink_outcome", outcome)).inc()

    def sinks_waiting(self, by_sink: Mapping[str, int]) -> None:
        _replace(self._sinks_waiting, {self._bound("sink", name): n for name, n in by_sink.items()})

    def page(self, outcome: str) -> None:
        self._pages.labels(self._bound("page", outcome)).inc()

    def delivery(self, source: str, outcome: str, findings: int = 0) -> None:
        """Count a delivery of an alert source, with the findings that were taken of it."""
        source = self._bound("source", source)
        self._deliveries.labels(source, self._bound("delivery", outcome)).inc()
        self._findings.labels(source).inc(findings)


def _replace(gauge: Gauge, values: Mapping[str, float]) -> None:
    """Set these, and forget all others."""
    gauge.clear()
    for label, value in values.items():
        gauge.labels(label).set(value)


class _LaneCollector(Collector):
    """Figures of lanes as they are known now. What is not known has no sample, and a lane that is gone has none."""

    def __init__(self) -> None:
        self.found: Sequence[LaneHealth] = ()

    def collect(self) -> Iterator[Metric]:
        families = {name: GaugeMetricFamily(name, what, labels=ls) for name, (ls, what) in _LANES.items()}
        for health in self.found:
            for (name, *window), value in _figures(health).items():
                if value is not None:
                    labels = (health.lane.service, health.lane.environment, *window)
                    families[name].add_metric(labels, value)
        yield from families.values()


def _figures(health: LaneHealth) -> Mapping[tuple[str, ...], float | None]:
    return {
        ("slipway_lane_error_ratio",): health.errors,
        ("slipway_lane_error_limit_ratio",): health.limit,
        ("slipway_lane_availability_ratio", "24h"): health.day.share if health.day else None,
        ("slipway_lane_availability_ratio", "7d"): health.week.share if health.week else None,
        ("slipway_lane_error_budget_left_ratio",): health.budget,
        ("slipway_lane_measured_timestamp_seconds",): health.at,
    }
