"""The anytime-valid test of "p is at most the limit": a weighted mixture of likelihood ratios, kept in logs.

The odds of alternative j are 1.5^j times those of the limit (j = 1..10), so that with k bad of n its ratio is
`c_j^k / (1 + (c_j - 1) * limit)^n`. For every p up to the limit the mixture is a non-negative supermartingale
that starts at 1; by Ville's inequality it ever reaches 1/a with probability at most a, however often one
looks.
"""

from __future__ import annotations

from functools import lru_cache
from math import exp, log, log1p

ALTERNATIVES = 10
LOG_ODDS = tuple(j * log(1.5) for j in range(1, ALTERNATIVES + 1))
_LESS = tuple(exp(o) - 1 for o in LOG_ODDS)
_LOG_ALTERNATIVES = log(ALTERNATIVES)

# A finite stand-in for log 0, since JSON has no infinity; exp of it is 0.
NOTHING = -1e9
EMPTY = (NOTHING,) * ALTERNATIVES

# Shares of the whole weight: at first traffic, spread over the planned ticks, kept for what comes after them.
AT_ONCE = 0.5
PLANNED = 0.4375
BEYOND = 1 - AT_ONCE - PLANNED


def started(tick: int, planned: int) -> float:
    """Weight that has started by the end of tick `tick` (1 is the first with traffic) of `planned` ticks.

    Past the plan each further block of `planned` ticks gets half of what is left. Always below 1.
    """
    if tick <= 0:
        return 0.0
    if tick <= planned:
        return AT_ONCE + PLANNED * tick / planned
    block, inside = divmod(tick - planned, planned)
    left = BEYOND * 0.5 ** min(block, 900)
    return 1.0 - left + left * 0.5 * inside / planned


@lru_cache(maxsize=4096)
def log_share(tick: int, planned: int) -> float:
    """Log of the weight that starts at tick `tick`."""
    if tick == 1:
        return log(started(1, planned))
    if tick <= planned:
        return log(PLANNED / planned)
    block = (tick - planned - 1) // planned
    return log(BEYOND / planned) - (block + 1) * log(2)


@lru_cache(maxsize=4096)
def log_waiting(tick: int, planned: int) -> float:
    """Log of the weight that has not started by the end of tick `tick`."""
    if tick <= planned:
        return log(1.0 - started(tick, planned))
    block, inside = divmod(tick - planned, planned)
    return log(BEYOND) - block * log(2) + log1p(-0.5 * inside / planned)


@lru_cache(maxsize=4096)
def costs(limit: float) -> tuple[float, ...]:
    """Cost of one request for each alternative, in logs, at `limit`."""
    return tuple(log1p(less * limit) for less in _LESS)


def step(
    log_a: tuple[float, ...],
    log_weight: float,
    bad: int,
    total: int,
    cost: tuple[float, ...],
    *,
    power: float,
) -> tuple[float, ...]:
    """One tick of `A_j <- (A_j + w) * ratio_j^power`; `power` is 1/phi for clusters of up to phi requests.

    Clusters: for up to phi dependent requests, Hölder bounds the mean of the product of the ratios' phi-th
        roots by 1.
    """
    k, n = bad * power, total * power
    grown = []
    for a, odds, each in zip(log_a, LOG_ODDS, cost, strict=True):
        both = a + log1p(exp(log_weight - a)) if a > log_weight else log_weight + log1p(exp(a - log_weight))
        grown.append(both + k * odds - n * each)
    return tuple(grown)


def log_evidence(log_a: tuple[float, ...], log_rest: float) -> float:
    """Log of `M = mean_j A_j + weight not started yet`."""
    top = max(log_a)
    mean = top + log(sum([exp(a - top) for a in log_a])) - _LOG_ALTERNATIVES
    high, low = (mean, log_rest) if mean > log_rest else (log_rest, mean)
    return high + log1p(exp(low - high))


def forgotten(log_a: tuple[float, ...], tick: int, planned: int) -> tuple[float, ...]:
    """The evidence lowered to its value without data: what was gathered against the limit is dropped.

    Lowering a supermartingale leaves it one, and the weight already started can still win later.
    """
    ceiling = log(started(tick, planned))
    return tuple(min(a, ceiling) for a in log_a)
