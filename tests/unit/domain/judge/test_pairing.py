"""Candidate and stable are compared over the same time, whichever of them could not be read meanwhile."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.judge.evidence.ticks import (
    CounterReading,
    Counts,
    EvidenceState,
    Sample,
    Tick,
    begin_evidence,
    difference,
    traffic_rose,
)
from bot.domain.judge.judge import JudgePolicy, Objective, Outcome, advance, begin, verdict
from tests.support.rules.judging import FIVE, failures, judged

POLICY = JudgePolicy((Objective("errors", "errors", 0.01, ratio=2.0),), planned_ticks=60, settle_s=0.0)
DOWN = "the endpoint did not answer"


@dataclass
class CountedRelease:
    """One release's counters, and what each tick added to them."""

    name: str
    total: int = 0
    bad: int = 0
    history: list[tuple[int, int]] = field(default_factory=list)

    def serve(self, total: int, bad: int) -> None:
        self.total, self.bad = self.total + total, self.bad + bad
        self.history.append((total, bad))

    def sample(self, at: float, *, silent: bool = False) -> Sample:
        readings = () if silent else (CounterReading("a", self.total, self.bad),)
        return Sample(at, self.name, readings, DOWN if silent else None)

    def between(self, begin: int, end: int) -> Counts:
        """What it served in the ticks `begin` to `end` (exclusive)."""
        served = self.history[begin:end]
        return Counts(sum(total for total, _ in served), sum(bad for _, bad in served))


def rollout(
    random: Random,
    *,
    silent: tuple[Collection[int], Collection[int]] = ((), ()),
    outage: Collection[int] = (),
    worse: Collection[int] = (),
    ticks: int = 50,
) -> Iterator[Tick]:
    """Looks at candidate and stable, at 40 and 160 requests a tick, of which 0.5% fail.

    In an outage 30% of both fail, where the candidate is worse 8% of its own.
    """
    releases, state = (CountedRelease("1.5.0"), CountedRelease("1.4.0")), begin_evidence()
    for number in range(ticks):
        for release, requests in zip(releases, (40, 160), strict=True):
            own = 0.08 if number in worse and release is releases[0] else 0.005
            release.serve(requests, failures(random, requests, 0.3 if number in outage else own))
        at = number * FIVE
        seen = [r.sample(at, silent=number in s) for r, s in zip(releases, silent, strict=True)]
        state, tick = difference(state, POLICY, at, *seen)
        yield tick


def failed(seeds: int, **story: object) -> int:
    """How many of `seeds` rollouts were failed at some time."""
    return sum(_failed(rollout(Random(seed), **story)) for seed in range(seeds))  # type: ignore[arg-type]


def _failed(ticks: Iterator[Tick]) -> bool:
    state = begin(POLICY)
    for tick in ticks:
        state = advance(state, POLICY, tick)
        if any(test.decided_at is not None for test in (*state.trials, *state.pairs)):
            return True
    return False


OUTAGE = range(20, 24)


@pytest.mark.simulation
@pytest.mark.parametrize(
    ("candidate", "stable"),
    [
        ((), ()),
        ((22, 23), ()),
        ((), (22, 23)),
        ((20, 21), ()),
        ((), (20, 21)),
        (range(18, 24), ()),
        ((), range(18, 24)),
        (range(20, 50), ()),
        ((), range(18, 29)),
        ((20, 22), (21, 23)),
        (range(19, 23), range(21, 25)),
        (range(21, 25), range(19, 23)),
        ((23, 24, 25), ()),
        ((), (23, 24, 25)),
    ],
    ids=str,
)
def test_a_common_outage_with_one_side_silent_fails_no_innocent_candidate(
    candidate: Collection[int], stable: Collection[int]
) -> None:
    assert failed(100, silent=(candidate, stable), outage=OUTAGE) <= 1


@pytest.mark.simulation
def test_silence_at_random_times_in_a_common_outage_fails_no_innocent_candidate() -> None:
    found = 0
    for seed in range(100):
        random = Random(f"silence {seed}")
        silent = tuple({n for n in range(1, 50) if random.random() < 0.4} for _ in range(2))
        found += _failed(rollout(random, silent=silent, outage=OUTAGE))  # type: ignore[arg-type]
    assert found <= 1


def test_a_bad_candidate_is_found_although_one_side_is_silent_now_and_then() -> None:
    for silent in [(range(5, 60, 3), ()), ((), range(5, 60, 3))]:
        assert failed(50, silent=silent, worse=range(60)) == 50


def test_a_bad_candidate_does_not_stay_because_stable_cannot_be_read() -> None:
    ticks = list(rollout(Random(1), silent=((), range(5, 60)), worse=range(5, 60)))
    outcomes = [
        verdict(judged(POLICY, ticks[: n + 1]), POLICY, soak_required_s=None) for n in range(len(ticks))
    ]
    first = next(n for n, found in enumerate(outcomes) if found.outcome is Outcome.FAIL)
    # Stable was last read at tick 4, and counts as unreadable after a minute.
    assert first == 4 + 60 / FIVE
    assert "beyond chance, but stable cannot be read now" in outcomes[first - 1].reasons[0].sentence
    alone = replace(POLICY, on_common_trouble="ignore")
    assert judged(alone, ticks[:15]).trials[0].decided_at is not None


def _compared(tick: Tick) -> Counts:
    return tick.compared.get("errors", Counts()) if tick.stable is not None else Counts()


silences = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=25)
served = st.tuples(st.integers(0, 50), st.integers(0, 50))


@given(silences, st.lists(st.tuples(served, served), min_size=25, max_size=25), st.sets(st.integers(0, 24)))
def test_both_sides_of_every_pair_cover_the_same_time(
    silent: list[tuple[bool, bool]], work: list[tuple[tuple[int, int], tuple[int, int]]], rises: set[int]
) -> None:
    candidate, stable, state = CountedRelease("1.5.0"), CountedRelease("1.4.0"), begin_evidence()
    read: int | None = None  # the look at which both were read last
    spoilt = False
    for number, ((hidden, also_hidden), (mine, theirs)) in enumerate(zip(silent, work, strict=False)):
        candidate.serve(max(mine), min(mine))
        stable.serve(max(theirs), min(theirs))
        if number in rises:
            state, spoilt = traffic_rose(state, number * FIVE - 1), True
        state = EvidenceState.from_json(json.loads(json.dumps(state.to_json())))
        at = number * FIVE
        state, tick = difference(
            state, POLICY, at, candidate.sample(at, silent=hidden), stable.sample(at, silent=also_hidden)
        )
        if hidden or also_hidden:
            assert tick.stable is None
            continue
        assert tick.stable is not None
        if read is None or spoilt:
            assert _compared(tick) == Counts()  # so that there is no pair
        else:
            same = (candidate.between(read + 1, number + 1), stable.between(read + 1, number + 1))
            assert (tick.compared["errors"], tick.stable["errors"]) == same
        read, spoilt = number, False


def test_completions_of_the_settling_time_are_discarded_however_late_they_are_read() -> None:
    policy = replace(POLICY, settle_s=2.0)
    candidate, stable, state = CountedRelease("1.5.0"), CountedRelease("1.4.0"), begin_evidence()
    found = []
    for number in range(6):
        candidate.serve(10, 10 if number in (2, 3) else 0)
        stable.serve(40, 0)
        at = number * FIVE
        if number == 2:
            state = traffic_rose(state, at - FIVE)
        state, tick = difference(
            state, policy, at, candidate.sample(at, silent=number in (2, 3)), stable.sample(at)
        )
        found.append((tick.candidate["errors"].total, _compared(tick).total))
    assert found[2:] == [(0, 0), (0, 0), (0, 0), (10, 10)]


def test_one_instance_that_cannot_be_believed_keeps_the_whole_side_out_of_the_comparison() -> None:
    def looked(number: int, *bad: int) -> Sample:
        readings = (CounterReading(f"i{n}", 10 * number, b) for n, b in enumerate(bad))
        return Sample(number * FIVE, "1.5.0", tuple(readings))

    stable, state = CountedRelease("1.4.0"), begin_evidence()
    found = []
    for sample in [looked(0, 0, 0), looked(1, 1, 11), looked(2, 2, 1)]:
        stable.serve(40, 0)
        state, tick = difference(state, POLICY, sample.at, sample, stable.sample(sample.at))
        found.append((tick.candidate["errors"].bad, _compared(tick).bad, tick.stable))
    assert found[1:] == [(1, 0, None), (2, 3, {"errors": Counts(80, 0)})]
