"""Readings become ticks: deltas per instance, resets, crashes, what is discarded and what cannot be believed."""

from __future__ import annotations

import json
from itertools import pairwise
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.judge.evidence.ticks import (
    BucketError,
    CounterReading,
    Counts,
    EvidenceState,
    Sample,
    Tick,
    begin_evidence,
    difference,
    traffic_rose,
)
from bot.domain.judge.judge import JudgePolicy, Objective, parse_rule

ERRORS = JudgePolicy((Objective("errors", "errors", 0.01),), settle_s=0.0)
SLOW = JudgePolicy((Objective("p99", "latency", 0.01, 2.0),), settle_s=0.0)


def sample(at: float, *readings: CounterReading, release: str = "1.5.0", error: str | None = None) -> Sample:
    return Sample(at, release, readings, error)


def histogram(name: str, fast: int, slow: int, overdue: int = 0) -> CounterReading:
    return CounterReading(name, fast + slow, 0, ((0.5, fast), (2.5, fast), (inf, fast + slow)), overdue)


def looks(
    policy: JudgePolicy, *samples: Sample, stable: Sample | None = None
) -> tuple[EvidenceState, list[Tick]]:
    state, ticks = begin_evidence(), []
    for one in samples:
        state, tick = difference(state, policy, one.at, one, stable)
        ticks.append(tick)
    return state, ticks


def test_the_first_look_only_says_where_the_counters_stand() -> None:
    _, ticks = looks(
        ERRORS, sample(0, CounterReading("a", 1000, 900)), sample(5, CounterReading("a", 1010, 901))
    )
    assert [t.candidate["errors"] for t in ticks] == [Counts(0, 0), Counts(10, 1)]
    assert [t.seconds for t in ticks] == [0.0, 5.0]


def test_an_instance_that_appears_later_counts_in_full_and_is_no_crash() -> None:
    _, ticks = looks(
        ERRORS,
        sample(0, CounterReading("a", 0, 0)),
        sample(5, CounterReading("a", 10, 0), CounterReading("b", 4, 2)),
        sample(10, CounterReading("a", 20, 0), CounterReading("b", 8, 2)),
    )
    assert [t.candidate["errors"] for t in ticks[1:]] == [Counts(14, 2), Counts(14, 0)]
    assert all(t.crashed is None for t in ticks)


def test_an_instance_replaced_by_another_is_a_crash() -> None:
    _, ticks = looks(
        ERRORS, sample(0, CounterReading("web:1", 0, 0)), sample(5), sample(10, CounterReading("web:2", 0, 0))
    )
    assert ticks[1].crashed is None
    assert ticks[2].crashed == "1.5.0: instance web:1 was replaced by web:2"


def test_a_restart_of_stable_is_no_crash_of_the_candidate() -> None:
    state, _ = difference(
        begin_evidence(), ERRORS, 0, sample(0), sample(0, CounterReading("s1", 5, 0), release="1.4.0")
    )
    _, tick = difference(state, ERRORS, 5, sample(5), sample(5, CounterReading("s2", 5, 0), release="1.4.0"))
    assert tick.crashed is None


def test_restarts_can_be_ignored_and_are_noted() -> None:
    policy = JudgePolicy((Objective("errors", "errors", 0.01),), on_restart="ignore")
    _, ticks = looks(policy, sample(0, CounterReading("a", 0, 0)), sample(5, CounterReading("b", 3, 1)))
    assert ticks[1].crashed is None
    assert "was replaced by" in ticks[1].notes[0]


def test_counters_that_start_over_are_read_from_zero_and_noted() -> None:
    _, ticks = looks(
        ERRORS, sample(0, CounterReading("router", 500, 9)), sample(5, CounterReading("router", 7, 1))
    )
    assert ticks[1].candidate["errors"] == Counts(7, 1)
    assert ticks[1].crashed is None
    assert "were reset" in ticks[1].notes[0]


@pytest.mark.parametrize(
    "now",
    [
        CounterReading("a", 900, 2, ((2.0, 890), (inf, 900)), extra=(("login", (400, 2)),)),
        CounterReading("a", 900, 9, ((2.0, 480), (inf, 900)), extra=(("login", (400, 9)),)),
        CounterReading("a", 900, 9, ((2.0, 890), (inf, 900)), extra=(("login", (50, 9)),)),
        CounterReading("a", 900, 9, ((2.0, 890), (inf, 900)), extra=(("login", (400, 0)),)),
    ],
    ids=["fewer failed", "fewer fast", "fewer logins", "fewer bad logins"],
)
def test_one_counter_that_fell_is_a_reset_of_all_although_the_total_has_overtaken_the_old(
    now: CounterReading,
) -> None:
    objectives = (
        Objective("errors", "errors", 0.01),
        Objective("p99", "latency", 0.01, 2.0),
        Objective("login", "proportion", 0.01),
    )
    before = CounterReading("a", 500, 5, ((2.0, 490), (inf, 500)), extra=(("login", (100, 5)),))
    _, ticks = looks(JudgePolicy(objectives, settle_s=0), sample(0, before), sample(5, now))
    assert ticks[1].errors == ()
    assert "were reset" in ticks[1].notes[0]
    login = dict(now.extra)["login"]
    slow = now.total - now.buckets[0][1]
    assert [ticks[1].candidate[o.name] for o in objectives] == [
        Counts(now.total, now.bad),
        Counts(now.total, slow),
        Counts(*login),
    ]


def test_counters_that_do_not_fit_twice_have_started_over() -> None:
    _, ticks = looks(
        ERRORS,
        sample(0, CounterReading("a", 1000, 5)),
        sample(5, CounterReading("a", 1010, 400)),
        sample(10, CounterReading("a", 1030, 404)),
        sample(15, CounterReading("a", 1040, 405)),
    )
    assert [t.candidate["errors"] for t in ticks[1:]] == [Counts(), Counts(1030, 404), Counts(10, 1)]
    assert [bool(t.errors) for t in ticks] == [False, True, False, False]
    assert "were reset" in ticks[2].notes[0]


counters = st.tuples(st.integers(0, 60), st.integers(0, 60)).map(lambda pair: (max(pair), min(pair)))


@given(st.lists(st.tuples(counters, st.booleans()), min_size=2, max_size=20))
def test_a_reset_is_never_an_error_for_longer_than_one_look_and_nothing_after_it_is_lost(
    looked: list[tuple[tuple[int, int], bool]],
) -> None:
    total = bad = 0
    readings = []
    for (more, more_bad), restarts in looked:
        total, bad = (more, more_bad) if restarts else (total + more, bad + more_bad)
        readings.append(CounterReading("a", total, bad))
    final = CounterReading("a", total + 1, bad)
    _, ticks = looks(ERRORS, *(sample(5.0 * n, r) for n, r in enumerate([*readings, final, final])))
    assert not any(a.errors and b.errors for a, b in pairwise(ticks))
    started = [n for n, t in enumerate(ticks) if t.notes]
    if started:
        counted = [t.candidate["errors"] for t in ticks[started[-1] :]]
        assert (sum(c.total for c in counted), sum(c.bad for c in counted)) == (final.total, final.bad)


@pytest.mark.parametrize(
    ("before", "now", "words"),
    [
        (CounterReading("a", 5, 0), CounterReading("a", 5, 6), "6 of 5 requests failed"),
        (
            CounterReading("a", 100, 3),
            CounterReading("a", 101, 9),
            "6 of 1 requests failed since the last look",
        ),
        (
            CounterReading("a", 1, 0, extra=(("login", (1, 0)),)),
            CounterReading("a", 2, 0, extra=(("login", (1, 2)),)),
            "login: 2 bad of 1",
        ),
    ],
)
def test_more_bad_than_total_is_an_error_and_the_next_look_makes_up_for_it(
    before: CounterReading, now: CounterReading, words: str
) -> None:
    policy = JudgePolicy(
        (Objective("errors", "errors", 0.01), Objective("login", "proportion", 0.01)), settle_s=0
    )
    later = CounterReading("a", 200, 9, extra=(("login", (10, 2)),))
    _, ticks = looks(policy, sample(0, before), sample(5, now), sample(10, later))
    assert words in ticks[1].errors[0]
    assert ticks[1].candidate["errors"] == Counts(0, 0)
    assert ticks[2].candidate["errors"] == Counts(200 - before.total, 9 - before.bad)
    assert ticks[2].errors == ()


def test_an_unreadable_source_is_an_error_and_loses_nothing() -> None:
    _, ticks = looks(
        ERRORS,
        sample(0, CounterReading("a", 10, 0)),
        sample(5, error="cannot reach the router"),
        sample(10, CounterReading("a", 30, 2)),
    )
    assert ticks[1].errors == ("cannot reach the router",)
    assert ticks[2].candidate["errors"] == Counts(20, 2)


def test_a_source_that_could_not_be_read_at_first_starts_with_the_first_reading() -> None:
    _, ticks = looks(
        ERRORS,
        sample(0, error="down"),
        sample(5, CounterReading("a", 900, 90)),
        sample(10, CounterReading("a", 901, 90)),
    )
    assert [t.candidate["errors"] for t in ticks] == [Counts(), Counts(), Counts(1, 0)]


def test_another_release_under_the_same_name_starts_again() -> None:
    _, ticks = looks(
        ERRORS, sample(0, CounterReading("a", 9, 0)), sample(5, CounterReading("a", 20, 9), release="1.5.1")
    )
    assert ticks[1].candidate["errors"] == Counts(0, 0)


def test_latency_is_read_at_the_limit_or_the_next_bucket_above_which_is_named() -> None:
    _, ticks = looks(SLOW, sample(0, histogram("a", 0, 0)), sample(5, histogram("a", 90, 10)))
    assert ticks[1].candidate["p99"] == Counts(100, 10)
    assert dict(ticks[1].buckets) == {"p99": 2.5}


@pytest.mark.parametrize(
    ("buckets", "words"),
    [(((0.5, 1), (1.0, 2), (inf, 2)), "ends at 1 s"), (((inf, 2),), "has no finite bucket")],
)
def test_a_limit_above_the_last_finite_bucket_is_a_configuration_error(
    buckets: tuple[tuple[float, int], ...], words: str
) -> None:
    with pytest.raises(BucketError, match=words):
        looks(SLOW, sample(0, CounterReading("a", 2, 0, buckets)))


@pytest.mark.parametrize(
    ("reading", "words"),
    [
        (CounterReading("a", 4, 0), "no latency histogram"),
        (CounterReading("a", 4, 0, ((1.0, 3), (5.0, 2), (inf, 4))), "is not cumulative"),
    ],
)
def test_a_histogram_that_cannot_be_is_an_error(reading: CounterReading, words: str) -> None:
    _, ticks = looks(SLOW, sample(0, CounterReading("a", 0, 0)), sample(5, reading))
    assert words in ticks[1].errors[0]


def test_a_histogram_without_infinity_takes_the_rest_from_the_total() -> None:
    none, some = CounterReading("a", 0, 0, ((2.0, 0),)), CounterReading("a", 10, 0, ((2.0, 7),))
    _, ticks = looks(SLOW, sample(0, none), sample(5, some))
    assert ticks[1].candidate["p99"] == Counts(10, 3)


def test_a_request_that_hangs_counts_as_slow_once() -> None:
    _, ticks = looks(
        SLOW,
        sample(0, histogram("a", 0, 0)),
        sample(5, histogram("a", 10, 0, overdue=2)),
        sample(10, histogram("a", 20, 0, overdue=2)),
        sample(15, histogram("a", 30, 2, overdue=0)),
        sample(20, histogram("a", 40, 2, overdue=1)),
        sample(25, histogram("a", 50, 2, overdue=0)),  # killed: it never completed
        sample(30, histogram("a", 60, 2, overdue=1)),
    )
    assert [t.candidate["p99"].bad for t in ticks] == [0, 2, 0, 0, 1, 0, 1]
    assert [t.candidate["p99"].total for t in ticks] == [0, 12, 10, 10, 11, 10, 11]


def test_completions_within_one_latency_limit_after_a_rise_are_discarded() -> None:
    policy = JudgePolicy((Objective("errors", "errors", 0.01), Objective("p99", "latency", 0.01, 2.0)))
    state, _ = difference(begin_evidence(), policy, 0, sample(0, histogram("a", 0, 0)), None)
    state = traffic_rose(state, 0.0)
    state, first = difference(
        state, policy, 1, sample(1, CounterReading("a", 5, 5, ((2.0, 5), (inf, 5)))), None
    )
    state, second = difference(
        state, policy, 5, sample(5, CounterReading("a", 50, 6, ((2.0, 50), (inf, 50)))), None
    )
    state, third = difference(
        state, policy, 10, sample(10, CounterReading("a", 100, 7, ((2.0, 99), (inf, 100)))), None
    )
    assert first.candidate["errors"] == second.candidate["errors"] == Counts(0, 0)
    assert third.candidate == {"errors": Counts(50, 1), "p99": Counts(50, 1)}


def test_requests_that_hang_after_a_rise_are_not_lost_with_the_completions() -> None:
    policy = JudgePolicy((Objective("p99", "latency", 0.01, 2.0),))
    state, _ = difference(begin_evidence(), policy, 0, sample(0, histogram("a", 0, 0)), None)
    state = traffic_rose(state, 0.0)
    state, settling = difference(state, policy, 4, sample(4, histogram("a", 9, 0, overdue=3)), None)
    state, after = difference(state, policy, 9, sample(9, histogram("a", 19, 0, overdue=3)), None)
    assert settling.candidate["p99"] == Counts(0, 0)
    assert after.candidate["p99"] == Counts(13, 3)


def test_first_traffic_settles_although_no_one_said_that_it_rose() -> None:
    policy = JudgePolicy((Objective("errors", "errors", 0.01),), settle_s=3.0)
    _, ticks = looks(
        policy,
        sample(0),
        sample(5, CounterReading("a", 3, 3)),
        sample(10, CounterReading("a", 9, 3)),
        sample(15, CounterReading("a", 19, 4)),
    )
    assert [t.candidate["errors"].total for t in ticks] == [0, 0, 0, 10]


def test_a_long_gap_counts_as_measured_for_three_ticks_at_most() -> None:
    _, ticks = looks(
        ERRORS, sample(0), sample(600, CounterReading("a", 1, 0)), sample(599, CounterReading("a", 1, 0))
    )
    assert [t.seconds for t in ticks] == [0.0, 15.0, 0.0]


def test_requests_that_no_series_counts_are_traffic_too() -> None:
    readings = [CounterReading("a", total, 0) for total in (500, 530, 20, 25)]
    _, ticks = looks(JudgePolicy(settle_s=0), *(sample(5.0 * n, r) for n, r in enumerate(readings)))
    assert [t.requests for t in ticks] == [0, 30, 20, 5]


def test_rules_have_counts_of_their_own() -> None:
    policy = JudgePolicy(
        rules=(parse_rule("error_rate > 5% over 5m"), parse_rule("p95 > 500ms"), parse_rule("login > 1%")),
        settle_s=0,
    )
    before = CounterReading("a", 0, 0, ((0.5, 0), (inf, 0)))
    now = CounterReading("a", 10, 1, ((0.5, 8), (inf, 10)), extra=(("login", (4, 3)),))
    _, ticks = looks(policy, sample(0, before), sample(5, now))
    assert list(ticks[1].candidate.values()) == [Counts(10, 1), Counts(10, 2), Counts(4, 3)]


def test_instances_that_went_away_are_forgotten_in_the_end() -> None:
    many = [sample(n * 5.0, *(CounterReading(f"i{k}", 1, 0) for k in range(n + 1))) for n in range(140)]
    state, ticks = looks(ERRORS, *many, sample(999, CounterReading("i0", 2, 0)))
    assert state.candidate is not None
    assert len(state.candidate.seen) == 128
    assert ticks[-1].candidate["errors"] == Counts(1, 0)


def test_evidence_of_another_version_is_refused() -> None:
    with pytest.raises(ValueError, match="version 9"):
        EvidenceState.from_json({"version": 9})


steps = st.lists(
    st.tuples(st.integers(0, 30), st.integers(0, 30), st.integers(0, 5)), min_size=1, max_size=12
)


@given(steps, st.booleans())
def test_what_the_counters_gained_is_what_the_ticks_add_up_to(
    gains: list[tuple[int, int, int]], reload: bool
) -> None:
    policy = JudgePolicy(
        (Objective("errors", "errors", 0.01), Objective("p99", "latency", 0.01, 2.0)), settle_s=0
    )
    state, _ = difference(begin_evidence(), policy, 0, sample(0, histogram("a", 7, 7)), None)
    good = slow = 7
    total = bad = 0
    for number, (more_good, more_slow, _) in enumerate(gains):
        good, slow = good + more_good, slow + more_slow
        if reload:
            state = EvidenceState.from_json(json.loads(json.dumps(state.to_json())))
        at = (number + 1) * 5.0
        state, tick = difference(state, policy, at, sample(at, histogram("a", good, slow)), None)
        total, bad = total + tick.candidate["p99"].total, bad + tick.candidate["p99"].bad
    assert (total, bad) == (sum(g + s for g, s, _ in gains), sum(s for _, s, _ in gains))


@given(steps)
def test_no_reading_makes_a_tick_with_more_bad_than_total(readings: list[tuple[int, int, int]]) -> None:
    policy = JudgePolicy(
        (Objective("errors", "errors", 0.01), Objective("p99", "latency", 0.01, 2.0)), settle_s=0
    )
    state = begin_evidence()
    for number, (fast, slow, overdue) in enumerate(readings):
        reading = CounterReading(
            "a", fast + slow, min(overdue, fast + slow), ((2.0, fast), (inf, fast + slow)), overdue
        )
        state, tick = difference(state, policy, number * 5.0, sample(number * 5.0, reading), None)
        assert all(0 <= c.bad <= c.total for c in tick.candidate.values())
        assert EvidenceState.from_json(json.loads(json.dumps(state.to_json()))) == state
