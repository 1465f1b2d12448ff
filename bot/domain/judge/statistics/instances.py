"""The test of each instance of a candidate: whether more of the failures are its own than of the requests.

An instance is bet against as a release is against stable (`judge._paired`): of the bad requests of all instances in a
block, a healthy one expects the share that it has of their requests. Its evidence M starts at 1, and reaches K/alpha
(K instances with requests so far) with a chance of at most alpha/K while it fails no more often than the others, so
that a candidate with equal instances has a sick one with a chance of at most alpha. Blocks are a twentieth of the plan,
or as long as failures hang together where that is longer: a finding holds a soak at its end, so it need not be fast,
and a user who is broken for a moment is a single event.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import log, log1p
from typing import Any, NamedTuple

from bot.domain.judge.evidence.counters import Counts
from bot.domain.judge.evidence.ticks import Tick
from bot.domain.judge.policy import JudgePolicy, Objective
from bot.domain.judge.statistics.power import at_least
from bot.domain.judge.statistics.sequential_test import NOTHING, log_evidence, log_share, log_waiting, step

# Instances that are told apart; what comes after them is one.
NAMED = 64
OTHERS = "others"
STAKES = (0.5, 2.0, 8.0, 32.0)
# A block is this part of the plan, and at most a minute.
_BLOCKS = 20
_LONGEST_S = 60.0
# Blocks with failures of an instance before it is sick: one bad user is rarely there for longer.
_LASTING = 6
# What "nearly all failures" are, and how rare such a share must be if chance had dealt them out.
_NEARLY_ALL = 0.8
_BY_CHANCE = 0.01
_ROUNDED = 6


@dataclass(frozen=True, slots=True)
class Standing:
    """One instance since first traffic.

    log_a, log_m: its evidence, for each of `STAKES` and as a whole, in logs. total, bad: its requests. here: whether it
    was there at the last look. lasting: complete blocks in which it had failures.
    expected, found: bad requests in the open block, those that its requests explain and those that it had.
    """

    name: str
    log_a: tuple[float, ...] = (NOTHING,) * len(STAKES)
    log_m: float = 0.0
    total: int = 0
    bad: int = 0
    here: bool = True
    lasting: int = 0
    expected: float = 0.0
    found: int = 0


@dataclass(frozen=True, slots=True)
class Instances:
    """All instances in the order in which they appeared. blocks: complete ones; since: when the open one began."""

    blocks: int = 0
    since: float | None = None
    each: tuple[Standing, ...] = ()

    @property
    def serving(self) -> tuple[Standing, ...]:
        """Those that have had requests."""
        return tuple(one for one in self.each if one.total)

    def to_json(self) -> list[Any] | None:
        """As a JSON array; None before the first instance."""
        if not self.each:
            return None
        each = [
            [s.name, list(s.log_a), s.log_m, s.total, s.bad, s.here, s.lasting, s.expected, s.found]
            for s in self.each
        ]
        return [self.blocks, self.since, each]

    @classmethod
    def from_json(cls, stored: list[Any] | None) -> Instances:
        """Inverse of `to_json`."""
        if stored is None:
            return cls()
        blocks, since, each = stored
        return cls(blocks, since, tuple(Standing(one[0], tuple(one[1]), *one[2:]) for one in each))


class Culprit(NamedTuple):
    """The instance with nearly all failures: `bad` of `failures`, and what the `others` instances did together."""

    name: str
    bad: int
    failures: int
    others: int
    beside: Counts


def judged_by(policy: JudgePolicy) -> Objective | None:
    """The objective of the requests that are told apart: the first on failed ones, enforced where one is."""
    found = [objective for objective in policy.objectives if objective.kind == "errors"]
    return min(found, key=lambda objective: not objective.enforce, default=None)


def block_s(policy: JudgePolicy) -> float:
    """Seconds of a block of this test."""
    planned_s = policy.planned_ticks * policy.block_s
    return max(policy.block_s, min(_LONGEST_S, planned_s / _BLOCKS))


def advance_instances(state: Instances, policy: JudgePolicy, tick: Tick) -> Instances:
    """The state after one tick. A tick that could not tell instances apart changes nothing."""
    if not tells(state, tick):
        return state
    counts = _named(state, tick.instances)
    known = {one.name: one for one in state.each}
    each = [known.get(name) or Standing(name) for name in dict.fromkeys([*known, *counts])]
    total, bad = sum(c.total for c in counts.values()), sum(c.bad for c in counts.values())
    each = [_added(one, counts.get(one.name), total, bad) for one in each]
    if not any(one.total for one in each):
        return replace(state, each=tuple(each))
    since = state.since if state.since is not None else tick.at - tick.seconds
    length_s = block_s(policy)
    if tick.at - since < length_s - policy.tick_s / 2:
        return replace(state, since=since, each=tuple(each))
    planned = max(1, round(policy.planned_ticks * policy.block_s / length_s))
    number = state.blocks + 1
    return Instances(number, None, tuple(_closed(one, number, planned) for one in each))


def tells(state: Instances, tick: Tick) -> bool:
    """Whether the tick says something of instances. Of a release with only one there is nothing to tell."""
    return len(tick.instances) > 1 or bool(tick.instances and state.each)


def _named(state: Instances, counts: Mapping[str, Counts]) -> dict[str, Counts]:
    """The counts of the tick by instance; those that appeared after `NAMED` others are taken together."""
    names = {one.name for one in state.each}
    if len(names) + len(counts) <= NAMED:
        return dict(counts)
    found: dict[str, Counts] = {}
    for name, count in counts.items():
        if name not in names and len(names) >= NAMED:
            name = OTHERS  # noqa: PLW2901
        names.add(name)
        before = found.get(name, Counts())
        found[name] = Counts(before.total + count.total, before.bad + count.bad)
    return found


def _added(one: Standing, counts: Counts | None, total: int, bad: int) -> Standing:
    """With its counts of a tick added, in which all instances had `bad` of `total`. None: it is gone."""
    if counts is None:
        return replace(one, here=False)
    share = counts.total / total if total else 0.0
    return Standing(  # not `replace`, which takes longer than all the rest of a tick
        one.name,
        one.log_a,
        one.log_m,
        one.total + counts.total,
        one.bad + counts.bad,
        True,
        one.lasting,
        one.expected + share * bad,
        one.found + counts.bad,
    )


def _closed(one: Standing, number: int, planned: int) -> Standing:
    """With its open block, the `number`-th, as one observation."""
    factors = [log1p(stake * one.found) - log1p(stake * one.expected) for stake in STAKES]
    log_a = step(one.log_a, log_share(number, planned), factors)
    # Rounded for storage; the error is far below what a single request changes.
    return replace(
        one,
        log_a=tuple(round(a, _ROUNDED) for a in log_a),
        log_m=round(log_evidence(log_a, log_waiting(number, planned)), _ROUNDED),
        lasting=one.lasting + (one.found > 0),
        expected=0.0,
        found=0,
    )


def sick(state: Instances, policy: JudgePolicy) -> tuple[Standing, ...]:
    """Instances that are there and shown to fail more often than the others, by more than the limit allows."""
    objective, serving = judged_by(policy), state.serving
    if objective is None or len(serving) < 2:
        return ()
    need = log(len(serving) / policy.alpha)
    return tuple(
        one
        for one in serving
        if one.here
        and one.log_m >= need
        and one.bad >= policy.min_bad
        and one.lasting >= _LASTING
        and one.bad > objective.limit * one.total
    )


def beside(state: Instances, apart: Sequence[Standing]) -> Counts:
    """What all other instances did together."""
    others = [one for one in state.serving if one not in apart]
    return Counts(sum(one.total for one in others), sum(one.bad for one in others))


def culprit(state: Instances) -> Culprit | None:
    """The one instance of several that had nearly all failures, more than chance deals out.

    It is a description of what was counted, for a verdict that rests on other evidence.
    """
    serving = state.serving
    failures, requests = sum(one.bad for one in serving), sum(one.total for one in serving)
    if len(serving) < 2 or not failures:
        return None
    worst = max(serving, key=lambda one: one.bad)
    chance = at_least(worst.bad, failures, worst.total / requests)
    if worst.bad < _NEARLY_ALL * failures or chance > _BY_CHANCE / len(serving):
        return None
    return Culprit(worst.name, worst.bad, failures, len(serving) - 1, beside(state, [worst]))
