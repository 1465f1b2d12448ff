"""Latencies of candidate and stable as histograms, drawn from log-normal distributions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from math import inf, log
from random import Random
from statistics import NormalDist

from bot.adapters.routers.envoy.bootstrap import BOUNDS_MS
from bot.domain.judge.evidence.histogram import Histogram
from bot.domain.judge.evidence.ticks import Tick
from tests.support.rules.judging import FIVE

ROUTER_BOUNDS = tuple(bound / 1000 for bound in BOUNDS_MS)

# By how much a tick is slower, for candidate and stable, from the random numbers and the tick's number.
Weather = Callable[[Random, int], tuple[float, float]]


def fair(random: Random, number: int) -> tuple[float, float]:
    return 1.0, 1.0


def shared_outages(random: Random, number: int) -> tuple[float, float]:
    """Both are ten times as slow in one tick of ten."""
    slow = 10.0 if random.random() < 0.1 else 1.0
    return slow, slow


def drift(random: Random, number: int) -> tuple[float, float]:
    """Both become five times as slow within 40 ticks, and fast again."""
    slow = 1 + 4 * abs(number % 80 - 40) / 40
    return slow, slow


def spells(random: Random, number: int) -> tuple[float, float]:
    """All of one release is eight times as slow in some ticks, each release in its own."""
    return 8.0 if random.random() < 0.2 else 1.0, 8.0 if random.random() < 0.2 else 1.0


@dataclass(frozen=True)
class Stream:
    """Requests of both in a tick, how many times as slow the candidate is, and what slows both down.

    Stable's latency has the median `median_s` and is log-normal with `sigma`.
    """

    candidate: int = 25
    stable: int = 100
    times: float = 1.0
    weather: Weather = fair
    median_s: float = 0.04
    sigma: float = 0.5
    bounds: tuple[float, ...] = ROUTER_BOUNDS

    def ticks(self, seed: object, count: int, first: int = 1) -> Iterator[Tick]:
        """`count` ticks of 5 s, from the tick with the number `first` on."""
        random = Random(repr((seed, self.candidate, self.stable, self.times)))
        for number in range(first, first + count):
            mine, theirs = self.weather(random, number)
            both = (
                self._drawn(random, self.candidate, mine * self.times),
                self._drawn(random, self.stable, theirs),
            )
            yield Tick(number * FIVE, FIVE, {}, latency=both)

    def _drawn(self, random: Random, requests: int, times: float) -> Histogram:
        weights = _weights(self.median_s * round(times, 3), self.sigma, self.bounds)
        found = Counter(random.choices(range(len(weights)), weights, k=requests))
        counts = tuple(accumulate(found[place] for place in range(len(self.bounds))))
        return Histogram(self.bounds, counts, requests)


@lru_cache(maxsize=4096)
def _weights(median_s: float, sigma: float, bounds: tuple[float, ...]) -> tuple[float, ...]:
    normal = NormalDist(log(median_s), sigma)
    shares = [normal.cdf(log(bound)) if bound < inf else 1.0 for bound in (*bounds, inf)]
    return tuple(above - below for below, above in zip((0.0, *shares), shares, strict=False))
