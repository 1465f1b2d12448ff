"""Verdicts of the judge: one outcome, and a sentence for the card on each objective and rule."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from math import exp, inf, log
from typing import Any

from bot.domain.formatting import duration
from bot.domain.judge.explain import (
    compared_sentence,
    culprit_sentence,
    latency_sentence,
    limit_sentence,
    rule_sentence,
    sick_sentence,
    traffic_sentence,
)
from bot.domain.judge.policy import JudgePolicy, Objective, Rule
from bot.domain.judge.rules import RuleState, fails, in_doubt, shared, tolerated_share
from bot.domain.judge.state import JudgeState, Trial
from bot.domain.judge.statistics.instances import Standing, beside, culprit, judged_by, sick
from bot.domain.judge.statistics.latency import RATIO, slower

# Evidence of this much puts an objective in doubt: not a FAIL yet, but not a PASS either.
DOUBT = 10.0
# What the reason is called that names sick instances.
SICK = "instances"
_MOST = 1e12


class Outcome(StrEnum):
    """Outcome of a verdict or of a single reason. The first in the order of `PRECEDENCE` wins."""

    PASS = "PASS"  # noqa: S105
    FAIL = "FAIL"
    INSUFFICIENT = "INSUFFICIENT"
    ERROR = "ERROR"


PRECEDENCE = (Outcome.FAIL, Outcome.ERROR, Outcome.INSUFFICIENT, Outcome.PASS)


@dataclass(frozen=True, slots=True)
class Reason:
    """Result for one objective or rule.

    objective: name of the objective or rule, or `crash`, `instances`, `sources`, `traffic`, `duration`, `slower than
    stable`. value and limit: as proportions (seconds for `duration`; None where there is none). samples: requests
    behind it. window_s: seconds they cover. warning: people should know it, and it changes no outcome.
    """

    objective: str
    outcome: Outcome
    sentence: str
    value: float | None = None
    limit: float | None = None
    samples: int = 0
    window_s: float = 0.0
    enforced: bool = True
    warning: bool = False


@dataclass(frozen=True, slots=True)
class Evidence:
    """State of the tests in figures.

    objective, m, peak: the enforced objective with the largest M, that M, and the highest M so far. needed: what
    `FAIL` takes. measured_s, requests: of the present soak. ticks: ticks since first traffic.
    """

    objective: str | None = None
    m: float = 1.0
    peak: float = 1.0
    needed: float = 100.0
    measured_s: float = 0.0
    requests: int = 0
    ticks: int = 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """The judge's result. hold: a person must decide, because stable breaks the same limit as the candidate."""

    outcome: Outcome
    reasons: tuple[Reason, ...] = ()
    evidence: Evidence = Evidence()
    hold: bool = False

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Verdict:
        """Inverse of `to_json`."""
        reasons = tuple(Reason(**{**r, "outcome": Outcome(r["outcome"])}) for r in stored["reasons"])
        return cls(Outcome(stored["outcome"]), reasons, Evidence(**stored["evidence"]), stored["hold"])


def verdict(state: JudgeState, policy: JudgePolicy, *, soak_required_s: float | None) -> Verdict:
    """The verdict on the present state. `soak_required_s`: measured time that the present soak needs.

    Outside a soak (a gate, a shift) it is None: then only `FAIL` and `ERROR` mean something, everything else
    is `INSUFFICIENT`, since nothing may pass there.
    """
    reasons = _by_instance(state, policy, tuple(_reasons(state, policy, soak_required_s)))
    binding = {reason.outcome for reason in reasons if reason.enforced}
    if soak_required_s is None:
        binding.add(Outcome.INSUFFICIENT)
    outcome = next((o for o in PRECEDENCE if o in binding), Outcome.PASS)
    troubled = any(
        o.enforce and t.trouble == "shared" for o, t in zip(policy.objectives, state.trials, strict=True)
    ) or any(
        rule.enforce and _in_common_trouble(policy, rule, standing)
        for rule, standing in zip(policy.rules, state.rules, strict=True)
    )
    return Verdict(outcome, reasons, _evidence(state, policy), troubled and outcome is Outcome.INSUFFICIENT)


def failing(state: JudgeState, policy: JudgePolicy) -> bool:
    """Whether the verdict on this state is `FAIL`, without its sentences."""
    tests = zip(policy.objectives, state.trials, state.pairs, strict=True)
    return (
        state.crashed is not None
        or any(
            objective.enforce
            and (
                trial.decided_at is not None or (objective.ratio is not None and pair.decided_at is not None)
            )
            for objective, trial, pair in tests
        )
        or bool(failed_rules(state, policy))
    )


def failed_rules(state: JudgeState, policy: JudgePolicy) -> tuple[str, ...]:
    """Names of the enforced rules that are `FAIL` now."""
    rules = zip(policy.rules, state.rules, strict=True)
    return tuple(
        rule.name
        for rule, standing in rules
        if rule.enforce and fails(rule, standing) and not _in_common_trouble(policy, rule, standing)
    )


def _reasons(state: JudgeState, policy: JudgePolicy, soak_required_s: float | None) -> Iterator[Reason]:
    if state.crashed:
        yield Reason("crash", Outcome.FAIL, state.crashed)
    for index, objective in enumerate(policy.objectives):
        yield _limit_reason(state, policy, index, objective)
    for objective, pair in zip(policy.objectives, state.pairs, strict=True):
        if objective.ratio is not None:
            yield _compared_reason(objective, pair)
    yield from warnings(state)
    for rule, standing in zip(policy.rules, state.rules, strict=True):
        outcome = _rule_outcome(policy, rule, standing)
        rate = standing.bad / standing.total if standing.total else None
        yield Reason(
            rule.name,
            outcome,
            rule_sentence(
                rule,
                standing,
                failed=fails(rule, standing),
                shared=_in_common_trouble(policy, rule, standing),
            ),
            None if rule.signal else rate,
            None if rule.signal else tolerated_share(rule),
            standing.total,
            rule.for_s if rule.signal else rule.over_s,
            rule.enforce,
        )
    if state.errors:
        yield _sources_reason(state, policy)
    if soak_required_s is not None:
        if not any(objective.enforce for objective in policy.objectives):
            yield _traffic_reason(state, policy)
        yield _duration_reason(state, soak_required_s)


def _by_instance(state: JudgeState, policy: JudgePolicy, reasons: tuple[Reason, ...]) -> tuple[Reason, ...]:
    """The reasons with what the instances say: where the failures come from, or which of the instances is sick."""
    objective = judged_by(policy)
    if objective is None or len(state.instances.each) < 2:
        return reasons
    failed = {
        name for o in policy.objectives if o.kind == "errors" for name in (o.name, f"{o.name} against stable")
    }
    failed |= {rule.name for rule in policy.rules if rule.metric == "error_rate"}
    for index, reason in enumerate(reasons):
        if reason.outcome is Outcome.FAIL and reason.objective in failed:
            found = culprit(state.instances)
            if found is None:
                return reasons
            said = f"{reason.sentence}; {culprit_sentence(found, objective.limit)}"
            return (*reasons[:index], replace(reason, sentence=said), *reasons[index + 1 :])
    ill = sick(state.instances, policy)
    return (_sick_reason(state, policy, objective, ill), *reasons) if ill else reasons


def _sick_reason(
    state: JudgeState, policy: JudgePolicy, objective: Objective, ill: tuple[Standing, ...]
) -> Reason:
    """A sick instance keeps a candidate from passing that is within its limit on the whole."""
    total, bad = sum(one.total for one in ill), sum(one.bad for one in ill)
    rest = beside(state.instances, ill)
    return Reason(
        SICK,
        Outcome.INSUFFICIENT,
        sick_sentence(state, objective, ill),
        bad / total,
        objective.limit,
        total + rest.total,
        enforced=objective.enforce and policy.on_sick_instance == "hold",
    )


def warnings(state: JudgeState) -> Iterator[Reason]:
    """What people should know of the candidate although it is within its limits."""
    found = slower(state.latency)
    if found is not None:
        ratio = found.candidate_s / found.stable_s
        yield Reason(
            "slower than stable",
            Outcome.PASS,
            latency_sentence(found),
            ratio if ratio < inf else None,
            RATIO,
            found.samples,
            enforced=False,
            warning=True,
        )


def _rule_outcome(policy: JudgePolicy, rule: Rule, standing: RuleState) -> Outcome:
    if fails(rule, standing):
        return Outcome.INSUFFICIENT if _in_common_trouble(policy, rule, standing) else Outcome.FAIL
    return Outcome.INSUFFICIENT if in_doubt(rule, standing) else Outcome.PASS


def _in_common_trouble(policy: JudgePolicy, rule: Rule, standing: RuleState) -> bool:
    """A rule that stable breaks as well fails nothing: rolling back would not help."""
    return policy.on_common_trouble == "hold" and fails(rule, standing) and shared(rule, standing)


def _limit_reason(state: JudgeState, policy: JudgePolicy, index: int, objective: Objective) -> Reason:
    trial = state.trials[index]
    total, bad = state.soak.counts[index]
    floor = policy.floor(objective)
    outcome = Outcome.PASS
    if trial.decided_at is not None:
        outcome = Outcome.FAIL
        total, bad = _worst(state, policy, index)
    elif total < max(1, floor) or bad > objective.limit * total or trial.log_m >= log(DOUBT) or trial.trouble:
        outcome = Outcome.INSUFFICIENT
    return Reason(
        objective.name,
        outcome,
        limit_sentence(state, policy, index, total, bad),
        bad / total if total else None,
        objective.limit,
        total,
        state.soak.measured_s,
        objective.enforce,
    )


def _worst(state: JudgeState, policy: JudgePolicy, index: int) -> tuple[int, int]:
    """The counts that best show the failure: those of the whole rollout or of the present soak."""
    trial = state.trials[index]
    whole, soak = (trial.total, trial.bad), state.soak.counts[index]
    return soak if soak[1] >= policy.min_bad and soak[1] * whole[0] > whole[1] * soak[0] else whole


def _compared_reason(objective: Objective, trial: Trial) -> Reason:
    outcome = Outcome.PASS
    if trial.decided_at is not None:
        outcome = Outcome.FAIL
    elif trial.log_m >= log(DOUBT):
        outcome = Outcome.INSUFFICIENT
    return Reason(
        f"{objective.name} against stable",
        outcome,
        compared_sentence(objective, trial),
        trial.bad / trial.total if trial.total else None,
        trial.stable_bad / trial.stable_total if trial.stable_total else None,
        trial.total,
        enforced=objective.enforce,
    )


def _sources_reason(state: JudgeState, policy: JudgePolicy) -> Reason:
    lasted = (state.at or 0.0) - (state.error_since if state.error_since is not None else state.at or 0.0)
    outcome = Outcome.ERROR if lasted >= policy.error_limit_s else Outcome.INSUFFICIENT
    more = f" (and {len(state.errors) - 1} more)" if len(state.errors) > 1 else ""
    sentence = f"could not measure for {duration(lasted)}: {state.errors[0]}{more}"
    return Reason("sources", outcome, sentence, lasted, policy.error_limit_s, window_s=lasted)


def _traffic_reason(state: JudgeState, policy: JudgePolicy) -> Reason:
    """Without traffic nothing can break a rule, so that says nothing. Objectives have floors of their own."""
    seen, needed = state.soak.requests, max(1, policy.min_requests)
    outcome = Outcome.PASS if seen >= needed else Outcome.INSUFFICIENT
    window_s = state.soak.measured_s
    return Reason("traffic", outcome, traffic_sentence(seen, needed), samples=seen, window_s=window_s)


def _duration_reason(state: JudgeState, required_s: float) -> Reason:
    measured = state.soak.measured_s
    # Sums of differences of unix times are inexact; a microsecond must not cost a tick.
    enough = measured >= required_s - 1e-3
    sentence = f"{duration(measured)} of {duration(required_s)} measured"
    outcome = Outcome.PASS if enough else Outcome.INSUFFICIENT
    return Reason("duration", outcome, sentence, measured, required_s, window_s=measured)


def _evidence(state: JudgeState, policy: JudgePolicy) -> Evidence:
    tests = [(t, o.name) for o, t in zip(policy.objectives, state.trials, strict=True) if o.enforce]
    tests += [
        (pair, f"{o.name} against stable")
        for o, pair in zip(policy.objectives, state.pairs, strict=True)
        if o.enforce and o.ratio is not None
    ]
    leading = max(tests, key=lambda test: test[0].log_m, default=None)
    requests = max((total for total, _ in state.soak.counts), default=state.soak.requests)
    return Evidence(
        leading[1] if leading else None,
        min(_MOST, exp(min(leading[0].log_m, 40.0))) if leading else 1.0,
        min(_MOST, exp(min(max(trial.peak for trial, _ in tests), 40.0))) if tests else 1.0,
        policy.evidence_needed,
        state.soak.measured_s,
        requests,
        state.ticks,
    )
