"""Rollouts judged look by look until they are decided, with their ticks as they are kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from random import Random

from bot.domain.judge.evidence.ticks import Counts, Tick
from bot.domain.judge.history.replay import JudgedTick, judged_tick, replayed
from bot.domain.judge.judge import JudgePolicy, Objective, Outcome, advance, begin, begin_soak
from bot.domain.judge.verdict import Verdict, failing, verdict
from bot.domain.judge.why import Why, explained
from tests.support.rules.judging import ERRORS, FIVE, failures

SOAK_S = 300.0
LIMIT = JudgePolicy((ERRORS,), planned_ticks=60)
TWICE = JudgePolicy((Objective("errors", "errors", 0.01, ratio=2.0),), planned_ticks=60)


class Lived:
    """A rollout of looks every 5 s, judged until it is decided: its ticks, last state and verdict."""

    def __init__(self, policy: JudgePolicy, looks: Iterable[Tick], soak_s: float | None = SOAK_S) -> None:
        self.policy, self.soak_s = policy, soak_s
        self.state = begin_soak(begin(policy), 0.0)
        self.kept: list[JudgedTick] = []
        self.verdict: Verdict | None = None
        for tick in looks:
            self.kept.append(judged_tick(self.state, policy, tick, soak_s))
            self.state = advance(self.state, policy, tick)
            self.verdict = verdict(self.state, policy, soak_required_s=soak_s)
            if self.verdict.outcome in (Outcome.FAIL, Outcome.PASS, Outcome.ERROR):
                break

    def why(self, *, over: bool = False) -> Why:
        return explained(self.policy, self.kept, self.state, self.verdict, over=over)

    def again(self, edit: Callable[[JudgedTick], JudgedTick], policy: JudgePolicy | None = None) -> Outcome:
        """The outcome with changed ticks: FAIL if it was ever so, else the last."""
        policy = policy or self.policy
        states = list(replayed(policy, map(edit, self.kept)))
        if any(failing(state, policy) for state in states):
            return Outcome.FAIL
        return verdict(states[-1], policy, soak_required_s=self.soak_s).outcome


def looks(
    rate: float, *, stable: float = 0.002, seed: int = 1, n: int = 60, requests: int = 25, both: float = 0.0
) -> list[Tick]:
    random, found = Random(seed), []
    for number in range(1, n + 1):
        hit = both if number > 20 else 0.0
        mine = Counts(requests, failures(random, requests, max(hit, rate)))
        theirs = Counts(100, failures(random, 100, max(hit, stable)))
        found.append(Tick(number * FIVE, FIVE, {"errors": mine}, {"errors": theirs}, requests=requests))
    return found


def unread(number: int) -> Tick:
    return Tick(number * FIVE, FIVE, {"errors": Counts()}, None, errors=("router: no answer",), unread_s=FIVE)
