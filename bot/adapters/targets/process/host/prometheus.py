"""The router's counts as Prometheus text, with every name and label in one place."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator

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

from bot.adapters.routers.counts import InstanceCounts
from bot.domain.rollout.model import Lane

_RELEASE = ("service", "environment", "version")

# A lane, a version and the counts of one of its instances.
Row = tuple[Lane, str, InstanceCounts]


class RouterCollector(Collector):
    """Collector of the router's counts. Releases of the same version are added up, since the label is the version."""

    def __init__(self, rows: Callable[[], Iterable[Row]]) -> None:
        self._rows = rows

    def collect(self) -> Iterator[Metric]:
        requests = CounterMetricFamily(
            "slipway_router_requests", "Requests by release and outcome.", labels=(*_RELEASE, "outcome")
        )
        seconds = HistogramMetricFamily(
            "slipway_router_request_duration_seconds",
            "Time until a request was answered in full.",
            labels=_RELEASE,
        )
        flying = GaugeMetricFamily(
            "slipway_router_requests_in_flight", "Requests not answered yet.", labels=_RELEASE
        )
        by_release: dict[tuple[str, str, str], list[InstanceCounts]] = defaultdict(list)
        for lane, version, counts in self._rows():
            by_release[(lane.service, lane.environment, version)].append(counts)
        for labels, found in by_release.items():
            outcomes = [counts.outcomes() for counts in found]
            for outcome in outcomes[0]:
                requests.add_metric((*labels, outcome), sum(o[outcome] for o in outcomes))
            ladders = zip(*(counts.buckets() for counts in found), strict=True)
            buckets = [
                ("+Inf" if step[0][0] == float("inf") else str(step[0][0]), sum(n for _, n in step))
                for step in ladders
            ]
            seconds.add_metric(labels, buckets, sum(counts.seconds for counts in found))
            flying.add_metric(labels, sum(counts.in_flight for counts in found))
        yield from (requests, seconds, flying)


def metrics_handler(rows: Callable[[], Iterable[Row]]) -> Callable[[web.BaseRequest], web.Response]:
    registry = CollectorRegistry()
    registry.register(RouterCollector(rows))

    def answer(request: web.BaseRequest) -> web.Response:
        if request.path != "/metrics":
            return web.Response(status=404, text="Only /metrics is here.\n")
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(registry), headers={"Content-Type": content_type})

    return answer
