"""What the access loggers counted, as counts of releases."""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bot.adapters.routers.envoy.bootstrap import BOUNDS_MS
from bot.adapters.routers.envoy.config import EnvoyListening
from bot.adapters.routers.envoy.loggers import limit_ms
from bot.adapters.routers.envoy.names import COUNTS, EACH, cluster_name
from bot.domain.rollout.model import Lane
from bot.ports.data_plane.routers import Backend, RouterCounts, Share, Split

Json = dict[str, Any]
_ACTIVE = ".upstream_rq_active"
# The address in the counts of a request that came to no instance.
NO_INSTANCE = "-"
# Of a release before its first response.
_NO_LADDER = [(bound / 1000, 0) for bound in BOUNDS_MS]


@dataclass(slots=True)
class _Stats:
    """Statistics of one cluster, each by the series of the listener that counted. each: those by instance."""

    numbers: dict[tuple[str, str], int] = field(default_factory=dict)
    each: dict[tuple[str, str, str], int] = field(default_factory=dict)
    ladders: dict[str, list[tuple[float, int]]] = field(default_factory=dict)
    active: int = 0


def parse_counts(
    stats: Json, epoch: str, lanes: Mapping[Lane, EnvoyListening], splits: Mapping[Lane, Split]
) -> dict[Lane, dict[str, RouterCounts]]:
    """Counts from Envoy's statistics as JSON, for the releases of the splits."""
    clusters = _by_cluster(stats["stats"])
    return {
        lane: {
            share.digest: _counts(clusters[cluster_name(lane, share.digest)], epoch, listening, share)
            for share in splits[lane].shares
        }
        for lane, listening in lanes.items()
        if lane in splits
    }


def _by_cluster(stats: Iterable[Json]) -> defaultdict[str, _Stats]:
    found: defaultdict[str, _Stats] = defaultdict(_Stats)
    for stat in stats:
        if "histograms" in stat:
            for histogram in stat["histograms"]:
                series, _, cluster = _parts(histogram["name"])
                # A bound at 249 ms counts what took less than 250 ms.
                found[cluster].ladders[series] = [
                    ((bucket["upper_bound"] + 1) / 1000, bucket["cumulative"])
                    for bucket in histogram["buckets"]
                ]
        elif stat["name"].endswith(_ACTIVE):
            found[stat["name"].removeprefix("cluster.").removesuffix(_ACTIVE)].active = int(stat["value"])
        else:
            series, what, cluster = _parts(stat["name"])
            cluster, _, instance = cluster.partition(".instance.")
            if instance:
                found[cluster].each[series, what, instance] = int(stat["value"])
            else:
                found[cluster].numbers[series, what] = int(stat["value"])
    return found


def _parts(name: str) -> tuple[str, str, str]:
    what, _, cluster = name.removeprefix(f"{COUNTS}.").partition(".release.")
    series, _, what = what.partition(".")
    return series, what, cluster


def _counts(stats: _Stats, epoch: str, listening: EnvoyListening, share: Share) -> RouterCounts:
    def number(what: str) -> int:
        return stats.numbers.get((listening.series, what), 0)

    total = number("total")
    ladder = stats.ladders.get(listening.series, _NO_LADDER)
    exact = {limit: number(f"within.{limit_ms(limit)}") for limit in listening.route.latency_limits_s}
    return RouterCounts(
        epoch=f"{epoch}.{listening.series}",
        total=total,
        bad=number("bad"),
        buckets=_rising(exact, ladder, total),
        in_flight=stats.active,
        overdue=number("overdue"),
        instances=_instances(stats, listening, share),
        histogram=tuple(ladder),
    )


def _instances(stats: _Stats, listening: EnvoyListening, share: Share) -> tuple[tuple[str, int, int], ...]:
    """Counts of the release's present instances; of one that has a name for an address, all that it ever led to."""
    series, present = listening.series, [_address(backend) for backend in share.backends]
    seen = sorted({instance for own, _, instance in stats.each if own == series})
    names = [at for at in present if at is not None] if None not in present else seen

    def number(what: str, name: str) -> int:
        return stats.each.get((series, f"{EACH}.{what}", name), 0)

    return tuple((name, number("total", name), number("bad", name)) for name in names if name != NO_INSTANCE)


def _address(backend: Backend) -> str | None:
    """As Envoy writes it; None where the host is a name."""
    try:
        address = ipaddress.ip_address(backend.host)
    except ValueError:
        return None
    return f"[{address}]:{backend.port}" if address.version == 6 else f"{address}:{backend.port}"


def _rising(
    exact: Mapping[float, int], ladder: Iterable[tuple[float, int]], total: int
) -> tuple[tuple[float, int], ...]:
    """Cumulative buckets: the limits' own counters, and between them the histogram, which is up to a second behind."""
    found = dict(exact)
    for bound, number in ladder:
        if bound not in exact:
            floor = max((n for limit, n in exact.items() if limit < bound), default=0)
            ceiling = min((n for limit, n in exact.items() if limit > bound), default=total)
            found[bound] = max(floor, min(number, ceiling))
    return tuple(sorted(found.items()))
