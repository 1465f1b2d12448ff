"""A rollout replayed from the ticks that are kept: the judge's states, and what each test saw, block by block."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import exp
from typing import Literal, NamedTuple

from bot.domain.judge.evidence.ticks import Counts, Tick
from bot.domain.judge.history.replay import JudgedTick, replayed
from bot.domain.judge.judge import JudgePolicy, JudgeState
from bot.domain.judge.state import Trial
from bot.domain.judge.verdict import SICK, Outcome, Verdict, failing, verdict

_EVERY = 64  # ticks between two states that are kept
_MOST_ODDS = 1e12
_NONE = Counts()


@dataclass(frozen=True, slots=True)
class Subject:
    """What a reason of a verdict is about. index: of the objective (`limit`, `compared`) or rule."""

    kind: Literal[
        "crash", "instances", "limit", "compared", "rule", "sources", "traffic", "duration", "other"
    ]
    index: int = 0


@dataclass(frozen=True, slots=True)
class Block:
    """One observation of a test, or a time that was left out.

    since, until: unix seconds. odds: after it. left_out: why it did not count, in a few words; empty if it did.
    """

    since: float
    until: float
    total: int
    bad: int
    stable_total: int
    stable_bad: int
    odds: float
    left_out: str = ""


class Mark(NamedTuple):
    """Of one tick: complete blocks, ticks since first traffic, and each objective's two tests."""

    blocks: int
    ticks: int
    trials: tuple[tuple[float, str | None], ...]  # log of the odds, and the trouble
    pairs: tuple[float, ...]


class RolloutReplay:
    """The states of one rollout. Raises ValueError when the ticks belong to another policy."""

    def __init__(self, policy: JudgePolicy, ticks: Sequence[JudgedTick]) -> None:
        self.policy = policy
        self.ticks = ticks
        self.failed: list[bool] = []
        self.marks: list[Mark] = []
        self._kept: list[JudgeState] = []
        for number, state in enumerate(replayed(policy, ticks)):
            if number % _EVERY == _EVERY - 1:
                self._kept.append(state)
            self.failed.append(failing(state, policy))
            trials = tuple((trial.log_m, trial.trouble) for trial in state.trials)
            self.marks.append(Mark(state.blocks, state.ticks, trials, tuple(p.log_m for p in state.pairs)))
        self._segment = lru_cache(maxsize=4)(self._replayed_segment)

    def _replayed_segment(self, segment: int) -> list[JudgeState]:
        start = self._kept[segment - 1] if segment else None
        some = self.ticks[segment * _EVERY : (segment + 1) * _EVERY]
        return list(replayed(self.policy, some, start))

    def state(self, number: int) -> JudgeState:
        """The state after tick `number` (from 0)."""
        return self._segment(number // _EVERY)[number % _EVERY]

    def before(self, number: int) -> JudgeState | None:
        """The state that took tick `number`; None for the one before the first."""
        return self.state(number - 1) if number else None

    def verdict(self, number: int) -> Verdict:
        return verdict(self.state(number), self.policy, soak_required_s=self.ticks[number].required_s)

    def subjects(self, said: Verdict) -> list[Subject]:
        """What the reasons of a verdict are about, in their order."""
        expected = self._expected()
        found = []
        for reason in said.reasons:
            fitting = next((n for n, (name, _) in enumerate(expected) if name == reason.objective), None)
            found.append(Subject("other") if fitting is None else expected[fitting][1])
            expected = expected if fitting is None else expected[fitting + 1 :]
        return found

    def _expected(self) -> list[tuple[str, Subject]]:
        """Names of the reasons that a verdict may have, in their order: an objective may be called like another."""
        objectives, rules = enumerate(self.policy.objectives), enumerate(self.policy.rules)
        named = [(n, o.name, o.ratio) for n, o in objectives]
        return [
            (SICK, Subject("instances")),
            ("crash", Subject("crash")),
            *((name, Subject("limit", n)) for n, name, _ in named),
            *(
                (f"{name} against stable", Subject("compared", n))
                for n, name, ratio in named
                if ratio is not None
            ),
            *((rule.name, Subject("rule", n)) for n, rule in rules),
            ("sources", Subject("sources")),
            ("traffic", Subject("traffic")),
            ("duration", Subject("duration")),
        ]

    def since(self, number: int, holds: Callable[[Verdict], bool], most: int = 2000) -> int:
        """The first tick of the stretch up to `number` in which all verdicts are so; at most `most` back."""
        first = number
        while first > max(0, number - most) and holds(self.verdict(first - 1)):
            first -= 1
        return first

    def decision(self) -> int:
        """The tick that decided: where the last `FAIL` began, or the present `ERROR`; else the last tick of a soak."""
        last = len(self.ticks) - 1
        if True in self.failed:
            failed = last - self.failed[::-1].index(True)
            while failed and self.failed[failed - 1]:
                failed -= 1
            return failed
        if self.verdict(last).outcome is Outcome.ERROR:
            return self.since(last, lambda said: said.outcome is Outcome.ERROR)
        soaked = (n for n in range(last, -1, -1) if self.ticks[n].required_s is not None)
        return next(soaked, last)

    def trial(self, state: JudgeState, subject: Subject) -> Trial:
        return (state.pairs if subject.kind == "compared" else state.trials)[subject.index]

    def odds(self, number: int, subject: Subject) -> float:
        mark = self.marks[number]
        of = mark.pairs[subject.index] if subject.kind == "compared" else mark.trials[subject.index][0]
        return odds(of)

    def blocks(self, subject: Subject) -> list[Block]:
        """The observations of a test of objectives, in order; ticks before the first traffic are none."""
        found: list[Block] = []
        opened: list[int] = []
        for number, mark in enumerate(self.marks):
            if not mark.ticks:
                continue
            opened.append(number)
            before = self.marks[number - 1].blocks if number else 0
            if mark.blocks > before or number == len(self.marks) - 1:
                found.append(self._block(opened, subject))
                opened = []
        return found

    def _block(self, numbers: list[int], subject: Subject) -> Block:
        name = self.policy.objectives[subject.index].name
        seen = [_counts(self.ticks[n].tick, name, subject) for n in numbers]
        reasons = [self._left_out(n, subject) for n in numbers]
        first, last = self.ticks[numbers[0]].tick, self.ticks[numbers[-1]].tick
        return Block(
            first.at - first.seconds,
            last.at,
            sum(c.total for c, _ in seen),
            sum(c.bad for c, _ in seen),
            sum(s.total for _, s in seen),
            sum(s.bad for _, s in seen),
            self.odds(numbers[-1], subject),
            "" if "" in reasons else next(iter(reasons)),
        )

    def _left_out(self, number: int, subject: Subject) -> str:
        tick, mark = self.ticks[number].tick, self.marks[number]
        mine, theirs = _counts(tick, self.policy.objectives[subject.index].name, subject)
        if subject.kind == "limit" and mark.trials[subject.index][1] == "shared":
            return "stable broke the limit too"
        if mine.total and (subject.kind == "limit" or theirs.total):
            return ""
        if tick.errors:
            return "could not be read"
        if tick.settling:
            return "traffic had just risen"
        return "no requests" if not mine.total else "no requests on stable"


def _counts(tick: Tick, name: str, subject: Subject) -> tuple[Counts, Counts]:
    """What the test saw of candidate and stable."""
    theirs = (tick.stable or {}).get(name, _NONE)
    if subject.kind == "limit":
        return tick.candidate.get(name, _NONE), theirs
    mine = tick.compared.get(name, _NONE) if tick.stable is not None else _NONE
    return mine, theirs


def odds(log_m: float) -> float:
    """The odds of a test, at most 10^12."""
    return min(_MOST_ODDS, exp(min(log_m, 40.0)))
