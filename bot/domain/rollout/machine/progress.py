"""Progress: entering each step of the plan, finishing it, and taking over at the end."""

from __future__ import annotations

from bot.domain.errors import IllegalTransition
from bot.domain.judge import judge
from bot.domain.judge.judge import Outcome, Verdict
from bot.domain.rollout import steps
from bot.domain.rollout.events import (
    Applied,
    ApplyFailed,
    ChangesRead,
    Delayed,
    MarkKnownGood,
    Notify,
    Reported,
)
from bot.domain.rollout.machine import rollback
from bot.domain.rollout.machine.approvals import cleared
from bot.domain.rollout.model import Delay, Phase
from bot.domain.rollout.step_builder import StepBuilder
from bot.domain.rollout.steps.kind import DONE, StepFailed, StepResult

COMPLETION_TIMEOUT_S = 60.0
# A final state that the target does not confirm is ordered again, after pauses that double: first and longest one.
_ASK_AGAIN_S, _ASK_AT_LEAST_S = 5.0, 600.0


def enter(builder: StepBuilder, step: int) -> None:
    """Begin `step` of the plan; past the last one the candidate takes over."""
    builder.change(
        step=step,
        step_since=builder.at,
        approvals=(),
        step_done=False,
        soak_extra_s=0.0,
        hold=None,
    )
    if not cleared(builder.rollout):
        raise IllegalTransition(
            f"rollout {builder.rollout.id}: step {step} lies behind a gate without its quorum"
        )
    current = builder.rollout.current
    if current is None:
        _take_over(builder, warm=not builder.rollout.policy.exclusive)
    else:
        _go_on(builder, steps.kind_of(current).enter(builder, current))


def _go_on(builder: StepBuilder, result: StepResult) -> None:
    if isinstance(result, StepFailed):
        rollback.automatic(builder, result.what, result.why)
    elif result is DONE:
        finish(builder)


def finish(builder: StepBuilder) -> None:
    """The present step is done: continue, or note while paused that it may."""
    if builder.rollout.pause is None:
        enter(builder, builder.rollout.step + 1)
    elif not builder.rollout.step_done:
        builder.change(step_done=True)
        builder.tell(
            "step_done", "This step is done. The rollout is paused and continues when it is resumed."
        )


def pass_gate(builder: StepBuilder) -> None:
    """The quorum is reached. With a judge that cannot measure, people decide once more."""
    verdict = builder.rollout.verdict
    builder.change(approvals=())  # they are in the grant; at a hold, votes are for going on without PASS
    if builder.rollout.pause is None and verdict is not None and troubled(verdict):
        builder.hold(because(verdict))
    else:
        builder.change(phase=Phase.GATED, hold=None)
        finish(builder)


def _take_over(builder: StepBuilder, *, warm: bool, delay_s: float = 0.0) -> None:
    rollout = builder.rollout
    builder.change(phase=Phase.SHIFTING)
    kept = (rollout.stable,) if warm and rollout.stable is not None else ()
    builder.desire(rollout.candidate, None, 0, COMPLETION_TIMEOUT_S, warm=kept, delay_s=delay_s)
    builder.change(weight=100)
    if not rollout.asked_again:
        builder.tell(
            "taking_over", f"All steps are done. {rollout.candidate.version} becomes the stable release."
        )


# ---- outcomes ------------------------------------------------------------------------------


def applied(builder: StepBuilder, event: Applied) -> None:
    """VERIFYING, SHIFTING: the target got where the newest generation wants it."""
    if builder.rollout.current is None:
        builder.change(observed_weight=event.weight)
        _succeed(builder, event)
    else:
        _answered(builder, event.kind, event)


def reported(builder: StepBuilder, event: Reported) -> None:
    """VERIFYING, SHIFTING: an effect of the present step was carried out, or failed."""
    _answered(builder, event.effect, event)


def _answered(builder: StepBuilder, answers: str, event: Applied | Reported) -> None:
    step = builder.rollout.current
    outcome = steps.kind_of(step).outcomes.get(answers) if step is not None else None
    if outcome is None:
        raise IllegalTransition(
            f"rollout {builder.rollout.id}: an answer ({answers}) to what was not ordered"
        )
    _go_on(builder, outcome(builder, step, event))


def not_applied(builder: StepBuilder, event: ApplyFailed) -> None:
    """VERIFYING, SHIFTING: the target could not do what was ordered."""
    rollout = builder.rollout
    if rollout.phase is Phase.SHIFTING and rollout.current is None and not event.unsafe:
        _ask_again(builder, event)
    elif (
        rollout.had_traffic and rollout.current is not None and event.unsafe and not rollout.policy.exclusive
    ):
        # An exclusive service has no stable running during a shift; for all others, going back needs one.
        rollback.halt(
            builder, f"Rolling back is unsafe: the stable release is gone or unhealthy ({event.why})."
        )
    else:
        rollback.catch_up(builder, event)
        rollback.automatic(builder, "apply_failed", event.why)


def _ask_again(builder: StepBuilder, event: ApplyFailed) -> None:
    """Order the final state again. The candidate serves all traffic; a warm release that died changes nothing there."""
    rollout = builder.rollout
    sentence = builder.say.untidy.format(version=rollout.candidate.version, why=event.why)
    builder.change(asked_again=rollout.asked_again + 1, generation=max(rollout.generation, event.newest))
    builder.tell("not_tidy", sentence)
    if not rollout.asked_again:
        builder.order(Notify("unconfirmed", rollout.policy.notify_roles, text=sentence))
    _take_over(builder, warm=False, delay_s=min(_ASK_AGAIN_S * 2.0**rollout.asked_again, _ASK_AT_LEAST_S))


def _succeed(builder: StepBuilder, event: Applied) -> None:
    rollout = builder.rollout
    builder.change(confirmed=event.generation, observed_weight=100)
    builder.order(MarkKnownGood(rollout.lane, rollout.candidate, good=not rollout.unseen))
    sentence = builder.say.succeeded.format(
        version=rollout.candidate.version, environment=rollout.lane.environment
    )
    if rollout.unseen:
        sentence += " It is not known good: its observation ended without PASS."
    warned = "; ".join(r.sentence for r in judge.warnings(rollout.judge_state)) if rollout.judge_state else ""
    if warned:
        sentence += f" Passed with a warning: {warned}."
    rollback.close(builder, Phase.SUCCEEDED, "succeeded", sentence)
    builder.order(Notify("succeeded", text=sentence))


def delayed(builder: StepBuilder, event: Delayed) -> None:
    """VERIFYING, SHIFTING, ROLLING_BACK: what the target is doing, for the card. It is told once."""
    delay = Delay(event.generation, event.why)
    if builder.rollout.delay != delay:
        builder.change(delay=delay)


def changes_read(builder: StepBuilder, event: ChangesRead) -> None:
    """Any phase: what the rollout changes is known, or is known to be unreadable. It changes nothing else."""
    was = builder.rollout
    if was.changes is None or not was.changes.reading:
        return
    builder.change(changes=event.changes)
    link = f" {event.changes.link}" if event.changes.link else ""
    builder.tell("changes", f"{event.changes.sentence}{link}")
    builder.change(outcome=was.outcome)


_REASONS_SHOWN = 3


def back_to_soak(builder: StepBuilder) -> None:
    """HELD at a soak: continue the soak with its measured time."""
    step = builder.rollout.current
    assert step is not None
    builder.change(phase=steps.kind_of(step).watched, hold=None)


def troubled(verdict: Verdict | None) -> bool:
    """Whether the judge cannot blame the candidate: it cannot measure, or stable has the same trouble."""
    return verdict is not None and (verdict.outcome is Outcome.ERROR or verdict.hold)


def because(verdict: Verdict) -> str:
    """Enforced reasons behind the outcome, as one sentence."""
    said = [r.sentence for r in verdict.reasons if r.enforced and r.outcome is verdict.outcome]
    return "; ".join(said[:_REASONS_SHOWN]) or f"the verdict is {verdict.outcome}"


def passed(verdict: Verdict) -> str:
    """What the judge looked at for a PASS, as one sentence."""
    said = [r.sentence for r in verdict.reasons if not r.warning][:_REASONS_SHOWN]
    warned = [f"with a warning: {r.sentence}" for r in verdict.reasons if r.warning]
    return "; ".join(said + warned) or "this lane has nothing to judge"
