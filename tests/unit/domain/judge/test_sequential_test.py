"""The mathematics: no good release gains evidence on average, shares add up to one, bounds hold, words are right."""

from __future__ import annotations

from itertools import pairwise
from math import comb, exp, inf, log

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.judge.rules import Window, push, sums
from bot.domain.judge.statistics.confidence import (
    GRID,
    Bounds,
    bounds,
    bounds_sentence,
    detectable,
    log_mixture,
    power_sentence,
)
from bot.domain.judge.statistics.power import at_least, blocks_needed, found_by_bets
from bot.domain.judge.statistics.sequential_test import (
    EMPTY,
    bets,
    costs,
    forgotten,
    likelihoods,
    log_evidence,
    log_share,
    log_waiting,
    started,
    step,
)

plans = st.integers(1, 60)
limits = st.floats(0.0005, 0.5)


def pmf(k: int, n: int, p: float) -> float:
    return comb(n, k) * p**k * (1 - p) ** (n - k)


def log_worth(log_a: tuple[float, ...], at: int, planned: int) -> float:
    """Log of M before tick `at`: what the tests hold plus all weight that has not started."""
    return log_evidence(log_a, log_waiting(at - 1, planned)) if at > 1 else 0.0


@given(plans, st.integers(1, 400))
def test_shares_add_up_to_what_has_started_and_never_to_more_than_one(planned: int, ticks: int) -> None:
    total = sum(exp(log_share(t, planned)) for t in range(1, ticks + 1))
    assert total == pytest.approx(started(ticks, planned))
    assert total + exp(log_waiting(ticks, planned)) == pytest.approx(1.0)
    assert started(0, planned) == 0


@settings(max_examples=60, deadline=None)
@given(
    limits,
    st.floats(0, 1),
    plans,
    st.integers(1, 80),
    st.integers(1, 25),
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 6)), max_size=5),
    st.booleans(),
)
def test_no_rate_up_to_the_limit_gains_evidence_on_average(
    limit: float, share: float, planned: int, tick: int, n: int, past: list[tuple[int, int]], betting: bool
) -> None:
    def factors(bad: int, total: int) -> tuple[float, ...]:
        return bets(bad, limit * total) if betting else likelihoods(bad, total, costs(limit), phi=1.0)

    log_a = EMPTY
    for t in range(1, tick):
        total, bad = past[t % len(past)] if past else (0, 0)
        log_a = step(log_a, log_share(t, planned), factors(min(bad, total), total))
    p, before = limit * share, log_worth(log_a, tick, planned)
    mean = 0.0
    for k in range(n + 1):
        after = step(log_a, log_share(tick, planned), factors(k, n))
        mean += pmf(k, n, p) * exp(log_evidence(after, log_waiting(tick, planned)) - before)
    assert mean <= 1 + 1e-9


@settings(max_examples=60, deadline=None)
@given(limits, st.integers(1, 5), st.integers(1, 8), st.floats(0, 1))
def test_clusters_up_to_phi_gain_none_either(limit: float, size: int, clusters: int, share: float) -> None:
    mean = 0.0
    for k in range(clusters + 1):
        after = step(EMPTY, log_share(1, 10), likelihoods(k * size, clusters * size, costs(limit), phi=size))
        mean += pmf(k, clusters, limit * share) * exp(log_evidence(after, log_waiting(1, 10)))
    assert mean <= 1 + 1e-9


@settings(max_examples=60, deadline=None)
@given(st.floats(0.001, 0.3), st.floats(0.5, 3), st.floats(0, 1), st.integers(1, 12), st.integers(1, 12))
def test_a_candidate_within_the_ratio_gains_none_whatever_stable_does(
    p: float, ratio: float, share: float, n: int, m: int
) -> None:
    candidate = min(1.0, p * ratio) * share
    expected = costs.__wrapped__(ratio * n / (ratio * n + m))
    mean = 0.0
    for k in range(n + 1):
        for other in range(m + 1):
            after = step(EMPTY, log_share(1, 10), likelihoods(k, k + other, expected, phi=1.0))
            chance = pmf(k, n, candidate) * pmf(other, m, p)
            mean += chance * exp(log_evidence(after, log_waiting(1, 10)))
    assert mean <= 1 + 1e-9


@settings(max_examples=60, deadline=None)
@given(
    limits, st.floats(0, 1), st.lists(st.tuples(st.integers(1, 9), st.floats(0, 1)), min_size=1, max_size=6)
)
def test_what_hangs_together_within_a_block_gains_no_bet_anything(
    limit: float, share: float, groups: list[tuple[int, float]]
) -> None:
    """Groups of requests that fail or succeed together, for the same part of the time each, however it is shared."""
    total = sum(size for size, _ in groups)
    outcomes = {0: 1.0}
    for size, _ in groups:
        p = limit * share
        after: dict[int, float] = {}
        for bad, chance in outcomes.items():
            after[bad] = after.get(bad, 0.0) + chance * (1 - p)
            after[bad + size] = after.get(bad + size, 0.0) + chance * p
        outcomes = after
    mean = [0.0] * 10
    for bad, chance in outcomes.items():
        mean = [m + chance * exp(f) for m, f in zip(mean, bets(bad, limit * total), strict=True)]
    assert max(mean) <= 1 + 1e-9


@settings(max_examples=60, deadline=None)
@given(st.floats(0.02, 0.98), st.integers(1, 12))
def test_who_shares_a_burst_gains_no_bet_anything(share: float, bad: int) -> None:
    """The bad requests of a tick go to the candidate by its share of the traffic, all at once."""
    of_candidate, of_stable = bets(bad, share * bad), bets(0, share * bad)
    for mine, theirs in zip(of_candidate, of_stable, strict=True):
        assert share * exp(mine) + (1 - share) * exp(theirs) <= 1 + 1e-9


def test_an_empty_block_bets_nothing() -> None:
    assert bets(0, 0.0) == (0.0,) * 10


def test_forgetting_only_lowers() -> None:
    log_a = step(EMPTY, log_share(1, 10), likelihoods(9, 20, costs(0.01), phi=1.0))
    after = forgotten(log_a, 1, 10)
    assert all(new <= old for new, old in zip(after, log_a, strict=True))
    assert log_evidence(after, log_waiting(1, 10)) == pytest.approx(0.0, abs=1e-12)


def test_evidence_survives_a_million_requests_and_a_million_failures() -> None:
    good = step(EMPTY, log_share(1, 10), likelihoods(0, 10**7, costs(0.01), phi=1.0))
    assert log_evidence(good, log_waiting(1, 10)) == pytest.approx(log_waiting(1, 10))
    bad = step(good, log_share(2, 10), likelihoods(10**7, 10**7, costs(0.01), phi=1.0))
    assert log_evidence(bad, log_waiting(2, 10)) > 1e6


@given(st.integers(0, 60), st.integers(1, 60), st.floats(0.001, 0.999))
def test_tails_are_those_of_the_binomial(bad: int, total: int, p: float) -> None:
    exact = sum(pmf(k, total, p) for k in range(bad, total + 1))
    assert at_least(bad, total, p) == pytest.approx(exact, abs=1e-9)


def test_tails_hold_at_their_ends() -> None:
    assert (at_least(3, 9, 0.0), at_least(3, 9, 1.0), at_least(10, 9, 0.5)) == (0.0, 1.0, 0.0)
    assert 0 < at_least(10_500, 1_000_000, 0.01) < 1e-5


@given(st.integers(0, 3000), st.integers(1, 3000))
def test_bounds_hold_the_observed_rate_between_them(bad: int, total: int) -> None:
    bad = min(bad, total)
    found = bounds(bad, total)
    assert 0 <= found.low <= max(bad / total, GRID[0])
    assert min(bad / total, GRID[-1]) <= found.high <= 1
    wider = bounds(bad, total, alpha=0.001)
    assert wider.low <= found.low
    assert found.high <= wider.high


def test_bounds_are_the_test_inverted() -> None:
    low, up = bounds(12, 148).low, [0.05 * 2**i for i in range(7)]
    assert log_mixture(12, 148, low, shifts=up) >= log(100) > log_mixture(12, 148, low * 1.11, shifts=up)
    assert bounds(0, 0) == Bounds(0.0, 1.0)
    assert bounds(0, 10**6).low == 0.0
    assert all(a < b for a, b in pairwise(GRID))


def test_bounds_read_as_on_the_card() -> None:
    assert bounds_sentence(bounds(60, 1000), bounds(40, 9000)) == (
        "candidate at least 3.5% and at most 9.1%, stable at least 0.22% and at most 0.75%"
    )
    assert bounds_sentence(bounds(0, 2000)) == "candidate at most 0.35%"
    assert bounds_sentence(Bounds(0.0, 1.0)) == "candidate unknown"
    assert bounds_sentence(Bounds(0.9, 1.0)) == "candidate at least 90%"


def test_the_power_of_a_soak_is_what_it_could_have_shown() -> None:
    rate = detectable(1000, 0.01, 100.0, blocks=40, phi=1.0)
    assert rate is not None
    fewest = next(k for k in range(1000) if log_mixture(k, 1000, 0.01) >= log(200))
    assert at_least(fewest, 1000, rate) >= 0.95 > at_least(fewest, 1000, GRID[GRID.index(rate) - 1])
    assert (
        power_sentence(1000, 0.01, 100.0, blocks=40, phi=1.0)
        == "95% power to detect a 3.5% rate after 1,000 requests"
    )
    clustered = detectable(1000, 0.01, 100.0, blocks=40, phi=3.0)
    assert clustered is not None
    assert clustered > rate
    assert power_sentence(2, 0.01, 100.0, blocks=1) == "2 requests are too few to detect any rate above 1%"
    assert detectable(3, 0.01, 1e5, blocks=1, min_bad=3, phi=1.0) is None
    assert detectable(3, 0.01, 100.0, blocks=1, min_bad=3) in (None, *GRID)


def test_what_bets_find_needs_more_than_one_block_and_traffic() -> None:
    def found(rate: float, requests: float, blocks: int) -> bool:
        return found_by_bets(rate, 0.01, 100.0, requests=requests, blocks=blocks, min_bad=3)

    assert found(0.05, 25.0, 40) and not found(0.05, 25.0, 4)
    assert not found(0.05, 1.0, 40)  # fewer than three bad requests, often
    assert not found(0.009, 1000.0, 10_000)
    assert found(1.0, 1000.0, 3) and not found(1.0, 1000.0, 1)
    assert blocks_needed(0.01, 0.01, 100.0, 25.0) == blocks_needed(0.0, 0.01, 100.0, 25.0) == inf
    assert 1 < blocks_needed(0.1, 0.01, 100.0, 1000.0) < blocks_needed(0.02, 0.01, 100.0, 1000.0) < 20


def test_a_window_holds_at_most_thirteen_slots_and_the_sums_of_its_time() -> None:
    window: Window = ()
    for second in range(0, 600, 5):
        window = push(window, 60.0, float(second), (10, 1))
        assert len(window) <= 13
    assert sums(window, 2) == (130, 13)
    assert sums((), 2) == (0, 0)
