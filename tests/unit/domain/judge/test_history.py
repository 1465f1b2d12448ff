"""What a lane served: differences over gaps, resets and restarts, and ticks that become minutes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.judge.evidence.counters import CounterReading, Counts, Sample
from bot.domain.judge.evidence.ticks import begin_evidence, difference
from bot.domain.judge.history.served import (
    BLOCK_S,
    KEPT_S,
    MOST_FULL_TICKS,
    Edges,
    LastRead,
    ServedTick,
    compact,
    edges,
    in_order,
    measure,
    named,
    served,
    served_in_rollout,
)
from bot.domain.judge.judge import JudgePolicy, Objective, parse_rule
from bot.domain.judge.policy import PolicyError

NOW = 1_800_000_000.0
DAY = 86_400.0
ERRORS = JudgePolicy((Objective("errors", "errors", 0.01),))
FULL = JudgePolicy(
    (
        Objective("errors", "errors", 0.01),
        Objective("p99", "latency", 0.01, 0.3),
        Objective("cache misses", "proportion", 0.5, series="cache"),
    ),
    (parse_rule("error_rate > 5% over 5m"),),
)


def router(total: int, bad: int, *, epoch: str = "", overdue: int = 0) -> CounterReading:
    return CounterReading("router", total, bad, overdue=overdue, epoch=epoch)


def sample(*readings: CounterReading, release: str = "sha256:a", error: str | None = None) -> Sample:
    return Sample(0.0, release, readings, error)


def history(policy: JudgePolicy, *looks: tuple[float, Sample]) -> list[ServedTick | None]:
    last: LastRead | None = None
    ticks = []
    for at, seen in looks:
        last, tick = served(last, policy, seen, at)
        ticks.append(tick)
    return ticks


def errors(at: float, total: int, bad: int, seconds: float = 5.0) -> ServedTick:
    return ServedTick(at, seconds, {"errors": Counts(total, bad)})


# ---- differences ----------------------------------------------------------------------------------------------------


def test_the_first_sample_only_says_where_the_counters_stand() -> None:
    ticks = history(ERRORS, (0, sample(router(1000, 900))), (5, sample(router(1010, 901))))
    assert ticks == [None, errors(5, 10, 1)]


def test_a_tick_without_requests_is_a_tick() -> None:
    ticks = history(ERRORS, (0, sample(router(7, 0))), (5, sample(router(7, 0))))
    assert ticks == [None, errors(5, 0, 0)]


@pytest.mark.parametrize("away", [sample(error="the router is away"), sample(), sample(router(3, 5))])
def test_what_cannot_be_read_is_a_gap_and_the_next_tick_covers_it(away: Sample) -> None:
    ticks = history(ERRORS, (0, sample(router(10, 0))), (5, away), (10.5, sample(router(40, 3))))
    assert ticks == [None, None, errors(10.5, 30, 3, 10.5)]


def test_of_a_gap_longer_than_three_ticks_nothing_is_known() -> None:
    away, looks = sample(error="away"), [(0.0, sample(router(10, 0)))]
    looks += [(5.0 * number, away) for number in range(1, 4)]
    looks += [(20.0, sample(router(4000, 900))), (25.0, sample(router(4010, 901)))]
    assert history(ERRORS, *looks) == [None, None, None, None, None, errors(25, 10, 1)]
    assert history(ERRORS, looks[0], (15.0, sample(router(20, 1))))[1] == errors(15, 10, 1, 15)


def test_after_a_restart_of_slipway_or_another_release_counting_begins_with_the_next_sample() -> None:
    last, _ = served(None, ERRORS, sample(router(100, 0)), 0.0)
    assert served(None, ERRORS, sample(router(900, 90)), 5.0)[1] is None
    assert served(last, ERRORS, sample(router(900, 90), release="sha256:b"), 5.0)[1] is None


def test_a_clock_that_was_set_back_makes_no_tick() -> None:
    ticks = history(
        ERRORS, (50, sample(router(1, 0))), (20, sample(router(9, 0))), (25, sample(router(12, 1)))
    )
    assert ticks == [None, None, errors(25, 3, 1)]


def test_counters_that_start_over_are_counted_from_nothing() -> None:
    fell = history(ERRORS, (0, sample(router(900, 9))), (5, sample(router(20, 2))))
    told = history(ERRORS, (0, sample(router(9, 0, epoch="a"))), (5, sample(router(20, 2, epoch="b"))))
    assert fell[1] == told[1] == errors(5, 20, 2)


def test_counters_that_contradict_themselves_are_believed_again_after_three_ticks() -> None:
    looks = [(0.0, sample(router(10, 0)))]
    looks += [(5.0 * number, sample(router(10 + number, 5 + number))) for number in range(1, 7)]
    ticks = history(ERRORS, *looks)
    assert ticks[:5] == [None] * 5
    assert ticks[5] == errors(25, 1, 1)


def test_an_instance_that_appears_counts_from_then_on() -> None:
    """Between rollouts, a source may find an instance that has been counting for weeks."""

    def pair(a: int, b: int) -> Sample:
        return sample(CounterReading("a", a, 0), CounterReading("b", b, b // 2))

    ticks = history(
        ERRORS, (0, sample(CounterReading("a", 5, 0))), (5, pair(10, 10**6)), (10, pair(15, 10**6 + 4))
    )
    assert ticks[1:] == [errors(5, 5, 0), errors(10, 9, 2)]


def test_an_instance_that_was_away_for_a_look_is_counted_in_full() -> None:
    a, b = CounterReading("a", 10, 0), CounterReading("b", 10, 0)
    later = CounterReading("b", 16, 2)
    ticks = history(ERRORS, (0, sample(a, b)), (5, sample(a)), (10, sample(a, later)))
    assert ticks[1:] == [errors(5, 0, 0), errors(10, 6, 2)]


def test_a_probe_counts_what_each_look_found() -> None:
    probed = sample(CounterReading("a", 1, 1, delta=True))
    assert history(ERRORS, (0, probed), (5, probed), (10, probed))[1:] == [errors(5, 1, 1), errors(10, 1, 1)]


def test_every_objective_is_counted_under_what_it_counts_and_rules_have_its_counts() -> None:
    def seen(total: int, slow: int, cache: int) -> Sample:
        buckets = ((0.3, total - slow), (1.0, total), (inf, total))
        return sample(CounterReading("router", total, 0, buckets, extra=(("cache", (cache, 2)),)))

    tick = history(FULL, (0, seen(10, 1, 4)), (5, seen(30, 4, 9)))[1]
    assert tick is not None
    counts = {"errors": Counts(20, 0), "latency>0.3s": Counts(20, 3), "proportion:cache": Counts(5, 0)}
    assert dict(tick.counts) == counts
    (by_name,) = named([tick], FULL)
    assert list(by_name.counts) == ["errors", "p99", "cache misses", "error_rate > 5% over 5m"]
    assert by_name.counts["p99"] == Counts(20, 3)
    assert by_name.counts["error_rate > 5% over 5m"] == by_name.counts["errors"]


def test_another_latency_limit_is_another_count() -> None:
    slower = replace(FULL, objectives=(Objective("p99", "latency", 0.01, 0.5),), rules=())
    tick = ServedTick(5, 5, {"latency>0.3s": Counts(20, 3)})
    assert named([tick], slower) == []
    assert measure(slower.series[0]) == "latency>0.5s"


def test_a_further_source_that_is_away_costs_its_own_counts_only() -> None:
    policy = JudgePolicy((*ERRORS.objectives, Objective("scrape", "proportion", 0.5)))

    def both(total: int, away: bool = False) -> Sample:
        own = CounterReading("scrape/a", 0, 0, extra=(("scrape", (total, 0)),))
        unread = (("scrape", "the endpoint refused"),) if away else ()
        readings = (router(total, 0),) if away else (router(total, 0), own)
        return replace(sample(*readings), unread=unread)

    looks = [both(0), both(10), both(20, away=True), both(30), both(40)]
    ticks = history(policy, *((5.0 * number, look) for number, look in enumerate(looks)))
    assert [list(tick.counts) for tick in ticks if tick] == [
        ["errors", "proportion:scrape"],
        ["errors"],
        ["errors"],
        ["errors", "proportion:scrape"],
    ]
    assert {tick.counts["errors"].total for tick in ticks if tick} == {10}


def test_a_latency_limit_above_the_histogram_is_the_authors_mistake() -> None:
    policy = JudgePolicy((Objective("p99", "latency", 0.01, 2.0),))
    with pytest.raises(PolicyError, match="above the latency histogram"):
        served(None, policy, sample(CounterReading("router", 1, 0, ((1.0, 1), (inf, 1)))), 0.0)


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 5)), min_size=2, max_size=20))
def test_the_history_counts_what_the_judge_counts_for_stable(steps: Sequence[tuple[int, int]]) -> None:
    evidence, last, total, bad = begin_evidence(), None, 0, 0
    for number, (good, failed) in enumerate(steps):
        at, total, bad = 5.0 * number, total + good + failed, bad + failed
        seen = sample(router(total, bad))
        evidence, judged = difference(evidence, ERRORS, at, sample(release="sha256:b"), seen)
        last, tick = served(last, ERRORS, seen, at)
        if tick is not None and judged.stable is not None:
            assert tick.counts["errors"] == judged.stable["errors"]


# ---- while a rollout is judged ---------------------------------------------------------------------------------------


def in_rollout(policy: JudgePolicy, *looks: tuple[Sample, Sample]) -> list[ServedTick | None]:
    """Ticks of stable from looks at both releases, every 5 s."""
    evidence, found = begin_evidence(), []
    for number, (candidate, stable) in enumerate(looks):
        before = evidence
        evidence, tick = difference(before, policy, 5.0 * number, candidate, stable)
        found.append(served_in_rollout(before, evidence, policy, tick))
    return found


NEW = sample(router(10, 0), release="sha256:b")
AWAY = sample(release="sha256:b", error="it is away")


def test_stable_of_a_rollout_is_counted_from_the_second_look_on() -> None:
    looks = [(NEW, sample(router(total, total // 10))) for total in (100, 150, 210)]
    assert in_rollout(replace(ERRORS, rules=FULL.rules), *looks) == [
        None,
        errors(5, 50, 5),
        errors(10, 60, 6),
    ]


def test_what_only_a_rule_counts_is_counted_in_a_rollout_too() -> None:
    slow = replace(ERRORS, rules=(parse_rule("p99 > 300ms for 2m"),))

    def seen(total: int, release: str) -> Sample:
        return sample(CounterReading("router", total, 0, ((0.3, total - 5), (inf, total))), release=release)

    looks = [(seen(10, "sha256:b"), seen(total, "sha256:a")) for total in (100, 150)]
    counted = in_rollout(slow, *looks)[1]
    assert counted is not None
    assert dict(counted.counts) == {"errors": Counts(50, 0), "latency>0.3s": Counts(50, 0)}


def test_what_stable_did_while_the_candidate_could_not_be_read_is_one_longer_tick() -> None:
    looks = [(NEW, router(100, 0)), (AWAY, router(150, 0)), (AWAY, router(170, 1)), (NEW, router(200, 2))]
    ticks = in_rollout(ERRORS, *((candidate, sample(stable)) for candidate, stable in looks))
    assert ticks == [None, None, None, errors(15, 100, 2, 15.0)]


def test_of_a_longer_gap_in_a_rollout_nothing_is_known() -> None:
    looks = [(NEW if number in (0, 5, 6) else AWAY, sample(router(10 * number, 0))) for number in range(7)]
    assert in_rollout(ERRORS, *looks) == [None] * 6 + [errors(30, 10, 0)]


def test_a_stable_release_of_which_a_rollout_has_no_counts_yet_makes_no_tick() -> None:
    looks = [
        (NEW, sample()),
        (NEW, sample()),
        (NEW, sample(router(10**6, 9))),
        (NEW, sample(router(10**6 + 5, 9))),
    ]
    assert in_rollout(ERRORS, *looks) == [None, None, None, errors(15, 5, 0)]


# ---- ticks that become minutes --------------------------------------------------------------------------------------


def test_ticks_on_the_edges() -> None:
    at = edges(NOW, 5.0)
    last_minute = [errors(at.full_since - 5.5, 10, 1), errors(at.full_since - 0.5, 10, 2)]
    first = errors(at.full_since, 10, 3)
    oldest, too_old = errors(at.kept_since, 10, 4), errors(at.kept_since - 0.001, 10, 5)
    found = compact([first, *last_minute, too_old, oldest], at)
    assert found == [oldest, errors(at.full_since - 0.5, 20, 3, 10.0), first]


def test_a_gap_within_a_minute_is_seen_in_its_seconds() -> None:
    at = edges(NOW, 5.0)
    start = at.full_since - 600
    found = compact([errors(start + 5, 1, 0), errors(start + 55, 1, 0), errors(start + 125, 1, 0)], at)
    assert [(tick.at - start, tick.seconds) for tick in found] == [(55, 10), (125, 5)]


def test_ticks_of_a_minute_that_counted_different_things_stay_apart() -> None:
    at = edges(NOW, 5.0)
    start = at.full_since - 600
    other = ServedTick(start + 10, 5.0, {"errors": Counts(7, 0), "latency>0.3s": Counts(7, 1)})
    assert compact([errors(start + 5, 1, 0), other, errors(start + 15, 1, 1)], at) == [
        other,
        errors(start + 15, 2, 1, 10.0),
    ]


def test_full_ticks_are_kept_for_a_day_or_as_many_as_a_day_usually_has() -> None:
    assert NOW - edges(NOW, 5.0).full_since == pytest.approx(DAY, abs=BLOCK_S)
    assert NOW - edges(NOW, 60.0).full_since == pytest.approx(DAY, abs=BLOCK_S)
    assert NOW - edges(NOW, 1.0).full_since == pytest.approx(MOST_FULL_TICKS, abs=BLOCK_S)
    assert edges(NOW, 1.0).full_since % BLOCK_S == 0
    assert edges(NOW, 5.0).kept_since == NOW - KEPT_S


_counts = st.dictionaries(
    st.sampled_from(("errors", "latency>0.3s")),
    st.tuples(st.integers(0, 1000), st.integers(0, 1000)).map(lambda pair: Counts(sum(pair), pair[1])),
    min_size=1,
)
# Around both edges, and anywhere.
_ats = st.one_of(
    st.integers(0, int(16 * DAY * 1000)),
    st.integers(-90_000, 90_000).map(lambda ms: int(KEPT_S * 1000) + ms),
    st.integers(-90_000, 690_000).map(lambda ms: int(DAY * 1000) + ms),
)
_ticks = st.lists(
    st.builds(
        ServedTick,
        _ats.map(lambda age_ms: round(NOW - age_ms / 1000, 3)),
        st.integers(100, 15_000).map(lambda ms: ms / 1000),
        _counts,
    ),
    max_size=60,
    unique_by=lambda tick: tick.at,
)


def sums(ticks: Sequence[ServedTick], since: float, until: float = inf) -> Counter[str]:
    found: Counter[str] = Counter()
    for tick in ticks:
        if since <= tick.at < until:
            found["ms"] += round(tick.seconds * 1000)
            for name, counts in tick.counts.items():
                found[f"{name} total"] += counts.total
                found[f"{name} bad"] += counts.bad
    return found


@given(_ticks, st.sampled_from((1.0, 5.0, 30.0)))
def test_compaction_keeps_the_sums_on_both_sides_of_each_edge(ticks: list[ServedTick], tick_s: float) -> None:
    at = edges(NOW, tick_s)
    found = compact(ticks, at)
    assert sums(found, 0.0) == sums(ticks, at.kept_since)
    assert sums(found, at.full_since) == sums(ticks, at.full_since)
    assert [tick for tick in found if tick.at >= at.full_since] == [
        tick for tick in in_order(ticks) if tick.at >= at.full_since
    ]
    assert compact(found, at) == found


@given(_ticks, st.integers(1, 12))
def test_compacting_each_hour_gives_what_compacting_once_gives(ticks: list[ServedTick], rounds: int) -> None:
    hourly = list(ticks)
    for number in reversed(range(rounds)):
        hourly = compact(hourly, edges(NOW - 3600.0 * number, 5.0))
    assert hourly == compact(ticks, edges(NOW, 5.0))


@given(_ticks)
def test_a_compacted_history_is_bounded(ticks: list[ServedTick]) -> None:
    at = Edges(NOW + 1, NOW - KEPT_S)
    by_minute = Counter((tick.at // 60, frozenset(tick.counts)) for tick in compact(ticks, at))
    assert not by_minute or max(by_minute.values()) == 1
