"""A stream that judges are put before: what it is asked for, and the looks and the history that it yields."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random

from benchmarks.judge.traffic.requests import INDEPENDENT, Failures, Seconds
from bot.domain.judge.evidence.ticks import Counts

LIMIT = 0.01
TICK_S = 5
HISTORY_S = 3600


@dataclass(frozen=True, slots=True)
class Case:
    """What a stream is asked for.

    candidate, stable: mean proportions of bad requests. change: second from which the candidate has its own; before,
        it is as good as stable. Without a change an innocent candidate has the same proportion as stable.
    plan_s: length of the plan; seconds: length of the stream, which goes on after the plan for a guilty candidate.
    candidate_rps, stable_rps: mean requests a second.
    """

    candidate: float
    stable: float
    change: int = 0
    plan_s: int = 600
    seconds: int = 600
    candidate_rps: float = 5.0
    stable_rps: float = 20.0

    @property
    def guilty(self) -> bool:
        return self.candidate > self.stable


@dataclass(frozen=True, slots=True)
class Look:
    """What the releases did since the look before, `at` seconds after the start, in the order of their instances.

    unread: the releases (`candidate`, `stable`) that cannot be read at this look. reset: those that have started to
        count from zero since the look before: what came before that is lost.
    shifted: the candidate got more of the traffic since the look before.
    """

    at: int
    candidate: tuple[Counts, ...]
    stable: tuple[Counts, ...]
    unread: frozenset[str] = frozenset()
    reset: frozenset[str] = frozenset()
    shifted: bool = False


@dataclass(frozen=True, slots=True)
class Scenario:
    """One stream: looks every `TICK_S` seconds.

    history: `(requests, bad)` of stable, which had all the traffic, in each tick of the hour before the rollout.
    seconds: what candidate and stable did in each second, where each has one instance that can always be read.
    """

    plan_s: int
    looks: tuple[Look, ...]
    history: tuple[tuple[int, int], ...]
    seconds: tuple[Seconds, Seconds] | None = None


# What a model is: one scenario from a source of chance and a case.
Stream = Callable[[Random, Case], Scenario]


def seconds_of(case: Case) -> range:
    """Every second of the history and of the stream; 0 is the start of the rollout."""
    return range(-HISTORY_S, case.seconds)


def stream(
    random: Random,
    case: Case,
    common: Sequence[float],
    *,
    failures: Failures = INDEPENDENT,
    own: Sequence[float] | None = None,
    alone: Sequence[float] | None = None,
    load: Sequence[float] | None = None,
    weights: Sequence[float] | None = None,
) -> Scenario:
    """The scenario of two releases with one instance each.

    common: chance that a request fails on either release, for each of `seconds_of(case)`. own: what the candidate has
    besides, for each second of the rollout; by default the difference of the case from its change on. alone: the
    candidate's own chance in each second of the rollout, instead of the common one.
    load: both rates as multiples of the case's. weights: the candidate's share of all traffic in each second of the
    rollout, by default the case's.
    """
    rps = case.candidate_rps + case.stable_rps
    rates = [case.candidate_rps] * case.seconds
    others = [rps] * HISTORY_S + [case.stable_rps] * case.seconds
    if weights is not None:
        rates = [rps * w for w in weights]
        others[HISTORY_S:] = [rps * (1 - w) for w in weights]
    if load is not None:
        rates = [rate * each for rate, each in zip(rates, load[HISTORY_S:], strict=True)]
        others = [rate * each for rate, each in zip(others, load, strict=True)]
    more = step(case) if own is None else own
    before = common[HISTORY_S:] if alone is None else alone
    worse = [p + q if p + q < 1 else 1.0 for p, q in zip(before, more, strict=True)]
    candidate = failures.serve(random, rates, worse)
    stable = failures.serve(random, others, common)
    return scenario(case, [candidate], [stable[HISTORY_S:]], stable[:HISTORY_S])


def step(case: Case) -> list[float]:
    """What the candidate has besides stable's chance to fail in each second: the difference, from the change on."""
    return [0.0] * case.change + [case.candidate - case.stable] * (case.seconds - case.change)


def scenario(
    case: Case, candidate: Sequence[Seconds], stable: Sequence[Seconds], history: Seconds
) -> Scenario:
    """The scenario in which each instance of `candidate` and `stable` did in each second what is said of it."""
    mine = [_ticks(instance) for instance in candidate]
    theirs = [_ticks(instance) for instance in stable]
    looks = [
        Look((number + 1) * TICK_S, tuple(c), tuple(s))
        for number, (c, s) in enumerate(zip(zip(*mine, strict=True), zip(*theirs, strict=True), strict=True))
    ]
    one_each = (candidate[0], stable[0]) if len(candidate) == len(stable) == 1 else None
    past = tuple((c.total, c.bad) for c in _ticks(history))
    return Scenario(case.plan_s, tuple(looks), past, one_each)


def ticks(seconds: Seconds, tick_s: int) -> list[Counts]:
    """The counts of every `tick_s` seconds; a rest at the end is left out."""
    requests, bad = iter([n for n, _ in seconds]), iter([b for _, b in seconds])
    totals, bads = (map(sum, zip(*[each] * tick_s, strict=False)) for each in (requests, bad))
    return [Counts(n, b) for n, b in zip(totals, bads, strict=True)]


def _ticks(seconds: Seconds) -> list[Counts]:
    return ticks(seconds, TICK_S)


def with_looks(known: Scenario, looks: Sequence[Look]) -> Scenario:
    """The same scenario with other looks, which are all that can be read of it."""
    return replace(known, looks=tuple(looks), seconds=None)
