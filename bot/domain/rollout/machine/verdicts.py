"""Effects of the judge's verdicts, phase by phase."""

from __future__ import annotations

from bot.domain.judge import judge
from bot.domain.judge.judge import JudgeState, Outcome, Verdict
from bot.domain.rollout.events import Measured, TimerDue
from bot.domain.rollout.machine import progress, rollback
from bot.domain.rollout.machine.progress import back_to_soak, because, passed, troubled
from bot.domain.rollout.model import Phase, Rollout
from bot.domain.rollout.step_builder import StepBuilder
from bot.domain.rollout.steps import Gate

# Sums of floating-point seconds; the judge allows as much.
_EPSILON_S = 1e-3


def measured(builder: StepBuilder, event: Measured) -> None:
    """Every phase with candidate traffic: take the new verdict, and roll back, hold or continue."""
    rollout = builder.rollout
    if rollout.judge_state is None:
        return
    policy = rollout.policy.judge
    state = judge.advance(rollout.judge_state, policy, event.tick)
    verdict = judge.verdict(state, policy, soak_required_s=required_s(rollout))
    warned = _warned(rollout.judge_state, state)
    builder.change(judge_state=state, verdict=verdict)
    if warned:
        builder.tell("warned", warned)
    if verdict.outcome is Outcome.FAIL:
        if _decided(rollout):
            return
        rollback.automatic(builder, "judged_fail", because(verdict))
    elif rollout.phase in (Phase.SOAKING, Phase.OBSERVING):
        _in_soak(builder, verdict)
    elif rollout.phase is Phase.HELD:
        _in_hold(builder, verdict, rollout.verdict)


def warned(rollout: Rollout) -> list[str]:
    """A sentence for each warning of the judge that stands."""
    state = rollout.judge_state
    return [f"{r.objective}: {r.sentence}" for r in judge.warnings(state)] if state is not None else []


def _warned(before: JudgeState, after: JudgeState) -> str:
    """A sentence when a warning begins or ends with this tick; empty otherwise."""
    said, was = [reason.sentence for reason in judge.warnings(after)], any(judge.warnings(before))
    if said and not was:
        return f"Warning: {'; '.join(said)}. It does not fail the rollout."
    return "The warning is over: no longer slower than stable." if was and not said else ""


def _decided(before: Rollout) -> bool:
    """Whether people went on with an irreversible release in spite of this FAIL. It counts again at the next soak."""
    failed = before.verdict is not None and before.verdict.outcome is Outcome.FAIL
    return bool(before.candidate.irreversible) and failed and before.phase in (Phase.GATED, Phase.SHIFTING)


def _in_soak(builder: StepBuilder, verdict: Verdict) -> None:
    if verdict.outcome is Outcome.PASS:
        if not builder.rollout.step_done:
            builder.tell("judged_pass", f"PASS: {passed(verdict)}")
            progress.finish(builder)
        return
    if builder.rollout.step_done:
        # It passed while paused; what counts is the verdict when it resumes.
        builder.change(step_done=False)
    if troubled(verdict) or (complete(builder.rollout) and not unreadable(builder.rollout)):
        builder.hold(because(verdict))


def _in_hold(builder: StepBuilder, verdict: Verdict, before: Verdict | None) -> None:
    held = builder.rollout.hold
    if troubled(verdict) or (held is not None and held.for_people):
        return
    if isinstance(builder.rollout.current, Gate):
        if before is not None and verdict.evidence.m > before.evidence.m:
            return  # stable is well again and this tick speaks against the candidate: no reason to go on
        builder.tell("hold_over", "No longer on hold: measurements are back, and the gate was passed.")
        progress.pass_gate(builder)
    elif verdict.outcome is Outcome.PASS:
        back_to_soak(builder)
        builder.tell("judged_pass", f"No longer on hold. PASS: {passed(verdict)}")
        progress.finish(builder)
    elif not complete(builder.rollout):
        back_to_soak(builder)
        builder.tell("hold_over", "No longer on hold: measurements are back, and the soak continues.")


def hold_due(builder: StepBuilder, event: TimerDue) -> None:
    """HELD: no decision was made in time; do what the policy says."""
    held = builder.rollout.hold
    assert held is not None
    if held.outcome == "rollback":
        rollback.automatic(builder, "hold_expired", f"no decision was made in time ({held.why})")
    else:
        builder.hold(held.why, for_people=held.for_people)


def required_s(rollout: Rollout) -> float | None:
    """Measured seconds that the present soak needs; None outside of one."""
    soak_s = rollout.current.soak_s if rollout.current is not None else None
    return None if soak_s is None else soak_s + rollout.soak_extra_s


def complete(rollout: Rollout) -> bool:
    """Whether the present soak was measured for as long as it needs."""
    required, state = required_s(rollout), rollout.judge_state
    return required is not None and state is not None and state.soak.measured_s >= required - _EPSILON_S


def unreadable(rollout: Rollout) -> bool:
    """Whether a source could not be read in the last tick."""
    return rollout.judge_state is not None and bool(rollout.judge_state.errors)
