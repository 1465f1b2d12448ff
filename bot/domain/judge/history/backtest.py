"""The judge replayed on a lane's own history, as if the release that serves were rolled out again and again.

Each replay takes a stretch of the history as long as the plan, at most half of it. The candidate gets its share of the
requests; failures go to one of the two releases in groups as large as they come at a time there (`dependence.py`), so
that a burst stays one. Without a fault, every rollback is a false alarm. With a fault, a share of the candidate's good
requests fails, and what counts is how soon that is found.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import inf
from random import Random
from statistics import median_low

from bot.domain.formatting import counted, duration, percent
from bot.domain.judge.evidence.counters import Counts
from bot.domain.judge.evidence.ticks import Tick
from bot.domain.judge.history.dependence import LEAST_TICKS, measured
from bot.domain.judge.history.served import ServedTick, named
from bot.domain.judge.judge import advance, begin
from bot.domain.judge.policy import JudgePolicy, Objective
from bot.domain.judge.verdict import failing

FAULTS = (0.02, 0.05, 0.10)
_MANY = 400  # requests of a tick from which a share is drawn from a normal distribution


@dataclass(frozen=True, slots=True)
class Fault:
    """rate: proportion of the candidate's good requests that fails. found_s: median time until it is rolled back, in
    seconds; None when fewer than half of the replays did so within the plan."""

    rate: float
    found_s: float | None


@dataclass(frozen=True, slots=True)
class Backtest:
    """alarms: replays without a fault that were rolled back. share: the candidate's part of the traffic, 0 to 1.

    history_s: seconds of history behind it. plan_s: length of a replay.
    """

    replays: int
    alarms: int
    faults: tuple[Fault, ...]
    share: float
    history_s: float
    plan_s: float

    @property
    def too_many(self) -> bool:
        """Whether more than 1% of the replays were false alarms, and not by a single one."""
        return self.alarms > max(1, self.replays / 100)

    def sentence(self) -> str:
        """For people: `With 5% of this lane's traffic, a rise by 2% is found in about 40 s. 0 false alarms in …`."""
        found = [
            f"{percent(f.rate)} in about {duration(f.found_s)}" for f in self.faults if f.found_s is not None
        ]
        rest = [percent(fault.rate) for fault in self.faults if fault.found_s is None]
        said = [f"a rise of errors by {', '.join(found)} is found"] * bool(found)
        what = "one" if found else "a rise of errors"
        said += [f"{what} by {' or '.join(rest)} is mostly not found within {duration(self.plan_s)}"] * bool(
            rest
        )
        alarms, history = counted(self.alarms, "false alarm"), duration(self.history_s)
        return (
            f"With {percent(self.share)} of this lane's traffic, {'; '.join(said)}."
            f" {alarms} in {self.replays} replays of {history} of stable."
        )


def backtest(
    policy: JudgePolicy, history: Sequence[ServedTick], share: float, *, replays: int = 300, seed: int = 1
) -> Backtest | None:
    """Replay `policy` (as calibrated) on ticks of stable, as stored; None when there is too little history.

    share: of the traffic that the candidate gets, above 0 and below 1. Takes about 5 ms of processor time a replay.
    """
    policy = replace(policy, rules=())
    ticks = [
        tick for tick in named(history, policy) if abs(tick.seconds - policy.tick_s) <= policy.tick_s / 2
    ]
    length = max(1, round(policy.planned_ticks * policy.block_s / policy.tick_s))
    if len(ticks) < LEAST_TICKS or not policy.objectives:
        return None
    length = min(length, len(ticks) // 2)  # so that replays differ
    of = next((o for o in policy.objectives if o.kind == "errors"), policy.objectives[0])
    random, group = Random(seed), _together(policy, ticks)

    def fails_at(number: int, count: int, rate: float) -> float:
        start = (len(ticks) - length) * number // max(1, count - 1)
        stretch = ticks[start : start + length]
        played = _replayed(random, stretch, policy, share=share, group=group, fault=(of, rate))
        return _fails_at(policy, played)

    alarms = sum(fails_at(n, replays, 0.0) < inf for n in range(replays))
    few = max(15, replays // 10)
    faults = []
    for rate in FAULTS:
        found_s = median_low(fails_at(n, few, rate) for n in range(few))
        faults.append(Fault(rate, found_s if found_s < inf else None))
    return Backtest(replays, alarms, tuple(faults), share, len(ticks) * policy.tick_s, length * policy.tick_s)


def _fails_at(policy: JudgePolicy, ticks: Iterator[Tick]) -> float:
    """Seconds until the judge says FAIL; inf when it does not."""
    state = begin(policy)
    for tick in ticks:
        state = advance(state, policy, tick)
        if failing(state, policy):
            return tick.at
    return inf


def _together(policy: JudgePolicy, ticks: Sequence[ServedTick]) -> int:
    """How many failures come at a time, whatever the policy assumes."""
    found = (measured(ticks, objective.name, policy.tick_s) for objective in policy.objectives)
    return max([1, *(round(each.together) for each in found if each is not None)])


def _replayed(
    random: Random,
    ticks: Sequence[ServedTick],
    policy: JudgePolicy,
    *,
    share: float,
    group: int,
    fault: tuple[Objective, float],
) -> Iterator[Tick]:
    """The ticks of a rollout, at times from 0 on."""
    faulty, rate = fault
    for number, tick in enumerate(ticks, 1):
        candidate, stable = {}, {}
        for name, counts in tick.counts.items():
            bad = group * _drawn(random, counts.bad // group, share) + _drawn(
                random, counts.bad % group, share
            )
            total = max(bad, bad + _drawn(random, counts.total - counts.bad, share))
            candidate[name], stable[name] = Counts(total, bad), Counts(counts.total - total, counts.bad - bad)
            if name == faulty.name and rate:
                candidate[name] = Counts(total, bad + _drawn(random, total - bad, rate))
        yield Tick(number * policy.tick_s, policy.tick_s, candidate, stable)


def _drawn(random: Random, total: int, share: float) -> int:
    """How many of `total` are drawn, each with chance `share`."""
    if total > _MANY:
        drawn = random.gauss(total * share, (total * share * (1 - share)) ** 0.5)
        return min(total, max(0, round(drawn)))
    return sum(random.random() < share for _ in range(total))
