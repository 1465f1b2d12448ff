"""What was made faster gives the same numbers as its plain form, to the last bit."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from math import exp, inf, isfinite, lgamma, log, log1p, sqrt

from hypothesis import assume, given
from hypothesis import strategies as st

from bot.domain.judge.evidence.histogram import (
    Histogram,
    bounds_of,
    common,
    gained_histogram,
    read,
    thinned,
)
from bot.domain.judge.statistics.confidence import log_mixture
from bot.domain.judge.statistics.power import _growth
from bot.domain.judge.statistics.sequential_test import (
    ALTERNATIVES,
    LOG_ODDS,
    MORE,
    NOTHING,
    costs,
    likelihoods,
    step,
)

LOGS = st.one_of(st.just(NOTHING), st.floats(-800, 60))
TEN = st.lists(LOGS, min_size=ALTERNATIVES, max_size=ALTERNATIVES).map(tuple)
LIMITS = st.floats(1e-5, 0.99)
COUNTS = st.integers(0, 10**7)
LADDERS = st.lists(st.sampled_from([0.005 * 1.5**n for n in range(40)]), unique=True).map(sorted).map(tuple)


def _bits(values: Sequence[float]) -> list[str]:
    return [value.hex() for value in values]


@given(TEN, LOGS, st.lists(st.floats(-50, 50), min_size=ALTERNATIVES, max_size=ALTERNATIVES))
def test_a_step(log_a: tuple[float, ...], weight: float, factors: list[float]) -> None:
    grown = []
    for a, factor in zip(log_a, factors, strict=True):
        if a > weight:
            grown.append(a + log1p(exp(weight - a)) + factor)
        else:
            grown.append(weight + log1p(exp(a - weight)) + factor)
    assert _bits(step(log_a, weight, factors)) == _bits(grown)


@given(COUNTS, COUNTS, LIMITS, st.floats(1, 50))
def test_likelihoods_and_costs(bad: int, total: int, limit: float, phi: float) -> None:
    cost = [log1p(more * limit) for more in MORE]
    assert _bits(costs(limit)) == _bits(cost)
    found = [bad / phi * odds - total / phi * each for odds, each in zip(LOG_ODDS, cost, strict=True)]
    assert _bits(likelihoods(bad, total, costs(limit), phi=phi)) == _bits(found)


@given(COUNTS, COUNTS, LIMITS, st.floats(1, 50), st.sampled_from([LOG_ODDS, (0.05, 0.1), (-0.05, -3.2)]))
def test_a_mixture(bad: int, total: int, limit: float, phi: float, shifts: tuple[float, ...]) -> None:
    logs = [(bad * shift - total * log1p((exp(shift) - 1) * limit)) / phi for shift in shifts]
    top = max(logs)
    plain = top + log(sum(exp(x - top) for x in logs)) - log(len(logs))
    assert log_mixture(bad, total, limit, shifts=shifts, phi=phi).hex() == plain.hex()


@given(LIMITS, LIMITS, st.floats(0.01, 2000), st.sampled_from(MORE))
def test_the_growth_of_a_bet(rate: float, limit: float, requests: float, more: float) -> None:
    bad, cost = rate * requests, log1p(more * limit * requests)
    assume(bad <= 60)
    mean = square = 0.0
    for k in range(int(bad + 8 * sqrt(bad) + 12)):
        chance = exp(k * log(bad) - bad - lgamma(k + 1))
        factor = log1p(more * k) - cost
        mean += chance * factor
        square += chance * factor**2
    assert _bits(_growth(rate, limit, requests, more)) == _bits((mean, max(0.0, square - mean**2)))


@given(st.lists(LADDERS, max_size=3))
def test_common_bounds(ladders: list[tuple[float, ...]]) -> None:
    plain = sorted(set.intersection(*map(set, ladders))) if ladders else []
    assert list(common(*ladders)) == plain
    buckets = [tuple((bound, 1) for bound in (*ladder, inf)) for ladder in ladders if ladder]
    finite = [tuple(bound for bound, _ in one if isfinite(bound)) for one in buckets]
    assert bounds_of(buckets) == thinned(common(*finite))


@st.composite
def histograms(draw: st.DrawFn) -> Histogram:
    bounds = draw(LADDERS)
    counts = draw(st.lists(st.integers(0, 1000), min_size=len(bounds), max_size=len(bounds)))
    return Histogram(bounds, tuple(accumulate(counts)), sum(counts) + draw(st.integers(0, 1000)))


@given(histograms(), histograms())
def test_sums_of_histograms(one: Histogram, other: Histogram) -> None:
    for a, b in ((one, other), (one, one)):
        if a.total and b.total:
            bounds = common(a.bounds, b.bounds)
            both = zip(a.at(bounds).counts, b.at(bounds).counts, strict=True)
            assert a.plus(b) == Histogram(bounds, tuple(x + y for x, y in both), a.total + b.total)
        else:
            assert a.plus(b) == (a if a.total else b)


@given(st.lists(st.integers(-2, 50), max_size=8), st.data())
def test_reading_of_buckets(counts: list[int], data: st.DataObject) -> None:
    counts = data.draw(st.sampled_from([counts, sorted(counts)]))
    bounds = tuple(0.1 * n for n in range(len(counts)))
    buckets = tuple(zip(bounds, counts, strict=True))
    wanted = bounds[: data.draw(st.integers(0, len(bounds)))]
    falls = any(above < below for below, above in pairwise(counts))
    if not wanted or counts[0] < 0 or falls:
        assert read(buckets, wanted) == ()
    else:
        assert read(buckets, wanted) == (*counts[: len(wanted)], counts[-1])


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), min_size=1, max_size=8))
def test_what_a_histogram_gained(looks: list[tuple[int, int]]) -> None:
    before, now = tuple(was for was, _ in looks), tuple(is_now for _, is_now in looks)
    bounds = tuple(0.1 * n for n in range(len(looks) - 1))
    steps = [b - a for a, b in looks]
    found = gained_histogram(bounds, before, now)
    if min(steps) < 0:
        assert found is None
    else:
        risen = (max(steps[: n + 1]) for n in range(len(bounds)))
        assert found == Histogram(bounds, tuple(min(count, steps[-1]) for count in risen), steps[-1])
