"""What the judge promises, simulated: how often a good release is accused, and how soon a bad one is found.

Seeds are fixed; bounds leave room for three standard errors, so that a failure here is a change of the judge.
"""

from __future__ import annotations

from math import inf
from random import Random
from statistics import fmean

import pytest

from benchmarks.judge import detection
from benchmarks.judge.streams import (
    Replay,
    bad_ticks,
    kl,
    mann_whitney_fails_at,
    threshold_fails_at,
    wald,
)
from bot.domain.judge.judge import JudgePolicy, Objective, Outcome, advance, begin, verdict
from tests.support.rules.judging import failures, judged, said, tick

pytestmark = pytest.mark.simulation


@pytest.mark.parametrize(
    ("rate", "phi", "planned"),
    [(0.05, 1.0, 40), (0.01, 3.0, 200), (0.08, 2.0, 700), (0.05, None, 40), (0.02, None, 700)],
)
def test_the_fast_replay_fails_at_the_very_tick_of_the_judge(
    rate: float, phi: float | None, planned: int
) -> None:
    policy = JudgePolicy((Objective("errors", "errors", 0.01),), planned_ticks=planned, phi=phi)
    for seed in range(4):
        bad = set(_until(bad_ticks(Random(seed), [(1, rate)], 2), 700))
        state, heard = begin(policy), inf
        for number in range(1, 701):
            state = advance(state, policy, tick(number, (1, int(number in bad))))
            if state.trials[0].decided_at is not None:
                heard = number
                break
        assert Replay(0.01, planned, phi=phi).fails_at(iter(sorted(bad)), 700) == heard


def _until(ticks: object, last: int) -> list[int]:
    found = []
    for one in ticks:  # type: ignore[attr-defined]
        if one > last:
            return found
        found.append(one)
    return found


def test_streams_have_the_rates_they_are_asked_for() -> None:
    bad = _until(bad_ticks(Random(1), [(1, 0.02), (50_001, 0.1)], 1), 100_000)
    early = sum(t <= 50_000 for t in bad)
    assert (early / 50_000, (len(bad) - early) / 50_000) == pytest.approx((0.02, 0.1), rel=0.1)
    clustered = _until(bad_ticks(Random(1), [(1, 0.02)], 3), 100_000)
    assert len(clustered) / 100_000 == pytest.approx(0.02, rel=0.15)
    assert clustered[1] - clustered[0] == clustered[2] - clustered[1] == 1


def test_walds_bound_is_the_one_of_the_design() -> None:
    assert wald(0.1, 0.01, 0.01) == pytest.approx(32, abs=0.5)
    assert kl(0.3, 0.3) == 0


def test_detection_is_within_the_promise_of_walds_bound() -> None:
    early, worst_early, _ = detection.detection(detection.judge, late=False, runs=120)
    late, worst_late, accused = detection.detection(detection.judge, late=True, runs=120)
    assert early <= 1.5 * 1.03
    assert late <= 2.3
    assert worst_early <= 2
    assert worst_late <= 2.8
    assert accused <= 0.002


@pytest.mark.parametrize("cluster", [1, 3])
def test_a_release_at_the_limit_is_accused_no_more_often_than_promised(cluster: int) -> None:
    assert detection.false_alarms(detection.judge, cluster=cluster, runs=1500) <= 0.01


def test_common_drift_far_beyond_the_limit_is_not_held_against_the_candidate() -> None:
    assert detection.common_drift(120, 25) <= 0.01


@pytest.mark.parametrize("served", [(5, 20), (1, 19), (10, 10)])
@pytest.mark.parametrize("mean", [0.005, 0.009])
def test_seconds_in_which_a_shared_dependency_fails_are_not_held_against_the_candidate(
    served: tuple[int, int], mean: float
) -> None:
    assert detection.shared_blips(60, mean, served) == 0


def test_a_candidate_at_all_traffic_is_failed_by_its_limit_alone_soon_after_stable_serves_no_more() -> None:
    policy = JudgePolicy((Objective("errors", "errors", 0.01),))
    alike = [tick(number, (100, 1), stable=(100, 1)) for number in range(1, 21)]
    state = judged(policy, alike)
    found = []
    for number in range(21, 41):
        state = advance(state, policy, tick(number, (100, 5), stable=(0, 0)))
        found.append(verdict(state, policy, soak_required_s=None).outcome)
    assert found.index(Outcome.FAIL) <= 30 / 5


def test_drift_below_the_limit_never_makes_the_comparison_accuse() -> None:
    policy = JudgePolicy((Objective("errors", "errors", 0.2, ratio=1.0),), planned_ticks=120)
    accused = 0
    for seed in range(150):
        random = Random(seed)
        pairs = zip(
            detection.drifting(random, 120, 10, 0.08), detection.drifting(random, 120, 10, 0.08), strict=True
        )
        state = begin(policy)
        for number, (candidate, stable) in enumerate(pairs, 1):
            counts = (candidate.total, candidate.bad), (stable.total, stable.bad)
            state = advance(state, policy, tick(number, counts[0], stable=counts[1]))
        accused += state.pairs[0].decided_at is not None
    assert accused <= 1


def test_all_tests_of_a_rollout_together_keep_to_alpha() -> None:
    objectives = tuple(Objective(name, "proportion", 0.02, ratio=1.0) for name in ("a", "b"))
    policy = JudgePolicy(objectives, planned_ticks=60, alpha=0.05)
    accused = 0
    for seed in range(200):
        random = Random(seed)
        state = begin(policy)
        for number in range(1, 61):
            mine = [(10, failures(random, 10, 0.02)) for _ in objectives]
            one = tick(number, *mine, stable=(30, failures(random, 30, 0.02)), names=("a", "b"))
            state = advance(state, policy, one)
        accused += verdict(state, policy, soak_required_s=None).outcome is Outcome.FAIL
    assert accused / 200 <= 0.05


def test_the_mean_of_the_evidence_of_good_releases_stays_at_most_one() -> None:
    random, policy = Random(11), JudgePolicy((Objective("errors", "errors", 0.05),), planned_ticks=20)
    from math import exp

    found = []
    for _ in range(1500):
        ticks = [tick(n, (5, failures(random, 5, 0.05))) for n in range(1, 16)]
        found.append(exp(judged(policy, ticks).trials[0].log_m))
    # Heavy upper tail: nearly all of the mass lies well below 1.
    assert fmean(found) <= 1.25
    assert sorted(found)[750] < 1


def test_bad_releases_do_not_pass_and_good_ones_do() -> None:
    policy = JudgePolicy((Objective("errors", "errors", 0.01),), planned_ticks=60)
    outcomes = {rate: [] for rate in (0.001, 0.04)}
    for rate, found in outcomes.items():
        for seed in range(60):
            random = Random(seed)
            found.append(
                said(policy, [tick(n, (20, failures(random, 20, rate))) for n in range(1, 61)], 300.0).outcome
            )
    assert outcomes[0.04].count(Outcome.FAIL) >= 58
    assert Outcome.PASS not in outcomes[0.04]
    assert outcomes[0.001].count(Outcome.PASS) == 60


def test_the_comparisons_do_what_they_are_said_to_do() -> None:
    assert threshold_fails_at(iter([5]), 0.01, 1000, window=300, ticks=3) == inf
    assert threshold_fails_at(iter([5, 9, 20, 21]), 0.01, 1000, window=300, ticks=3) == 23
    assert threshold_fails_at(iter([5, 9, 303, 304, 400]), 0.01, 303, window=300, ticks=3) == inf
    assert mann_whitney_fails_at(iter([]), iter([4]), 100) == inf
    # Five of 14 against none: z = 0.357 / sqrt(0.179 * 0.821 * 2 / 14 * 28 / 27) = 2.42, the first above 2.33.
    assert mann_whitney_fails_at(iter(range(10, 100)), iter([]), 1000) == 14
    assert mann_whitney_fails_at(iter(range(10, 100)), iter([]), 1000, alpha=0.2) == 10
