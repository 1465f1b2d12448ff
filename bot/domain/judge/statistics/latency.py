"""The anytime-valid test of "the candidate is at most 1.5 times as slow as stable", on the histograms of both.

If every request of the candidate takes at most r times as long as it would with stable, then P(candidate > y) is at
most P(stable > x) wherever y >= r * x. For each bound x of the histogram, y is the next bound at or above r * x, so
the histogram's resolution never accuses; it only hides what is smaller. In each block of the judge, a bet at x
multiplies its stake by 1 + L * (share of the candidate's requests above y - share of stable's above x). Both shares
lie between 0 and 1, so the factor is positive, and its mean is at most 1 as long as, given what was before, the
candidate's share is expected to be no larger: whatever hangs together within the block, in one release or in both,
and however traffic is split. (A bet on the candidate's part of all slow requests, as in `judge.py`, needs more:
bursts that grow with traffic.) Ten bets, two stakes at each of five bounds, are averaged and started over time as in
`sequential_test.py`. The bounds are chosen from what was seen before the block: the first at or above four quantiles
of stable, and the one where the candidate was furthest behind.

After Shekhar and Ramdas, "Nonparametric two-sample testing by betting", IEEE Trans. Inf. Theory 2024, and Arnold, Choe,
Scarsini and Tsetlin, "Betting on bets: anytime-valid tests for stochastic dominance", 2026.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from math import exp, inf, log, log1p
from operator import add
from typing import Any, NamedTuple

from bot.domain.judge.evidence.histogram import NOTHING, Histogram, common
from bot.domain.judge.evidence.ticks import Tick
from bot.domain.judge.policy import JudgePolicy
from bot.domain.judge.statistics.sequential_test import (
    EMPTY,
    forgotten,
    log_evidence,
    log_share,
    log_waiting,
    step,
)

# The candidate may be this many times as slow. The bounds that routers count at are 1.3 to 1.7 times apart: with 2, a
# doubled latency would never be seen.
RATIO = 1.5
_QUANTILES = (0.25, 0.5, 0.75, 0.9)
_STAKES = (0.3, 0.9)
# A warning ends when the candidate is less than this many times as slow at the quantile that it is about, or the odds
# fall so low.
_OVER, _DOUBTED = 1.2, 10.0
# Older requests fade from the histograms that are shown once they have this many.
_ENOUGH = 200
# Quantiles beyond the median are looked at where so many requests of both lie above them.
_SHOWN = (0.5, 0.75, 0.9, 0.95, 0.99)
_ABOVE = 10


@dataclass(frozen=True, slots=True)
class LatencyState:
    """The test's state.

    candidate, stable: both histograms over the same recent time, at the same bounds; `seconds` of it.
    levels: places of the bounds x that the open block bets on, in `bounds`; none before the first block.
    leads, weight: of the open block: differences of the shares at these bounds, each tick weighted by its traffic.
    blocks: complete ones; block_since: when the open one began (unix seconds).
    log_a, log_m: logs of the ten bets, and of their mean with what was not staked yet.
    warned_at, quantile: unix seconds since when the warning stands, and what it is about (0.5 is the median).
    """

    candidate: Histogram = NOTHING
    stable: Histogram = NOTHING
    seconds: float = 0.0
    levels: tuple[int, ...] = ()
    leads: tuple[float, ...] = ()
    weight: float = 0.0
    blocks: int = 0
    block_since: float | None = None
    log_a: tuple[float, ...] = EMPTY
    log_m: float = 0.0
    warned_at: float | None = None
    quantile: float = 0.5

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        plain = {name: getattr(self, name) for name in _PLAIN}
        return {**plain, "candidate": self.candidate.to_json(), "stable": self.stable.to_json()}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> LatencyState:
        """Inverse of `to_json`."""
        plain: dict[str, Any] = {name: stored[name] for name in _PLAIN}
        for name in ("levels", "leads", "log_a"):
            plain[name] = tuple(plain[name])
        return cls(Histogram.from_json(stored["candidate"]), Histogram.from_json(stored["stable"]), **plain)


_PLAIN = tuple(f.name for f in fields(LatencyState) if f.name not in ("candidate", "stable"))


@dataclass(frozen=True, slots=True)
class Slower:
    """A warning: the `quantile` of latency (0.5 is the median) of both in seconds, interpolated, and the odds.

    candidate_s: `inf` above the last bound, which is `last_s`. samples: requests of the candidate behind it.
    """

    quantile: float
    stable_s: float
    candidate_s: float
    odds: float
    samples: int
    last_s: float


def advance_latency(state: LatencyState | None, policy: JudgePolicy, tick: Tick) -> LatencyState | None:
    """The state after one tick; None until both had requests over the same time."""
    if tick.latency is None:
        return state
    candidate, stable = tick.latency
    bounds = common(candidate.bounds, stable.bounds)
    if not (candidate.total and stable.total and slower_places(bounds)):
        return state
    state = _of_bounds(state or LatencyState(), bounds)
    candidate, stable = candidate.at(bounds), stable.at(bounds)
    since = state.block_since if state.block_since is not None else tick.at - tick.seconds
    weight = candidate.total * stable.total / (candidate.total + stable.total)
    here = [weight * lead(candidate, stable, x) for x in state.levels]
    leads = tuple(map(add, state.leads, here)) if state.leads else tuple(here)
    seen = _Seen(candidate.plus(state.candidate), stable.plus(state.stable), state.seconds + tick.seconds)
    weight += state.weight
    if policy.phi is None and tick.at - since < policy.burst_s - policy.tick_s / 2:
        return replace(state, **seen._asdict(), leads=leads, weight=weight, block_since=since)
    return _faded(_warned(_block(state, policy, seen, leads, weight), policy, tick.at), policy)


class _Seen(NamedTuple):
    """What `LatencyState` says of both histograms."""

    candidate: Histogram
    stable: Histogram
    seconds: float


def _of_bounds(state: LatencyState, bounds: tuple[float, ...]) -> LatencyState:
    """The state for these bounds: another histogram begins a new block, with nothing known of its bounds yet."""
    if state.candidate.bounds == bounds:
        return state
    empty = Histogram(bounds, (0,) * len(bounds))
    return replace(
        state, candidate=empty, stable=empty, seconds=0.0, levels=(), leads=(), weight=0.0, block_since=None
    )


def _block(
    state: LatencyState, policy: JudgePolicy, seen: _Seen, leads: tuple[float, ...], weight: float
) -> LatencyState:
    """The open block as one observation, and the bounds for the next one."""
    blocks = state.blocks + 1
    factors = [log1p(stake * lead / weight) for lead in leads for stake in _STAKES]
    log_a = step(state.log_a, log_share(blocks, policy.planned_ticks), factors or (0.0,) * len(EMPTY))
    return LatencyState(
        *seen,
        levels=_levels(seen.candidate, seen.stable),
        blocks=blocks,
        log_a=log_a,
        log_m=log_evidence(log_a, log_waiting(blocks, policy.planned_ticks)),
        warned_at=state.warned_at,
        quantile=state.quantile,
    )


def _warned(state: LatencyState, policy: JudgePolicy, at: float) -> LatencyState:
    """A warning begins with odds of 1/alpha, so that a false one is rare over the whole rollout.

    Once the candidate is as fast as stable at the quantile that it is about, or hardly any evidence is left, it ends,
    and what was gathered against the candidate is dropped.
    """
    if state.warned_at is None and state.log_m < -log(policy.alpha):
        return state
    found = slower(state) if state.warned_at is not None else _clearest(state)
    if found is not None and found.candidate_s >= _OVER * found.stable_s and state.log_m >= log(_DOUBTED):
        since = state.warned_at if state.warned_at is not None else at
        return replace(state, warned_at=since, quantile=found.quantile)
    log_a = forgotten(state.log_a, state.blocks, policy.planned_ticks)
    log_m = log_evidence(log_a, log_waiting(state.blocks, policy.planned_ticks))
    return replace(state, log_a=log_a, log_m=log_m, warned_at=None)


def _faded(state: LatencyState, policy: JudgePolicy) -> LatencyState:
    if state.seconds < 2 * policy.recent_s or min(state.candidate.total, state.stable.total) < _ENOUGH:
        return state
    halves = state.candidate.halved(), state.stable.halved()
    return replace(state, candidate=halves[0], stable=halves[1], seconds=state.seconds / 2)


@lru_cache(maxsize=256)
def slower_places(bounds: tuple[float, ...]) -> tuple[int, ...]:
    """For each bound x that has one, the place of the first bound at or above `RATIO` times x."""
    # A bound such as 0.30000000000000004 is the bound 0.3.
    found = (
        next((place for place, bound in enumerate(bounds) if bound >= RATIO * x * (1 - 1e-9)), None)
        for x in bounds
    )
    return tuple(place for place in found if place is not None)


def lead(candidate: Histogram, stable: Histogram, x: int) -> float:
    """The candidate's share of requests above `RATIO` times the bound x, minus stable's share above x."""
    y = slower_places(stable.bounds)[x]
    return stable.counts[x] / stable.total - candidate.counts[y] / candidate.total


def _levels(candidate: Histogram, stable: Histogram) -> tuple[int, ...]:
    places, mine, theirs = slower_places(stable.bounds), 1 / candidate.total, 1 / stable.total
    leads = [n * theirs - candidate.counts[y] * mine for n, y in zip(stable.counts, places, strict=False)]
    last = len(places) - 1
    found = [bisect_left(stable.counts, share * stable.total, 0, last) for share in _QUANTILES]
    return (*found, leads.index(max(leads)))


def slower(state: LatencyState | None) -> Slower | None:
    """The warning that stands; None without one."""
    return _at(state, state.quantile) if state is not None and state.warned_at is not None else None


def _clearest(state: LatencyState) -> Slower | None:
    """The first quantile from the median on that shows that the candidate is slower, or the one that shows it best."""
    least = min(state.candidate.total, state.stable.total)
    shares = [share for share in _SHOWN if share == _SHOWN[0] or (1 - share) * least >= _ABOVE]
    seen = [found for share in shares if (found := _at(state, share)) is not None]
    clear = next((one for one in seen if one.candidate_s >= RATIO * one.stable_s), None)
    return clear or max(seen, key=lambda one: one.candidate_s / one.stable_s, default=None)


def _at(state: LatencyState, share: float) -> Slower | None:
    mine, theirs = state.candidate.quantile(share), state.stable.quantile(share)
    if mine is None or theirs is None or not 0 < theirs.value < inf:
        return None
    odds, last = exp(min(state.log_m, 40.0)), state.stable.bounds[-1]
    return Slower(share, theirs.value, mine.value, odds, state.candidate.total, last)
