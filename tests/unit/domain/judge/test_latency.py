"""A candidate that is clearly slower than stable gets a warning with its evidence, and one that is not gets none."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from math import exp, inf
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.judge.evidence.histogram import Histogram
from bot.domain.judge.evidence.ticks import Counts, Tick
from bot.domain.judge.judge import JudgePolicy, JudgeState, Objective, Outcome, warnings
from bot.domain.judge.statistics.latency import (
    RATIO,
    LatencyState,
    advance_latency,
    lead,
    slower,
    slower_places,
)
from tests.support.rules.judging import ERRORS, FIVE, judged, said
from tests.support.rules.latencies import (
    ROUTER_BOUNDS,
    Stream,
    Weather,
    drift,
    fair,
    shared_outages,
    spells,
)

POLICY = JudgePolicy((ERRORS,))
OLD_LADDER = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


def seen(
    ticks: Iterable[Tick], policy: JudgePolicy = POLICY, state: LatencyState | None = None
) -> LatencyState:
    """The test's state after these ticks."""
    for tick in ticks:
        state = advance_latency(state, policy, tick)
    return state or LatencyState()


def warned_after_s(stream: Stream, seed: object, ticks: int = 120, policy: JudgePolicy = POLICY) -> float:
    """Seconds until the warning, `inf` without one."""
    state = None
    for tick in stream.ticks(seed, ticks):
        state = advance_latency(state, policy, tick)
        if state is not None and state.warned_at is not None:
            return tick.at
    return inf


@pytest.mark.parametrize(
    ("stream", "within_s"),
    [
        (Stream(times=2.0), 300),
        (Stream(times=3.0), 150),
        (Stream(times=2.0, sigma=0.3), 200),
        (Stream(times=2.0, sigma=0.9), 600),
        (Stream(times=2.0, median_s=0.18), 400),
        (Stream(2, 38, times=2.0), 400),
        (Stream(1, 4, times=3.0), 300),
        (Stream(times=2.0, weather=shared_outages), 400),
        (Stream(times=4.0, bounds=OLD_LADDER), 150),
    ],
    ids=[
        "2x",
        "3x",
        "2x-narrow",
        "2x-wide",
        "2x-slower",
        "2x-at-a-twentieth",
        "3x-few",
        "2x-outages",
        "4x-old-bounds",
    ],
)
def test_a_doubled_median_is_found(stream: Stream, within_s: float) -> None:
    found = [warned_after_s(stream, seed) for seed in range(10)]
    assert sorted(found)[8] <= within_s  # nine of ten


@pytest.mark.parametrize("weather", [fair, shared_outages, drift, spells])
@pytest.mark.parametrize(("mine", "theirs"), [(25, 100), (1, 19), (100, 25)])
@pytest.mark.parametrize("times", [1.0, 0.7])
def test_a_candidate_as_fast_as_stable_gets_no_warning(
    weather: Weather, mine: int, theirs: int, times: float
) -> None:
    stream = Stream(mine, theirs, times=times, weather=weather)
    assert sum(warned_after_s(stream, seed, 90) < inf for seed in range(25)) == 0


@pytest.mark.simulation
@pytest.mark.parametrize("weather", [fair, drift, spells])
@pytest.mark.parametrize(("mine", "theirs"), [(25, 100), (1, 19)])
def test_at_the_edge_of_what_is_tolerated_false_warnings_are_as_rare_as_promised(
    weather: Weather, mine: int, theirs: int
) -> None:
    """Bounds in steps of exactly 1.5, so that nothing is lost between them: the odds are fair, and no better."""
    bounds = tuple(0.002 * RATIO**step for step in range(20))
    stream = Stream(mine, theirs, times=RATIO, weather=weather, bounds=bounds)
    policy = replace(POLICY, alpha=0.05)
    found = [warned_after_s(stream, seed, 100, policy) < inf for seed in range(100)]
    assert sum(found) <= 10  # 5 at the very edge, give or take chance
    ends = [exp(seen(stream.ticks(seed, 40), policy).log_m) for seed in range(100)]
    assert fmean(ends) < 1.6


counts = st.lists(st.integers(0, 30), min_size=len(ROUTER_BOUNDS) + 1, max_size=len(ROUTER_BOUNDS) + 1)


def cumulative(each: list[int]) -> Histogram:
    found = [sum(each[: place + 1]) for place in range(len(ROUTER_BOUNDS))]
    return Histogram(ROUTER_BOUNDS, tuple(found), sum(each))


@given(counts)
def test_a_candidate_that_is_at_most_half_again_as_slow_leads_at_no_bound(each: list[int]) -> None:
    """Every request of stable, one and a half times as slow, wherever in its bucket it was."""
    if not sum(each):
        return
    stable = cumulative(each)
    for part in (0.0, 0.5, 1.0):
        moved = [0] * (len(ROUTER_BOUNDS) + 1)
        for place, number in enumerate(each):
            low = ROUTER_BOUNDS[place - 1] if place else 0.0
            high = ROUTER_BOUNDS[place] if place < len(ROUTER_BOUNDS) else 100.0
            took = RATIO * (low + part * (high - low)) + 1e-9 * (part == 0)
            to = next(
                (p for p, bound in enumerate(ROUTER_BOUNDS) if took <= bound * (1 + 1e-12)), len(moved) - 1
            )
            moved[to] += number
        for x in range(len(slower_places(ROUTER_BOUNDS))):
            assert lead(cumulative(moved), stable, x) <= 1e-12


@given(st.lists(st.tuples(counts, counts), min_size=1, max_size=30))
def test_evidence_is_finite_and_stored_whatever_was_counted(ticks: list[tuple[list[int], list[int]]]) -> None:
    state = None
    for number, (mine, theirs) in enumerate(ticks, 1):
        tick = Tick(number * FIVE, FIVE, {}, latency=(cumulative(mine), cumulative(theirs)))
        state = advance_latency(state, POLICY, tick)
        if state is not None:
            assert LatencyState.from_json(json.loads(json.dumps(state.to_json()))) == state
            assert -1e9 < state.log_m < 1e3


def test_the_resolution_of_the_histogram_accuses_no_one() -> None:
    """95 and 105 ms lie in different buckets, of which the middles are far more than 1.5 times apart."""
    fast = Stream(median_s=0.095, sigma=0.01)
    slow = Stream(median_s=0.105, sigma=0.01)
    pairs = zip(fast.ticks("a", 100), slow.ticks("b", 100), strict=True)
    ticks = [
        Tick(f.at, FIVE, {}, latency=(s.latency[0], f.latency[1]))
        for f, s in pairs
        if f.latency is not None and s.latency is not None
    ]
    assert len(ticks) == 100
    assert seen(ticks).warned_at is None


def test_the_warning_names_both_medians_and_the_odds() -> None:
    found = slower(seen(Stream(times=3.0).ticks(1, 60)))
    assert found is not None
    assert found.quantile == 0.5
    assert found.stable_s == pytest.approx(0.04, rel=0.15)
    assert found.candidate_s == pytest.approx(0.12, rel=0.15)
    assert found.odds >= 100


def test_a_slower_tail_is_named_by_a_quantile_that_shows_it() -> None:
    ticks = []
    for number in range(1, 200):
        fast, slow = 60, 40
        mine = Histogram((0.05, 0.1, 0.2, 0.4), (fast, fast, fast, fast + slow), 100)
        theirs = Histogram((0.05, 0.1, 0.2, 0.4), (fast, fast + slow, fast + slow, fast + slow), 100)
        ticks.append(Tick(number * FIVE, FIVE, {}, latency=(mine, theirs)))
    found = slower(seen(ticks))
    assert found is not None
    assert found.quantile == 0.75


CLOSE = (0.1, 0.14, 0.2, 0.28, 0.4, 0.56)


@pytest.mark.parametrize(
    ("candidate", "quantile"),
    [
        ((300, 700, 720, 750, 1000, 1000), 0.75),  # p50 1.2, p75 1.4, p90 1.26 times stable's
        ((300, 700, 760, 900, 950, 1000), 0.5),  # p50 1.2 times, the others as fast
        ((460, 600, 750, 900, 950, 1000), None),  # p50 1.1 times
        ((500, 600, 750, 900, 950, 1000), None),
    ],
)
def test_a_candidate_that_is_a_little_slower_everywhere_is_shown_where_it_is_clearest(
    candidate: tuple[int, ...], quantile: float | None
) -> None:
    """There is much evidence, and no quantile is 1.5 times as slow: 1.2 times is enough for a warning."""
    theirs = Histogram(CLOSE, (500, 600, 750, 900, 950, 1000), 1000)
    odds = LatencyState(log_a=(9.0,) * 10, blocks=3)
    state = seen([Tick(FIVE, FIVE, {}, latency=(Histogram(CLOSE, candidate, 1000), theirs))], state=odds)
    found = slower(state)
    assert (found and found.quantile) == quantile
    assert (state.log_m > 4.6) is (quantile is not None), "what was gathered is dropped without a warning"


def test_a_candidate_that_recovers_loses_its_warning() -> None:
    slow = seen(Stream(times=4.0).ticks(1, 40))
    assert slow.warned_at is not None
    over = seen(Stream().ticks(2, 160, first=41), state=slow)
    assert over.warned_at is None
    assert slower(over) is None


def test_a_candidate_that_becomes_slow_late_is_found() -> None:
    good = seen(Stream().ticks(1, 200))
    late = seen(Stream(times=3.0).ticks(2, 60, first=201), state=good)
    found = slower(late)
    assert found is not None
    assert found.candidate_s > 2 * found.stable_s


def test_without_requests_of_both_nothing_is_learnt() -> None:
    state = seen(Stream().ticks(1, 10))
    one = Tick(
        1000.0, FIVE, {}, latency=(Histogram(), Histogram(ROUTER_BOUNDS, (5,) * len(ROUTER_BOUNDS), 5))
    )
    assert advance_latency(state, POLICY, one) is state
    assert advance_latency(None, POLICY, one) is None
    assert advance_latency(state, POLICY, Tick(1000.0, FIVE, {})) is state


def test_histograms_without_two_bounds_far_enough_apart_are_not_tested() -> None:
    both = Histogram((1.0, 1.2), (5, 5), 5), Histogram((1.0, 1.2), (5, 5), 5)
    assert advance_latency(None, POLICY, Tick(FIVE, FIVE, {}, latency=both)) is None


def test_other_bounds_keep_the_evidence_and_begin_new_histograms() -> None:
    state = seen(Stream(times=3.0).ticks(1, 20))
    other = seen(Stream(times=3.0, bounds=OLD_LADDER).ticks(2, 1, first=21), state=state)
    assert other.candidate.bounds == OLD_LADDER
    assert (other.candidate.total, other.stable.total) == (25, 100)
    assert other.log_m == pytest.approx(state.log_m, abs=0.1)
    assert other.blocks == state.blocks + 1


def test_a_longer_block_is_one_observation() -> None:
    policy = replace(POLICY, burst_s=20.0)
    state = seen(Stream(times=3.0).ticks(1, 11), policy)
    assert (state.blocks, state.block_since) == (2, 40.0)
    assert state.weight == pytest.approx(60.0)  # three ticks of 25 * 100 / 125
    assert state.levels
    assert warned_after_s(Stream(times=4.0), 1, 300, policy) > warned_after_s(Stream(times=4.0), 1)


def test_old_requests_fade() -> None:
    state = seen(Stream().ticks(1, 500))
    assert state.seconds < 2 * POLICY.recent_s
    assert state.candidate.total < 25 * 2 * POLICY.recent_s / FIVE


# ---- in the verdict ----

LATENCY = Objective("latency", "latency", 0.01, 2.0)


def beside(ticks: Iterable[Tick], bad: int = 0) -> list[Tick]:
    """The ticks with 100 requests of both objectives, `bad` of them failed."""
    counted = {"errors": Counts(100, bad), "latency": Counts(100, 0)}
    return [replace(tick, candidate=counted, stable=dict.fromkeys(counted, Counts(100, 0))) for tick in ticks]


def test_a_slower_candidate_within_its_limits_passes_with_a_warning() -> None:
    policy = JudgePolicy((ERRORS, LATENCY))
    found = said(policy, beside(Stream(times=3.0).ticks(1, 60)))
    assert found.outcome is Outcome.PASS
    (warning,) = (reason for reason in found.reasons if reason.warning)
    assert (warning.objective, warning.enforced, warning.outcome) == (
        "slower than stable",
        False,
        Outcome.PASS,
    )
    assert warning.sentence.startswith("p50 went from ")
    assert warning.value is not None
    assert warning.value > RATIO


def test_it_changes_neither_a_failure_nor_anything_else_of_the_verdict() -> None:
    policy = JudgePolicy((ERRORS, LATENCY))
    for bad in (0, 1, 20):
        ticks = beside(Stream(times=3.0).ticks(1, 60), bad)
        without = said(policy, [replace(tick, latency=None) for tick in ticks])
        found = said(policy, ticks)
        assert any(reason.warning for reason in found.reasons)
        assert replace(found, reasons=tuple(r for r in found.reasons if not r.warning)) == without


def test_the_state_is_stored_with_the_judge_and_older_ones_are_read() -> None:
    state = judged(JudgePolicy((ERRORS, LATENCY)), beside(Stream(times=3.0).ticks(1, 60)))
    stored = json.loads(json.dumps(state.to_json()))
    assert JudgeState.from_json(stored) == state
    assert list(warnings(state))
    del stored["latency"]
    assert JudgeState.from_json(stored) == replace(state, latency=None)
    assert not list(warnings(replace(state, latency=None)))
