"""Latency histograms: sums and differences at common bounds, and quantiles read from them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, pairwise
from math import inf, isfinite
from operator import add, sub
from typing import Any

# What a judge stores of a histogram at most; sources with more bounds are read at some of them.
MOST_BOUNDS = 32

Buckets = tuple[tuple[float, int], ...]


@dataclass(frozen=True, slots=True)
class Histogram:
    """Answered requests by latency: `counts[i]` of the `total` took at most `bounds[i]` seconds (finite, rising)."""

    bounds: tuple[float, ...] = ()
    counts: tuple[int, ...] = ()
    total: int = 0

    def to_json(self) -> list[Any]:
        """As a JSON array."""
        return [list(self.bounds), list(self.counts), self.total]

    @classmethod
    def from_json(cls, stored: list[Any]) -> Histogram:
        """Inverse of `to_json`."""
        return cls(tuple(stored[0]), tuple(stored[1]), stored[2])

    def at(self, bounds: tuple[float, ...]) -> Histogram:
        """The same requests at these bounds, all of which it has."""
        if bounds == self.bounds:
            return self
        known = dict(zip(self.bounds, self.counts, strict=True))
        return Histogram(bounds, tuple(known[bound] for bound in bounds), self.total)

    def plus(self, other: Histogram) -> Histogram:
        """The requests of both, at the bounds that both have."""
        if not (self.total and other.total):
            return self if self.total else other
        if self.bounds == other.bounds:
            return Histogram(
                self.bounds, tuple(map(add, self.counts, other.counts)), self.total + other.total
            )
        bounds = common(self.bounds, other.bounds)
        counts = tuple(map(add, self.at(bounds).counts, other.at(bounds).counts))
        return Histogram(bounds, counts, self.total + other.total)

    def halved(self) -> Histogram:
        """Half of the requests, so that those to come weigh more."""
        return Histogram(self.bounds, tuple(count // 2 for count in self.counts), self.total // 2)

    def quantile(self, share: float) -> Quantile | None:
        """The latency that `share` of the requests do not exceed; None without requests."""
        if not self.total or not self.bounds:
            return None
        wanted, low, below = share * self.total, 0.0, 0
        for bound, count in zip(self.bounds, self.counts, strict=True):
            if count >= wanted and count > below:
                return Quantile(low + (bound - low) * (wanted - below) / (count - below), low, bound)
            low, below = bound, count
        return Quantile(inf, low, inf)


NOTHING = Histogram()


@dataclass(frozen=True, slots=True)
class Quantile:
    """A latency in seconds, interpolated between the bounds `low` and `high`; `inf` above the last bound."""

    value: float
    low: float
    high: float


def common(*ladders: tuple[float, ...]) -> tuple[float, ...]:
    """The bounds that all of them have, rising."""
    if not ladders or ladders.count(ladders[0]) == len(ladders):
        return ladders[0] if ladders else ()
    return tuple(sorted(set.intersection(*map(set, ladders))))


@lru_cache(maxsize=256)
def thinned(bounds: tuple[float, ...]) -> tuple[float, ...]:
    """At most `MOST_BOUNDS` of these rising bounds: the upper of the two closest goes, again and again."""
    kept = list(bounds)
    while len(kept) > MOST_BOUNDS:
        ratios = [above / below if below > 0 else inf for below, above in pairwise(kept)]
        del kept[ratios.index(min(ratios)) + 1]
    return tuple(kept)


def bounds_of(readings: Iterable[Buckets]) -> tuple[float, ...]:
    """The bounds at which several instances can be added up: those that all of them have, thinned."""
    return _shared(tuple([tuple([bound for bound, _ in buckets]) for buckets in readings if buckets]))


@lru_cache(maxsize=256)
def _shared(ladders: tuple[tuple[float, ...], ...]) -> tuple[float, ...]:
    """The finite bounds that all of these have, thinned."""
    return thinned(common(*(tuple(filter(isfinite, ladder)) for ladder in ladders)))


def read(buckets: Buckets, bounds: tuple[float, ...]) -> tuple[int, ...]:
    """Cumulative counts at these bounds, and of all that the buckets have; empty when they are not cumulative."""
    counts = [count for _, count in buckets]
    if not bounds or not counts or counts[0] < 0 or counts != sorted(counts):
        return ()
    return (*map(dict(buckets).__getitem__, bounds), counts[-1])


def gained_histogram(
    bounds: tuple[float, ...], before: tuple[int, ...], now: tuple[int, ...]
) -> Histogram | None:
    """What was answered between two results of `read`, or until `now`; None where one of them fell, or is not known.

    A bucket may have been read a little later than the next one, so that it gained more: then it gained as much.
    """
    if not now:
        return None
    steps = list(map(sub, now, before)) if before else list(now)
    if min(steps) < 0:
        return None
    total = steps.pop()
    counts = tuple(accumulate(steps, max))
    if counts and counts[-1] > total:
        counts = tuple(min(count, total) for count in counts)
    return Histogram(bounds, counts, total)
