"""Detection time and false alarms of the judge, compared with usual methods.

One request a tick, limits 0.1, 1 and 5%, true rates 2, 3, 5 and 10 times the limit, alpha 1%, plans of ten times
Wald's bound. "Late" streams run at half the limit for a third of the plan before they turn bad. The comparisons see
the same streams: a one-sided Mann-Whitney test against stable (at half the limit) at every tick, and "the rate over
the last 300 ticks (or five expected bad requests, whichever is more) was above the limit for 3 ticks".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import cos, inf, pi
from random import Random
from statistics import fmean

from benchmarks.judge.streams import Replay, bad_ticks, mann_whitney_fails_at, threshold_fails_at, wald
from benchmarks.report import Row, show
from bot.domain.judge.evidence.ticks import CounterReading, Counts, Sample, Tick, begin_evidence, difference
from bot.domain.judge.judge import JudgePolicy, Objective, Outcome, advance, begin, verdict

ALPHA = 0.01
LIMITS = (0.001, 0.01, 0.05)
TIMES = (2, 3, 5, 10)
PLAN = 10  # plans last this many times Wald's bound
PATIENCE = 60  # a test ends after this many times Wald's bound

Detector = Callable[[float, int, int, float, Random, list[tuple[int, float]]], float]


def judge(
    limit: float, planned: int, cluster: int, last: float, random: Random, rates: list[tuple[int, float]]
) -> float:
    """Tick at which the judge says FAIL."""
    phi = float(cluster) if cluster > 1 else None
    return Replay(limit, planned, ALPHA, phi).fails_at(bad_ticks(random, rates, cluster), last)


def mann_whitney(
    limit: float, planned: int, cluster: int, last: float, random: Random, rates: list[tuple[int, float]]
) -> float:
    """Tick at which a Mann-Whitney test at every tick says so, with stable at half the limit.

    A candidate at the limit is compared with a stable at the limit: the test must not distinguish them.
    """
    good = min(rates[0][1], limit) if len(rates) == 1 and rates[0][1] <= limit else limit / 2
    stable = bad_ticks(Random(random.random()), [(1, good)], cluster)
    return mann_whitney_fails_at(bad_ticks(random, rates, cluster), stable, last, ALPHA)


def threshold(
    limit: float, planned: int, cluster: int, last: float, random: Random, rates: list[tuple[int, float]]
) -> float:
    """Tick at which a threshold over a sliding window has been exceeded for 3 ticks."""
    window = max(300, round(5 / limit))
    return threshold_fails_at(bad_ticks(random, rates, cluster), limit, last, window=window, ticks=3)


DETECTORS: tuple[tuple[str, Detector], ...] = (
    ("judge", judge),
    ("Mann-Whitney every tick", mann_whitney),
    ("threshold x 3 ticks", threshold),
)


def detection(detector: Detector, *, late: bool, runs: int) -> tuple[float, float, float]:
    """(mean detection time over Wald's bound, averaged over the twelve cases; worst case; accused while still good)."""
    ratios, accused = [], []
    for limit in LIMITS:
        for times in TIMES:
            true = limit * times
            bound = wald(true, limit, ALPHA)
            planned = max(3, round(PLAN * bound))
            change = planned // 3 if late else 0
            rates = [(1, limit / 2), (change + 1, true)] if late else [(1, true)]
            last = change + PATIENCE * bound
            seeds = (Random(f"{limit} {times} {late} {run}") for run in range(runs))
            found = [detector(limit, planned, 1, last, seed, rates) for seed in seeds]
            heard = [min(at, last) - change for at in found if at > change]
            accused.append(1 - len(heard) / runs)
            if heard:
                ratios.append(fmean(heard) / bound)
    return (fmean(ratios), max(ratios), fmean(accused)) if ratios else (inf, inf, fmean(accused))


def false_alarms(detector: Detector, *, cluster: int, runs: int) -> float:
    """Share of rollouts accused although the candidate is exactly at the limit, the largest of the three limits."""
    shares = []
    for limit in LIMITS:
        planned = round(20 / limit)
        seeds = (Random(f"good {limit} {cluster} {run}") for run in range(runs))
        found = [detector(limit, planned, cluster, planned, seed, [(1, limit)]) for seed in seeds]
        shares.append(sum(at <= planned for at in found) / runs)
    return max(shares)


def drifting(random: Random, ticks: int, requests: int, peak: float) -> Iterator[Counts]:
    """Ticks of `requests` requests with a rate that rises from 0.4% to `peak` in the middle and falls again."""
    for at in range(ticks):
        rate = 0.004 + (peak - 0.004) * max(0.0, -cos(2 * pi * at / ticks)) ** 2
        yield Counts(requests, sum(random.random() < rate for _ in range(requests)))


def common_drift(runs: int, stable: int) -> float:
    """Share of rollouts accused by the whole judge when candidate and stable drift together far over the limit."""
    policy = JudgePolicy((Objective("errors", "errors", 0.01, ratio=1.0),), planned_ticks=240)
    accused = 0
    for run in range(runs):
        random = Random(f"drift {run}")
        pairs = zip(drifting(random, 240, 5, 0.06), drifting(random, 240, stable, 0.06), strict=True)
        state = begin(policy)
        for number, (candidate, beside) in enumerate(pairs):
            state = advance(state, policy, Tick(number * 5.0, 5.0, {"errors": candidate}, {"errors": beside}))
        accused += verdict(state, policy, soak_required_s=None).outcome is Outcome.FAIL
    return accused / runs


def shared_blips(runs: int, mean: float, served: tuple[int, int]) -> float:
    """Share of rollouts accused in 10 minutes in which single seconds fail 60% of the requests of both releases.

    mean: of both rates over time. served: requests a second of the candidate, and of stable.
    """
    policy = JudgePolicy((Objective("errors", "errors", 0.01),))
    accused = 0
    for run in range(runs):
        random = Random(f"blips {mean} {served} {run}")
        state = begin(policy)
        for number in range(1, 121):
            rates = [0.6 if random.random() < mean / 0.6 else 0.0 for _ in range(5)]
            candidate, stable = (
                Counts(5 * each, sum(random.random() < rate for rate in rates for _ in range(each)))
                for each in served
            )
            state = advance(state, policy, Tick(number * 5.0, 5.0, {"errors": candidate}, {"errors": stable}))
        accused += verdict(state, policy, soak_required_s=None).outcome is Outcome.FAIL
    return accused / runs


def outage_with_gaps(runs: int, silent: float) -> float:
    """Share of rollouts accused when 30% of both fail for 4 of 60 ticks and each is unreadable at random meanwhile.

    silent: share of the ticks at which one release cannot be read.
    """
    policy = JudgePolicy((Objective("errors", "errors", 0.01, ratio=1.0),), planned_ticks=60, settle_s=0.0)
    accused = 0
    for run in range(runs):
        random, served = Random(f"gaps {silent} {run}"), [[0, 0], [0, 0]]
        outage = random.randrange(5, 50)
        evidence, state, failed = begin_evidence(), begin(policy), False
        for number in range(60):
            samples = []
            for name, counts, requests in zip(("1.5.0", "1.4.0"), served, (40, 160), strict=True):
                rate = 0.3 if outage <= number < outage + 4 else 0.005
                counts[0] += requests
                counts[1] += sum(random.random() < rate for _ in range(requests))
                hidden = number > 0 and random.random() < silent
                readings = () if hidden else (CounterReading("router", counts[0], counts[1]),)
                samples.append(Sample(number * 5.0, name, readings, "no answer" if hidden else None))
            evidence, tick = difference(evidence, policy, number * 5.0, *samples)
            state = advance(state, policy, tick)
            failed = failed or any(test.decided_at is not None for test in (*state.trials, *state.pairs))
        accused += failed
    return accused / runs


def run(quick: bool = False) -> list[Row]:
    """Measure detection and false alarms."""
    runs, rollouts = (150, 60) if quick else (1000, 600)
    rows = []
    for late, goal in ((False, 1.5), (True, 2.2)):
        what = "bad from a third on" if late else "bad from the start"
        figures = [(name, detection(detector, late=late, runs=runs)) for name, detector in DETECTORS]
        (_, (mine, worst, early)), *others = figures
        rows.append(
            Row(f"detection, {what}", mine, "x", "Wald's bound", 1.0, mine, f"<= {goal} x", mine <= goal)
        )
        rows.append(Row("  worst of the twelve cases", worst, "x", "Wald's bound", 1.0, worst))
        if late:
            rows.append(Row("  accused while still good", early * 100, "%"))
        for name, (theirs, _, wrongly) in others:
            with_alarms = f"{name} ({wrongly:.0%} accused while good)" if late else name
            rows.append(Row("  the judge compared with it", mine, "x", with_alarms, theirs, mine / theirs))
    many = runs * 2
    for cluster, what in ((1, "independent requests"), (3, "clusters of 3, phi = 3")):
        mine, *theirs = [false_alarms(detector, cluster=cluster, runs=many) for _, detector in DETECTORS]
        for (name, _), share in zip(DETECTORS[1:], theirs, strict=True):
            ratio = mine / share if share else None
            text = f"false alarms at the limit, {what}"
            rows.append(Row(text, mine * 100, "%", name, share * 100, ratio, "<= 1%", mine <= ALPHA))
    for stable in (25, 5):
        drift = common_drift(rollouts, stable)
        what = f"false alarms, common drift, stable has {stable / 5:g} x the traffic"
        rows.append(Row(what, drift * 100, "%", goal="<= 1%", ok=drift <= ALPHA))
    for mean in (0.005, 0.009):
        blips = shared_blips(rollouts, mean, (5, 20))
        what = f"false alarms, single seconds in which 60% of both fail, {mean:.1%} on average"
        rows.append(Row(what, blips * 100, "%", goal="<= 1%", ok=blips <= ALPHA))
    for silent in (0.0, 0.1, 0.4):
        gaps = outage_with_gaps(rollouts, silent)
        what = f"false alarms, outage of both, each unreadable in {silent:.0%} of the ticks"
        rows.append(Row(what, gaps * 100, "%", goal="<= 1%", ok=gaps <= ALPHA))
    return rows


if __name__ == "__main__":
    show(run(), __doc__ or "")
