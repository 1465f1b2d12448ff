"""The traffic models are what they say: rates in the long run, sizes of clusters, who fails when, the same by seed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import groupby, pairwise
from random import Random
from statistics import fmean

import pytest

from benchmarks.judge.traffic import shared
from benchmarks.judge.traffic.library import GOOD, LEVELS, MODELS, TIMES, bound_s
from benchmarks.judge.traffic.long_memory import HeavyRuns, Route
from benchmarks.judge.traffic.requests import INDEPENDENT, Failures, Retries, Runs, Visits, arrivals, failing
from benchmarks.judge.traffic.scenario import LIMIT, TICK_S, Case, Look, Scenario
from bot.domain.judge.evidence.ticks import Counts

pytestmark = pytest.mark.simulation

# Models in which nothing changes over time, and how far a stream of hours may be from its mean.
STEADY = {
    **dict.fromkeys(
        ("independent", "runs-3", "runs-8", "runs-random", "gaps-10", "resets", "sick-candidate"), 0.1
    ),
    **dict.fromkeys(("retries", "backoff", "sticky-short", "diurnal", "pauses"), 0.12),
    **dict.fromkeys(("blips-1s-60", "blips-1s-20", "blips-5s-60", "blips-5s-20", "retry-storms"), 0.15),
    **dict.fromkeys(("sticky-long", "sticky-instance", "blips-20s-30", "blips-60s-10", "gaps-40"), 0.2),
    **dict.fromkeys(("blips-60s-50", "late"), 0.2),
    **dict.fromkeys(("runs-heavy", "route", "outages", "wandering"), 0.25),
}


def summed(counts: Iterable[Counts]) -> Counts:
    known = list(counts)
    return Counts(sum(c.total for c in known), sum(c.bad for c in known))


def whole(looks: Iterable[Look]) -> tuple[Counts, Counts]:
    """Everything that the candidate did, and stable."""
    known = list(looks)
    return summed(c for look in known for c in look.candidate), summed(
        s for look in known for s in look.stable
    )


def rate(counts: Counts) -> float:
    return counts.bad / counts.total


def made(name: str, case: Case, seed: int = 1) -> Scenario:
    return MODELS[name].stream(Random(seed), case)


@pytest.mark.parametrize("name", STEADY)
def test_in_the_long_run_a_release_fails_as_often_as_the_case_says(name: str) -> None:
    # Of the longest episodes there are few in an hour.
    case = Case(candidate=0.08, stable=0.04, seconds=150_000 if name == "blips-60s-50" else 30_000)
    known = made(name, case)
    candidate, stable = whole(known.looks)
    assert rate(candidate) == pytest.approx(0.08, rel=STEADY[name])
    assert rate(stable) == pytest.approx(0.04, rel=STEADY[name])
    # Requests that are lost with a reset are few, and retries come on top.
    assert candidate.total / case.seconds == pytest.approx(5, rel=0.1)
    assert stable.total / case.seconds == pytest.approx(20, rel=0.1)


@pytest.mark.parametrize("name", ["drift", "leak-both", "herd"])
def test_a_model_that_changes_has_its_mean_over_the_plan(name: str) -> None:
    looks = [look for seed in range(25) for look in made(name, Case(0.02, 0.02), seed).looks]
    candidate, stable = whole(looks)
    assert rate(candidate) == pytest.approx(0.02, rel=0.1)
    assert rate(stable) == pytest.approx(0.02, rel=0.1)


@pytest.mark.parametrize("name", [*STEADY, "sick-stable", "leak"])
def test_the_candidate_is_as_good_as_stable_until_the_change(name: str) -> None:
    case = Case(candidate=0.5, stable=0.01, change=300)
    looks = [look for seed in range(15) for look in made(name, case, seed).looks]
    before, _ = whole(look for look in looks if look.at <= 300)
    after, _ = whole(look for look in looks if look.at > 300)
    assert rate(before) < 0.03
    assert rate(after) > (0.12 if name == "leak" else 0.4)


@pytest.mark.parametrize("name", MODELS)
def test_the_history_is_an_hour_of_stable_with_all_the_traffic(name: str) -> None:
    model = MODELS[name]
    case = next(model.innocents(), None) or next(model.guilty(late=False))
    known = made(name, case)
    requests = sum(total for total, _ in known.history)
    rps = model.candidate_rps + model.stable_rps
    assert requests / 3600 == pytest.approx(
        rps / 2 if name == "drift" else rps, rel=0.25 if name == "tiny" else 0.05
    )
    assert all(0 <= bad <= total for total, bad in known.history)
    assert len(known.looks) == case.seconds / TICK_S
    assert (len(known.history) == 720) == ("gaps" not in name)


@pytest.mark.parametrize("name", MODELS)
def test_the_same_seed_makes_the_same_stream(name: str) -> None:
    case = next(MODELS[name].guilty(late=True), None) or next(MODELS[name].innocents())
    assert made(name, case, 5) == made(name, case, 5)
    assert made(name, case, 5) != made(name, case, 6)


def clusters(failures: Failures, apart: int) -> list[int]:
    """Sizes of clusters of rare bad requests, with more than `apart` seconds without one between them."""
    served = failures.serve(Random(3), [1.0] * 200_000, [0.002] * 200_000)
    found, size, quiet = [], 0, 0
    for _, bad in served:
        if bad:
            size, quiet = size + bad, 0
        else:
            quiet += 1
            if size and quiet > apart:
                found.append(size)
                size = 0
    return found


@pytest.mark.parametrize(
    ("failures", "apart", "mean"),
    [
        (INDEPENDENT, 1, 1.0),
        (Runs(3), 5, 3.0),
        (Runs(8), 8, 8.0),
        (Runs(5, random_length=True), 6, 5.0),
        (Retries(), 8, 3.05),
        (Retries(0.85, (1, 2, 4, 8, 16, 32)), 32, 4.53),
        (Visits(8, 1), 3, 8.0),
        (Visits(20, 3), 9, 20.0),
    ],
    ids=str,
)
def test_one_failure_brings_as_many_along_as_the_model_says(
    failures: Failures, apart: int, mean: float
) -> None:
    assert fmean(clusters(failures, apart)) == pytest.approx(mean, rel=0.2)


def test_runs_are_consecutive_requests_of_one_length() -> None:
    bad = failing(Random(1), [1] * 100_000, [0.001] * 100_000, lambda: 8)
    lengths = [len(list(run)) for failed, run in groupby(bad) if failed]
    assert len(lengths) > 50
    assert sum(length == 8 for length in lengths) > 0.95 * len(lengths)
    assert all(length % 8 == 0 for length in lengths)


def test_runs_with_a_heavy_tail_are_mostly_short() -> None:
    assert HeavyRuns().mean == pytest.approx(2.5, rel=0.01)
    sizes = clusters(HeavyRuns(), 8)
    assert sum(size <= 2 for size in sizes) > 0.7 * len(sizes)
    assert max(sizes) > 10


@pytest.mark.parametrize(("chance", "part"), [(0.05, 0.1), (0.1, 0.1), (0.5, 0.1)])
def test_a_route_fails_as_often_as_it_should_and_its_requests_come_by_users(
    chance: float, part: float
) -> None:
    served = Route(part).serve(Random(1), [5.0] * 20_000, [chance] * 20_000)
    assert sum(b for _, b in served) / sum(n for n, _ in served) == pytest.approx(chance, rel=0.15)
    whole_route = [b for _, b in Route(part).serve(Random(2), [5.0] * 20_000, [part] * 20_000)]
    mean = fmean(whole_route)
    together = fmean((a - mean) * (b - mean) for a, b in zip(whole_route, whole_route[3:], strict=False))
    apart = fmean((a - mean) * (b - mean) for a, b in pairwise(whole_route))
    assert together > 0.3 > abs(apart)  # a user comes every three seconds


def test_arrivals_are_poisson() -> None:
    requests = arrivals(Random(1), [5.0] * 20_000)
    mean = fmean(requests)
    assert mean == pytest.approx(5, rel=0.02)
    assert fmean((n - mean) ** 2 for n in requests) == pytest.approx(5, rel=0.05)


@pytest.mark.parametrize(("length", "depth"), [(1, 0.6), (5, 0.6), (20, 0.3), (60, 0.1)])
def test_blips_last_as_long_and_go_as_deep_as_they_say_and_hit_both(length: int, depth: float) -> None:
    case = Case(0.005, 0.005, seconds=30_000)
    known = shared.blips(length, depth)(Random(2), case)
    alone = [look for look in known.looks if look.candidate[0].bad and not look.stable[0].bad]
    hit = [look for look in known.looks if look.stable[0].bad]
    assert len(alone) <= 0.02 * len(hit)
    # An episode of L seconds touches L / 5 + 4 / 5 ticks on average, and there are time x share / L of them.
    episodes = case.seconds * case.stable / depth / length
    assert len(hit) == pytest.approx(episodes * (length + TICK_S - 1) / TICK_S, rel=0.5)
    if length >= 20:
        inside = [b for a, b, c in zip(hit, hit[1:], hit[2:], strict=False) if c.at - a.at == 2 * TICK_S]
        assert rate(whole(inside)[1]) == pytest.approx(depth, rel=0.1)


def test_a_dependency_without_failures_has_no_blips() -> None:
    assert whole(shared.blips(5, 0.6)(Random(1), Case(0.0, 0.0)).looks)[1].bad == 0


def test_one_instance_is_sick_and_the_others_are_well() -> None:
    innocent = made("sick-stable", Case(0.02, 0.02, seconds=6000))
    stable = [rate(summed(look.stable[n] for look in innocent.looks)) for n in range(4)]
    assert stable == pytest.approx([0.2, 0.02, 0.02, 0.02], rel=0.15)
    assert rate(whole(innocent.looks)[0]) == pytest.approx(0.02, rel=0.2)
    guilty = made("sick-candidate", Case(0.1, 0.02, seconds=6000))
    candidate = [rate(summed(look.candidate[n] for look in guilty.looks)) for n in range(2)]
    assert candidate == pytest.approx([0.18, 0.02], rel=0.15)
    guilty = made("sick-of-10", Case(0.05, 0.02, seconds=60_000))
    candidate = [rate(summed(look.candidate[n] for look in guilty.looks)) for n in range(10)]
    assert candidate == pytest.approx([0.32, *[0.02] * 9], rel=0.15)


def test_bad_users_stay_on_the_instance_that_they_met() -> None:
    looks = made("sticky-instance", Case(0.01, 0.01, seconds=20_000)).looks
    bad = [[look.candidate[n].bad for look in looks] for n in range(4)]
    # Neighbouring looks at one instance have a user in common, neighbouring instances do not.
    mean = fmean(fmean(each) for each in bad)
    own = fmean((a - mean) * (b - mean) for each in bad for a, b in pairwise(each))
    other = fmean(
        (a - mean) * (b - mean) for one, two in pairwise(bad) for a, b in zip(one, two, strict=True)
    )
    assert own > 10 * abs(other)


def test_a_herd_comes_with_each_of_three_shifts() -> None:
    known = made("herd", Case(0.01, 0.01))
    assert [look.at for look in known.looks if look.shifted] == [5, 205, 405]
    calm = [look for look in known.looks if not look.shifted]
    herds, others = whole(look for look in known.looks if look.shifted), whole(calm)
    for herd, other in zip(herds, others, strict=True):
        assert herd.total / 3 > 1.5 * other.total / len(calm)
        assert rate(herd) > 4 * rate(other)
    shares = []
    for first in (0, 200, 400):
        candidate, stable = whole(look for look in known.looks if first < look.at <= first + 200)
        shares.append(candidate.total / (candidate.total + stable.total))
    assert shares == pytest.approx([0.2, 0.4, 0.5], rel=0.05)


def test_leaks_grow_of_one_or_of_both_and_outages_recover() -> None:
    def halves(name: str, case: Case) -> list[tuple[float, float]]:
        looks = [look for seed in range(10) for look in made(name, case, seed).looks]
        parts = ([look for look in looks if look.at <= 300], [look for look in looks if look.at > 300])
        rates = [tuple(map(rate, whole(part))) for part in parts]
        return [(rates[0][side], rates[1][side]) for side in (0, 1)]

    (early, late), (stable_early, stable_late) = halves("leak", Case(0.1, 0.002))
    assert (early, late) == pytest.approx((0.0265, 0.0755), rel=0.15)
    assert stable_early == pytest.approx(stable_late, rel=0.5)
    for early, late in halves("leak-both", Case(0.02, 0.02)):
        assert (early, late) == pytest.approx((0.01, 0.03), rel=0.15)
    for early, late in halves("recovery", Case(0.01, 0.01)):
        assert early > 2.5 * late


def test_gaps_hide_looks_and_lose_nothing() -> None:
    case = Case(0.01, 0.01, seconds=10_000)
    gappy, plain = made("gaps-10", case), made("independent", case)
    for side in ("candidate", "stable"):
        assert fmean(side in look.unread for look in gappy.looks) == pytest.approx(0.1, rel=0.2)
    assert whole(gappy.looks) == whole(plain.looks)
    assert 600 < len(gappy.history) < 690
    assert sum(n for n, _ in plain.history) - sum(n for n, _ in gappy.history) < 5000


def test_late_counters_stand_still_and_then_have_both_ticks() -> None:
    case = Case(0.01, 0.01, seconds=10_000)
    late, plain = made("late", case), made("blips-5s-60", case)
    for side in (0, 1):
        assert fmean(
            not (look.candidate, look.stable)[side][0].total for look in late.looks
        ) == pytest.approx(0.2, rel=0.2)
    for mine, theirs in zip(whole(late.looks), whole(plain.looks), strict=True):
        assert 0 <= theirs.total - mine.total < 500
    assert late.history == plain.history


def test_releases_pause_and_fail_at_their_own_times() -> None:
    known = made("pauses", Case(0.01, 0.01, seconds=4000))
    assert known.seconds is not None
    seconds = [{at % 40 for at, (_, bad) in enumerate(side) if bad} for side in known.seconds]
    assert all(len(each) == 2 for each in seconds) and seconds[0] != seconds[1]
    for name in ("outages", "wandering"):
        looks = [look for seed in range(5) for look in made(name, Case(0.05, 0.05, seconds=6000), seed).looks]
        both = [(rate(look.candidate[0]), rate(look.stable[0])) for look in looks if look.candidate[0].total]
        means = [fmean(each) for each in zip(*both, strict=True)]
        common = fmean((c - means[0]) * (s - means[1]) for c, s in both)
        alone = fmean((s - means[1]) ** 2 for _, s in both)
        assert abs(common) < 0.2 * alone


def test_resets_come_as_often_as_they_say_and_lose_part_of_a_tick() -> None:
    case = Case(0.01, 0.01, seconds=20_000)
    known, plain = made("resets", case), made("independent", case)
    resets = [n for n, look in enumerate(known.looks) if "stable" in look.reset]
    assert len(resets) == pytest.approx(20_000 / 120, rel=0.25)
    kept = summed(known.looks[n].stable[0] for n in resets).total
    assert kept == pytest.approx(0.5 * summed(plain.looks[n].stable[0] for n in resets).total, rel=0.15)
    assert all(known.looks[n] == plain.looks[n] for n in range(len(known.looks)) if not known.looks[n].reset)


def test_every_model_has_the_cases_of_the_comparison() -> None:
    for name, model in MODELS.items():
        levels = [case.candidate for case in model.innocents()]
        assert all(case.candidate == case.stable and not case.guilty for case in model.innocents())
        assert levels in ([*LEVELS], []) or name == "drift-far"
        for late in (False, True):
            for case in model.guilty(late=late):
                assert case.guilty
                assert case.stable == pytest.approx(GOOD * LIMIT)
                assert case.change == (case.plan_s / 3 if late else 0)
                assert case.seconds >= case.change + 8 * bound_s(model, case) - TICK_S
        assert levels or model.times


def test_the_bound_is_walds_and_a_leak_takes_longer() -> None:
    cases = list(MODELS["independent"].guilty(late=False))
    bounds = [bound_s(MODELS["independent"], case) for case in cases]
    # log(100) / (0.02 log 2 + 0.98 log(0.98 / 0.99)) requests at 5 a second.
    assert bounds[0] == pytest.approx(235.3, abs=0.5)
    assert [case.candidate for case in cases] == pytest.approx([times * LIMIT for times in TIMES])
    assert bounds == sorted(bounds, reverse=True)
    assert bound_s(MODELS["leak"], cases[3]) > 5 * bounds[3]
    slow = replace(cases[3], candidate_rps=0.5)
    assert bound_s(MODELS["independent"], slow) == pytest.approx(10 * bounds[3])
