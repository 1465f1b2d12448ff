"""Streams of one request a tick, and exact fast replays of the judge on them.

The evidence can only grow at a bad request; between two of them each `A_j` follows `A <- (A + w) * g` with
constant w and g, which has a closed form. So a replay costs one step for each bad request, not one for each tick.
`tests/unit/domain/judge/test_judge_simulation.py` holds the replay against the judge itself, tick by tick.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import exp, inf, log, log1p
from random import Random

from bot.domain.judge.statistics.sequential_test import (
    ALTERNATIVES,
    bets,
    costs,
    likelihoods,
    log_share,
    log_waiting,
    started,
)


def kl(p: float, q: float) -> float:
    """Kullback-Leibler divergence of two Bernoulli distributions, in nats."""
    return p * log(p / q) + (1 - p) * log((1 - p) / (1 - q))


def wald(p1: float, limit: float, alpha: float) -> float:
    """Wald's bound: the average number of requests that any test of level alpha needs when the true rate is p1."""
    return log(1 / alpha) / kl(p1, limit)


def bad_ticks(random: Random, rates: list[tuple[int, float]], cluster: int = 1) -> Iterator[int]:
    """Ticks (from 1) with a bad request; `rates` is `(from tick, rate)` in order.

    Clusters of `cluster` requests share one outcome. Never ends: the last rate continues.
    """
    starts = [start for start, _ in rates[1:]] + [inf]
    at = 0
    for (begin, rate), end in zip(rates, starts, strict=True):
        at = max(at, begin - 1)
        while rate > 0:
            gap = 1 + int(log(1 - random.random()) / log1p(-rate)) if rate < 1 else 1
            block = at + (gap - 1) * cluster
            if block + cluster >= end:
                break
            yield from range(block + 1, block + cluster + 1)
            at = block + cluster


@dataclass
class Replay:
    """The judge's test of one objective, at one request a tick, which is a block of its own without `phi`."""

    limit: float
    planned: int
    alpha: float = 0.01
    phi: float | None = None
    min_bad: int = 3

    def fails_at(self, bad: Iterator[int], last: float) -> float:
        """Tick at which the test says `FAIL`; inf when not by tick `last`."""
        good = [exp(factor) for factor in self._factors(0)]
        jump = [exp(factor) / g for factor, g in zip(self._factors(1), good, strict=True)]
        a = [0.0] * ALTERNATIVES
        at, seen = 0, 0
        for tick in bad:
            if tick > last:
                break
            for length, weight in self._stretches(at + 1, tick):
                for j, g in enumerate(good):
                    grown = g**length
                    a[j] = a[j] * grown + weight * g * (1 - grown) / (1 - g)
            a = [min(x * y, 1e290) for x, y in zip(a, jump, strict=True)]
            at, seen = tick, seen + 1
            m = sum(a) / ALTERNATIVES + exp(log_waiting(tick, self.planned))
            if seen >= self.min_bad and m * self.alpha >= 1:
                return tick
        return inf

    def _factors(self, bad: int) -> tuple[float, ...]:
        if self.phi is None:
            return bets(bad, self.limit)
        return likelihoods(bad, 1, costs(self.limit), phi=self.phi)

    def _stretches(self, first: int, last: int) -> Iterator[tuple[int, float]]:
        """`(ticks, weight that starts at each)` from `first` to `last`, cut where the weight changes."""
        while first <= last:
            if first == 1:
                end = 1
            else:
                end = self.planned if first <= self.planned else self.planned * -(-first // self.planned)
            end = min(max(end, first), last)
            yield end - first + 1, exp(log_share(first, self.planned))
            first = end + 1


def mann_whitney_fails_at(
    candidate: Iterator[int], stable: Iterator[int], last: float, alpha: float = 0.01
) -> float:
    """First tick at which a one-sided Mann-Whitney test of both series so far has p < alpha, tested at every tick.

    For yes-or-no data with its correction for ties this is the two-sample test of proportions.
    """
    z_needed = 2.3263478740408408 if alpha == 0.01 else _quantile(1 - alpha)
    c, s = next(candidate, inf), next(stable, inf)
    bad_c = bad_s = 0
    while min(c, s) <= last:
        tick = min(c, s)
        if c == tick:
            bad_c, c = bad_c + 1, next(candidate, inf)
        if s == tick:
            bad_s, s = bad_s + 1, next(stable, inf)
        pooled = (bad_c + bad_s) / (2 * tick)
        if 0 < pooled < 1 and bad_c > bad_s:
            # sigma of U with ties, as scipy's asymptotic method has it (n - 1 in place of n).
            spread = (pooled * (1 - pooled) * 2 / tick * (2 * tick) / (2 * tick - 1)) ** 0.5
            if (bad_c - bad_s) / tick / spread >= z_needed:
                return tick
    return inf


def threshold_fails_at(bad: Iterator[int], limit: float, last: float, *, window: int, ticks: int) -> float:
    """First tick at which the rate over the last `window` ticks was above `limit` for `ticks` ticks in a row."""
    needed = int(limit * window + 1e-9) + 1
    recent: list[float] = []
    since, until = inf, -inf
    for tick in bad:
        if since + ticks - 1 <= min(until, tick - 1):
            break
        if tick > last:
            break
        recent.append(tick)
        if len(recent) < needed:
            continue
        leaves = recent[-needed] + window - 1
        del recent[:-needed]
        if leaves >= tick:
            since = since if until >= tick - 1 else tick
            until = leaves
    found = since + ticks - 1
    return found if found <= min(until, last) else inf


def _quantile(p: float) -> float:
    from statistics import NormalDist

    return NormalDist().inv_cdf(p)


__all__ = ["Replay", "bad_ticks", "kl", "mann_whitney_fails_at", "started", "threshold_fails_at", "wald"]
