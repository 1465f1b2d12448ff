"""The judges that the comparison puts before the same streams: Slipway's and four others, each with its own defaults.

The others are written from what their projects document. They see what a monitoring system would: counts since the
last look at which a release could be read. Each says at which second it rolls back, `inf` for never.

- Kayenta (spinnaker.io, "How canary judgment works", "Best practices for configuring canary"; its `NetflixACAJudge`):
  a Mann-Whitney test of the error rates of both, one data point a step, at confidence 0.98; a metric is bad when the
  interval of the shift lies above 0.25 times the estimated shift (direction `increase`, as for errors; outliers are
  kept, points without requests are not, as by default). One bad metric of one scores 0, below the marginal score of
  75, and ends the analysis. The starting point for its times is a lifetime of 3 hours and an interval of 1
  hour, each judgement from the start on. In a plan of 10 minutes that is a third of it: 3 judgements 200 s apart, and
  40 data points for the first, where 50 are recommended.
- Flagger (docs.flagger.app, "How it works", "Metrics analysis"; its `Canary` type): every 60 s the success rate of the
  last minute must be at least 99%; no requests are a failed check. It rolls back at the `threshold`-th failed check,
  1 where nothing is set and 10 in the documentation's example, and promotes after 10 good ones (weight 50, step 5).
- Argo Rollouts (argo-rollouts.readthedocs.io, "Analysis"; its `analysis.go`): every interval the success rate of the
  interval, here 60 s and at least 99%. It aborts when more than `failureLimit` measurements failed, 0 by default and 3
  in the documentation's example; no value is a failure (NaN). An unreadable source is an error, and more than 4 errors
  in a row abort as well.
- A threshold: `error_rate > 1% over 1m`, with at least 20 requests, at every look.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import inf

from benchmarks.judge.mann_whitney import shifted_up
from benchmarks.judge.traffic.scenario import LIMIT, TICK_S, Look, Scenario, ticks
from bot.domain.judge.evidence.ticks import (
    CounterReading,
    Counts,
    Sample,
    Tick,
    begin_evidence,
    difference,
    traffic_rose,
)
from bot.domain.judge.history.dependence import calibrated
from bot.domain.judge.history.served import ServedTick
from bot.domain.judge.judge import JudgePolicy, Objective, Outcome, advance, begin, begin_soak, verdict

WINDOW_S = 60
CONFIDENCE, TOLERANCE = 0.98, 0.25
ERRORS_IN_A_ROW = 4
# The one instance of a release that is counted as a whole.
ROUTER = "router"
PROMOTES_AFTER = 10


@dataclass(frozen=True, slots=True)
class Seen:
    """What could be read at one look, since the last that could; None: not read."""

    at: int
    candidate: Counts | None
    stable: Counts | None


@dataclass(frozen=True, slots=True)
class Judgement:
    """When the judge rolls back, in seconds (`inf`: never), and whether it passes the soak at the end of the plan."""

    fails_at: float
    passes: bool


def policy_of(scenario: Scenario) -> JudgePolicy:
    """Slipway's defaults for an error rate of at most 1%.

    Evidence starts with the first request, as Wald's bound does, except where weights are shifted: there the default
    settling time applies.
    """
    settles = any(look.shifted for look in scenario.looks)
    return JudgePolicy(
        (Objective("errors", "errors", LIMIT),),
        planned_ticks=scenario.plan_s // TICK_S,
        settle_s=None if settles else 0.0,
    )


def measured_policy(scenario: Scenario, *, new: bool = False) -> JudgePolicy:
    """The same with what an hour of the lane's own history says, as a rollout has it from its start on.

    new: a lane without any history.
    The counts are a router's, which can be read every second, where the looks of the scenario are not part of it.
    """
    history = [
        ServedTick(float(n * TICK_S), float(TICK_S), {"errors": Counts(total, bad)})
        for n, (total, bad) in enumerate(() if new else scenario.history, 1)
    ]
    served = sum(counts.total for look in scenario.looks for counts in look.candidate)
    requests_s = served / TICK_S / len(scenario.looks)
    finest_tick_s = None if _needs_counters(scenario) or scenario.seconds is None else 1.0
    return calibrated(policy_of(scenario), history, requests_s, finest_tick_s=finest_tick_s)


def slipway(scenario: Scenario, policy: JudgePolicy) -> Judgement:
    """Slipway's judge: a verdict at every look, in one soak of the plan's length."""
    state = begin_soak(begin(policy), 0.0)
    passes = False
    for tick in (read if _needs_counters(scenario) else taken)(scenario, policy):
        state = advance(state, policy, tick)
        outcome = verdict(state, policy, soak_required_s=float(scenario.plan_s)).outcome
        if outcome is Outcome.FAIL:
            return Judgement(tick.at, passes=False)
        passes = outcome is Outcome.PASS if tick.at <= scenario.plan_s else passes
    return Judgement(inf, passes)


def _needs_counters(scenario: Scenario) -> bool:
    return any(
        look.unread or look.reset or look.shifted or len(look.candidate) + len(look.stable) > 2
        for look in scenario.looks
    )


def taken(scenario: Scenario, policy: JudgePolicy) -> Iterator[Tick]:
    """Ticks of a scenario without gaps, resets, shifts and instances: the same as those that are `read`, sooner."""
    if policy.tick_s == TICK_S or scenario.seconds is None:
        pairs = ((look.candidate[0], look.stable[0]) for look in scenario.looks)
    else:
        pairs = zip(*(ticks(side, int(policy.tick_s)) for side in scenario.seconds), strict=True)
    for number, (candidate, stable) in enumerate(pairs, 1):
        mine, theirs = {"errors": candidate}, {"errors": stable}
        at, alone = number * policy.tick_s, {ROUTER: candidate}
        yield Tick(at, policy.tick_s, mine, theirs, paired=mine, requests=candidate.total, instances=alone)


def read(scenario: Scenario, policy: JudgePolicy) -> Iterator[Tick]:
    """Ticks of any scenario, from the counters of each instance."""
    evidence = begin_evidence()
    served = _Counters(), _Counters()
    mine, theirs = ((Counts(),) * len(side) for side in _sides(scenario.looks[0]))
    for look in (Look(0, mine, theirs), *scenario.looks):
        if look.shifted:
            evidence = traffic_rose(evidence, float(look.at - TICK_S))
        samples = [
            counters.read(look, name, side)
            for counters, name, side in zip(served, ("candidate", "stable"), _sides(look), strict=True)
        ]
        evidence, tick = difference(evidence, policy, float(look.at), *samples)
        if look.at:
            yield tick


def _sides(look: Look) -> tuple[tuple[Counts, ...], tuple[Counts, ...]]:
    return look.candidate, look.stable


class _Counters:
    """Cumulative counters of one release's instances."""

    def __init__(self) -> None:
        self.totals: dict[int, tuple[int, int]] = {}

    def read(self, look: Look, side: str, counts: tuple[Counts, ...]) -> Sample:
        """The sample at this look. One instance is a router's count of the release, several are each their own."""
        readings = []
        for number, each in enumerate(counts):
            total, bad = (0, 0) if side in look.reset else self.totals.get(number, (0, 0))
            self.totals[number] = (total + each.total, bad + each.bad)
            name = ROUTER if len(counts) == 1 else f"{side}-{number + 1}"
            readings.append(CounterReading(name, *self.totals[number]))
        if side in look.unread:
            return Sample(float(look.at), side, (), f"{side}: no answer")
        return Sample(float(look.at), side, tuple(readings))


def seen(scenario: Scenario) -> list[Seen]:
    """What a monitoring system has at each look: the sums over the instances, gaps carried to the next reading."""
    found = []
    carried = {"candidate": Counts(), "stable": Counts()}
    for look in scenario.looks:
        read: dict[str, Counts | None] = {}
        for name, counts in zip(carried, _sides(look), strict=True):
            known = Counts() if name in look.reset else carried[name]
            total = Counts(known.total + sum(c.total for c in counts), known.bad + sum(c.bad for c in counts))
            unread = name in look.unread
            read[name] = None if unread else total
            carried[name] = total if unread else Counts()
        found.append(Seen(look.at, read["candidate"], read["stable"]))
    return found


def kayenta(looks: Sequence[Seen], interval_s: int) -> float:
    """Kayenta: each `interval_s`, all data points since the start."""
    candidate: list[float] = []
    stable: list[float] = []
    for look in looks:
        for values, counts in ((candidate, look.candidate), (stable, look.stable)):
            if counts is not None and counts.total:
                values.append(counts.bad / counts.total)
        if look.at % interval_s == 0 and shifted_up(candidate, stable, CONFIDENCE, TOLERANCE):
            return look.at
    return inf


def flagger(looks: Sequence[Seen], threshold: int) -> float:
    """Flagger: a check a minute."""
    failed = good = 0
    for look, window in _minutes(looks):
        if window.total and window.bad <= LIMIT * window.total:
            good += 1
        else:
            failed += 1
        if failed >= threshold:
            return look.at
        if good >= PROMOTES_AFTER:
            return inf
    return inf


def argo(looks: Sequence[Seen], failure_limit: int) -> float:
    """Argo Rollouts: a measurement a minute."""
    failed = errors = 0
    for look, window in _minutes(looks):
        errors = errors + 1 if look.candidate is None else 0
        if look.candidate is not None and (not window.total or window.bad > LIMIT * window.total):
            failed += 1
        if failed > failure_limit or errors > ERRORS_IN_A_ROW:
            return look.at
    return inf


def threshold(looks: Sequence[Seen], at_least: int = 20) -> float:
    """The rate of the last minute above the limit at any look."""
    for number, look in enumerate(looks):
        window = _window(looks, number)
        if window.total >= at_least and window.bad > LIMIT * window.total:
            return look.at
    return inf


def _minutes(looks: Sequence[Seen]) -> Iterator[tuple[Seen, Counts]]:
    """Each full minute's last look, with the candidate's counts in it."""
    for number, look in enumerate(looks):
        if look.at % WINDOW_S == 0:
            yield look, _window(looks, number)


def _window(looks: Sequence[Seen], number: int) -> Counts:
    """The candidate's counts in the last minute up to a look."""
    since = looks[number].at - WINDOW_S
    total = bad = 0
    while number >= 0 and looks[number].at > since:
        counts = looks[number].candidate
        if counts is not None:
            total, bad = total + counts.total, bad + counts.bad
        number -= 1
    return Counts(total, bad)


def others(scenario: Scenario) -> dict[str, float]:
    """When each of the other judges rolls back."""
    looks = seen(scenario)
    return {name: rule(looks, scenario.plan_s) for name, rule in OTHERS.items()}


OTHERS: dict[str, Callable[[Sequence[Seen], int], float]] = {
    "Kayenta": lambda looks, plan_s: kayenta(looks, plan_s // 3),
    "Flagger 1": lambda looks, _: flagger(looks, 1),
    "Flagger 10": lambda looks, _: flagger(looks, 10),
    "Argo 0": lambda looks, _: argo(looks, 0),
    "Argo 3": lambda looks, _: argo(looks, 3),
    "threshold": lambda looks, _: threshold(looks),
}
