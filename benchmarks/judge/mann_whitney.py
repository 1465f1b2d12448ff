"""The Mann-Whitney test as Kayenta applies it: an interval for the shift between two samples, from normal ranks."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from math import copysign, sqrt
from statistics import NormalDist

_CLOSE = 1e-4


def shifted_up(
    candidate: Sequence[float], stable: Sequence[float], confidence: float, tolerance: float
) -> bool:
    """Whether the lower end of the two-sided interval of the shift exceeds `tolerance` times the estimated shift.

    Samples that are empty, equal or all of one value show nothing.
    """
    if not candidate or not stable or len({*candidate, *stable}) == 1:
        return False
    quantile = NormalDist().inv_cdf((1 + confidence) / 2)
    # An interval above zero needs a score above the quantile without a shift; most samples end here.
    if score(candidate, stable, 0.0) <= quantile:
        return False
    return _root(candidate, stable, quantile) > tolerance * abs(_root(candidate, stable, 0.0))


def score(candidate: Sequence[float], stable: Sequence[float], shift: float) -> float:
    """Standard score of the candidate's rank sum when it is moved down by `shift`, corrected for ties and continuity.

    0.0 when all values are tied.
    """
    moved = [(value - shift, True) for value in candidate] + [(value, False) for value in stable]
    moved.sort()
    n, m = len(candidate), len(stable)
    ranks, ties, place = 0.0, 0, 0
    for _, same in groupby(moved, key=lambda each: each[0]):
        of_candidate = [mine for _, mine in same]
        count = len(of_candidate)
        ranks += sum(of_candidate) * (place + (count + 1) / 2)
        ties += count**3 - count
        place += count
    above = ranks - n * (n + 1) / 2 - n * m / 2
    variance = n * m / 12 * (n + m + 1 - ties / ((n + m) * (n + m - 1)))
    if variance <= 0:
        return 0.0
    return (above - (copysign(0.5, above) if above else 0.0)) / sqrt(variance)


def _root(candidate: Sequence[float], stable: Sequence[float], quantile: float) -> float:
    """The shift at which the score falls to `quantile`, by halving, to 0.0001."""
    low, high = min(candidate) - max(stable), max(candidate) - min(stable)
    if score(candidate, stable, low) <= quantile:
        return low
    if score(candidate, stable, high) >= quantile:
        return high
    while high - low > _CLOSE:
        middle = (low + high) / 2
        if score(candidate, stable, middle) > quantile:
            low = middle
        else:
            high = middle
    return (low + high) / 2
