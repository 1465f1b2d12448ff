"""Trouble and change that both releases have in common: a dependency, the hour, the shift of weight itself."""

from __future__ import annotations

from dataclasses import replace
from math import cos, exp, pi, sin
from random import Random

from benchmarks.judge.traffic.requests import INDEPENDENT, Failures, Retries, geometric
from benchmarks.judge.traffic.scenario import (
    TICK_S,
    Case,
    Scenario,
    Stream,
    seconds_of,
    stream,
    with_looks,
)


def independent(random: Random, case: Case) -> Scenario:
    """Each request fails by itself."""
    return stream(random, case, [case.stable] * len(seconds_of(case)))


def blips(length_s: int, depth: float, failures: Failures = INDEPENDENT) -> Stream:
    """A dependency fails for `length_s` seconds now and then, and with it `depth` of the requests of both releases.

    All failures of stable are such; a guilty candidate has others of its own besides.
    """

    def model(random: Random, case: Case) -> Scenario:
        share = case.stable / depth
        if isinstance(failures, Retries):
            share = failures.first(case.stable) / failures.first(depth)
        return stream(random, case, _episodes(random, case, length_s, share, depth), failures=failures)

    return model


def _episodes(random: Random, case: Case, length_s: int, share: float, depth: float) -> list[float]:
    """`depth` in the seconds of an episode, which are `share` of the time, and 0 in the others."""
    # Quiet seconds between two episodes are geometric, so that the dependency fails for `share` of the time.
    quiet = 1 - share / (length_s * (1 - share) + share)
    seconds = len(seconds_of(case))
    if not share:
        return [0.0] * seconds
    # Which second of an episode that goes on at the beginning comes first is as likely as any other.
    common = [depth] * random.randint(1, length_s) if random.random() < share else []
    while len(common) < seconds:
        common += [0.0] * min(geometric(random, quiet), seconds)
        common += [depth] * length_s
    return common[:seconds]


def diurnal(random: Random, case: Case) -> Scenario:
    """A day in 20 minutes: traffic of both swings by 80%, and the busier, the more requests of both fail."""
    phase = random.random() * 2 * pi
    load = [round(1 + 0.8 * sin(phase + 2 * pi * at / 1200), 2) for at in seconds_of(case)]
    # Failures of a whole day over its requests: the mean of the load's square over the mean load.
    common = [case.stable * each / 1.32 for each in load]
    return stream(random, case, common, load=load)


def drifting(random: Random, case: Case) -> Scenario:
    """Over the plan both releases' proportion of failures rises ninefold and their traffic threefold."""
    done = [min(max(at / case.plan_s, 0.0), 1.0) for at in seconds_of(case)]
    # Failures over requests: the mean of (0.5 + x) (0.2 + 1.6 x) for x from 0 to 1.
    common = [case.stable * (0.2 + 1.6 * each) / (17 / 15) for each in done]
    return stream(random, case, common, load=[round(0.5 + each, 2) for each in done])


def drifting_far(random: Random, case: Case) -> Scenario:
    """Both drift together to 6% in the middle of the plan and back, six times the limit."""
    common = [
        case.stable + (0.06 - case.stable) * max(0.0, -cos(2 * pi * max(at, 0) / case.plan_s)) ** 2
        for at in seconds_of(case)
    ]
    return stream(random, case, common)


def leaking_both(random: Random, case: Case) -> Scenario:
    """Something in common runs full: both releases' proportion rises from 0 to twice its mean over the plan."""
    common = [case.stable * 2 * min(max(at / case.plan_s, 0.0), 1.0) for at in seconds_of(case)]
    return stream(random, case, common)


def recovering(random: Random, case: Case) -> Scenario:
    """A dependency fell a minute before the rollout and recovers: 30% of both fail, and 37% of that a minute later."""
    common = [
        min(1.0, case.stable + (0.3 * exp(-(at + 60) / 60) if at >= -60 else 0.0)) for at in seconds_of(case)
    ]
    return stream(random, case, common)


# A herd: seconds it lasts, how many times the traffic comes, and how much of it fails.
HERD_S, HERD_LOAD, HERD_FAILS = 3, 3.0, 0.1


def herd(random: Random, case: Case) -> Scenario:
    """Weights are shifted at the start, a third and two thirds: each time all connections are opened again.

    For three seconds three times the traffic comes and a tenth of it fails on both releases. The candidate has its
    share of the traffic, then twice, then three times as much.
    """
    shifts = [0, case.plan_s // 3, 2 * case.plan_s // 3]
    inside = [any(0 <= at - shift < HERD_S for shift in shifts) for at in seconds_of(case)]
    extra = len(shifts) * HERD_S * HERD_LOAD
    caused = extra * HERD_FAILS / (case.plan_s - len(shifts) * HERD_S + extra)
    calm = max(0.0, case.stable - caused)
    common = [HERD_FAILS if within else calm for within in inside]
    load = [HERD_LOAD if within else 1.0 for within in inside]
    share = case.candidate_rps / (case.candidate_rps + case.stable_rps)
    weights = [min(0.5, share * sum(at >= shift for shift in shifts)) for at in range(case.seconds)]
    known = stream(random, case, common, load=load, weights=weights)
    return with_looks(known, [replace(look, shifted=look.at - TICK_S in shifts) for look in known.looks])
