"""Failures with a long memory: runs with a heavy tail, and a route that fails for the users who stay on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log
from random import Random

from benchmarks.judge.traffic.requests import Seconds, arrivals, failing, geometric


@dataclass(frozen=True)
class HeavyRuns:
    """A failure takes the next requests of the release along; how many is Pareto distributed, rounded down.

    shape: of the distribution; at 1.5 its variance is infinite but for `most`, the longest run.
    """

    shape: float = 1.5
    most: int = 300

    @property
    def mean(self) -> float:
        """Bad requests of a run on average: the sum of the chances that it has at least 1, 2, 3 … of them."""
        return sum(exp(-self.shape * log(k)) for k in range(1, self.most + 1))

    def serve(self, random: Random, rates: Sequence[float], chances: Sequence[float]) -> Seconds:
        requests, mean = arrivals(random, rates), self.mean
        begins = [p / (mean * (1 - p) + p) if p < 1 else 1.0 for p in chances]
        bad = failing(random, requests, begins, lambda: min(self.most, int(random.paretovariate(self.shape))))
        return list(zip(requests, bad, strict=True))


@dataclass(frozen=True)
class Route:
    """All failures are on one route: users come to it, and stay on it and on the release they met first.

    part: of the requests that are on the route; only what it cannot hold fails elsewhere. requests: of a user, on
    average (geometric). every_s: seconds between two of them.
    """

    part: float = 0.1
    requests: int = 10
    every_s: int = 3

    def serve(self, random: Random, rates: Sequence[float], chances: Sequence[float]) -> Seconds:
        other = arrivals(random, [rate * (1 - self.part) for rate in rates])
        users = arrivals(random, [rate * self.part / self.requests for rate in rates])
        visits, stays = [0] * len(rates), 1 - 1 / self.requests
        for second, came in enumerate(users):
            for _ in range(came):
                last = second + self.every_s * geometric(random, stays)
                for at in range(second, min(last + 1, len(rates)), self.every_s):
                    visits[at] += 1
        served = []
        for n, on_route, p in zip(other, visits, chances, strict=True):
            within, beyond = min(1.0, p / self.part), max(0.0, (p - self.part) / (1 - self.part))
            bad = sum(random.random() < within for _ in range(on_route)) if within else 0
            bad += sum(random.random() < beyond for _ in range(n)) if beyond else 0
            served.append((n + on_route, bad))
        return served
