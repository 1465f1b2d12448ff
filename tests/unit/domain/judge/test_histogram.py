"""Latency histograms come through to the judge: bounded, over the same time of both releases, and never made up."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import inf
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.judge.evidence.histogram import MOST_BOUNDS, Histogram, bounds_of, gained_histogram, thinned
from bot.domain.judge.evidence.ticks import (
    CounterReading,
    EvidenceState,
    Sample,
    Tick,
    begin_evidence,
    difference,
    traffic_rose,
)
from bot.domain.judge.judge import JudgePolicy, Objective

POLICY = JudgePolicy((Objective("errors", "errors", 0.01),), settle_s=0.0)
BOUNDS = (0.01, 0.02, 0.05, 0.1)
DOWN = "the endpoint did not answer"


@dataclass
class TimedRelease:
    """Instances of one release: the latencies (seconds) that each has answered in, with its buckets."""

    name: str
    bounds: tuple[float, ...] = BOUNDS
    answered: dict[str, list[float]] = field(default_factory=lambda: {"a": []})
    epoch: str = ""
    behind: bool = False  # only the limit at 2 s and above is counted at once, as by a router

    def reading(self, name: str) -> CounterReading:
        took = self.answered[name]
        buckets = tuple((bound, sum(t <= bound for t in took)) for bound in (*self.bounds, inf))
        mixed = *((bound, 0) for bound, _ in buckets), (2.0, len(took)), (10.0, len(took))
        return CounterReading(
            name,
            len(took),
            0,
            (mixed if self.behind else buckets) if self.bounds else (),
            epoch=self.epoch,
            histogram=buckets if self.behind else (),
        )

    def sample(self, at: float, *, silent: bool = False) -> Sample:
        readings = () if silent else tuple(self.reading(name) for name in self.answered)
        return Sample(at, self.name, readings, DOWN if silent else None)


def of(took: Sequence[float], bounds: tuple[float, ...] = BOUNDS) -> Histogram:
    return Histogram(bounds, tuple(sum(t <= bound for t in took) for bound in bounds), len(took))


def look(
    state: EvidenceState,
    at: float,
    new: TimedRelease,
    old: TimedRelease,
    silent: tuple[bool, bool] = (False, False),
) -> tuple[EvidenceState, Tick]:
    stored = EvidenceState.from_json(json.loads(json.dumps(state.to_json())))
    assert stored == state
    samples = new.sample(at, silent=silent[0]), old.sample(at, silent=silent[1])
    return difference(stored, POLICY, at, *samples)


def both(at: float = 0.0, **bounds: tuple[float, ...]) -> tuple[EvidenceState, TimedRelease, TimedRelease]:
    """Both releases, after a first look at them."""
    new, old = TimedRelease("1.5.0", **bounds), TimedRelease("1.4.0", **bounds)
    new.answered["a"], old.answered["a"] = [0.03], [0.015]
    state, tick = look(begin_evidence(), at, new, old)
    assert tick.latency is None
    return state, new, old


def test_a_tick_has_what_both_answered_since_the_last() -> None:
    state, new, old = both()
    new.answered["a"] += [0.03, 0.2]
    old.answered["a"] += [0.005, 0.015, 0.015]
    state, tick = look(state, 5, new, old)
    assert tick.latency == (of([0.03, 0.2]), of([0.005, 0.015, 0.015]))
    state, tick = look(state, 10, new, old)
    assert tick.latency == (of([]), of([]))


def test_of_a_router_it_is_what_all_of_its_histogram_had_at_one_time() -> None:
    new, old = TimedRelease("1.5.0", behind=True), TimedRelease("1.4.0", behind=True)
    state, _ = look(begin_evidence(), 0, new, old)
    new.answered["a"], old.answered["a"] = [0.03, 0.2], [0.005, 0.015]
    _, tick = look(state, 5, new, old)
    assert tick.latency == (of([0.03, 0.2]), of([0.005, 0.015]))


def test_instances_are_added_up_at_the_bounds_that_all_have() -> None:
    state, new, old = both()
    new.answered["b"] = [0.03]
    new.answered["a"] += [0.015]
    _, tick = look(state, 5, new, old)
    assert tick.latency is not None
    assert tick.latency[0] == of([0.015, 0.03])


def test_counters_that_start_over_are_read_from_zero() -> None:
    state, new, old = both()
    new.answered["a"] += [0.03] * 10
    state, _ = look(state, 5, new, old)
    new.answered["a"] = [0.2, 0.2]
    _, tick = look(state, 10, new, old)
    assert tick.latency is not None
    assert tick.latency[0] == of([0.2, 0.2])


def test_a_new_epoch_is_read_from_zero_although_no_counter_fell() -> None:
    state, new, old = both()
    new.answered["a"], new.epoch = [0.2, 0.2], "2"
    _, tick = look(state, 5, new, old)
    assert tick.latency is not None
    assert tick.latency[0] == of([0.2, 0.2])


def test_a_histogram_that_fell_while_the_other_counters_rose_is_not_believed() -> None:
    state, new, old = both()
    new.answered["a"] += [0.005] * 10
    state, _ = look(state, 5, new, old)
    new.answered["a"] = [0.2] * 12
    state, tick = look(state, 10, new, old)
    assert (tick.latency, tick.errors) == (None, ())
    new.answered["a"] += [0.03]
    _, tick = look(state, 15, new, old)
    assert tick.latency is not None
    assert tick.latency[0] == of([0.03])


def test_while_one_cannot_be_read_the_other_waits_and_then_both_cover_the_same_time() -> None:
    state, new, old = both()
    for at, silent in ((5, True), (10, True), (15, False)):
        new.answered["a"] += [0.03]
        old.answered["a"] += [0.015, 0.015]
        state, tick = look(state, at, new, old, (False, silent))
        assert (tick.latency is None) is silent
    assert tick.latency == (of([0.03] * 3), of([0.015] * 6))


@given(st.integers(0, 2**32), st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=12))
def test_whatever_could_not_be_read_and_started_over_the_last_look_has_all_of_both(
    seed: int, silences: list[tuple[bool, bool]]
) -> None:
    random = Random(seed)
    state, new, old = both()
    for number, (mine, theirs) in enumerate([*silences, (False, False)], 1):
        for release, share in ((new, 3), (old, 6)):
            release.answered["a"] += [random.choice((0.005, 0.03, 0.3)) for _ in range(share)]
        state, tick = look(state, 5.0 * number, new, old, (mine, theirs))
        if tick.latency is not None:
            assert 2 * tick.latency[0].total == tick.latency[1].total > 0
        assert (tick.latency is None) == (mine or theirs)


def test_time_in_which_traffic_rose_is_left_out_for_both() -> None:
    state, new, old = both()
    new.answered["a"] += [0.2]
    _, tick = look(traffic_rose(state, 3), 5, new, old)
    assert tick.latency is None


def test_without_a_histogram_there_is_none_and_no_error() -> None:
    state, new, old = both(bounds=())
    new.answered["a"] += [0.2]
    _, tick = look(state, 5, new, old)
    assert (tick.latency, tick.errors, tick.requests) == (None, (), 1)


def test_after_a_change_of_bounds_one_look_has_no_histogram() -> None:
    state, new, old = both()
    new.bounds = (0.01, 0.1)
    new.answered["a"] += [0.2]
    state, tick = look(state, 5, new, old)
    assert tick.latency is None
    new.answered["a"] += [0.05]
    _, tick = look(state, 10, new, old)
    assert tick.latency == (of([0.05], (0.01, 0.1)), of([]))


def test_an_instance_that_comes_back_under_other_bounds_is_not_compared_with_the_old_ones() -> None:
    state, new, old = both()
    new.answered["b"] = [0.2] * 10
    state, _ = look(state, 5, new, old)
    away = new.answered.pop("b")
    new.bounds = (0.02, 0.03, 0.05, 0.1)  # as many, but others
    state, _ = look(state, 10, new, old)
    new.answered["b"] = [*away, 0.01]
    state, tick = look(state, 15, new, old)
    assert tick.latency is None
    new.answered["b"] += [0.01]
    _, tick = look(state, 20, new, old)
    assert tick.latency is not None
    assert tick.latency[0] == of([0.01], new.bounds)


def test_states_from_before_there_were_histograms_are_read_and_have_none_for_one_look() -> None:
    state, new, old = both()
    stored = json.loads(json.dumps(state.to_json()))
    for side in ("candidate", "stable"):
        stored[side] = [*stored[side][:2], [seen[:6] for seen in stored[side][2]], stored[side][3]]
    stored["window"] = stored["window"][:4]
    state = EvidenceState.from_json(stored)
    for at, expected in ((5, None), (10, (of([0.03]), of([0.015])))):
        new.answered["a"] += [0.03]
        old.answered["a"] += [0.015]
        state, tick = look(state, at, new, old)
        assert tick.errors == ()
        assert tick.latency == expected


ladders = st.sets(st.floats(1e-4, 100), min_size=1, max_size=200).map(lambda bounds: tuple(sorted(bounds)))


@given(ladders)
def test_of_many_bounds_few_are_kept_and_always_the_same(bounds: tuple[float, ...]) -> None:
    kept = thinned(bounds)
    assert len(kept) == min(len(bounds), MOST_BOUNDS)
    assert set(kept) <= set(bounds)
    assert kept[0] == bounds[0]
    assert thinned(kept) == kept
    assert bounds_of([tuple((bound, 0) for bound in (*bounds, inf))]) == kept


def test_thinning_keeps_bounds_evenly_far_apart() -> None:
    bounds = tuple(0.001 * 1.05**n for n in range(200))
    ratios = [above / below for below, above in pairwise(thinned(bounds))]
    assert max(ratios) < 2 * min(ratios)


@given(
    st.lists(st.floats(0.001, 0.5), max_size=40),
    st.lists(st.floats(0.001, 0.5), max_size=40),
    ladders,
    ladders,
)
def test_a_sum_has_the_requests_of_both_at_common_bounds(
    some: list[float], others: list[float], mine: tuple[float, ...], theirs: tuple[float, ...]
) -> None:
    theirs = tuple(sorted({*theirs, mine[0]}))
    found = of(some, mine).plus(of(others, theirs))
    if some and others:
        assert found == of(some + others, tuple(sorted({*mine} & {*theirs})))
    else:
        assert found.total == len(some) + len(others)


def test_a_bucket_that_is_read_later_than_the_next_one_gains_no_more_than_it() -> None:
    assert gained_histogram(BOUNDS, (0, 2, 2, 2, 2), (4, 4, 3, 5, 4)) == Histogram(BOUNDS, (2, 2, 2, 2), 2)
    assert gained_histogram(BOUNDS, (0, 2, 2, 2, 2), (0, 1, 2, 2, 2)) is None
    assert gained_histogram(BOUNDS, (), ()) is None


@pytest.mark.parametrize(
    ("took", "share", "value"),
    [
        ([0.015] * 10, 0.5, 0.015),
        ([0.005] * 10, 0.5, 0.005),
        ([0.015] * 5 + [0.07] * 5, 0.5, 0.02),
        ([0.015] * 5 + [0.07] * 5, 0.75, 0.075),
        ([0.2] * 10, 0.5, inf),
    ],
)
def test_a_quantile_is_interpolated_within_its_bucket(took: list[float], share: float, value: float) -> None:
    found = of(took).quantile(share)
    assert found is not None
    assert found.value == pytest.approx(value)


@given(st.lists(st.floats(0.001, 0.099), min_size=1, max_size=50), st.sampled_from([0.25, 0.5, 0.9, 0.99]))
def test_a_quantile_lies_in_the_bucket_of_the_true_one(took: list[float], share: float) -> None:
    found = of(took).quantile(share)
    assert found is not None
    true = sorted(took)[max(0, -int(-share * len(took) // 1) - 1)]
    assert found.low <= found.value <= found.high == BOUNDS[bisect_left(BOUNDS, true)]


def test_without_requests_there_is_no_quantile() -> None:
    assert of([]).quantile(0.5) is None
    assert Histogram().quantile(0.5) is None
