"""Instances of a candidate: how they are told apart, when one of them is sick, and what the verdict says then."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from math import exp, inf
from random import Random
from statistics import fmean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.judge.instances import first_sick, ticks
from benchmarks.judge.traffic.requests import INDEPENDENT, Failures, Retries, Runs
from bot.domain.judge.evidence.counters import CounterReading, Counts, Sample
from bot.domain.judge.evidence.ticks import EvidenceState, Tick, begin_evidence, difference, traffic_rose
from bot.domain.judge.history.replay import judged_tick, replayed, same
from bot.domain.judge.judge import (
    JudgePolicy,
    JudgeState,
    Outcome,
    Verdict,
    advance,
    begin,
    begin_soak,
    parse_rule,
    verdict,
)
from bot.domain.judge.statistics.instances import (
    NAMED,
    OTHERS,
    Instances,
    advance_instances,
    block_s,
    culprit,
    sick,
)
from tests.support.rules.judging import COMPARED, ERRORS, FIVE, SLOW, judged, said
from tests.support.rules.judging import tick as plain_tick

POLICY = JudgePolicy((ERRORS,), settle_s=0.0)
# A plan of 10 minutes, so blocks of 30 s.
PLAN_S, BLOCK_TICKS = 600, 6
SICK = "10.0.0.3:8001"

# What each instance does in a tick: requests and failures.
Did = Mapping[str, tuple[int, int]]


def tick(number: int, did: Did, **more: object) -> Tick:
    total, bad = (sum(each) for each in zip(*did.values(), strict=True))
    found = plain_tick(number, (total, bad), **more)  # type: ignore[arg-type]
    return replace(found, instances={name: Counts(*counts) for name, counts in did.items()}, requests=total)


def four(bad: int, others: int = 0, total: int = 100) -> Did:
    return {SICK: (total, bad), **{f"10.0.0.{n}:8001": (total, others) for n in (4, 5, 6)}}


def reason(found: Verdict, name: str) -> str:
    return next(r.sentence for r in found.reasons if r.objective == name)


# ---- counts by instance -----------------------------------------------------------------------------------


def router(at: float, *parts: tuple[str, int, int], epoch: str = "", error: str | None = None) -> Sample:
    total, bad = sum(part[1] for part in parts), sum(part[2] for part in parts)
    return Sample(at, "1.5.0", (CounterReading("router", total, bad, epoch=epoch, parts=parts),), error)


def apart(*samples: Sample, state: EvidenceState | None = None) -> list[dict[str, tuple[int, int]]]:
    """What the instances did by each of these looks, with the evidence stored and read back in between."""
    state = state or begin_evidence()
    found = []
    for one in samples:
        state = EvidenceState.from_json(json.loads(json.dumps(state.to_json())))
        state, tick_ = difference(state, POLICY, one.at, one, None)
        found.append({name: (c.total, c.bad) for name, c in tick_.instances.items()})
    return found


def test_a_router_tells_its_instances_apart_from_the_first_look_on() -> None:
    assert apart(
        router(0, ("a", 100, 90), ("b", 0, 0)),
        router(5, ("a", 110, 91), ("b", 7, 0)),
        router(10, ("a", 110, 91), ("b", 9, 2)),
    ) == [{"a": (0, 0), "b": (0, 0)}, {"a": (10, 1), "b": (7, 0)}, {"a": (0, 0), "b": (2, 2)}]


def test_an_instance_that_a_router_did_not_name_before_may_have_counted_for_long() -> None:
    assert apart(
        router(0, ("a", 0, 0)),
        router(5, ("a", 10, 0), ("b", 500, 400)),
        router(10, ("a", 20, 0), ("b", 505, 401)),
    )[1:] == [{"a": (10, 0), "b": (0, 0)}, {"a": (10, 0), "b": (5, 1)}]


def test_an_instance_that_left_is_there_no_more() -> None:
    assert apart(router(0, ("a", 0, 0), ("b", 0, 0)), router(5, ("a", 9, 0)))[1] == {"a": (9, 0)}


def test_counters_that_start_over_count_from_zero() -> None:
    first = router(0, ("a", 100, 0), ("b", 100, 0), epoch="1")
    assert apart(first, router(5, ("a", 8, 2), ("b", 300, 0), epoch="1"))[1] == {"a": (8, 2), "b": (200, 0)}
    # They have overtaken what they were, which another epoch tells.
    assert apart(first, router(5, ("a", 120, 60), ("b", 101, 0), epoch="2"))[1] == {
        "a": (120, 60),
        "b": (101, 0),
    }


def test_what_is_impossible_is_counted_by_the_next_look_that_fits() -> None:
    sample = router(5, ("a", 10, 3), ("b", 20, 0))
    assert apart(router(0, ("a", 10, 2), ("b", 10, 0)), sample, router(10, ("a", 14, 3), ("b", 20, 0))) == [
        {"a": (0, 0), "b": (0, 0)},
        {"a": (0, 0), "b": (10, 0)},
        {"a": (4, 1), "b": (0, 0)},
    ]


def test_a_look_that_fails_tells_nothing_and_loses_nothing() -> None:
    assert apart(
        router(0, ("a", 0, 0), ("b", 0, 0)),
        Sample(5, "1.5.0", (), "no answer"),
        router(10, ("a", 20, 1), ("b", 9, 0)),
    )[1:] == [{}, {"a": (20, 1), "b": (9, 0)}]


def test_what_is_discarded_while_traffic_settles_is_discarded_by_instance_too() -> None:
    policy = replace(POLICY, settle_s=2.0)
    state, _ = difference(begin_evidence(), policy, 0, router(0, ("a", 5, 0), ("b", 5, 0)), None)
    state = traffic_rose(state, 4.0)
    state, early = difference(state, policy, 5, router(5, ("a", 9, 4), ("b", 9, 0)), None)
    state, _ = difference(state, policy, 10, router(10, ("a", 10, 4), ("b", 9, 0)), None)
    _, later = difference(state, policy, 15, router(15, ("a", 13, 4), ("b", 9, 0)), None)
    assert early.instances == {"a": Counts(), "b": Counts()}
    assert later.instances == {"a": Counts(3, 0), "b": Counts()}


def test_readings_by_instance_are_told_apart_as_they_are() -> None:
    first = Sample(0, "1.5.0", (CounterReading("a", 100, 9), CounterReading("b", 0, 0)))
    beside = CounterReading("own/a", 0, 0, extra=(("orders", (7, 1)),))
    second = Sample(5, "1.5.0", (CounterReading("a", 110, 10), CounterReading("b", 4, 4), beside))
    assert apart(first, second) == [{"a": (0, 0)}, {"a": (10, 1), "b": (4, 4)}]


def test_probes_are_told_apart_look_by_look() -> None:
    looks = [
        Sample(at, "1.5.0", (CounterReading("a", 1, 0, delta=True), CounterReading("b", 1, 1, delta=True)))
        for at in (0.0, 5.0, 10.0)
    ]
    assert apart(*looks)[1:] == [{"a": (1, 0), "b": (1, 1)}] * 2


def test_instances_are_not_told_apart_where_failed_requests_are_not_counted() -> None:
    slow = replace(POLICY, objectives=(SLOW,))
    buckets = ((2.0, 5), (5.0, 5))
    state, _ = difference(
        begin_evidence(), slow, 0, Sample(0, "1.5.0", (CounterReading("a", 5, 0, buckets),)), None
    )
    _, found = difference(state, slow, 5, Sample(5, "1.5.0", (CounterReading("a", 5, 0, buckets),)), None)
    assert found.instances == {}


def test_evidence_that_was_stored_before_instances_were_told_apart_goes_on() -> None:
    state, _ = difference(
        begin_evidence(), POLICY, 0, Sample(0, "1.5.0", (CounterReading("router", 50, 1),)), None
    )
    stored = json.loads(json.dumps(state.to_json()))
    assert len(stored["candidate"]) == 4  # as it was
    found = apart(
        router(5, ("a", 40, 1), ("b", 20, 0)),
        router(10, ("a", 45, 2), ("b", 25, 0)),
        state=EvidenceState.from_json(stored),
    )
    assert found == [{"a": (0, 0), "b": (0, 0)}, {"a": (5, 1), "b": (5, 0)}]


# ---- the verdict ------------------------------------------------------------------------------------------


def test_a_sick_instance_keeps_a_soak_from_passing_that_is_within_its_limit() -> None:
    found = said(POLICY, [tick(n, four(3)) for n in range(1, 121)], PLAN_S)
    assert found.outcome is Outcome.INSUFFICIENT
    assert not found.hold  # at the end of the soak is soon enough
    assert reason(found, "instances") == (
        "10.0.0.3:8001, 1 of 4 instances, is sick: 3% of its requests failed (360 of 12,000), limit 1%, but 0% on the"
        " others; if its machine is at fault, promote and replace it, else roll back"
    )
    assert [r.objective for r in found.reasons if r.outcome is Outcome.INSUFFICIENT] == ["instances"]


def test_several_sick_instances_are_named_together() -> None:
    did = {f"i{n}": (50, 3 if n < 3 else 0) for n in range(20)}
    found = said(POLICY, [tick(n, did) for n in range(1, 121)], PLAN_S)
    assert reason(found, "instances") == (
        "3 of 20 instances are sick (i0, i1 and 1 more): 6% of their requests failed (1,080 of 18,000), limit 1%,"
        " but 0% on the others; if their machines are at fault, promote and replace them, else roll back"
    )


def test_an_instance_that_left_is_not_one_of_those_that_are_there() -> None:
    state = judged(POLICY, [tick(n, {**four(3), "gone": (100, 0)}) for n in range(1, 61)])
    state = judged(POLICY, [tick(n, four(3)) for n in range(61, 121)], state)
    assert "1 of 4 instances, is sick" in reason(verdict(state, POLICY, soak_required_s=PLAN_S), "instances")


@pytest.mark.parametrize(
    ("name", "shown"), [("a\nb" + "c" * 500, f"a b{'c' * 76}…"), ("\u200b", "an instance without a name")]
)
def test_names_of_instances_may_be_anything(name: str, shown: str) -> None:
    found = said(POLICY, [tick(n, {name: (100, 30), "b": (100, 0)}) for n in range(1, 5)])
    assert f"1 of 2 instances, {shown}; the other" in reason(found, "errors")
    ill = said(POLICY, [tick(n, {name: (100, 3), **four(0)}) for n in range(1, 121)], PLAN_S)
    assert reason(ill, "instances").startswith(f"{shown}, 1 of 5 instances, is sick")


def test_an_instance_within_the_limit_is_not_sick_however_much_better_the_others_are() -> None:
    ticks = [tick(n, four(2, total=400)) for n in range(1, 121)]
    assert said(POLICY, ticks, PLAN_S).outcome is Outcome.PASS
    assert (
        said(POLICY, [tick(n, four(5, total=400)) for n in range(1, 121)], PLAN_S).outcome is not Outcome.PASS
    )


def test_a_sick_instance_that_is_to_be_ignored_is_shown_and_does_not_count() -> None:
    ignored = replace(POLICY, on_sick_instance="ignore")
    found = said(ignored, [tick(n, four(3)) for n in range(1, 121)], PLAN_S)
    assert found.outcome is Outcome.PASS
    assert not found.reasons[0].enforced
    assert "is sick" in found.reasons[0].sentence
    watched = replace(POLICY, objectives=(replace(ERRORS, enforce=False), SLOW))
    assert not said(watched, [tick(n, four(3)) for n in range(1, 121)], PLAN_S).reasons[0].enforced


def test_a_soak_passes_once_the_sick_instance_is_gone() -> None:
    state = judged(POLICY, [tick(n, four(3)) for n in range(1, 121)])
    without = {name: counts for name, counts in four(0).items() if name != SICK}
    state = judged(POLICY, [tick(121, {**without, "10.0.0.9:8001": (100, 0)})], state)
    assert verdict(state, POLICY, soak_required_s=PLAN_S).outcome is Outcome.PASS
    again = judged(POLICY, [tick(122, four(0))], state)
    assert verdict(again, POLICY, soak_required_s=PLAN_S).outcome is Outcome.INSUFFICIENT


def test_an_instance_that_recovers_is_sick_until_its_rate_is_within_the_limit() -> None:
    state = judged(POLICY, [tick(n, four(3)) for n in range(1, 61)])
    assert sick(state.instances, POLICY)
    later = judged(POLICY, [tick(n, four(0)) for n in range(61, 245)], state)
    assert not sick(later.instances, POLICY)


def test_a_failure_that_comes_from_one_instance_names_it() -> None:
    found = said(POLICY, [tick(n, four(20)) for n in range(1, 5)])
    assert found.outcome is Outcome.FAIL
    assert reason(found, "errors") == (
        "5% of requests failed (80 of 1,600), limit 1%: the true rate is above 1%; all 80 failures come from 1 of 4"
        " instances, 10.0.0.3:8001; the other 3 are within the limit"
    )
    assert all(r.objective != "instances" for r in found.reasons)


@pytest.mark.parametrize(
    ("did", "said_of_them"),
    [
        (
            {"a": (100, 30), "b": (100, 1)},
            "nearly all failures (120 of 124) come from 1 of 2 instances, a; the other is within the limit",
        ),
        (
            {"a": (100, 30), "b": (100, 3)},
            "nearly all failures (120 of 132) come from 1 of 2 instances, a; the other failed 3%",
        ),
        (
            {"a": (100, 30), "b": (100, 2), "c": (100, 2)},
            "nearly all failures (120 of 136) come from 1 of 3 instances, a; the other 2 failed 2%",
        ),
    ],
)
def test_what_the_other_instances_do_is_said(did: Did, said_of_them: str) -> None:
    found = said(POLICY, [tick(n, did) for n in range(1, 5)])
    assert reason(found, "errors").endswith(f"; {said_of_them}")


@pytest.mark.parametrize(
    "did",
    [
        {"a": (100, 30), "b": (100, 28)},  # both
        {"a": (100, 30), "b": (100, 10)},  # not nearly all
        {"a": (100, 30)},  # there is no other
        {"a": (100, 30), "b": (0, 0)},  # the other has no requests
        {"a": (1000, 30), "b": (10, 0)},  # as many as its requests explain
    ],
)
def test_a_failure_that_does_not_come_from_one_instance_names_none(did: Did) -> None:
    found = said(POLICY, [tick(n, did) for n in range(1, 9)])
    assert found.outcome is Outcome.FAIL
    assert "instance" not in reason(found, "errors")


def test_a_failed_comparison_and_a_broken_rule_name_the_instance_too() -> None:
    ticks = [replace(tick(n, four(4, total=500)), stable={"errors": Counts(2000, 0)}) for n in range(1, 61)]
    found = said(JudgePolicy((replace(COMPARED, limit=0.05),)), ticks, PLAN_S)
    assert "240 failures come from 1 of 4 instances" in reason(found, "errors against stable")
    rule = parse_rule("error_rate > 2% over 1m")
    policy = JudgePolicy((replace(ERRORS, limit=0.5),), (rule,))
    both = [replace(one, candidate={**one.candidate, rule.name: one.candidate["errors"]}) for one in ticks]
    broken = [tick(n, four(20)) for n in range(1, 5)]
    both = [replace(one, candidate={**one.candidate, rule.name: one.candidate["errors"]}) for one in broken]
    assert reason(said(policy, both), rule.name).endswith("10.0.0.3:8001; the other 3 are within the limit")


def test_slow_requests_are_not_said_to_fail_on_an_instance() -> None:
    policy = JudgePolicy((ERRORS, SLOW))
    ticks = [
        replace(tick(n, four(1, total=100)), candidate={"errors": Counts(400, 1), "p99": Counts(400, 80)})
        for n in range(1, 5)
    ]
    assert "instance" not in reason(said(policy, ticks), "p99")


def test_ticks_without_instances_change_nothing() -> None:
    state = judged(POLICY, [tick(n, four(3)) for n in range(1, 8)])
    assert judged(POLICY, [plain_tick(8, (400, 3))], state).instances == state.instances
    assert judged(POLICY, [plain_tick(1, (400, 3))]).instances == Instances()


def test_of_a_release_with_one_instance_nothing_is_kept() -> None:
    state = judged(POLICY, [tick(n, {SICK: (400, 3)}) for n in range(1, 8)])
    assert state.instances == Instances()
    assert state.to_json()["instances"] is None
    # Once there are two, one that is left alone is still known.
    state = judged(POLICY, [tick(8, {SICK: (9, 1), "b": (9, 0)}), tick(9, {"b": (9, 0)})], state)
    assert [(one.name, one.total, one.here) for one in state.instances.each] == [
        (SICK, 9, False),
        ("b", 18, True),
    ]


def test_a_tick_is_replayed_with_its_instances() -> None:
    state = begin_soak(begin(POLICY), 0.0)
    kept = []
    for number in range(1, 61):
        one = tick(number, four(3) if number > 3 else {SICK: (100, 0)})
        kept.append(judged_tick(state, POLICY, one, PLAN_S))
        state = advance(state, POLICY, one)
    assert kept[0].tick.instances == {}
    assert same(list(replayed(POLICY, kept))[-1], state)
    assert sick(state.instances, POLICY)


@pytest.mark.parametrize(
    ("policy", "seconds"),
    [
        (POLICY, 30.0),
        (replace(POLICY, planned_ticks=1200), 60.0),
        (replace(POLICY, planned_ticks=24), 6.0),
        (replace(POLICY, planned_ticks=3), 5.0),
        (replace(POLICY, burst_s=120.0, planned_ticks=5), 120.0),
    ],
)
def test_a_block_is_a_part_of_the_plan_and_no_shorter_than_a_burst(
    policy: JudgePolicy, seconds: float
) -> None:
    assert block_s(policy) == seconds


def test_one_block_is_one_observation_and_sickness_takes_several() -> None:
    once = Instances()
    for number in range(1, 121):
        once = advance_instances(once, POLICY, tick(number, four(100 if number <= BLOCK_TICKS else 0)))
    assert once.blocks == PLAN_S / FIVE / BLOCK_TICKS
    assert not sick(once, POLICY)
    lasting = Instances()
    needed = 6
    for number in range(1, needed * BLOCK_TICKS + 1):
        assert not sick(lasting, POLICY)
        lasting = advance_instances(lasting, POLICY, tick(number, four(100)))
    assert [one.name for one in sick(lasting, POLICY)] == [SICK]


def test_a_state_stored_before_there_were_instances_is_read() -> None:
    state = judged(POLICY, [tick(n, four(3)) for n in range(1, 8)])
    stored = state.to_json()
    assert JudgeState.from_json(json.loads(json.dumps(stored))) == state
    del stored["instances"]
    assert JudgeState.from_json(stored) == replace(state, instances=Instances())


def test_more_instances_than_are_named_are_one() -> None:
    did = {f"i{n:03}": (10, 0) for n in range(100)}
    state = Instances()
    for number in range(1, 121):
        state = advance_instances(state, POLICY, tick(number, {**did, "i099": (10, 5)}))
    assert len(state.each) == NAMED + 1
    assert [one.name for one in sick(state, POLICY)] == [OTHERS]
    assert sum(one.total for one in state.each) == 120 * 1000
    assert len(json.dumps(state.to_json())) < 12_000


# ---- what is promised ---------------------------------------------------------------------------------------

rows_ = st.lists(
    st.lists(st.tuples(st.integers(0, 30), st.floats(0, 1)), min_size=3, max_size=3), min_size=1, max_size=40
)


def of_rows(
    rows: Iterable[Sequence[tuple[int, float]]], names: Sequence[str] = ("a", "b", "c")
) -> list[Tick]:
    return [
        tick(n, {name: (total, round(total * bad)) for name, (total, bad) in zip(names, row, strict=True)})
        for n, row in enumerate(rows, 1)
    ]


@settings(deadline=None)
@given(rows_)
def test_everything_of_instances_survives_storage_and_goes_on_the_same(
    rows: list[list[tuple[int, float]]],
) -> None:
    policy, kept, stored = replace(POLICY, planned_ticks=20), Instances(), Instances()
    for one in of_rows(rows):
        kept = advance_instances(kept, policy, one)
        stored = Instances.from_json(json.loads(json.dumps(advance_instances(stored, policy, one).to_json())))
        assert stored == kept
        assert not any(each.bad > each.total for each in kept.each)


@settings(deadline=None)
@given(rows_, st.permutations(["a", "b", "c"]))
def test_names_and_order_of_instances_decide_nothing(
    rows: list[list[tuple[int, float]]], names: list[str]
) -> None:
    policy = replace(POLICY, planned_ticks=20)
    one, other = (judged(policy, of_rows(rows, each)).instances.each for each in (["a", "b", "c"], names))
    renamed = dict(zip(["a", "b", "c"], names, strict=True))
    assert {replace(s, name=renamed[s.name]) for s in one} == set(other)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 9)), min_size=1, max_size=60), st.integers(2, 9))
def test_instances_that_fail_alike_are_never_sick_and_none_is_named(
    rows: list[tuple[int, int]], instances: int
) -> None:
    did = [{f"i{n}": (total + bad, bad) for n in range(instances)} for total, bad in rows]
    state = judged(
        replace(POLICY, planned_ticks=20), [tick(n, each) for n, each in enumerate(did, 1)]
    ).instances
    assert not sick(state, POLICY)
    assert culprit(state) is None


@pytest.mark.simulation
@pytest.mark.parametrize(
    "failures", [INDEPENDENT, Runs(8), Retries()], ids=["independent", "runs", "retries"]
)
@pytest.mark.parametrize("instances", [2, 4, 10])
def test_equal_instances_are_rarely_called_sick(instances: int, failures: Failures) -> None:
    """At most alpha; three standard errors more are 6 of 150."""
    plans = [ticks(Random(seed), [0.009] * instances, failures) for seed in range(150)]
    assert sum(first_sick(plan)[0] < inf for plan in plans) <= 6


@pytest.mark.simulation
def test_the_mean_of_the_evidence_against_an_equal_instance_stays_at_most_one() -> None:
    found = []
    for seed in range(400):
        state = Instances()
        for one in ticks(Random(seed), [0.02] * 3, Runs(3)):
            state = advance_instances(state, POLICY, one)
        found += [exp(each.log_m) for each in state.each]
    assert fmean(found) <= 1.2


@pytest.mark.simulation
@pytest.mark.parametrize(("instances", "within_s"), [(2, 500), (4, 330), (10, 300)])
def test_one_sick_instance_is_found_and_it_is_the_right_one(instances: int, within_s: float) -> None:
    """It has nearly all failures of a candidate that is within its limit of 1% on the whole."""
    rates = [0.009 * instances, *[0.0005] * (instances - 1)]
    found = [first_sick(ticks(Random(seed), rates, INDEPENDENT)) for seed in range(40)]
    known = [at for at, _ in found if at < inf]
    assert len(known) >= 34
    assert {name for _, names in found for name in names} == {"i0"}
    assert fmean(known) <= within_s
