"""How failures of a lane hang together, measured on what stable served, and what the judge makes of it.

Requests are not independent: retries, sticky users and blips of a dependency bring failures in bursts. Two figures
say what the test must know. `together` is the index of dispersion of the bad requests of a tick (their variance over
that of independent requests: 1 for those, k when failures come k at a time). `burst_s` is the length of blocks from
which on neighbours have little to do with each other: their correlation is below 0.15. Both are taken against a mean
of ten minutes, so that the daily cycle of a lane is no burst. Long bursts are rare, and an hour may have none by
chance. So blocks cover the upper ends of both figures, too, within a tenth of the plan.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import ceil, sqrt
from typing import NamedTuple

from bot.domain.judge.history.served import ServedTick, named
from bot.domain.judge.policy import BURST_S, MIN_REQUESTS, JudgePolicy
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
# Where they do not count one by one, and where nothing is known, a block is at least this part of the plan, or a minute
# of a long one. Up to twice that it covers what the estimates may have missed; with fewer blocks, little is found in
# time.
_BLOCKS = 20
_MINUTE_S = 60.0
# A release so many times above its limit is found in this many ticks: more cost much, and find it little sooner.
_CLEARLY = 10.0
_TICKS = 8
# Of the requests that the candidate gets within the plan, the floor of a soak takes at most this share.
_MOST_OF_PLAN = 0.25


@dataclass(frozen=True, slots=True)
class Dependence:
    """together: failures that come at a time, and `at_most` with two standard errors more. burst_s: how long they last,
    and `burst_at_most_s` with one more of each correlation.

    measured_s, bad: the time of stable that this rests on, and the bad requests in it.
    """

    together: float
    at_most: float
    burst_s: float
    burst_at_most_s: float
    measured_s: float
    bad: int


class _Tick(NamedTuple):
    at: float
    bad: float
    total: float


def measured(ticks: Sequence[ServedTick], objective: str, tick_s: float) -> Dependence | None:
    """What the ticks of stable (by objective, in order) show; None when they are too few, or nearly none was bad."""
    usual = _usual(ticks, objective, tick_s)
    bad = sum(tick.bad for tick in usual)
    if len(usual) < LEAST_TICKS or bad < LEAST_BAD:
        return None
    excess = _excess(usual)
    squares = [value * value for _, value in excess]
    mean = sum(squares) / len(squares)
    at_most = mean + 2 * _error(squares)
    burst_s, longer_s = _burst_s(excess, tick_s), _burst_s(excess, tick_s, 1.0)
    return Dependence(mean, at_most, burst_s, longer_s, len(usual) * tick_s, int(bad))


def _usual(ticks: Sequence[ServedTick], objective: str, tick_s: float) -> list[_Tick]:
    """The ticks of about that length in which there were requests."""
    shortest, longest = _ALIKE[0] * tick_s, _ALIKE[1] * tick_s
    return [
        _Tick(tick.at, counts.bad, counts.total)
        for tick in ticks
        if shortest <= tick.seconds <= longest and (counts := tick.counts.get(objective)) and counts.total
    ]


def calibrated(
    policy: JudgePolicy,
    history: Sequence[ServedTick],
    requests_s: float | None,
    *,
    finest_tick_s: float | None = None,
) -> JudgePolicy:
    """The policy with what the lane's own history says; as it is where a person has set `phi`.

    history: of stable, as it is stored. requests_s: what the candidate gets at its first traffic; None is not known.
    finest_tick_s: how short a tick may become where it finds a bad release sooner; None: as in the policy.
    """
    if policy.phi is not None:
        return policy
    ticks, names = named(history, policy), [o.name for o in policy.objectives if o.enforce]
    found = [measured(ticks, name, policy.tick_s) for name in names]
    known = [each for each in found if each is not None]
    if not known:
        quiet = not names or any(len(_usual(ticks, name, policy.tick_s)) >= LEAST_TICKS for name in names)
        return policy if quiet else _new(policy)
    together, measured_s = max(each.together for each in known), min(each.measured_s for each in known)
    together = round(max(1.0, together), 1)
    said = replace(
        policy, measured_s=measured_s, together=together, min_requests=_floor(policy, together, requests_s)
    )
    at_most, burst_s = max(each.at_most for each in known), max(each.burst_s for each in known)
    one_by_one = at_most <= _ONE_BY_ONE and burst_s <= policy.tick_s
    if one_by_one and len(known) == len(found):
        phi = 1.0 if together <= _INDEPENDENT else round(at_most, 2)
        tick_s = policy.tick_s if finest_tick_s is None else _tick_s(policy, requests_s, finest_tick_s)
        return _planned(said, replace(said, phi=phi, tick_s=tick_s))
    if not one_by_one:
        longer_s = max(_across_s(at_most, requests_s), *(each.burst_at_most_s for each in known))
        least_s = _least_s(policy)
        burst_s = max(burst_s, _across_s(together, requests_s), least_s, min(longer_s, 2 * least_s))
    ticks_each = ceil(min(burst_s, _LONGEST_S) / policy.tick_s)
    return _planned(said, replace(said, burst_s=max(policy.burst_s, ticks_each * policy.tick_s)))


def _new(policy: JudgePolicy) -> JudgePolicy:
    """The policy of a lane of which nothing is known: longer blocks, unless a person has set their length."""
    burst_s = _least_s(policy) // policy.tick_s * policy.tick_s
    if policy.burst_s != BURST_S or burst_s <= policy.block_s:
        return policy
    return _planned(policy, replace(policy, burst_s=burst_s))


def _least_s(policy: JudgePolicy) -> float:
    return min(_MINUTE_S, policy.planned_ticks * policy.block_s / _BLOCKS)


def _across_s(together: float, requests_s: float | None) -> float:
    """How long a block must be, so that such a burst rarely lies across two; 0 where it is not known."""
    return _ACROSS * (together - 1) / requests_s if requests_s and together >= 2 else 0.0


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


def _burst_s(excess: Sequence[tuple[float, float]], tick_s: float, errors: float = 0.0) -> float:
    """The length of blocks, doubled until the correlation of neighbours is low, with so many standard errors added."""
    blocks, length_s = list(excess), tick_s
    while length_s < _LONGEST_S and _correlation(blocks, length_s, errors) >= _CORRELATED:
        paired = [
            (b_at, a + b)
            for (a_at, a), (b_at, b) in list(pairwise(blocks))[::2]
            if b_at - a_at < 1.6 * length_s
        ]
        blocks, length_s = paired, 2 * length_s
    return length_s


def _correlation(blocks: Sequence[tuple[float, float]], length_s: float, errors: float) -> float:
    beside = [a * b for (a_at, a), (b_at, b) in pairwise(blocks) if b_at - a_at < 1.6 * length_s]
    variance = sum(value * value for _, value in blocks) / len(blocks) if blocks else 0.0
    if not beside or not variance:
        return 0.0
    return (sum(beside) / len(beside) + errors * _error(beside)) / variance


def _error(values: Sequence[float]) -> float:
    """The standard error of the mean."""
    mean = sum(values) / len(values)
    return sqrt(sum((value - mean) ** 2 for value in values)) / len(values)
