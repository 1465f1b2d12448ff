"""The judge: policy and ticks in, a state that can be stored in between, a verdict out.

For an objective "at most `limit` of the requests are bad" the judge keeps the anytime-valid test of
`sequential_test.py` and says `FAIL` as soon as it reaches n/alpha, n being the enforced tests. Objectives with a
`ratio` are also compared with stable, in pairs: of the bad requests of both in a tick, the candidate's share is
tested against what its traffic and the ratio allow. Requests that fail at nearly the same time may have one cause,
so a block of a few seconds is one observation. Verdicts are worded in `verdict.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import log
from typing import Literal, NamedTuple

from bot.domain.judge.evidence.ticks import Counts, Tick
from bot.domain.judge.policy import (
    JudgePolicy,
    Objective,
    PolicyError,
    Rule,
    policy_from_json,
    policy_to_json,
)
from bot.domain.judge.rules import JUST_NOW, RuleError, RuleState, advance_rule, parse_rule, push, sums
from bot.domain.judge.state import JudgeState, Recent, SoakState, Trial
from bot.domain.judge.statistics.instances import advance_instances
from bot.domain.judge.statistics.latency import advance_latency
from bot.domain.judge.statistics.power import at_least
from bot.domain.judge.statistics.sequential_test import (
    EMPTY,
    NOTHING,
    bets,
    costs,
    forgotten,
    likelihoods,
    log_evidence,
    log_share,
    log_waiting,
    step,
)
from bot.domain.judge.verdict import DOUBT, Evidence, Outcome, Reason, Verdict, verdict, warnings

__all__ = [
    "Evidence",
    "JudgePolicy",
    "JudgeState",
    "Objective",
    "Outcome",
    "PolicyError",
    "Reason",
    "Rule",
    "RuleError",
    "Verdict",
    "advance",
    "begin",
    "begin_soak",
    "parse_rule",
    "policy_from_json",
    "policy_to_json",
    "verdict",
    "warnings",
]

_NONE = Counts()
# Stable may be in trouble with this many bad requests, and is when so many are this unlikely by chance.
_TROUBLE = 2
_BY_CHANCE = 0.05
# Odds that the candidate is worse than a stable within the limit, before the limit alone fails it. Common trouble
# gives odds of 1 on average, however bad it is.
WORSE = 3.0
# Slots of the recent past: a stable without a request in them (15 to 30 s of 180) serves no more.
_LATELY = 2
# No tick is taken as shorter than this (seconds).
_LEAST_S = 1e-3


def begin(policy: JudgePolicy) -> JudgeState:
    """The state before the first tick."""
    count = len(policy.objectives)
    return JudgeState(
        trials=(Trial(EMPTY),) * count,
        pairs=(Trial(EMPTY),) * count,
        stables=(Trial(EMPTY),) * count,
        recents=((),) * count,
        rules=(RuleState(),) * len(policy.rules),
        soak=SoakState(counts=((0, 0),) * count),
    )


def begin_soak(state: JudgeState, at: float) -> JudgeState:
    """A new soak starts at `at`: its time and counts start at zero, and the test continues."""
    return replace(state, soak=SoakState(since=at, counts=((0, 0),) * len(state.soak.counts)))


def advance(state: JudgeState, policy: JudgePolicy, tick: Tick) -> JudgeState:
    """The state after one tick. Raises ValueError when `state` belongs to another policy."""
    if len(state.recents) != len(policy.objectives) or len(state.rules) != len(policy.rules):
        raise ValueError("the judge's state belongs to another policy")
    counts = [tick.candidate.get(o.name, _NONE) for o in policy.objectives]
    ticks = state.ticks + 1 if state.ticks or any(c.total for c in counts) else 0
    since = state.block_since if state.block_since is not None else tick.at - tick.seconds
    complete = policy.phi is not None or tick.at - since >= policy.burst_s - policy.tick_s / 2
    blocks = state.blocks + complete if ticks else 0
    errors = tick.errors + _unheard(policy, tick)
    tests = _Tests(state.trials, state.pairs, state.stables, state.recents)
    if ticks:
        to_come = None if complete else _to_come(policy, tick, since)
        tests = _advance_tests(tests, policy, tick, counts, blocks, to_come=to_come)
    return JudgeState(
        at=tick.at,
        ticks=ticks,
        blocks=blocks,
        block_since=None if complete or not ticks else since,
        trials=tests.trials,
        pairs=tests.pairs,
        stables=tests.stables,
        recents=tests.recents,
        rules=tuple(advance_rule(rule, rs, tick) for rule, rs in zip(policy.rules, state.rules, strict=True)),
        soak=_advance_soak(state.soak, tick, counts, measured=not errors),
        errors=errors,
        error_since=_error_since(state, tick, errors),
        crashed=state.crashed or tick.crashed,
        buckets=tuple(tick.buckets.items()) or state.buckets,
        instances=advance_instances(state.instances, policy, tick),
        latency=advance_latency(state.latency, policy, tick),
    )


class _ToCome(NamedTuple):
    """What is still to come of an open block: as multiples of what it has had so far, and of its last tick."""

    of_block: float
    of_tick: float


def _to_come(policy: JudgePolicy, tick: Tick, since: float) -> _ToCome:
    left_s = max(0.0, since + policy.burst_s - tick.at)
    return _ToCome(left_s / max(tick.at - since, _LEAST_S), left_s / max(tick.seconds, _LEAST_S))


def _error_since(state: JudgeState, tick: Tick, errors: tuple[str, ...]) -> float | None:
    if not errors:
        return None
    return state.error_since if state.error_since is not None else tick.at - tick.seconds


def _unheard(policy: JudgePolicy, tick: Tick) -> tuple[str, ...]:
    """One sentence for each signal of an enforced rule that could not be read."""
    said = []
    for rule in policy.rules:
        if rule.enforce and rule.signal is not None:
            signal = tick.signals.get(rule.signal)
            if signal is None or signal.bad is None:
                said.append((signal.detail if signal else "") or f"no data for the rule '{rule.name}'")
    return tuple(said)


def _advance_soak(soak: SoakState, tick: Tick, counts: list[Counts], *, measured: bool) -> SoakState:
    seconds = min(tick.seconds, max(0.0, tick.at - soak.since)) if soak.since is not None else tick.seconds
    return SoakState(
        since=soak.since,
        measured_s=soak.measured_s + seconds if measured else soak.measured_s,
        counts=tuple((n + c.total, b + c.bad) for (n, b), c in zip(soak.counts, counts, strict=True)),
        requests=soak.requests + max(tick.requests, *(c.total for c in tick.candidate.values()), 0),
    )


class _Tests(NamedTuple):
    """Every objective's three tests and its recent past, as `JudgeState` has them."""

    trials: tuple[Trial, ...]
    pairs: tuple[Trial, ...]
    stables: tuple[Trial, ...]
    recents: tuple[Recent, ...]


def _advance_tests(
    before: _Tests,
    policy: JudgePolicy,
    tick: Tick,
    counts: list[Counts],
    number: int,
    *,
    to_come: _ToCome | None,
) -> _Tests:
    """Every objective's three tests after `number` blocks: of candidate, pair and stable.

    to_come: what is still to come of the block that the tick belongs to; None: the tick completes block `number`.
    """
    this = number if to_come is None else number + 1
    clock = _Clock(
        at=tick.at,
        block=number,
        to_come=to_come,
        share=log_share(this, policy.planned_ticks),
        rest=log_waiting(number, policy.planned_ticks) if number else 0.0,
        rest_then=log_waiting(this, policy.planned_ticks),
        need=log(policy.evidence_needed),
    )
    trials, pairs, stables, recents = [], [], [], []
    for index, (objective, c) in enumerate(zip(policy.objectives, counts, strict=True)):
        s = (tick.stable or {}).get(objective.name, _NONE)
        beside = tick.compared.get(objective.name, _NONE)
        recent = push(before.recents[index], policy.recent_s, tick.at, (c.total, c.bad, s.total, s.bad))
        stable = _stepped(before.stables[index], clock, policy, objective, (s, _NONE))
        pair = _paired(before.pairs[index], clock, policy, objective, (beside, s))
        trial = _stepped(before.trials[index], clock, policy, objective, (c, s))
        if objective.ratio is not None:
            pair = _decided(pair, policy, clock)
        if trial.decided_at is None:
            trial = _decided(trial, policy, clock)
            if policy.on_common_trouble == "hold" and (trial.decided_at is not None or trial.trouble):
                unknown = 0 < tick.unread_s < policy.error_limit_s
                serves = tick.stable is not None and any(slot[3] for slot in recent[-_LATELY:])
                past = sums(recent, 4)[2:], sums(recent[-JUST_NOW:], 4)[2:]
                known = _Beside(objective.limit, pair, stable, *past, unknown=unknown, serves=serves)
                trial = _common_trouble(trial, policy, clock, known)
        recents.append(recent)
        stables.append(stable)
        pairs.append(pair)
        trials.append(trial)
    return _Tests(tuple(trials), tuple(pairs), tuple(stables), tuple(recents))


class _Clock(NamedTuple):
    """What all tests of one tick share: its time, the number of complete blocks, and what is to come of an open one; in
    logs the weight that starts with the block, the weight that waits after the complete ones and after the open one,
    and what `FAIL` needs."""

    at: float
    block: int
    to_come: _ToCome | None
    share: float
    rest: float
    rest_then: float
    need: float


def _stepped(
    trial: Trial, clock: _Clock, policy: JudgePolicy, objective: Objective, both: tuple[Counts, Counts]
) -> Trial:
    """The first counts against the limit; those of the other release are only added up."""
    counts = both[0]
    if policy.phi is None:
        return _bet(trial, clock, counts.bad, objective.limit * counts.total, both)
    factors = likelihoods(counts.bad, counts.total, costs(objective.limit), phi=policy.phi)
    return _counted(
        trial, clock, step(trial.log_a, clock.share, factors), (trial.expected, trial.found), both
    )


def _paired(
    trial: Trial, clock: _Clock, policy: JudgePolicy, objective: Objective, both: tuple[Counts, Counts]
) -> Trial:
    """The candidate's share of the bad requests of both, against the share that its traffic and the ratio allow."""
    c, s = both
    if not (c.total and s.total):
        c = s = _NONE  # no pair in this tick: its share of the weight starts without evidence
    weighted = (objective.ratio or 1.0) * c.total
    share = weighted / (weighted + s.total) if c.total else 0.0
    if policy.phi is None:
        return _bet(trial, clock, c.bad, share * (c.bad + s.bad), (c, s))
    factors = likelihoods(c.bad, c.bad + s.bad, costs.__wrapped__(share), phi=policy.phi)
    return _counted(
        trial, clock, step(trial.log_a, clock.share, factors), (trial.expected, trial.found), (c, s)
    )


def _bet(trial: Trial, clock: _Clock, bad: int, expected: float, both: tuple[Counts, Counts]) -> Trial:
    """A tick's bad requests added to the open block, which is one observation once it is complete.

    What is still to come of a block adds requests that the limit allows for, and no fewer bad ones. So what its bad
    requests so far will be worth then, they are worth now: the answer would be the same, only later.
    """
    found, so_far = trial.found + bad, trial.expected + expected
    if clock.to_come is None:
        return _counted(trial, clock, step(trial.log_a, clock.share, bets(found, so_far)), (0.0, 0), both)
    then = so_far + max(so_far * clock.to_come.of_block, expected * clock.to_come.of_tick)
    sure = NOTHING
    if found > then:
        sure = log_evidence(step(trial.log_a, clock.share, bets(found, then)), clock.rest_then)
    return _counted(trial, clock, trial.log_a, (so_far, found), both, sure=sure)


def _counted(
    trial: Trial,
    clock: _Clock,
    log_a: tuple[float, ...],
    block: tuple[float, int],
    both: tuple[Counts, Counts],
    *,
    sure: float = NOTHING,
) -> Trial:
    """The test with its evidence now, at least `sure`, its open block, and all counts that it has seen."""
    log_m, (c, s) = max(sure, log_evidence(log_a, clock.rest)), both
    # In the order of the fields: `replace` takes a third of the time of a tick, and names cost, too.
    return Trial(
        log_a,
        log_m,
        log_m if log_m > trial.peak else trial.peak,
        trial.total + c.total,
        trial.bad + c.bad,
        trial.stable_total + s.total,
        trial.stable_bad + s.bad,
        trial.decided_at,
        trial.trouble,
        *block,
    )


def _decided(trial: Trial, policy: JudgePolicy, clock: _Clock) -> Trial:
    """Mark a test that reached its threshold as decided; it stays so, as its error bound allows."""
    if trial.decided_at is None and trial.log_m >= clock.need and trial.bad >= policy.min_bad:
        return replace(trial, decided_at=clock.at)
    return trial


@dataclass(frozen=True, slots=True)
class _Beside:
    """Where stable stands: both tests that know it, and its `(requests, bad)` of the recent past and of its last third.

    unknown: one of the two releases cannot be read at present, so that stable may be in trouble unseen.
    serves: stable was read and has had requests lately, so that the comparison goes on.
    """

    limit: float
    pair: Trial
    stable: Trial
    recent: tuple[int, ...]
    just_now: tuple[int, ...]
    unknown: bool
    serves: bool


def _common_trouble(trial: Trial, policy: JudgePolicy, clock: _Clock, beside: _Beside) -> Trial:
    """Suspend a test while stable breaks the same limit: rolling back would not help, so only the comparison decides.

    Where stable keeps its limit, the comparison must still find the candidate worse, at small odds: seconds in which a
    shared dependency fails on both releases are too few to break stable's limit, and enough to fail a candidate.
    A stable that is above the limit, perhaps by chance, only delays the decision; so does one that clearly is in the
    last third of that time, since trouble that grows shows there first. Once its trouble is established, what was
    gathered against the candidate is dropped too, so that the end of the trouble is not held against it.
    A stable that cannot be read delays the decision, too, but only for `error_limit_s`.
    """
    total, bad = beside.recent
    above = bad >= _TROUBLE and bad > beside.limit * total
    if beside.pair.log_m >= clock.need:
        return replace(trial, trouble=None)
    if not above and beside.unknown:
        return replace(trial, decided_at=None, trouble=None if trial.decided_at is None else "unknown")
    if not above:
        doubt = _doubt(trial, policy, beside)
        return replace(trial, decided_at=None if doubt else trial.decided_at, trouble=doubt)
    chance = _by_chance(policy, beside.limit, beside.recent)
    if beside.stable.log_m < log(DOUBT) and chance > _BY_CHANCE:
        return replace(trial, decided_at=None, trouble=None if trial.decided_at is None else "perhaps")
    log_a = forgotten(trial.log_a, clock.block, policy.planned_ticks)
    return replace(
        trial,
        log_a=log_a,
        log_m=log_evidence(log_a, clock.rest),
        expected=0.0,
        found=0,
        decided_at=None,
        trouble="shared",
    )


def _doubt(trial: Trial, policy: JudgePolicy, beside: _Beside) -> Literal["alike", "perhaps"] | None:
    """Why a test that is decided waits although stable keeps the limit; None: it does not."""
    compared = beside.serves and beside.pair.stable_total > 0
    if trial.decided_at is None or not compared:
        return None
    if beside.pair.log_m < log(WORSE):
        return "alike"
    return "perhaps" if _by_chance(policy, beside.limit, beside.just_now) <= _BY_CHANCE else None


def _by_chance(policy: JudgePolicy, limit: float, past: tuple[int, ...]) -> float:
    """How likely so many bad requests are at the limit; 1 for fewer than a verdict takes."""
    total, bad = past
    phi = policy.phi or 1.0
    return at_least(bad / phi, total / phi, limit) if bad >= policy.min_bad else 1.0
