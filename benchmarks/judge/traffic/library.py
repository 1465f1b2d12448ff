"""Every traffic model by name, the cases it is tried with, and Wald's bound for each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import log

from benchmarks.judge.streams import kl
from benchmarks.judge.traffic import releases, shared, sources
from benchmarks.judge.traffic.long_memory import HeavyRuns, Route
from benchmarks.judge.traffic.requests import Retries, Runs, Visits
from benchmarks.judge.traffic.scenario import LIMIT, TICK_S, Case, Stream

ALPHA = 0.01
# Innocent candidates have stable's proportion of failures; guilty ones a multiple of the limit, while stable has
# this share of the limit.
LEVELS = (0.005, 0.009, LIMIT)
TIMES = (2, 3, 5, 10)
GOOD = 0.2
# A guilty stream goes on for this many times Wald's bound after the change, and for a plan at least.
PATIENCE = 8


@dataclass(frozen=True)
class Model:
    """One kind of traffic.

    says: in a few words. innocent: stable's and the candidate's proportions of failures; for guilty candidates:
    times, as multiples of the limit. `leaks` if the guilty candidate becomes so bad only in the length of a plan.
    """

    says: str
    stream: Stream
    innocent: tuple[float, ...] = LEVELS
    times: tuple[int, ...] = TIMES
    leaks: bool = False
    plan_s: int = 600
    candidate_rps: float = 5.0
    stable_rps: float = 20.0

    def innocents(self) -> Iterator[Case]:
        """One case for each proportion."""
        for level in self.innocent:
            yield self._case(level, level)

    def guilty(self, *, late: bool) -> Iterator[Case]:
        """One case for each multiple of the limit; `late` ones are as good as stable for a third of the plan."""
        change = self.plan_s // 3 if late else 0
        for times in self.times:
            case = self._case(times * LIMIT, GOOD * LIMIT)
            bound = bound_s(self, replace(case, change=change))
            seconds = change + max(self.plan_s, round(PATIENCE * bound))
            yield replace(case, change=change, seconds=-(-seconds // TICK_S) * TICK_S)

    def _case(self, candidate: float, stable: float) -> Case:
        return Case(
            candidate,
            stable,
            plan_s=self.plan_s,
            seconds=self.plan_s,
            candidate_rps=self.candidate_rps,
            stable_rps=self.stable_rps,
        )


def bound_s(model: Model, case: Case) -> float:
    """Wald's bound for the candidate of `case` in seconds after the change: requests over the candidate's rate.

    A test of level alpha needs log(1 / alpha) / KL(p, limit) independent requests on average when p of them are bad,
    and KL(p, q) = p log(p / q) + (1 - p) log((1 - p) / (1 - q)). While p grows, KL is added up request by request,
    from where p exceeds the limit. What stable tells is not part of it, and clusters are not either: a test that
    allows for clusters of c needs about c times as long. The rate is the case's, also where traffic varies.
    """
    needed = log(1 / ALPHA)
    if not model.leaks:
        return needed / kl(case.candidate, LIMIT) / case.candidate_rps
    second = 0
    while needed > 0:
        p = case.stable + (case.candidate - case.stable) * min(second / case.plan_s, 1.0)
        needed -= kl(p, LIMIT) * case.candidate_rps if p > LIMIT else 0.0
        second += 1
    return float(second)


def _blips(length_s: int, depth: float) -> Model:
    return Model(f"shared blips of {length_s} s, {depth:.0%} of both fail", shared.blips(length_s, depth))


MODELS: dict[str, Model] = {
    "independent": Model("independent requests", shared.independent),
    "blips-1s-60": _blips(1, 0.6),
    "blips-1s-20": _blips(1, 0.2),
    "blips-5s-60": _blips(5, 0.6),
    "blips-5s-20": _blips(5, 0.2),
    "blips-20s-30": _blips(20, 0.3),
    "blips-60s-10": _blips(60, 0.1),
    "blips-60s-50": _blips(60, 0.5),
    "runs-3": Model("failures in runs of 3 within a release", releases.clustered(Runs(3))),
    "runs-8": Model("failures in runs of 8 within a release", releases.clustered(Runs(8))),
    "runs-random": Model(
        "failures in runs of random length, 5 on average", releases.clustered(Runs(5, random_length=True))
    ),
    "runs-heavy": Model(
        "failures in runs with a heavy tail, 2.5 on average, up to 300", releases.clustered(HeavyRuns())
    ),
    "retries": Model("failures are retried after 1, 2, 4, 8 s", releases.clustered(Retries())),
    "retry-storms": Model(
        "shared blips of 2 s, 30% of both fail, and are retried", shared.blips(2, 0.3, Retries())
    ),
    "backoff": Model(
        "failures are retried after 1, 2, 4, 8, 16, 32 s, and 85% fail again",
        releases.clustered(Retries(0.85, (1, 2, 4, 8, 16, 32))),
    ),
    "route": Model("one route of both fails for 30 s, and users stay on it", shared.blips(30, 0.1, Route())),
    "pauses": Model("each release stops for 2 s of 40", releases.pausing(2, 40)),
    "outages": Model(
        "each release has its own outages, 10 s on average, 30% fail", releases.outages(10, 0.3)
    ),
    "wandering": Model(
        "each release's failures wander by themselves over 2 min", releases.wandering(120, 0.7)
    ),
    "sticky-short": Model("bad users, 8 requests, one a second", releases.clustered(Visits(8, 1))),
    "sticky-long": Model("bad users, 20 requests, one every 3 s", releases.clustered(Visits(20, 3))),
    "diurnal": Model("daily cycle of traffic and failures, a day in 20 minutes", shared.diurnal),
    "drift": Model("traffic x 3 and failures x 9 of both over the plan", shared.drifting),
    "drift-far": Model("both drift to 6% and back", shared.drifting_far, innocent=(0.004,), times=()),
    "sick-stable": Model("one of stable's 4 instances fails 10 times as often", releases.sick_of_stable),
    "sick-candidate": Model(
        "one of the candidate's 2 instances has all its failures", releases.sick_of_candidate(2), innocent=()
    ),
    "sick-of-10": Model(
        "one of the candidate's 10 instances has all its failures",
        releases.sick_of_candidate(10),
        innocent=(),
    ),
    "sticky-instance": Model(
        "bad users, 20 requests, one every 3 s, each on one of 4 instances",
        releases.stuck(Visits(20, 3)),
        times=(),
    ),
    "herd": Model("thundering herd at each of three shifts", shared.herd),
    "leak-both": Model("slow leak, both", shared.leaking_both, times=()),
    "leak": Model("slow leak of the candidate", releases.leaking, innocent=(), leaks=True),
    "recovery": Model("a dependency recovers, 11% of both fail at first", shared.recovering),
    "gaps-10": Model("each release unread at 10% of the looks", sources.with_gaps(shared.independent, 0.1)),
    "gaps-40": Model(
        "shared blips of 5 s, 60%; each release unread at 40% of the looks",
        sources.with_gaps(shared.blips(5, 0.6), 0.4),
    ),
    "late": Model(
        "shared blips of 5 s, 60%; each release's counters late at 20% of the looks",
        sources.with_lag(shared.blips(5, 0.6), 0.2),
    ),
    "resets": Model("counters start over every 2 minutes", sources.with_resets(shared.independent, 120)),
    "tiny": Model(
        "a request a minute, for an hour",
        shared.independent,
        times=(10,),
        plan_s=3600,
        candidate_rps=1 / 60,
        stable_rps=4 / 60,
    ),
}
