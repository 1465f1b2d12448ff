"""What the judge learns from the traffic of stable: how many failures come together, for how long, and what follows."""

from __future__ import annotations

from dataclasses import replace
from math import cos, pi
from random import Random

import pytest

from bot.domain.judge.evidence.counters import Counts
from bot.domain.judge.history.dependence import LEAST_BAD, LEAST_TICKS, calibrated, measured
from bot.domain.judge.history.served import ServedTick
from bot.domain.judge.judge import JudgePolicy, Objective
from tests.support.rules.judging import ERRORS, SLOW, failures
from tests.support.rules.served import in_outages, in_runs, independent, ticks_of

POLICY = JudgePolicy((ERRORS,))


@pytest.mark.parametrize("seed", range(6))
def test_independent_failures_come_one_by_one(seed: int) -> None:
    found = measured(ticks_of(independent(Random(seed))), "errors", 5.0)
    assert found is not None
    assert 0.8 <= found.together <= 1.2 and found.together < found.at_most <= 1.5
    assert (found.burst_s, found.measured_s) == (5.0, 3600.0)
    policy = calibrated(POLICY, ticks_of(independent(Random(seed))), 5.0)
    assert policy.phi is not None and 1 <= policy.phi <= 1.5
    assert (policy.measured_s, policy.burst_s, policy.planned_ticks) == (3600.0, 5.0, 120)


@pytest.mark.parametrize(
    ("requests_s", "tick_s"), [(None, 5.0), (0.5, 5.0), (1.0, 3.0), (2.0, 1.0), (5.0, 1.0), (500.0, 1.0)]
)
def test_a_lane_with_much_traffic_is_looked_at_more_often(requests_s: float | None, tick_s: float) -> None:
    ticks = ticks_of(independent(Random(1)))
    policy = calibrated(POLICY, ticks, requests_s, finest_tick_s=1.0)
    assert (policy.tick_s, policy.planned_ticks) == (tick_s, 600 / tick_s)
    assert calibrated(POLICY, ticks, requests_s).tick_s == 5.0
    assert calibrated(POLICY, ticks, requests_s, finest_tick_s=2.0).tick_s == max(2.0, tick_s)
    in_blocks = calibrated(POLICY, ticks_of(in_runs(Random(1), 8)), requests_s, finest_tick_s=1.0)
    assert in_blocks.tick_s == 5.0  # a block is one observation, however often one looks


def test_failures_as_independent_as_can_be_measured_count_one_by_one() -> None:
    policies = [calibrated(POLICY, ticks_of(independent(Random(seed))), 5.0) for seed in range(20)]
    assert sum(policy.phi == 1.0 for policy in policies) >= 18
    assert all(policy.phi == 1.0 or policy.phi > policy.together for policy in policies)


def test_a_soak_needs_as_many_bursts_as_it_otherwise_needs_requests_if_the_plan_gives_them() -> None:
    ticks = ticks_of(in_runs(Random(2), 8))
    policy = calibrated(POLICY, ticks, 5.0)
    assert policy.together is not None and policy.min_requests == round(50 * policy.together)
    assert calibrated(POLICY, ticks, 1.0).min_requests == 150  # a quarter of what 10 minutes give
    assert calibrated(POLICY, ticks, 0.1).min_requests == 50
    assert calibrated(POLICY, ticks, None).min_requests == 50
    written = replace(POLICY, min_requests=80)
    assert calibrated(written, ticks, 5.0).min_requests == 80
    one_by_one = calibrated(POLICY, ticks_of(independent(Random(1))), 5.0)
    assert one_by_one.min_requests == round(50 * (one_by_one.together or 0))


@pytest.mark.parametrize("length", [3, 8])
@pytest.mark.parametrize("seed", range(3))
def test_runs_are_measured_and_a_block_is_long_enough_for_them(length: int, seed: int) -> None:
    ticks = ticks_of(in_runs(Random(seed), length))
    found = measured(ticks, "errors", 5.0)
    assert found is not None and found.together == pytest.approx(length, rel=0.2) and found.burst_s == 5.0
    policy = calibrated(POLICY, ticks, 5.0)
    assert (
        policy.phi is None and policy.burst_s == 30.0
    )  # a twentieth of the plan: an hour may not show the longest
    assert calibrated(POLICY, ticks, 0.2).burst_s > policy.burst_s  # a run takes longer with less traffic
    assert calibrated(POLICY, ticks, None).burst_s == 30.0
    short = replace(POLICY, planned_ticks=20)
    assert calibrated(short, ticks, 5.0).burst_s == {3: 5.0, 8: 10.0}[length]
    assert calibrated(replace(POLICY, planned_ticks=1000), ticks, 5.0).burst_s == 60.0


@pytest.mark.parametrize("seed", range(4))
def test_outages_of_twenty_seconds_make_blocks_of_their_length_or_longer(seed: int) -> None:
    policy = calibrated(POLICY, ticks_of(in_outages(Random(seed), 4)), None)
    assert policy.phi is None and 20 <= policy.burst_s <= 80
    assert policy.planned_ticks * policy.burst_s == pytest.approx(600, rel=0.1)


def test_a_rare_long_burst_makes_longer_blocks_though_the_estimate_alone_would_not() -> None:
    runs = in_runs(Random(1), 4)
    quiet = next(n for n in range(100, 700) if not any(runs[n - 1 : n + 2]))
    rare = [*runs[:quiet], 60, *runs[quiet + 1 :]]  # one long burst in an hour of short ones
    found = measured(ticks_of(rare), "errors", 5.0)
    assert found is not None and found.at_most > found.together + 5
    policy = calibrated(POLICY, ticks_of(rare), 2.0)
    assert policy.burst_s > max(30.0, calibrated(POLICY, ticks_of(runs), 2.0).burst_s)
    assert policy.burst_s <= 60.0 and policy.planned_ticks * policy.burst_s == pytest.approx(600, rel=0.1)


def test_a_new_lane_has_long_blocks_unless_a_person_set_them() -> None:
    new = calibrated(POLICY, [], None)
    assert new == replace(POLICY, burst_s=30.0, planned_ticks=20) and new.measured_s == 0
    few = ticks_of(independent(Random(1), 0.05, LEAST_TICKS - 1))
    assert calibrated(POLICY, few, 5.0) == new
    assert calibrated(replace(POLICY, planned_ticks=1000), [], None).burst_s == 60.0
    for kept in (
        replace(POLICY, planned_ticks=20),  # a short plan
        replace(POLICY, burst_s=2.0),
        replace(POLICY, burst_s=10.0),
        replace(POLICY, phi=2.0),
        JudgePolicy((Objective("errors", "errors", 0.01, enforce=False),)),
    ):
        assert calibrated(kept, [], None) == kept


def test_a_daily_cycle_is_no_burst() -> None:
    random = Random(3)
    bad = [failures(random, 100, 0.005 * (1 - 0.8 * cos(2 * pi * n / 17_280))) for n in range(17_280)]
    found = measured(ticks_of(bad), "errors", 5.0)
    assert found is not None and found.burst_s == 5.0 and found.at_most <= 1.2


def test_a_quiet_history_leaves_the_policy_as_it_is() -> None:
    few = independent(Random(1), 0.05, LEAST_TICKS - 1)
    assert measured(ticks_of(few), "errors", 5.0) is None
    rare = [1] * (LEAST_BAD - 1) + [0] * 1000
    assert measured(ticks_of(rare), "errors", 5.0) is None
    assert measured(ticks_of([*rare, 1]), "errors", 5.0) is not None
    assert calibrated(POLICY, ticks_of(rare), 5.0) == POLICY
    assert measured(ticks_of(independent(Random(1))), "latency", 5.0) is None


def test_ticks_of_another_length_and_without_requests_are_left_out() -> None:
    usual = ticks_of(independent(Random(2)))
    minutes = ticks_of([60] * 500, 1200, 60.0, start=-30_000.0)
    silent = ticks_of([0] * 500, 0, start=-60_000.0)
    assert measured([*silent, *minutes, *usual], "errors", 5.0) == measured(usual, "errors", 5.0)


def test_a_gap_is_no_neighbourhood() -> None:
    outages = in_outages(Random(4), 4)
    apart = [
        ServedTick(tick.at * 3, tick.seconds, tick.counts) for tick in ticks_of(outages)
    ]  # 10 s between any two
    found = measured(apart, "errors", 5.0)
    assert found is not None and found.burst_s == 5.0


def test_the_worst_of_the_objectives_counts_and_a_given_phi_stays() -> None:
    def both(errors: list[int], slow: list[int]) -> list[ServedTick]:
        return [
            ServedTick((n + 1) * 5.0, 5.0, {"errors": Counts(100, e), "latency>2s": Counts(100, s)})
            for n, (e, s) in enumerate(zip(errors, slow, strict=True))
        ]

    policy = JudgePolicy((ERRORS, SLOW))
    random = Random(6)
    one_by_one = both(independent(random), independent(random))
    assert calibrated(policy, one_by_one, 5.0).phi is not None
    mixed = both(independent(random), in_runs(random, 8))
    found = calibrated(policy, mixed, 5.0)
    assert found.phi is None and found.together is not None and found.together > 5
    unknown = both(independent(random), [0] * 720)
    assert calibrated(policy, unknown, 5.0).phi is None  # of slow requests, nothing is known
    given = JudgePolicy((ERRORS,), phi=4.0)
    assert calibrated(given, one_by_one, 5.0) == given
    nothing = JudgePolicy((Objective("errors", "errors", 0.01, enforce=False),))
    assert calibrated(nothing, one_by_one, 5.0) == nothing


def test_an_objective_that_nothing_is_known_of_does_not_make_independent_failures_a_burst() -> None:
    policy = JudgePolicy((ERRORS, SLOW))
    ticks = [
        ServedTick(tick.at, tick.seconds, {**tick.counts, "latency>2s": Counts(100, 0)})
        for tick in ticks_of(independent(Random(1)))
    ]
    found = calibrated(policy, ticks, 5.0)
    assert (found.phi, found.burst_s, found.planned_ticks) == (None, 5.0, 120)
