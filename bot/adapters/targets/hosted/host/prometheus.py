"""The router's counts as Prometheus text, with every name and label in one place."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Iterator

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from bot.adapters.telemetry.metrics import MetricDescription
from bot.domain.rollout.model import Lane
from bot.ports.data_plane.routers import RouterCounts
from bot.ports.errors import Unreachable

_RELEASE = ("service", "environment", "version")

_REQUESTS = MetricDescription(
    "slipway_router_requests_total",
    "counter",
    (*_RELEASE, "outcome"),
    "Requests by release and outcome: `ok`, `error`.",
)
_SECONDS = MetricDescription(
    "slipway_router_request_duration_seconds",
    "histogram",
    _RELEASE,
    "Time from a request's last byte to the first byte of its response.",
)
_FLYING = MetricDescription(
    "slipway_router_requests_in_flight", "gauge", _RELEASE, "Requests that are not answered yet."
)
_OVERDUE = MetricDescription(
    "slipway_router_requests_overdue",
    "gauge",
    _RELEASE,
    "Requests that wait for longer than the lane's largest latency limit.",
)
RELEASE_METRICS = (_REQUESTS, _SECONDS, _FLYING, _OVERDUE)

# A lane, a version and its counts.
Row = tuple[Lane, str, RouterCounts]


class RouterCollector(Collector):
    """Collector of the router's counts. Releases of the same version are added up, since the label is the version."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._rows = rows

    def collect(self) -> Iterator[Metric]:
        requests = CounterMetricFamily(_REQUESTS.name, _REQUESTS.what, labels=_REQUESTS.labels)
        seconds = HistogramMetricFamily(_SECONDS.name, _SECONDS.what, labels=_SECONDS.labels)
        flying = GaugeMetricFamily(_FLYING.name, _FLYING.what, labels=_FLYING.labels)
        overdue = GaugeMetricFamily(_OVERDUE.name, _OVERDUE.what, labels=_OVERDUE.labels)
        by_release: dict[tuple[str, str, str], list[RouterCounts]] = defaultdict(list)
        for lane, version, counts in self._rows:
            by_release[(lane.service, lane.environment, version)].append(counts)
        for labels, found in by_release.items():
            total, bad = sum(counts.total for counts in found), sum(counts.bad for counts in found)
            requests.add_metric((*labels, "ok"), total - bad)
            requests.add_metric((*labels, "error"), bad)
            seconds.add_metric(labels, [*_added_up(found), ("+Inf", total)], None)
            flying.add_metric(labels, sum(counts.in_flight for counts in found))
            overdue.add_metric(labels, sum(counts.overdue for counts in found))
        yield from (requests, seconds, flying, overdue)


def _added_up(found: Iterable[RouterCounts]) -> list[tuple[str, int]]:
    """Cumulative buckets of several releases at the bounds that all of them have."""
    ladders = [dict(counts.buckets) for counts in found]
    bounds = sorted(set.intersection(*(set(ladder) for ladder in ladders)))
    return [(str(bound), sum(ladder[bound] for ladder in ladders)) for bound in bounds]


def metrics_handler(
    rows: Callable[[], Awaitable[Iterable[Row]]],
) -> Callable[[web.BaseRequest], Awaitable[web.Response]]:
    async def answer(request: web.BaseRequest) -> web.Response:
        if request.path != "/metrics":
            return web.Response(status=404, text="Only /metrics is here.\n")
        registry = CollectorRegistry()
        try:
            registry.register(RouterCollector(await rows()))
        except Unreachable as problem:
            return web.Response(status=503, text=f"{problem}\n")
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(registry), headers={"Content-Type": content_type})

    return answer
