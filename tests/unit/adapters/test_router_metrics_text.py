"""Counts of a router as Prometheus text."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from bot.adapters.targets.hosted.host.prometheus import RouterCollector, Row
from bot.domain.rollout.model import Lane
from bot.ports.data_plane.routers import RouterCounts

LANE = Lane("checkout", "production")


def samples(*rows: Row) -> dict[tuple[str, str], float]:
    """Values by name and by `le` or `outcome`."""
    registry = CollectorRegistry()
    registry.register(RouterCollector(rows))
    return {
        (sample.name, sample.labels.get("le") or sample.labels.get("outcome") or ""): sample.value
        for family in text_string_to_metric_families(generate_latest(registry).decode())
        for sample in family.samples
    }


def counts(total: int, bad: int, *buckets: tuple[float, int], overdue: int = 0) -> RouterCounts:
    return RouterCounts("1", total, bad, buckets, in_flight=3, overdue=overdue)


def test_counts_of_a_release_become_text() -> None:
    found = samples((LANE, "1.5.0", counts(10, 2, (0.1, 4), (0.5, 7), overdue=1)))
    assert found["slipway_router_requests_total", "ok"] == 8
    assert found["slipway_router_requests_total", "error"] == 2
    assert found["slipway_router_request_duration_seconds_bucket", "0.5"] == 7
    assert found["slipway_router_request_duration_seconds_bucket", "+Inf"] == 10
    assert found["slipway_router_requests_in_flight", ""] == 3
    assert found["slipway_router_requests_overdue", ""] == 1


def test_releases_of_one_version_are_added_up_at_the_bounds_that_they_share() -> None:
    """Their lanes were judged by different limits, say, so their buckets are not the same."""
    found = samples(
        (LANE, "1.5.0", counts(10, 0, (0.1, 4), (0.3, 6), (0.5, 7))),
        (LANE, "1.5.0", counts(5, 1, (0.1, 1), (0.5, 2))),
    )
    assert found["slipway_router_request_duration_seconds_bucket", "0.1"] == 5
    assert found["slipway_router_request_duration_seconds_bucket", "0.5"] == 9
    assert ("slipway_router_request_duration_seconds_bucket", "0.3") not in found
    assert found["slipway_router_request_duration_seconds_bucket", "+Inf"] == 15
