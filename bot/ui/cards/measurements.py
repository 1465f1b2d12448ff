"""Measurements on a card: the judge's reasons, worst first, each with value, limit and evidence."""

from __future__ import annotations

from bot.domain.formatting import duration, percent
from bot.domain.judge.judge import JudgePolicy, Outcome, Reason, Verdict
from bot.domain.judge.statistics.confidence import bounds, bounds_sentence, power_sentence
from bot.domain.judge.verdict import SICK
from bot.domain.rollout.model import Phase, Rollout
from bot.ui import escaping

_SHAPE = {Outcome.PASS: "✅", Outcome.FAIL: "❌", Outcome.INSUFFICIENT: "⏳", Outcome.ERROR: "⚠️"}
_WORST_FIRST = (Outcome.FAIL, Outcome.ERROR, Outcome.INSUFFICIENT, Outcome.PASS)
_WORD = {
    Outcome.PASS: "PASS",
    Outcome.FAIL: "FAIL",
    Outcome.INSUFFICIENT: "not enough evidence yet",
    Outcome.ERROR: "measurement failed",
}
_SHOWN = 5
_MEASURED = frozenset({Phase.SOAKING, Phase.OBSERVING, Phase.HELD})


def verdict_lines(rollout: Rollout) -> list[str]:
    """The verdict, then one line per reason. Empty before the first verdict."""
    verdict = rollout.verdict
    if verdict is None:
        return []
    reasons = sorted(
        (r for r in verdict.reasons if r.objective != "duration"),
        key=_rank,
    )
    lines = [f"**Judge: {_word(verdict)}**{_soaked(rollout)}"]
    lines += [_line(reason) for reason in reasons[:_SHOWN]]
    if len(reasons) > _SHOWN:
        lines.append(f"-# and {len(reasons) - _SHOWN} more, none worse")
    return lines


def _rank(reason: Reason) -> tuple[bool, int, bool]:
    """Worst first. A warning comes after what fails, and before what waits for evidence."""
    place = Outcome.INSUFFICIENT if reason.warning else reason.outcome
    return not (reason.enforced or reason.warning), _WORST_FIRST.index(place), not reason.warning


def fine_print(rollout: Rollout) -> str:
    """How much the numbers mean: confidence bounds, statistical power of the soak, assumptions."""
    policy, state = rollout.policy.judge, rollout.judge_state
    said = []
    if state is not None:
        for objective, trial in zip(policy.objectives, state.trials, strict=False):
            if not objective.enforce or not trial.total:
                continue
            if policy.phi is not None:  # else counts alone say little about the true rate
                found = bounds(trial.bad, trial.total, policy.alpha, policy.phi)
                beside = (trial.stable_bad, trial.stable_total, policy.alpha, policy.phi)
                stable = bounds(*beside) if trial.stable_total else None
                said.append(f"{escaping.plain(objective.name, 40)}: {bounds_sentence(found, stable)}")
            if not rollout.phase.final and failing(rollout) is None:
                said.append(
                    power_sentence(
                        trial.total,
                        objective.limit,
                        policy.evidence_needed,
                        blocks=state.blocks,
                        min_bad=policy.min_bad,
                        phi=policy.phi,
                    )
                )
            break
    said.append(_assumptions(policy))
    return escaping.cut("-# " + " · ".join(s for s in said if s), 600)


def failing(rollout: Rollout) -> Reason | None:
    """The strongest reason against the candidate, if there is one."""
    reasons = rollout.verdict.reasons if rollout.verdict else ()
    for outcome in (Outcome.FAIL, Outcome.ERROR):
        found = next((r for r in reasons if r.outcome is outcome and r.enforced), None)
        if found is not None:
            return found
    return None


def _line(reason: Reason) -> str:
    watched = "" if reason.enforced else " · a warning, no failure" if reason.warning else " *(not enforced)*"
    name, said = escaping.plain(reason.objective, 40), escaping.sentence(reason.sentence, 300)
    # The sentence of a plain rule starts with the rule.
    said = said if said.startswith(reason.objective) else f"**{name}** {said}"
    return f"{'⚠️' if reason.warning else _SHAPE[reason.outcome]} {said}{watched}"


def _word(verdict: Verdict) -> str:
    sick = any(r.objective == SICK and r.enforced for r in verdict.reasons)
    return "sick instance" if sick and verdict.outcome is Outcome.INSUFFICIENT else _WORD[verdict.outcome]


def _soaked(rollout: Rollout) -> str:
    reasons = rollout.verdict.reasons if rollout.verdict else ()
    measured = next((r for r in reasons if r.objective == "duration"), None)
    if measured is None or rollout.phase not in _MEASURED:
        return ""
    return f" · {escaping.sentence(measured.sentence, 80)}"


def _assumptions(policy: JudgePolicy) -> str:
    return f"false alarms: at most {percent(policy.alpha)} of rollouts{_together(policy)}"


def _together(policy: JudgePolicy) -> str:
    """How the judge takes failures that hang together, and how it knows."""
    if policy.measured_s:
        bursts = policy.phi is None or (policy.together or 1.0) >= 1.5
        how = f"in bursts of about {policy.together:g}" if bursts and policy.together else "one by one"
        within = f" within {duration(policy.block_s)}" if policy.phi is None else ""
        return f"; measured on {duration(policy.measured_s)} of stable: failures come {how}{within}"
    if policy.phi is None:
        return (
            f"; no history of this lane yet, so failures within {duration(policy.block_s)} count as one event"
        )
    return f", bursts of up to {policy.phi:g} requests" if policy.phi > 1 else ""
