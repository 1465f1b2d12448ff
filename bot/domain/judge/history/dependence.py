"""How failures of a lane hang together, measured on what stable served, and what the judge makes of it.

Requests are not independent: retries, sticky users and blips of a dependency bring failures in bursts. Two figures
say what the test must know. `together` is the index of dispersion of the bad requests of a tick (their variance over
that of independent requests: 1 for those, k when failures come k at a time). `burst_s` is the length of blocks from
which on neighbours have little to do with each other: their correlation is below 0.15. Both are taken against a mean
of ten minutes, so that the daily cycle of a lane is no burst.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import ceil, sqrt
from typing import NamedTuple

from bot.domain.judge.history.served import ServedTick, named
from bot.domain.judge.policy import MIN_REQUESTS, JudgePolicy
from bot.domain.judge.statistics.power import requests_needed

# Below these, an estimate says more about chance than about the lane.
LEAST_TICKS = 360
LEAST_BAD = 20
_TREND_S = 600.0
_ALIKE = 0.5, 1.6  # of the usual length: ticks of another one are left out
_CORRELATED = 0.15
_LONGEST_S = 300.0
# Up to this dispersion, with two standard errors added, requests count one by one; up to the second without them, they
# are independent as far as can be measured.
_ONE_BY_ONE = 1.5
_INDEPENDENT = 1.1
# A burst should rarely lie across two blocks, so a block is this many times as long.
_ACROSS = 5.0
# A release so many times above its limit is found in this many ticks: more cost much, and find it little sooner.
_CLEARLY = 10.0
_TICKS = 8
# Of the requests that the candidate gets within the plan, the floor of a soak takes at most this share.
_MOST_OF_PLAN = 0.25


@dataclass(frozen=True, slots=True)
class Dependence:
    """together: failures that come at a time, and `at_most` with two standard errors more. burst_s: how long they last.

    measured_s, bad: the time of stable that this rests on, and the bad requests in it.
    """

    together: float
    at_most: float
    burst_s: float
    measured_s: float
    bad: int


class _Tick(NamedTuple):
    at: float
    bad: float
    total: float


def measured(ticks: Sequence[ServedTick], objective: str, tick_s: float) -> Dependence | None:
    """What the ticks of stable (by objective, in order) show; None when they are too few, or nearly none was bad."""
    shortest, longest = _ALIKE[0] * tick_s, _ALIKE[1] * tick_s
    usual = [
        _Tick(tick.at, counts.bad, counts.total)
        for tick in ticks
        if shortest <= tick.seconds <= longest and (counts := tick.counts.get(objective)) and counts.total
    ]
    bad = sum(tick.bad for tick in usual)
    if len(usual) < LEAST_TICKS or bad < LEAST_BAD:
        return None
    excess = _excess(usual)
    squares = [value * value for _, value in excess]
    mean = sum(squares) / len(squares)
    spread = sqrt(sum((square - mean) ** 2 for square in squares) / len(squares) / len(squares))
    return Dependence(mean, mean + 2 * spread, _burst_s(excess, tick_s), len(usual) * tick_s, int(bad))


def calibrated(
    policy: JudgePolicy,
    history: Sequence[ServedTick],
    requests_s: float | None,
    *,
    finest_tick_s: float | None = None,
) -> JudgePolicy:
    """The policy with what the lane's own history says; as it is where a person has set `phi`, or nothing is known.

    history: of stable, as it is stored. requests_s: what the candidate gets at its first traffic; None is not known.
    finest_tick_s: how short a tick may become where it finds a bad release sooner; None: as in the policy.
    """
    if policy.phi is not None:
        return policy
    ticks = named(history, policy)
    found = [
        measured(ticks, objective.name, policy.tick_s) for objective in policy.objectives if objective.enforce
    ]
    known = [each for each in found if each is not None]
    if not known:
        return policy
    together, measured_s = max(each.together for each in known), min(each.measured_s for each in known)
    together = round(max(1.0, together), 1)
    said = replace(
        policy, measured_s=measured_s, together=together, min_requests=_floor(policy, together, requests_s)
    )
    at_most = max(each.at_most for each in known)
    burst_s = max(each.burst_s for each in known)
    if len(known) == len(found) and at_most <= _ONE_BY_ONE and burst_s <= policy.tick_s:
        phi = 1.0 if together <= _INDEPENDENT else round(at_most, 2)
        tick_s = policy.tick_s if finest_tick_s is None else _tick_s(policy, requests_s, finest_tick_s)
        return _planned(said, replace(said, phi=phi, tick_s=tick_s))
    if requests_s and together >= 2:
        burst_s = max(burst_s, _ACROSS * (together - 1) / requests_s)
    ticks_each = ceil(min(burst_s, _LONGEST_S) / policy.tick_s)
    return _planned(said, replace(said, burst_s=max(policy.burst_s, ticks_each * policy.tick_s)))


def _floor(policy: JudgePolicy, together: float, requests_s: float | None) -> int:
    """The requests that a soak needs: as many independent ones as by default, as far as the plan gives them."""
    if policy.min_requests != MIN_REQUESTS or requests_s is None:
        return policy.min_requests
    given = policy.planned_ticks * policy.block_s * requests_s * _MOST_OF_PLAN
    return max(MIN_REQUESTS, round(min(MIN_REQUESTS * together, given)))


def _tick_s(policy: JudgePolicy, requests_s: float | None, finest_s: float) -> float:
    """Whole seconds between two looks, so that a clearly bad release is found in `_TICKS` of them."""
    limit = min(objective.limit for objective in policy.objectives if objective.enforce)
    rate = min(0.99, _CLEARLY * limit)
    if not requests_s or rate <= limit:
        return policy.tick_s
    found_s = requests_needed(rate, limit, policy.evidence_needed) / requests_s
    return max(finest_s, min(policy.tick_s, float(found_s // _TICKS)))


def _planned(before: JudgePolicy, after: JudgePolicy) -> JudgePolicy:
    """The policy with as much planned time as before, in blocks of its own length."""
    planned_s = before.planned_ticks * before.block_s
    return replace(after, planned_ticks=max(1, round(planned_s / after.block_s)))


def _excess(ticks: Sequence[_Tick]) -> list[tuple[float, float]]:
    """For each tick its time, and its bad requests beyond the mean of its ten minutes, in standard deviations."""
    found: list[tuple[float, float]] = []
    window: list[_Tick] = []
    for tick in [*ticks, None]:
        if window and (tick is None or tick.at - window[0].at >= _TREND_S):
            rate = sum(t.bad for t in window) / sum(t.total for t in window)
            for t in window:
                spread = sqrt(t.total * rate * (1 - rate))
                found.append((t.at, (t.bad - t.total * rate) / spread if spread else 0.0))
            window = []
        if tick is not None:
            window.append(tick)
    return found


def _burst_s(excess: Sequence[tuple[float, float]], tick_s: float) -> float:
    """The length of blocks, doubled until the correlation of neighbours is low."""
    blocks, length_s = list(excess), tick_s
    while length_s < _LONGEST_S and _correlation(blocks, length_s) >= _CORRELATED:
        paired = [
            (b_at, a + b)
            for (a_at, a), (b_at, b) in list(pairwise(blocks))[::2]
            if b_at - a_at < 1.6 * length_s
        ]
        blocks, length_s = paired, 2 * length_s
    return length_s


def _correlation(blocks: Sequence[tuple[float, float]], length_s: float) -> float:
    beside = [a * b for (a_at, a), (b_at, b) in pairwise(blocks) if b_at - a_at < 1.6 * length_s]
    variance = sum(value * value for _, value in blocks) / len(blocks) if blocks else 0.0
    return sum(beside) / len(beside) / variance if beside and variance else 0.0
