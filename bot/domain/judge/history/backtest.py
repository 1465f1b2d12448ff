"""The judge replayed on a lane's own history, as if the release that serves were rolled out again and again.

Each replay takes a stretch of the history as long as the plan, at most half of it. The candidate gets its share of the
requests; failures go to one of the two releases in groups as large as they come at a time there (`dependence.py`), so
that a burst stays one. A candidate with all of the traffic has no stable beside it. Plain rules on requests are
replayed, too; signals are not in the history. Without a fault, every rollback is a false alarm. With a fault, a share
of the candidate's good requests fails, and what counts is how soon that is found.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import inf
from random import Random
from statistics import median_low

from bot.domain.formatting import counted, duration, percent
from bot.domain.judge.evidence.counters import Counts
from bot.domain.judge.evidence.ticks import Tick
from bot.domain.judge.history.dependence import LEAST_TICKS, measured
from bot.domain.judge.history.served import ServedTick, measure, named
from bot.domain.judge.judge import advance, begin
from bot.domain.judge.policy import JudgePolicy
from bot.domain.judge.verdict import failed_rules, failing

FAULTS = (0.02, 0.05, 0.10)
_MANY = 400  # requests of a tick from which a share is drawn from a normal distribution


@dataclass(frozen=True, slots=True)
class Fault:
    """rate: proportion of the candidate's good requests that fails. found_s: median time until it is rolled back, in
    seconds; None when fewer than half of the replays did so within the plan."""

    rate: float
    found_s: float | None


@dataclass(frozen=True, slots=True)
class RuleAlarms:
    """alarms: replays without a fault that this plain rule rolled back."""

    rule: str
    alarms: int


@dataclass(frozen=True, slots=True)
class Backtest:
    """alarms: replays without a fault that were rolled back. share: the candidate's part of the traffic, 0 to 1.

    history_s: seconds of history behind it. plan_s: length of a replay. rules: the enforced plain rules that were
    replayed. left_out: enforced objectives and rules that were not, since the history does not have what they ask.
    probed: what the history counts are probes, of which a candidate has as many at every share.
    """

    replays: int
    alarms: int
    faults: tuple[Fault, ...]
    share: float
    history_s: float
    plan_s: float
    rules: tuple[RuleAlarms, ...] = ()
    left_out: tuple[str, ...] = ()
    probed: bool = False

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
        evidence = "its probes" if self.probed else f"{percent(self.share)} of this lane's traffic"
        return f"With {evidence}, {'; '.join(said)}. {self._alarms()}"

    def _alarms(self) -> str:
        rules = [f"{each.alarms} by the rule {each.rule}" for each in self.rules if each.alarms]
        by = f" ({'; '.join(rules)})" if rules else ""
        left_out = (
            f" Not in that history, so not replayed: {'; '.join(self.left_out)}." if self.left_out else ""
        )
        return (
            f"{counted(self.alarms, 'false alarm')}{by} in {self.replays} replays of this lane's own history,"
            f" {duration(self.history_s)} of stable.{left_out}"
        )


def why_not(policy: JudgePolicy, history: Sequence[ServedTick], share: float | None) -> str:
    """Why nothing can be replayed, in words that follow a colon; empty when something can.

    share: of the traffic that the candidate gets; None where the plan gives it none.
    """
    if not any(series.name in _enforced(policy) for series in policy.series):
        return "its policy has no objective and no rule on requests"
    if share is None:
        return "its plan shifts no traffic"
    if not history:
        return "nothing that it served was counted in the last 24 h"
    usual = _usual(policy, history)
    if _told(policy, usual):
        return ""
    most = max((_ticks_with(usual, name) for name in _enforced(policy)), default=0)
    return (
        f"only {duration(most * policy.tick_s)} of its history can be used,"
        f" and {duration(LEAST_TICKS * policy.tick_s)} of stable are needed"
    )


def backtest(
    policy: JudgePolicy, history: Sequence[ServedTick], share: float, *, replays: int = 300, seed: int = 1
) -> Backtest | None:
    """Replay `policy` (as calibrated) on ticks of stable, as stored; None when `why_not` says why.

    share: of the traffic that the candidate gets, above 0 and at most 1. Takes about 5 ms of processor time a replay.
    """
    if why_not(policy, history, share):
        return None
    ticks = _usual(policy, history)
    told = _told(policy, ticks)
    left_out = tuple(name for name in _enforced(policy) if name not in told)
    policy = replace(policy, rules=tuple(rule for rule in policy.rules if rule.name in told))
    ticks = _usual(policy, history)
    length = max(1, round(policy.planned_ticks * policy.block_s / policy.tick_s))
    length = min(length, len(ticks) // 2)  # so that replays differ
    of = next((measure(s) for s in policy.series if s.kind == "errors"), measure(policy.series[0]))
    random, group = Random(seed), _together(policy, ticks)

    def ends(number: int, count: int, rate: float) -> tuple[float, tuple[str, ...]]:
        start = (len(ticks) - length) * number // max(1, count - 1)
        stretch = ticks[start : start + length]
        played = _replayed(random, stretch, policy, share=share, group=group, fault=(of, rate))
        return _fails_at(policy, played)

    good = [ends(n, replays, 0.0) for n in range(replays)]
    by_rule = Counter(name for _, names in good for name in names)
    few = max(15, replays // 10)
    faults = []
    for rate in FAULTS:
        found_s = median_low(ends(n, few, rate)[0] for n in range(few))
        faults.append(Fault(rate, found_s if found_s < inf else None))
    return Backtest(
        replays,
        sum(at < inf for at, _ in good),
        tuple(faults),
        share,
        len(ticks) * policy.tick_s,
        length * policy.tick_s,
        tuple(RuleAlarms(rule.name, by_rule[rule.name]) for rule in policy.rules if rule.enforce),
        left_out,
    )


def _usual(policy: JudgePolicy, history: Sequence[ServedTick]) -> list[ServedTick]:
    """The ticks of about the planned length, by objective and rule."""
    return [t for t in named(history, policy) if abs(t.seconds - policy.tick_s) <= policy.tick_s / 2]


def _enforced(policy: JudgePolicy) -> tuple[str, ...]:
    objectives = tuple(objective.name for objective in policy.objectives if objective.enforce)
    return objectives + tuple(rule.name for rule in policy.rules if rule.enforce)


def _told(policy: JudgePolicy, ticks: Sequence[ServedTick]) -> frozenset[str]:
    """The enforced objectives and rules for which these ticks suffice."""
    return frozenset(name for name in _enforced(policy) if _ticks_with(ticks, name) >= LEAST_TICKS)


def _ticks_with(ticks: Sequence[ServedTick], name: str) -> int:
    return sum(name in tick.counts for tick in ticks)


def _fails_at(policy: JudgePolicy, ticks: Iterator[Tick]) -> tuple[float, tuple[str, ...]]:
    """Seconds until the judge says FAIL, and the rules that did by then; inf and none when it does not."""
    state = begin(policy)
    for tick in ticks:
        state = advance(state, policy, tick)
        if failing(state, policy):
            return tick.at, failed_rules(state, policy)
    return inf, ()


def _together(policy: JudgePolicy, ticks: Sequence[ServedTick]) -> int:
    """How many failures come at a time, whatever the policy assumes."""
    names = {measure(series): series.name for series in policy.series}.values()
    found = (measured(ticks, name, policy.tick_s) for name in names)
    return max([1, *(round(each.together) for each in found if each is not None)])


def _replayed(
    random: Random,
    ticks: Sequence[ServedTick],
    policy: JudgePolicy,
    *,
    share: float,
    group: int,
    fault: tuple[str, float],
) -> Iterator[Tick]:
    """The ticks of a rollout, at times from 0 on. fault: what is counted (`measure`), and the share that fails."""
    faulty, rate = fault
    measures = {series.name: measure(series) for series in policy.series}
    for number, tick in enumerate(ticks, 1):
        candidate, stable = {}, {}
        drawn: dict[
            str, tuple[Counts, Counts]
        ] = {}  # what an objective and a rule both count is counted once
        for name, counts in tick.counts.items():
            if measures[name] in drawn:
                candidate[name], stable[name] = drawn[measures[name]]
                continue
            bad = group * _drawn(random, counts.bad // group, share) + _drawn(
                random, counts.bad % group, share
            )
            total = max(bad, bad + _drawn(random, counts.total - counts.bad, share))
            candidate[name], stable[name] = Counts(total, bad), Counts(counts.total - total, counts.bad - bad)
            if measures[name] == faulty and rate:
                candidate[name] = Counts(total, bad + _drawn(random, total - bad, rate))
            drawn[measures[name]] = candidate[name], stable[name]
        yield Tick(number * policy.tick_s, policy.tick_s, candidate, stable if share < 1 else None)


def _drawn(random: Random, total: int, share: float) -> int:
    """How many of `total` are drawn, each with chance `share`."""
    if total > _MANY:
        drawn = random.gauss(total * share, (total * share * (1 - share)) ** 0.5)
        return min(total, max(0, round(drawn)))
    return sum(random.random() < share for _ in range(total))
