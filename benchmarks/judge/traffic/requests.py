"""Requests of one release, second by second: how many arrive, which of them fail, and how failures hang together."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from math import exp, inf, log1p
from random import Random
from typing import Protocol

# `(requests, bad)` of each second.
Seconds = list[tuple[int, int]]

# Users and retries of the time before the first second are served as well, from this many seconds before it.
WARM_UP_S = 240


class Failures(Protocol):
    """How failures of one release hang together.

    rates: mean requests in each second. chances: proportion of bad requests that each second has on average.
    """

    def serve(self, random: Random, rates: Sequence[float], chances: Sequence[float]) -> Seconds: ...


@dataclass(frozen=True)
class Runs:
    """A failure takes the next requests of the release along: `length` requests in a row, or that many on average.

    random_length: lengths are geometric with this mean, at least 1.
    """

    length: int = 1
    random_length: bool = False

    def serve(self, random: Random, rates: Sequence[float], chances: Sequence[float]) -> Seconds:
        requests = arrivals(random, rates)
        # A run replaces one good request at a time: with chance q at each, q c of 1 - q + q c requests are bad.
        begins = [p / (self.length * (1 - p) + p) if p < 1 else 1.0 for p in chances]
        return list(zip(requests, failing(random, requests, begins, self._lengths(random)), strict=True))

    def _lengths(self, random: Random) -> Callable[[], int]:
        if not self.random_length:
            return lambda: self.length
        stays = 1 - 1 / self.length
        return lambda: 1 + geometric(random, stays)


INDEPENDENT = Runs()


@dataclass(frozen=True)
class Retries:
    """A client repeats a request that failed after 1, 2, 4 and 8 s, until it succeeds or gives up.

    again: chance that a repeated request fails too. `chances` count the repeated requests as well.
    """

    again: float = 0.75
    waits: tuple[int, ...] = (1, 2, 4, 8)

    @property
    def bad(self) -> float:
        """Bad requests for each first failure, on average: the length of a cluster."""
        return sum(self.again**n for n in range(len(self.waits) + 1))

    def first(self, chance: float) -> float:
        """Chance that a request fails at first, so that `chance` of all are bad in the long run."""
        return self._first(chance, self.bad)

    def _first(self, chance: float, bad: float) -> float:
        # Those that fail again and the one that succeeds, for each first failure.
        repeated = bad - self.again ** len(self.waits)
        return chance / (bad - repeated * chance)

    def serve(self, random: Random, rates: Sequence[float], chances: Sequence[float]) -> Seconds:
        each = self.bad
        requests = arrivals(random, _warm(rates))
        bad = failing(random, requests, [self._first(p, each) for p in _warm(chances)], lambda: 1)
        more, worse = [0] * len(requests), [0] * len(requests)
        for second, failed in enumerate(bad):
            for _ in range(failed):
                at = second
                for wait in self.waits:
                    at += wait
                    if at >= len(requests):
                        break
                    more[at] += 1
                    if random.random() >= self.again:
                        break
                    worse[at] += 1
        served = zip(requests, more, bad, worse, strict=True)
        return [(n + m, b + w) for n, m, b, w in served][WARM_UP_S:]


@dataclass(frozen=True)
class Visits:
    """Users for whom every request fails: they come at random and stay on the release they met first.

    requests: of one such user, on average (geometric). every_s: seconds between two of them. Other users' requests
    all succeed, and there are so many fewer of them that the release has the requests it is asked for.
    """

    requests: int
    every_s: int

    def serve(self, random: Random, rates: Sequence[float], chances: Sequence[float]) -> Seconds:
        rates, chances = _warm(rates), _warm(chances)
        good = arrivals(random, [rate * (1 - p) for rate, p in zip(rates, chances, strict=True)])
        come = arrivals(random, [rate * p / self.requests for rate, p in zip(rates, chances, strict=True)])
        bad, stays = [0] * len(good), 1 - 1 / self.requests
        for second, users in enumerate(come):
            for _ in range(users):
                last = second + self.every_s * geometric(random, stays)
                for at in range(second, min(last + 1, len(bad)), self.every_s):
                    bad[at] += 1
        return [(n + b, b) for n, b in zip(good, bad, strict=True)][WARM_UP_S:]


def arrivals(random: Random, rates: Sequence[float]) -> list[int]:
    """Requests of each second: Poisson with the mean that `rates` has for it."""
    draw = random.random
    return [bisect_right(_poisson(rate), draw()) for rate in rates]


@lru_cache(maxsize=4096)
def _poisson(mean: float) -> list[float]:
    """Chances of at most 0, 1, 2 … requests."""
    chances, chance, count = [], exp(-mean), 0
    while count <= mean or chance > 1e-15:
        chances.append(chance)
        count += 1
        chance *= mean / count
    return list(accumulate(chances))


def failing(
    random: Random, requests: Sequence[int], begins: Sequence[float], length: Callable[[], int]
) -> list[int]:
    """Bad requests of each second, where each request begins with chance `begins` a run of `length()` bad ones.

    The number of good requests before a run is drawn at once: they use up an exponential amount of hazard.
    """
    found = []
    left, pending = random.expovariate(1.0), 0
    known, hazard = 0.0, 0.0
    for count, chance in zip(requests, begins, strict=True):
        n, bad = count, 0
        if chance != known:
            known, hazard = chance, _hazard(chance)
        while n:
            if pending:
                taken = min(pending, n)
                bad, pending, n = bad + taken, pending - taken, n - taken
            elif n * hazard <= left:
                left -= n * hazard
                break
            else:
                n -= min(int(left / hazard), n - 1) if hazard < inf else 0
                pending, left = length(), random.expovariate(1.0)
        found.append(bad)
    return found


@lru_cache(maxsize=65536)
def _hazard(chance: float) -> float:
    return -log1p(-chance) if chance < 1 else inf


def geometric(random: Random, stays: float) -> int:
    """How often something goes on that goes on with chance `stays` each time."""
    return int(random.expovariate(1.0) / -log1p(stays - 1)) if stays > 0 else 0


def _warm(values: Sequence[float]) -> list[float]:
    return [values[0]] * WARM_UP_S + list(values)
