"""Latencies between two looks, for charts and `/health`: the judge keeps histograms of its own."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from functools import lru_cache
from math import inf
from typing import NamedTuple

from bot.domain.judge.evidence.counters import CounterReading, Sample
from bot.domain.judge.history.served import Histogram
from bot.domain.judge.judge import JudgePolicy


def latency_quantile(policy: JudgePolicy) -> float | None:
    """The quantile of the first latency objective: 0.99 for "at most 1% slower than"."""
    return next((1 - objective.limit for objective in policy.objectives if objective.kind == "latency"), None)


class Latencies(NamedTuple):
    """What one sample's cumulative histograms say together, as little as possible: it is kept for each rollout."""

    release: str
    bounds: tuple[float, ...]
    counts: tuple[int, ...]


def latencies(sample: Sample | None) -> Latencies | None:
    """What to keep of a sample for the next `latency`: what is cumulative in it."""
    if sample is None:
        return None
    total = _histogram([reading for reading in sample.readings if not reading.delta])
    return Latencies(sample.release, _bounds(tuple(total)), tuple(total.values()))


@lru_cache(maxsize=256)
def _bounds(bounds: tuple[float, ...]) -> tuple[float, ...]:
    """The same tuple for the same bounds, of which there are as many as kinds of sources."""
    return bounds


def latency(before: Latencies | None, now: Sample | None, quantile: float | None) -> float | None:
    """A quantile of the requests since `before`, in seconds: the upper bound of its bucket."""
    if quantile is None:
        return None
    bounds, gained = _gained(before, now)
    if not gained or gained[-1] <= 0:
        return None
    # They rise, so the first that is high enough is found by halves.
    place = bisect_left(gained, quantile * gained[-1])
    return bounds[place] if place < len(bounds) and bounds[place] != inf else None


def gained(before: Latencies | None, now: Sample | None) -> Histogram:
    """The requests since `before`; empty where that is not known."""
    return tuple(zip(*_gained(before, now), strict=True))


def _gained(before: Latencies | None, now: Sample | None) -> tuple[list[float], list[int]]:
    """Bounds, and how many requests since `before` took at most so long; nothing after a reset."""
    if now is None or now.error:
        return [], []
    cumulative = any(not reading.delta for reading in now.readings)
    if cumulative and (before is None or before.release != now.release):
        return [], []
    was = dict(zip(before.bounds, before.counts, strict=True)) if before and cumulative else {}
    is_now = _histogram(now.readings)
    bounds = sorted(is_now)
    counts = [is_now[bound] - was.get(bound, 0) for bound in bounds]
    return (bounds, counts) if counts and counts[0] >= 0 and counts == sorted(counts) else ([], [])


def _histogram(readings: Sequence[CounterReading]) -> dict[float, int]:
    if len(readings) == 1:
        return dict(readings[0].latencies)
    total: dict[float, int] = {}
    for reading in readings:
        for bound, count in reading.latencies:
            total[bound] = total.get(bound, 0) + count
    return total
