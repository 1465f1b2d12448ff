"""Confidence bounds of the true rate and the power of the test, for people: the test inverted on a fixed grid.

Display only: no verdict depends on anything here, so it is computed when a card is drawn and not on every
tick. A bound holds at all times at once with probability 1 - alpha, by the inequality that the test rests on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from math import exp, log, log1p

from bot.domain.formatting import count, percent
from bot.domain.judge.statistics.power import POWER, at_least, found_by_bets
from bot.domain.judge.statistics.sequential_test import AT_ONCE, LOG_ODDS

# 0.001% to 99%, 24 steps a decade below 10%, with two significant digits, as they are shown.
_DECADES = [float(f"{10 ** (-5 + i / 24):.1e}") for i in range(4 * 24)]
# Unlike the test's, these include alternatives near the limit: many requests then give narrow bounds.
_UP = tuple(0.05 * 2**i for i in range(7))
_DOWN = tuple(-shift for shift in _UP)
GRID: tuple[float, ...] = tuple(dict.fromkeys(_DECADES + [percent_ / 100 for percent_ in range(10, 100)]))


@dataclass(frozen=True, slots=True)
class Bounds:
    """The true rate lies between `low` and `high` (proportions; 0 and 1 when nothing can be said)."""

    low: float
    high: float


def log_mixture(
    bad: float, total: float, limit: float, *, shifts: Sequence[float] = LOG_ODDS, phi: float = 1.0
) -> float:
    """Log of the mean likelihood ratio of alternatives with log odds `shifts` away from those of `limit`.

    Positive shifts speak against every rate up to the limit, negative ones against every rate down to it.
    """
    costs = _costs(limit, tuple(shifts))
    logs = [(bad * shift - total * cost) / phi for shift, cost in zip(shifts, costs, strict=True)]
    top = max(logs)
    return top + log(sum([exp(x - top) for x in logs])) - log(len(logs))


@lru_cache(maxsize=4096)
def _costs(limit: float, shifts: tuple[float, ...]) -> tuple[float, ...]:
    """What one request costs each alternative, in logs: the same for every card, since limits are of the grid."""
    return tuple([log1p((exp(shift) - 1) * limit) for shift in shifts])


def bounds(bad: int, total: int, alpha: float = 0.01, phi: float = 1.0) -> Bounds:
    """Bounds of the rate after `bad` of `total`, each wrong at any time with chance `alpha`."""
    need = -log(alpha)
    # The evidence falls as the limit rises (direction 1) and rises with it (-1), so that bisection finds the
    # edge.
    low = _count_true(lambda limit: log_mixture(bad, total, limit, shifts=_UP, phi=phi) >= need)
    high = _count_true(lambda limit: log_mixture(bad, total, limit, shifts=_DOWN, phi=phi) < need)
    return Bounds(GRID[low - 1] if low else 0.0, GRID[high] if high < len(GRID) else 1.0)


@lru_cache(maxsize=1024)
def detectable(
    total: int, limit: float, needed: float, *, blocks: int, min_bad: int = 3, phi: float | None = None
) -> float | None:
    """Smallest rate on the grid that `total` requests in `blocks` blocks show to be above `limit` with 95% power.

    `needed` is what M must reach. Counts only a `FAIL` at the end, so the true power is a little higher. None
    when not even a rate of 99% would have been found.
    """
    if phi is None:
        found = partial(found_by_bets, limit=limit, needed=needed, requests=total / blocks, min_bad=min_bad)
        missed = _count_true(lambda rate: not found(rate, blocks=blocks))
        return GRID[missed] if missed < len(GRID) else None
    need = log(needed) - log(AT_ONCE)
    if total < min_bad or log_mixture(total, total, limit, phi=phi) < need:
        return None
    low, high = 0, total
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if log_mixture(middle, total, limit, phi=phi) >= need else (middle, high)
    fewest = max(high, min_bad)
    missed = _count_true(lambda rate: at_least(fewest / phi, total / phi, rate) < POWER)
    return GRID[missed] if missed < len(GRID) else None


def bounds_sentence(candidate: Bounds, stable: Bounds | None = None) -> str:
    """`"candidate at least 3.1%, stable at most 0.9%"`."""
    said = [f"candidate {_between(candidate)}"]
    if stable is not None:
        said.append(f"stable {_between(stable)}")
    return ", ".join(said)


def power_sentence(
    total: int, limit: float, needed: float, *, blocks: int, min_bad: int = 3, phi: float | None = None
) -> str:
    """The power of the test so far: `"95% power to detect a 2% rate after 1,200 requests"`."""
    rate = detectable(total, limit, needed, blocks=max(1, blocks), min_bad=min_bad, phi=phi)
    if rate is None:
        return f"{count(total)} requests are too few to detect any rate above {percent(limit)}"
    return f"95% power to detect a {percent(rate)} rate after {count(total)} requests"


def _between(found: Bounds) -> str:
    if found.low == 0:
        return f"at most {percent(found.high)}" if found.high < 1 else "unknown"
    return f"at least {percent(found.low)}" + (
        f" and at most {percent(found.high)}" if found.high < 1 else ""
    )


def _count_true(holds: Callable[[float], bool]) -> int:
    """Number of grid points that satisfy `holds`, which is true up to a point and false after it."""
    low, high = 0, len(GRID)
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if holds(GRID[middle]) else (low, middle)
    return low
