"""Trouble of one release alone: failures that come together, outages of its own, a sick instance, a leak."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, sqrt
from random import Random

from benchmarks.judge.traffic.requests import INDEPENDENT, Failures, Seconds
from benchmarks.judge.traffic.scenario import (
    HISTORY_S,
    Case,
    Scenario,
    Stream,
    scenario,
    seconds_of,
    step,
    stream,
)


def clustered(failures: Failures) -> Stream:
    """Both releases fail as often as ever, and one failure of a release brings others of the same release along."""

    def model(random: Random, case: Case) -> Scenario:
        return stream(random, case, [case.stable] * len(seconds_of(case)), failures=failures)

    return model


def leaking(random: Random, case: Case) -> Scenario:
    """From the change on the candidate gets worse by the second; after the length of a plan it is as bad as it gets."""
    own = [
        (case.candidate - case.stable) * min(max((at - case.change) / case.plan_s, 0.0), 1.0)
        for at in range(case.seconds)
    ]
    return stream(random, case, [case.stable] * len(seconds_of(case)), own=own)


def pausing(length_s: int, every_s: int) -> Stream:
    """Each release stops for `length_s` of every `every_s` seconds, as to collect garbage, at its own time."""

    def model(random: Random, case: Case) -> Scenario:
        depth = min(1.0, case.stable * every_s / length_s)

        def chances(seconds: int) -> list[float]:
            phase = random.randrange(every_s)
            return [depth if (at + phase) % every_s < length_s else 0.0 for at in range(seconds)]

        return stream(random, case, chances(len(seconds_of(case))), alone=chances(case.seconds))

    return model


def outages(mean_s: float, depth: float) -> Stream:
    """Each release has outages of its own, in which `depth` of its requests fail, of random length (exponential)."""

    def model(random: Random, case: Case) -> Scenario:
        def chances(seconds: int) -> list[float]:
            share = case.stable / depth
            quiet_s = mean_s * (1 - share) / share
            found = [depth] * round(random.expovariate(1 / mean_s)) if random.random() < share else []
            while len(found) < seconds:
                found += [0.0] * min(seconds, round(random.expovariate(1 / quiet_s)))
                found += [depth] * max(1, round(random.expovariate(1 / mean_s)))
            return found[:seconds]

        return stream(random, case, chances(len(seconds_of(case))), alone=chances(case.seconds))

    return model


def wandering(memory_s: float, sigma: float) -> Stream:
    """Each release's proportion of failures wanders by itself: its log is an Ornstein-Uhlenbeck process.

    memory_s: seconds after which its correlation has fallen to 37%. sigma: its standard deviation.
    """

    def model(random: Random, case: Case) -> Scenario:
        stays = exp(-1 / memory_s)
        moves = sigma * sqrt(1 - stays * stays)
        usual = case.stable * exp(-sigma * sigma / 2)

        def chances(seconds: int) -> list[float]:
            found, log_more = [], random.gauss(0, sigma)
            for _ in range(seconds):
                found.append(round(min(1.0, usual * exp(log_more)), 4))
                log_more = stays * log_more + random.gauss(0, moves)
            return found

        return stream(random, case, chances(len(seconds_of(case))), alone=chances(case.seconds))

    return model


# Instances of the candidate and of stable, where a model does not say; each has an equal part of the requests.
CANDIDATES, STABLES = 2, 4


def sick_of_stable(random: Random, case: Case) -> Scenario:
    """One of stable's four instances fails ten times as often as the others; the candidate's are all alike."""
    healthy = [case.stable] * len(seconds_of(case))
    worse = _added(healthy[HISTORY_S:], step(case))
    return _instances(
        random, case, [worse] * CANDIDATES, [[p * 10 for p in healthy], *[healthy] * (STABLES - 1)]
    )


def sick_of_candidate(instances: int) -> Stream:
    """All that the candidate has besides is on one of so many instances."""

    def model(random: Random, case: Case) -> Scenario:
        healthy = [case.stable] * len(seconds_of(case))
        well = healthy[HISTORY_S:]
        sick = _added(well, [instances * p for p in step(case)])
        return _instances(random, case, [sick, *[well] * (instances - 1)], [healthy] * STABLES)

    return model


def stuck(failures: Failures) -> Stream:
    """Every instance fails as often as all others, and one failure brings others of the same instance along."""

    def model(random: Random, case: Case) -> Scenario:
        healthy = [case.stable] * len(seconds_of(case))
        worse = _added(healthy[HISTORY_S:], step(case))
        return _instances(random, case, [worse] * STABLES, [healthy] * STABLES, failures)

    return model


def _added(chances: Sequence[float], own: Sequence[float]) -> list[float]:
    return [min(1.0, p + q) for p, q in zip(chances, own, strict=True)]


def _instances(
    random: Random,
    case: Case,
    candidate: Sequence[Sequence[float]],
    stable: Sequence[Sequence[float]],
    failures: Failures = INDEPENDENT,
) -> Scenario:
    """Instances with the chances to fail that each has in every second; stable's begin with the history."""
    each = [case.candidate_rps / len(candidate)] * case.seconds
    rps = case.candidate_rps + case.stable_rps
    others = [rps / STABLES] * HISTORY_S + [case.stable_rps / STABLES] * case.seconds
    mine = [failures.serve(random, each, chances) for chances in candidate]
    theirs = [failures.serve(random, others, chances) for chances in stable]
    before = _summed([instance[:HISTORY_S] for instance in theirs])
    return scenario(case, mine, [instance[HISTORY_S:] for instance in theirs], before)


def _summed(instances: Sequence[Seconds]) -> Seconds:
    return [(sum(n for n, _ in each), sum(b for _, b in each)) for each in zip(*instances, strict=True)]
