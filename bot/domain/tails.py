"""Tail probabilities of the binomial, also for fractional counts, by the incomplete beta function."""

from __future__ import annotations

from math import exp, lgamma, log, log1p

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
