"""The way forward: entering each step of the plan, finishing it, and taking over at the end."""

from __future__ import annotations

from bot.domain.errors import IllegalTransition
from bot.domain.formatting import duration
from bot.domain.judge import judge
from bot.domain.judge.judge import Outcome, Verdict
from bot.domain.rollout import rollback
from bot.domain.rollout.approvals import cleared
from bot.domain.rollout.events import (
    Applied,
    ApplyFailed,
    MarkKnownGood,
    Notify,
    RunChecks,
    RunSync,
    Synced,
    TimerDue,
    Verified,
)
from bot.domain.rollout.model import Gate, Hold, Observe, Phase, Shift, Soak, SyncCommands, Verify
from bot.domain.rollout.step_builder import PROGRESS_GRACE_S, StepBuilder

COMPLETION_TIMEOUT_S = 60.0


def enter(builder: StepBuilder, step: int) -> None:
    """The rollout is at `step` of its plan from now on; past the last one the candidate takes over."""
    builder.change(
        step=step,
        step_since=builder.at,
        deadline=None,
        approvals=(),
        step_done=False,
        soak_extra_s=0.0,
        hold=None,
    )
    match builder.rollout.current:
        case Verify() as verify:
            _verify(builder, verify)
        case Gate() as gate:
            _gate(builder, gate)
        case Shift() as shift:
            _shift(builder, shift)
        case Soak() | Observe() as soak:
            _soak(builder, soak)
        case SyncCommands() as sync:
            _sync(builder, sync)
        case None:
            _take_over(builder, warm=not builder.rollout.policy.exclusive)


def finish(builder: StepBuilder) -> None:
    """The present step is done: go on, or, while paused, remember that it may."""
    if builder.rollout.pause is None:
        enter(builder, builder.rollout.step + 1)
    elif not builder.rollout.step_done:
        builder.change(step_done=True, deadline=None)
        builder.tell("step_done", "This step is done; the rollout is paused and goes on when it is resumed.")


def pass_gate(builder: StepBuilder) -> None:
    """The quorum is there. With traffic and a judge that cannot see, people are asked once more."""
    verdict = builder.rollout.verdict
    builder.change(approvals=())  # they are in the grant; at a hold, votes are for going on without PASS
    if builder.rollout.pause is None and verdict is not None and troubled(verdict):
        hold(builder, because(verdict))
    else:
        builder.change(phase=Phase.GATED, hold=None)
        finish(builder)


def _verify(builder: StepBuilder, verify: Verify) -> None:
    rollout = builder.rollout
    builder.change(phase=Phase.VERIFYING)
    if rollout.policy.exclusive:
        builder.tell(
            "verify_later",
            f"{rollout.lane.service} never runs twice: {rollout.candidate.version} is checked after the shift.",
        )
        finish(builder)
        return
    builder.desire(rollout.stable, rollout.candidate, 0, verify.timeout_s)
    builder.tell("verifying", f"Starting {rollout.candidate.version}, without traffic, to check it.")


def _gate(builder: StepBuilder, gate: Gate) -> None:
    builder.change(phase=Phase.GATED)
    if builder.rollout.known_good:
        builder.tell(
            "gate_exempt", f"Going back to a known-good release: the gate {gate.name} does not apply."
        )
        finish(builder)
        return
    builder.change(deadline=builder.after(gate.expires_s))
    people = "1 approval" if gate.quorum == 1 else f"{gate.quorum} approvals"
    builder.tell("gate_opened", f"Waiting for {people} by {gate.role} ({gate.name}).", gate=gate.name)
    builder.order(Notify("gate_opened", (gate.role,), text=builder.rollout.outcome))


def _shift(builder: StepBuilder, shift: Shift) -> None:
    rollout = builder.rollout
    if not cleared(rollout):
        raise IllegalTransition(
            f"rollout {rollout.id}: traffic was to be shifted past a gate without its quorum"
        )
    # From the order on, not from the answer: what a target does with an order whose answer is lost is not known.
    watched = rollout.judge_state or (None if rollout.known_good else judge.begin(rollout.policy.judge))
    builder.change(phase=Phase.SHIFTING, had_traffic=True, judge_state=watched)
    weight = shift.weight
    if rollout.stable is None and not any(isinstance(s, Gate) for s in rollout.plan.steps[rollout.step :]):
        weight = 100  # a first release has nobody to share with
    builder.desire(rollout.stable, rollout.candidate, weight, shift.timeout_s)
    said = builder.say.shifting.format(weight=weight, version=rollout.candidate.version)
    builder.tell("shifting", said, weight=weight)


def _soak(builder: StepBuilder, soak: Soak | Observe) -> None:
    state = builder.rollout.judge_state
    if state is None:  # a return to a known-good release is not judged
        finish(builder)
        return
    builder.change(judge_state=judge.begin_soak(state, builder.at.timestamp()), unseen=False)
    observing = isinstance(soak, Observe)
    builder.change(phase=Phase.OBSERVING if observing else Phase.SOAKING, verdict=None)
    what = "Observing" if observing else "Soaking"
    builder.tell(
        what.lower(),
        f"{what} at {builder.rollout.weight} % for {duration(soak.duration_s)} of measured time.",
    )


def _sync(builder: StepBuilder, sync: SyncCommands) -> None:
    rollout = builder.rollout
    phase = Phase.SHIFTING if rollout.had_traffic else Phase.VERIFYING
    builder.change(phase=phase, deadline=builder.after(sync.timeout_s + PROGRESS_GRACE_S))
    builder.order(
        RunSync(rollout.lane, rollout.step, rollout.candidate, sync.application, sync.mode, sync.timeout_s)
    )
    what = "Adding the new slash commands" if sync.mode == "additions" else "Bringing the slash commands"
    builder.tell("syncing", f"{what} of {sync.application} to those of {rollout.candidate.version}.")


def _take_over(builder: StepBuilder, *, warm: bool) -> None:
    rollout = builder.rollout
    builder.change(phase=Phase.SHIFTING)
    kept = (rollout.stable,) if warm and rollout.stable is not None else ()
    builder.desire(rollout.candidate, None, 0, COMPLETION_TIMEOUT_S, warm=kept)
    builder.change(weight=100)
    builder.tell(
        "taking_over", f"All steps are done: {rollout.candidate.version} becomes the stable release."
    )


# ---- what the outside reports ------------------------------------------------------------------------------


def started(builder: StepBuilder, event: Applied) -> None:
    """VERIFYING: the candidate is ready, without traffic."""
    builder.change(confirmed=event.generation, observed_weight=event.weight)
    _check(builder)


def shifted(builder: StepBuilder, event: Applied) -> None:
    """SHIFTING: traffic was observed; the step is done when it is where it should be."""
    rollout = builder.rollout
    builder.change(observed_weight=event.weight)
    if rollout.current is None:
        _succeed(builder, event)
    elif event.weight == rollout.weight:
        builder.change(confirmed=event.generation, deadline=None)
        said = builder.say.shifted
        builder.tell("shifted", said.format(version=rollout.candidate.version, weight=event.weight))
        if not (rollout.policy.exclusive and _check(builder)):
            finish(builder)


def _check(builder: StepBuilder) -> bool:
    """Order the plan's checks of the candidate; False when the plan has none."""
    verify = next((step for step in builder.rollout.plan.steps if isinstance(step, Verify)), None)
    if verify is None:
        return False
    rollout = builder.rollout
    builder.change(deadline=builder.after(verify.timeout_s))
    builder.order(RunChecks(rollout.lane, rollout.step, rollout.candidate, verify.checks, verify.timeout_s))
    builder.tell("checking", f"{rollout.candidate.version} is ready and is being checked.")
    return True


def verified(builder: StepBuilder, event: Verified) -> None:
    """VERIFYING, and SHIFTING for exclusive services: the checks ended."""
    unasked = isinstance(builder.rollout.current, SyncCommands)
    if unasked or builder.rollout.confirmed != builder.rollout.generation:
        raise IllegalTransition(f"rollout {builder.rollout.id}: checks ended that were not ordered")
    version = builder.rollout.candidate.version
    if not event.passed:
        rollback.automatic(
            builder, "verify_failed", f"checks failed: {'; '.join(event.findings) or 'no reason given'}"
        )
        return
    builder.change(deadline=None)
    builder.tell("verified", f"{version} passed its checks.")
    finish(builder)


def synced(builder: StepBuilder, event: Synced) -> None:
    """VERIFYING before there was traffic, SHIFTING afterwards: slash commands are as the step wants them, or not."""
    sync = builder.rollout.current
    if not isinstance(sync, SyncCommands):
        raise IllegalTransition(f"rollout {builder.rollout.id}: commands were synced that nobody asked for")
    if not event.passed:
        why = "; ".join(event.findings) or "no reason given"
        rollback.automatic(builder, "sync_failed", f"the slash commands of {sync.application}: {why}")
        return
    builder.change(deadline=None)
    builder.tell(
        "synced",
        f"The slash commands of {sync.application} are as {builder.rollout.candidate.version} wants them.",
    )
    finish(builder)


def not_applied(builder: StepBuilder, event: ApplyFailed) -> None:
    """VERIFYING, SHIFTING: the target could not do what was ordered."""
    rollout = builder.rollout
    if rollout.phase is Phase.SHIFTING and rollout.current is None and not event.unsafe:
        # The candidate serves everything: a warm release that died is no reason to take traffic away from it.
        said = builder.say.untidy
        builder.tell("not_tidy", said.format(version=rollout.candidate.version, why=event.why))
    elif (
        rollout.had_traffic and rollout.current is not None and event.unsafe and not rollout.policy.exclusive
    ):
        # An exclusive service has no stable running during a shift; for all others, going back needs one.
        rollback.halt(builder, f"Going back is unsafe, the stable release is gone or unhealthy: {event.why}")
    else:
        rollback.automatic(builder, "apply_failed", event.why)


def no_progress(builder: StepBuilder, event: TimerDue) -> None:
    """VERIFYING, SHIFTING: no answer came in time."""
    rollout = builder.rollout
    if rollout.current is None:
        builder.change(asked_again=rollout.asked_again + 1)
        sentence = "The target has not confirmed the end of this rollout; asking again."
        builder.tell("asked_again", sentence)
        if not rollout.asked_again:
            builder.order(Notify("unconfirmed", rollout.policy.notify_roles, text=sentence))
        _take_over(builder, warm=False)
        return
    rollback.automatic(builder, "no_progress", "the target did not confirm in time what was ordered")


def _succeed(builder: StepBuilder, event: Applied) -> None:
    rollout = builder.rollout
    builder.change(confirmed=event.generation, observed_weight=100)
    builder.order(MarkKnownGood(rollout.lane, rollout.candidate, good=not rollout.unseen))
    sentence = builder.say.succeeded.format(
        version=rollout.candidate.version, environment=rollout.lane.environment
    )
    if rollout.unseen:
        sentence += " It is not known good: its observation was ended without PASS."
    rollback.close(builder, Phase.SUCCEEDED, "succeeded", sentence)
    builder.order(Notify("succeeded", text=sentence))


_REASONS_SHOWN = 3


def hold(builder: StepBuilder, why: str) -> None:
    """Stop here and ask people, with a deadline and what happens then."""
    policy = builder.rollout.policy
    asked = Hold(why, builder.at, builder.after(policy.hold_deadline_s), policy.hold_outcome)
    builder.change(phase=Phase.HELD, hold=asked, deadline=None, step_done=False)
    builder.tell("held", f"Held: {why}", outcome=policy.hold_outcome)
    builder.order(Notify("held", policy.notify_roles, text=builder.rollout.outcome))


def back_to_soak(builder: StepBuilder) -> None:
    """HELD at a soak: the soak goes on; its measured time is kept."""
    observing = isinstance(builder.rollout.current, Observe)
    builder.change(phase=Phase.OBSERVING if observing else Phase.SOAKING, hold=None)


def troubled(verdict: Verdict | None) -> bool:
    """The judge cannot say whether it is the candidate: it is blind, or stable is in the same trouble."""
    return verdict is not None and (verdict.outcome is Outcome.ERROR or verdict.hold)


def because(verdict: Verdict) -> str:
    """The enforced reasons behind the outcome, as one sentence."""
    said = [r.sentence for r in verdict.reasons if r.enforced and r.outcome is verdict.outcome]
    return "; ".join(said[:_REASONS_SHOWN]) or f"the judge says {verdict.outcome}"


def passed(verdict: Verdict) -> str:
    """What was looked at for a PASS, in one sentence."""
    return "; ".join(r.sentence for r in verdict.reasons[:_REASONS_SHOWN]) or "nothing is judged here"
