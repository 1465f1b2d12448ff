"""Makes metrics with bounded labels, and remembers what each of them means."""

from __future__ import annotations

from typing import NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

MOST_VALUES = 100
FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0)
SLOW = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
PEOPLE = (15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0, 14_400.0)


class MetricDescription(NamedTuple):
    """A metric as the reference lists it. name: without what its kind appends, but for a counter's `_total`."""

    name: str
    kind: str
    labels: tuple[str, ...]
    what: str


class Metrics:
    """Base of the owner of all names and labels."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self.described: list[MetricDescription] = []
        self._bounded: dict[str, set[str]] = {}

    def _bound(self, label: str, value: str) -> str:
        """`value`, or `other` after the hundredth different value of the label."""
        seen = self._bounded.setdefault(label, set())
        if value not in seen:
            if len(seen) >= MOST_VALUES:
                return "other"
            seen.add(value)
        return value

    def _counter(self, name: str, what: str, *labels: str) -> Counter:
        self._describe(f"{name}_total", "counter", labels, what)
        return Counter(f"slipway_{name}", what, labels, registry=self.registry)

    def _gauge(self, name: str, what: str, *labels: str) -> Gauge:
        self._describe(name, "gauge", labels, what)
        return Gauge(f"slipway_{name}", what, labels, registry=self.registry)

    def _histogram(self, name: str, what: str, *labels: str, buckets: tuple[float, ...] = FAST) -> Histogram:
        self._describe(name, "histogram", labels, what)
        return Histogram(f"slipway_{name}", what, labels, buckets=buckets, registry=self.registry)

    def _describe(self, name: str, kind: str, labels: tuple[str, ...], what: str) -> None:
        self.described.append(MetricDescription(f"slipway_{name}", kind, labels, what))
