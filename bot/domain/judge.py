"""The judge: policy and ticks in, a state that can be stored in between, a verdict out.

For an objective "at most `limit` of the requests are bad" the judge keeps the anytime-valid test of
`mixture.py` and says `FAIL` as soon as it reaches n/alpha, n being the enforced tests. Objectives with a
`ratio` are also compared with
stable, in pairs: of the bad requests of both in a tick, the candidate's share is tested against what its
traffic and the ratio allow. Verdicts are worded in `verdict.py`.
"""

from __future__ import annotations

from dataclasses import replace
from math import log

from bot.domain.evidence import Counts, Tick
from bot.domain.mixture import EMPTY, costs, forgotten, log_evidence, log_share, log_waiting, step
from bot.domain.policy import (
    Objective,
    Policy,
    PolicyError,
    Rule,
    policy_from_json,
    policy_to_json,
)
from bot.domain.rules import RuleError, RuleState, advance_rule, parse_rule
from bot.domain.state import JudgeState, Recent, Soak, Trial
from bot.domain.tails import at_least
from bot.domain.verdict import Evidence, Outcome, Reason, Verdict, verdict
from bot.domain.window import push, sums

__all__ = [
    "Evidence",
    "JudgeState",
    "Objective",
    "Outcome",
    "Policy",
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
]

_NONE = Counts()
# How unlikely stable's trouble must be by chance, and the candidate's excess for it to count as worse.
_STABLE_BREAKS = 0.01
_CANDIDATE_WORSE = 0.05


def begin(policy: Policy) -> JudgeState:
    """The state before the first tick."""
    paired = sum(objective.ratio is not None for objective in policy.objectives)
    return JudgeState(
        trials=(Trial(EMPTY),) * (len(policy.objectives) + paired),
        recents=((),) * len(policy.objectives),
        rules=(RuleState(),) * len(policy.rules),
        soak=Soak(counts=((0, 0),) * len(policy.objectives)),
    )


def begin_soak(state: JudgeState, at: float) -> JudgeState:
    """A new soak starts at `at`: its own time and counts start at nought, the test goes on."""
    return replace(state, soak=Soak(since=at, counts=((0, 0),) * len(state.soak.counts)))


def advance(state: JudgeState, policy: Policy, tick: Tick) -> JudgeState:
    """The state after one look. Raises ValueError when `state` was not begun with `policy`."""
    if len(state.recents) != len(policy.objectives) or len(state.rules) != len(policy.rules):
        raise ValueError("this judge's state belongs to another policy")
    counts = [tick.candidate.get(o.name, _NONE) for o in policy.objectives]
    ticks = state.ticks + 1 if state.ticks or any(c.total for c in counts) else 0
    stable = tick.stable
    recents = state.recents
    trials = state.trials
    if ticks:
        against = [stable.get(o.name, _NONE) if stable else _NONE for o in policy.objectives]
        recents = tuple(
            push(recent, policy.recent_s, tick.at, (c.total, c.bad, s.total, s.bad))
            for recent, c, s in zip(state.recents, counts, against, strict=True)
        )
        trials = _advance_trials(
            state,
            policy,
            at=tick.at,
            ticks=ticks,
            pairs=list(zip(counts, against, strict=True)),
            recents=recents,
        )
    errors = tick.errors + _unheard(policy, tick)
    return JudgeState(
        at=tick.at,
        ticks=ticks,
        trials=trials,
        recents=recents,
        rules=tuple(advance_rule(rule, rs, tick) for rule, rs in zip(policy.rules, state.rules, strict=True)),
        soak=_advance_soak(state.soak, tick, counts, measured=not errors),
        errors=errors,
        error_since=_error_since(state, tick, errors),
        crashed=state.crashed or tick.crashed,
        buckets=tuple(tick.buckets.items()) or state.buckets,
    )


def _error_since(state: JudgeState, tick: Tick, errors: tuple[str, ...]) -> float | None:
    if not errors:
        return None
    return state.error_since if state.error_since is not None else tick.at - tick.seconds


def _unheard(policy: Policy, tick: Tick) -> tuple[str, ...]:
    """Signals that an enforced rule listens to and that could not be read."""
    said = []
    for rule in policy.rules:
        if rule.enforce and rule.signal is not None:
            signal = tick.signals.get(rule.signal)
            if signal is None or signal.bad is None:
                said.append((signal.detail if signal else "") or f"no reading for the rule '{rule.name}'")
    return tuple(said)


def _advance_soak(soak: Soak, tick: Tick, counts: list[Counts], *, measured: bool) -> Soak:
    seconds = min(tick.seconds, max(0.0, tick.at - soak.since)) if soak.since is not None else tick.seconds
    return Soak(
        since=soak.since,
        measured_s=soak.measured_s + seconds if measured else soak.measured_s,
        counts=tuple((n + c.total, b + c.bad) for (n, b), c in zip(soak.counts, counts, strict=True)),
    )


def _advance_trials(
    state: JudgeState,
    policy: Policy,
    *,
    at: float,
    ticks: int,
    pairs: list[tuple[Counts, Counts]],
    recents: tuple[Recent, ...],
) -> tuple[Trial, ...]:
    """Every test after this tick: one for each limit, then one for each comparison with stable."""
    share, rest, power = (
        log_share(ticks, policy.planned_ticks),
        log_waiting(ticks, policy.planned_ticks),
        1 / policy.phi,
    )
    need, trials = log(policy.evidence_needed), iter(state.trials)
    found: list[Trial] = []
    for objective, (c, s), recent in zip(policy.objectives, pairs, recents, strict=True):
        trial = next(trials)
        log_a = step(trial.log_a, share, c.bad, c.total, costs(objective.limit), power=power)
        trial = _counted(trial, log_a, rest, c, s)
        trial = _decided(trial, policy, need, at)
        before = state.trials[len(found)]
        found.append(_common_trouble(trial, before, policy, objective, recent=recent, ticks=ticks, rest=rest))
    for objective, (c, s) in zip(policy.objectives, pairs, strict=True):
        if objective.ratio is None:
            continue
        trial = next(trials)
        if c.total and s.total:
            expected = objective.ratio * c.total / (objective.ratio * c.total + s.total)
            log_a = step(trial.log_a, share, c.bad, c.bad + s.bad, costs.__wrapped__(expected), power=power)
            trial = _counted(trial, log_a, rest, c, s)
        else:
            # No pair in this tick: its share of the weight starts with nothing to say.
            trial = _counted(trial, step(trial.log_a, share, 0, 0, EMPTY, power=power), rest, _NONE, _NONE)
        found.append(_decided(trial, policy, need, at))
    return tuple(found)


def _counted(trial: Trial, log_a: tuple[float, ...], rest: float, c: Counts, s: Counts) -> Trial:
    log_m = log_evidence(log_a, rest)
    return Trial(
        log_a=log_a,
        log_m=log_m,
        peak=max(trial.peak, log_m),
        total=trial.total + c.total,
        bad=trial.bad + c.bad,
        stable_total=trial.stable_total + s.total,
        stable_bad=trial.stable_bad + s.bad,
        decided_at=trial.decided_at,
        trouble=trial.trouble,
    )


def _decided(trial: Trial, policy: Policy, need: float, at: float) -> Trial:
    """A test that reached what it needs stays decided: that is what its promise is about."""
    if trial.decided_at is None and trial.log_m >= need and trial.bad >= policy.min_bad:
        return replace(trial, decided_at=at)
    return trial


def _common_trouble(
    trial: Trial,
    before: Trial,
    policy: Policy,
    objective: Objective,
    *,
    recent: Recent,
    ticks: int,
    rest: float,
) -> Trial:
    """Undo a decision that stable shares: when it breaks the same limit now and the candidate is not worse.

    What was gathered against the limit in common trouble is dropped, so that its end is not the candidate's
    either.
    """
    if before.decided_at is not None or policy.on_common_trouble == "ignore":
        return trial
    if trial.decided_at is None and not before.trouble:
        return trial
    if not shared(policy, objective, recent):
        return replace(trial, trouble=False) if trial.trouble else trial
    log_a = forgotten(trial.log_a, ticks, policy.planned_ticks)
    return replace(trial, log_a=log_a, log_m=log_evidence(log_a, rest), decided_at=None, trouble=True)


def shared(policy: Policy, objective: Objective, recent: Recent) -> bool:
    """Stable is beyond the limit now, more than by chance, and the candidate is not clearly worse."""
    total, bad, stable_total, stable_bad = sums(recent, 4)
    if stable_bad < policy.min_bad or stable_bad <= objective.limit * stable_total:
        return False
    if at_least(stable_bad / policy.phi, stable_total / policy.phi, objective.limit) > _STABLE_BREAKS:
        return False
    ratio = max(1.0, objective.ratio or 1.0)
    if bad * stable_total <= ratio * stable_bad * total:
        return True
    expected = ratio * total / (ratio * total + stable_total)
    return at_least(bad / policy.phi, (bad + stable_bad) / policy.phi, expected) > _CANDIDATE_WORSE
