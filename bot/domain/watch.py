"""How the rollout listens to its judge: what each verdict does in each phase."""

from __future__ import annotations

from bot.domain import backward, forward, judge
from bot.domain.draft import Draft
from bot.domain.events import Measured, TimerDue
from bot.domain.holds import back_to_soak, because, hold, passed, troubled
from bot.domain.judge import Outcome, Verdict
from bot.domain.model import Gate, Observe, Phase, Rollout, Soak

# Sums of floating-point seconds; the judge allows as much.
_EPSILON_S = 1e-3


def measured(draft: Draft, event: Measured) -> None:
    """Every phase in which the candidate has traffic: look, and turn back, hold or go on."""
    rollout = draft.rollout
    if rollout.judge_state is None:
        return
    policy = rollout.policy.judge
    state = judge.advance(rollout.judge_state, policy, event.tick)
    verdict = judge.verdict(state, policy, soak_required_s=required_s(rollout))
    draft.change(judge_state=state, verdict=verdict)
    if verdict.outcome is Outcome.FAIL:
        backward.automatic(draft, "judged_fail", because(verdict))
    elif rollout.phase in (Phase.SOAKING, Phase.OBSERVING):
        _in_soak(draft, verdict)
    elif rollout.phase is Phase.HELD:
        _in_hold(draft, verdict)


def _in_soak(draft: Draft, verdict: Verdict) -> None:
    if verdict.outcome is Outcome.PASS:
        if not draft.rollout.step_done:
            draft.tell("judged_pass", f"PASS: {passed(verdict)}")
            forward.finish(draft)
        return
    if draft.rollout.step_done:
        # It passed while paused; what counts is the verdict at the moment of going on.
        draft.change(step_done=False)
    if troubled(verdict) or (complete(draft.rollout) and not unreadable(draft.rollout)):
        hold(draft, because(verdict))


def _in_hold(draft: Draft, verdict: Verdict) -> None:
    if troubled(verdict):
        return
    if isinstance(draft.rollout.current, Gate):
        draft.tell("hold_over", "Measuring again; the gate was passed.")
        forward.pass_gate(draft)
    elif verdict.outcome is Outcome.PASS:
        back_to_soak(draft)
        draft.tell("judged_pass", f"The hold is over, PASS: {passed(verdict)}")
        forward.finish(draft)
    elif not complete(draft.rollout):
        back_to_soak(draft)
        draft.tell("hold_over", "The hold is over: measuring again, the soak goes on where it was.")


def hold_due(draft: Draft, event: TimerDue) -> None:
    """HELD: nobody decided in time; do what the policy says."""
    held = draft.rollout.hold
    assert held is not None
    if held.outcome == "rollback":
        backward.automatic(draft, "hold_expired", f"nobody decided in time ({held.why})")
    else:
        hold(draft, held.why)


def required_s(rollout: Rollout) -> float | None:
    """Measured seconds that the present soak demands; None outside of one."""
    step = rollout.current
    return step.duration_s + rollout.soak_extra_s if isinstance(step, (Soak, Observe)) else None


def complete(rollout: Rollout) -> bool:
    """The present soak has been measured for as long as it must be."""
    required, state = required_s(rollout), rollout.judge_state
    return required is not None and state is not None and state.soak.measured_s >= required - _EPSILON_S


def unreadable(rollout: Rollout) -> bool:
    """Something could not be read at the last look."""
    return rollout.judge_state is not None and bool(rollout.judge_state.errors)
