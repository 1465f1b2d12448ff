"""What the test can find: how fast its evidence grows at a given rate and traffic. For people: no verdict uses it."""

from __future__ import annotations

from functools import lru_cache
from math import ceil, exp, inf, lgamma, log, log1p, sqrt

from bot.domain.judge.statistics.sequential_test import ALTERNATIVES, AT_ONCE, MORE

POWER = 0.95
_POWER_Z = 1.6449  # standard deviations above which 5% of a normal distribution lie
_MANY = 60.0  # expected bad requests in a block from which its spread is taken as normal

# Smallest value kept in a continued fraction's denominators, and how closely it must have converged.
_TINY = 1e-300
_CLOSE = 1e-12


def at_least(bad: float, total: float, p: float) -> float:
    """P(X >= bad) for X ~ Bin(total, p); fractional counts interpolate (effective counts of clusters)."""
    if bad <= 0:
        return 1.0
    if bad > total:
        return 0.0
    return _beta(bad, total - bad + 1, p)


def _beta(a: float, b: float, x: float) -> float:
    """The regularised incomplete beta function I_x(a, b)."""
    if x <= 0 or x >= 1:
        return 0.0 if x <= 0 else 1.0
    if x > (a + 1) / (a + b + 2):
        return 1.0 - _beta(b, a, 1 - x)
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x))
    return front * _fraction(a, b, x) / a


def _fraction(a: float, b: float, x: float) -> float:
    """Lentz's evaluation of the continued fraction 8.17.22 of the NIST DLMF."""
    c, d = 1.0, 1.0 / _away(1 - (a + b) * x / (a + 1))
    h = d
    for m in range(1, 10_000):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        change = 1.0
        for term in (even, odd):
            d = 1.0 / _away(1 + term * d)
            c = _away(1 + term / c)
            change = d * c
            h *= change
        if abs(change - 1) < _CLOSE:
            break
    return h


def _away(value: float) -> float:
    return value if abs(value) > _TINY else _TINY


def blocks_needed(rate: float, limit: float, needed: float, requests: float) -> float:
    """Blocks of `requests` requests until M reaches `needed`, on average, at a true `rate`; inf when it never does.

    Independent requests are assumed, and a rate that is bad from the start.
    """
    most = max(mean for mean, _ in (_growth(rate, limit, requests, more) for more in MORE))
    return float(ceil(_needed(needed) / most)) if most > 0 else inf


def requests_needed(rate: float, limit: float, needed: float) -> float:
    """Wald's bound: independent requests until a test of `limit` that knows `rate` reaches `needed`, on average."""
    divergence = rate * log(rate / limit) + (1 - rate) * log((1 - rate) / (1 - limit))
    return log(needed) / divergence


def found_by_bets(
    rate: float, limit: float, needed: float, *, requests: float, blocks: int, min_bad: int
) -> bool:
    """Whether `blocks` blocks of `requests` requests show with 95% power that `rate` is above `limit`."""
    if at_least(min_bad, requests * blocks, rate) < POWER:
        return False
    grown = (_growth(rate, limit, requests, more) for more in MORE)
    return any(mean * blocks - _POWER_Z * sqrt(var * blocks) >= _needed(needed) for mean, var in grown)


def _needed(needed: float) -> float:
    """What one bet must reach, if no other contributes."""
    return log(needed) + log(ALTERNATIVES) - log(AT_ONCE)


@lru_cache(maxsize=8192)
def _growth(rate: float, limit: float, requests: float, more: float) -> tuple[float, float]:
    """Mean and variance of one bet's log factor for a block; bad requests are counted as Poisson."""
    bad, cost = rate * requests, log1p(more * limit * requests)
    if bad > _MANY:
        slope = more / (1 + more * bad)
        return log1p(more * bad) - cost - slope**2 * bad / 2, slope**2 * bad
    mean = square = 0.0
    for k, chance in enumerate(_chances(bad)):
        factor = log1p(more * k) - cost
        mean += chance * factor
        square += chance * factor**2
    return mean, max(0.0, square - mean**2)


@lru_cache(maxsize=256)
def _chances(bad: float) -> tuple[float, ...]:
    """The chance of each number of bad requests in a block, where `bad` are expected: the same for all bets."""
    numbers = range(int(bad + 8 * sqrt(bad) + 12))
    if not bad:
        return tuple([float(not k) for k in numbers])
    return tuple([exp(k * log(bad) - bad - lgamma(k + 1)) for k in numbers])
