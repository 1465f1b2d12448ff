"""The anytime-valid test of "the rate is at most the limit": ten bets against it, kept in logs.

Each bet multiplies its stake by a factor with a mean of at most 1 while the rate is at or below the limit, so that the
mean of all bets is a non-negative supermartingale that starts at 1; by Ville's inequality it ever reaches 1/a with
probability at most a, however often one looks. Bet j (1..10) is for odds that are 1.5^j times those of the limit; L is
1.5^j - 1. There are two kinds of factors:

- `bets`, one for a block of requests of which `bad` were bad and the limit expects `expected`:
  (1 + L * bad) / (1 + L * expected). Its mean is right whatever hangs together within the block, since a mean does not
  depend on that: a storm of retries is one event. For a block of one request it is the likelihood ratio. (After
  Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting", 2024.)
- `likelihoods`, for requests that fail independently in clusters of at most phi: the likelihood ratio of k bad of n,
  (1 + L)^k / (1 + L * limit)^n, to the power 1/phi.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from math import exp, log, log1p

ALTERNATIVES = 10
LOG_ODDS = tuple(j * log(1.5) for j in range(1, ALTERNATIVES + 1))
MORE = tuple(exp(o) - 1 for o in LOG_ODDS)

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
    return tuple([log1p(more * limit) for more in MORE])


def step(log_a: tuple[float, ...], log_weight: float, log_factors: Iterable[float]) -> tuple[float, ...]:
    """One block of `A_j <- (A_j + w) * factor_j`."""
    # Lists within tuples: this runs sixty times in a tick, and a generator takes a third longer.
    return tuple(
        [
            (a + log1p(exp(log_weight - a)) if a > log_weight else log_weight + log1p(exp(a - log_weight)))
            + factor
            for a, factor in zip(log_a, log_factors, strict=True)
        ]
    )


def bets(bad: int, expected: float) -> tuple[float, ...]:
    """Log factors of a block with `bad` requests where the limit expects `expected`; of an empty one, zeros."""
    if not bad:
        return tuple([-log1p(more * expected) for more in MORE])
    return tuple([log1p(more * bad) - log1p(more * expected) for more in MORE])


def likelihoods(bad: int, total: int, cost: tuple[float, ...], *, phi: float) -> tuple[float, ...]:
    """Log factors of `bad` of `total` requests that fail in clusters of at most `phi`.

    For up to phi dependent requests, Hölder bounds the mean of the product of the ratios' phi-th roots by 1.
    """
    k, n = bad / phi, total / phi
    return tuple([k * odds - n * each for odds, each in zip(LOG_ODDS, cost, strict=True)])


def log_evidence(log_a: tuple[float, ...], log_rest: float) -> float:
    """Log of `M = mean_j A_j + weight not started yet`."""
    top = max(log_a)
    mean = top + log(sum([exp(a - top) for a in log_a]) / len(log_a))
    high, low = (mean, log_rest) if mean > log_rest else (log_rest, mean)
    return high + log1p(exp(low - high))


def forgotten(log_a: tuple[float, ...], tick: int, planned: int) -> tuple[float, ...]:
    """The evidence lowered to its value without data: what was gathered against the limit is dropped.

    Lowering a supermartingale leaves it one, and the weight already started can still win later.
    """
    if tick <= 0:
        return log_a
    ceiling = log(started(tick, planned))
    return tuple(min(a, ceiling) for a in log_a)
