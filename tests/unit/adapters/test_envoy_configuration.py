"""Names, patterns and counts of the Envoy adapter, which need no Envoy."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.adapters.routers.envoy import config
from bot.adapters.routers.envoy.clusters import clusters
from bot.adapters.routers.envoy.config import EnvoyLimits, EnvoyListening
from bot.adapters.routers.envoy.counting import parse_counts
from bot.adapters.routers.envoy.loggers import overdue_after_ms, up_to
from bot.adapters.routers.envoy.names import cluster_name, lane_name, parse_cluster, parse_lane
from bot.domain.rollout.model import Lane
from bot.ports.data_plane.routers import Backend, LaneRoute, RouterCounts, Share, Split, Stickiness

LANE = Lane("checkout", "production")
texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
lanes = st.builds(Lane, texts, texts)


@given(lanes, texts)
def test_names_are_safe_and_lead_back(lane: Lane, digest: str) -> None:
    assert parse_lane(lane_name(lane)) == lane
    assert parse_cluster(cluster_name(lane, digest)) == (lane, digest)
    assert re.fullmatch(r"[a-z0-9_~-]+/[a-z0-9_~-]+/[a-z0-9_~-]+", cluster_name(lane, digest))


@given(st.integers(0, 200_000), st.integers(0, 400_000))
def test_pattern_matches_numbers_up_to_its_last(last: int, number: int) -> None:
    assert bool(re.fullmatch(up_to(last), str(number))) == (number <= last)
    assert re.fullmatch(up_to(last), str(last))
    assert not re.fullmatch(up_to(last), str(last + 1))
    assert not re.fullmatch(up_to(last), "-")


@given(st.floats(0.001, 600))
def test_overdue_requests_have_waited_longer_than_the_limit(limit_s: float) -> None:
    """Seen 50 ms early at most, after an arrival of 400 ms at most; at a look, of which there are two a second."""
    age = overdue_after_ms(limit_s)
    assert age - 50 - 400 >= limit_s * 1000 - 1e-6
    assert age % 500 == 0
    assert age <= limit_s * 1000 + 450 + 500


routes = st.builds(
    LaneRoute,
    port=st.integers(0, 65535),
    sticky=st.none() | st.builds(Stickiness, st.sampled_from(["cookie", "header"]), st.just("x-user")),
    latency_limits_s=st.lists(st.floats(0.001, 60), max_size=3).map(tuple),
)


@given(routes, st.integers(0, 100))
def test_what_resources_were_made_of_is_read_back(route: LaneRoute, weight: int) -> None:
    listening = EnvoyListening(route, 8080, "1")
    split = Split(
        3,
        4,
        (
            Share("sha256:b", "2", weight, (Backend("b#1", "127.0.0.1", 1), Backend("b#2", "b.internal", 2))),
            Share("sha256:a", "1", 100 - weight),
        ),
    )
    (listener,) = config.listeners({LANE: listening}, EnvoyLimits(), config.Path("/envoy/routes.json"))
    assert config.parse_listener(listener) == (LANE, listening)
    (host,) = config.route_table({LANE: listening}, {LANE: split})["virtual_hosts"]
    lane, found, weights = config.parse_virtual_host(host)
    assert (lane, found) == (LANE, split)
    assert weights == {digest: n for digest, n in (("sha256:a", 100 - weight), ("sha256:b", weight)) if n}


def test_growing_share_keeps_its_place_among_the_clusters() -> None:
    """Hashes below the first weight go to the first cluster: in another order users would change sides."""
    for shares in (("a", "b"), ("b", "a")):
        split = Split(1, 1, tuple(Share(digest, digest, 50) for digest in shares))
        (host,) = config.route_table({LANE: EnvoyListening(LaneRoute(), 80, "1")}, {LANE: split})[
            "virtual_hosts"
        ]
        clusters = host["routes"][-1]["route"]["weighted_clusters"]["clusters"]
        assert [parse_cluster(cluster["name"])[1] for cluster in clusters] == ["a", "b"]


def test_nothing_is_sent_twice_and_nothing_has_a_time_limit_but_its_first_byte() -> None:
    split = Split(1, 1, (Share("a", "1", 100),))
    listening = EnvoyListening(LaneRoute(request_timeout_s=7), 80, "1")
    (host,) = config.route_table({LANE: listening}, {LANE: split})["virtual_hosts"]
    for route in host["routes"]:
        assert route["route"]["retry_policy"]["retry_on"] == "connect-failure"
        assert route["route"]["retry_policy"]["per_try_timeout"] == "7s"
        assert route["route"]["timeout"] == "0s"


@pytest.mark.parametrize(("instances", "retries"), [(0, "0"), (1, "0"), (2, "1"), (3, "2"), (9, "3")])
def test_refused_connections_are_tried_with_other_instances_only(instances: int, retries: str) -> None:
    backends = tuple(Backend(f"b#{number}", "127.0.0.1", 80 + number) for number in range(instances))
    split = Split(1, 1, (Share("a", "1", 100, backends),))
    (host,) = config.route_table({LANE: EnvoyListening(LaneRoute(), 80, "1")}, {LANE: split})["virtual_hosts"]
    (release,) = host["routes"][-1]["route"]["weighted_clusters"]["clusters"]
    (header,) = release["request_headers_to_add"]
    assert header["header"] == {"key": "x-envoy-max-retries", "value": retries}
    (cluster,) = clusters([(LANE, split)])
    assert ("outlier_detection" in cluster) == (instances > 1)


def stats(series: str = "1", **numbers: int) -> dict[str, Any]:
    cluster = cluster_name(LANE, "sha256:a")
    histogram = {
        "name": f"slipway.{series}.wait.release.{cluster}",
        "buckets": [{"upper_bound": bound, "cumulative": n} for bound, n in ((99, 3), (249, 5), (999, 5))],
    }
    named = {what.replace("_", "."): n for what, n in numbers.items()}
    return {
        "stats": [
            *(
                {"name": f"slipway.{series}.{what}.release.{cluster}", "value": n}
                for what, n in named.items()
            ),
            {"name": f"slipway.{series}.total.release.-", "value": 99},
            {"name": "cluster.their/own/cluster.upstream_rq_active", "value": 1},
            {"name": f"cluster.{cluster}.upstream_rq_active", "value": 2},
            {"histograms": [histogram]},
        ]
    }


def counted(found: dict[str, Any], *limits_s: float) -> RouterCounts:
    listening = EnvoyListening(LaneRoute(latency_limits_s=limits_s), 80, "1")
    split = Split(1, 1, (Share("sha256:a", "1", 100),))
    return parse_counts(found, "boot", {LANE: listening}, {LANE: split})[LANE]["sha256:a"]


def test_statistics_become_counts() -> None:
    counts = counted(stats(total=10, bad=2, within_300=8, overdue=1), 0.3)
    assert counts == RouterCounts(
        epoch="boot.1",
        total=10,
        bad=2,
        buckets=((0.1, 3), (0.25, 5), (0.3, 8), (1.0, 8)),
        in_flight=2,
        overdue=1,
        histogram=((0.1, 3), (0.25, 5), (1.0, 5)),
    )


def told_apart(*backends: Backend, series: str = "1") -> tuple[tuple[str, int, int], ...]:
    release = f".release.{cluster_name(LANE, 'sha256:a')}.instance."
    seen = {"10.0.0.3:8001": (9, 2), "[fd00::1]:8001": (4, 0), "-": (3, 3), "10.0.0.9:8001": (7, 7)}
    numbers = {f"each.total{release}{at}": total for at, (total, _) in seen.items()}
    numbers |= {f"each.bad{release}{at}": bad for at, (_, bad) in seen.items() if bad}
    found = {"stats": [{"name": f"slipway.{series}.{name}", "value": n} for name, n in numbers.items()]}
    split = Split(1, 1, (Share("sha256:a", "1", 100, backends),))
    return parse_counts(found, "boot", {LANE: EnvoyListening(LaneRoute(), 80, "1")}, {LANE: split})[LANE][
        "sha256:a"
    ].instances


def test_instances_of_the_split_are_told_apart_and_no_others() -> None:
    new, six = Backend("new", "10.0.0.4", 8001), Backend("six", "fd00:0::1", 8001)
    assert told_apart(Backend("old", "10.0.0.3", 8001), new, six) == (
        ("10.0.0.3:8001", 9, 2),
        ("10.0.0.4:8001", 0, 0),
        ("[fd00::1]:8001", 4, 0),
    )
    assert told_apart(new, series="0") == (("10.0.0.4:8001", 0, 0),)


def test_instances_with_names_for_addresses_are_told_apart_as_envoy_found_them() -> None:
    assert [name for name, *_ in told_apart(Backend("a", "a.internal", 80))] == [
        "10.0.0.3:8001",
        "10.0.0.9:8001",
        "[fd00::1]:8001",
    ]


def test_another_series_counts_nothing() -> None:
    counts = counted(stats("0", total=10, bad=2, within_300=8), 0.3)
    assert (counts.total, counts.bad) == (0, 0)
    assert {number for _, number in counts.buckets} == {0}


def test_release_that_got_no_request_has_a_bucket_at_each_limit() -> None:
    buckets = dict(counted({"stats": []}, 0.3, 0.2).buckets)
    assert {0.2: 0, 0.3: 0, 0.25: 0}.items() <= buckets.items()


@given(st.integers(0, 20), st.integers(0, 20), st.integers(0, 20))
def test_buckets_rise_whatever_the_histogram_says(total: int, within: int, late: int) -> None:
    buckets = counted(stats(total=total, within_150=min(within, total), late=late), 0.15).buckets
    numbers = [number for _, number in buckets]
    assert numbers == sorted(numbers)
    assert dict(buckets)[0.15] == min(within, total)
    assert all(number <= total for number in numbers)
