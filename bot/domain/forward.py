"""The way forward: entering each step of the plan, finishing it, and taking over at the end."""

from __future__ import annotations

from bot.domain import backward, holds, judge
from bot.domain.draft import PROGRESS_GRACE_S, Draft
from bot.domain.errors import IllegalTransition
from bot.domain.events import (
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
from bot.domain.gates import cleared
from bot.domain.model import Gate, Observe, Phase, Shift, Soak, SyncCommands, Verify
from bot.domain.words import duration

COMPLETION_TIMEOUT_S = 60.0


def enter(draft: Draft, step: int) -> None:
    """The rollout is at `step` of its plan from now on; past the last one the candidate takes over."""
    draft.change(
        step=step,
        step_since=draft.at,
        deadline=None,
        approvals=(),
        step_done=False,
        soak_extra_s=0.0,
        hold=None,
    )
    match draft.rollout.current:
        case Verify() as verify:
            _verify(draft, verify)
        case Gate() as gate:
            _gate(draft, gate)
        case Shift() as shift:
            _shift(draft, shift)
        case Soak() | Observe() as soak:
            _soak(draft, soak)
        case SyncCommands() as sync:
            _sync(draft, sync)
        case None:
            _take_over(draft, warm=not draft.rollout.policy.exclusive)


def finish(draft: Draft) -> None:
    """The present step is done: go on, or, while paused, remember that it may."""
    if draft.rollout.pause is None:
        enter(draft, draft.rollout.step + 1)
    elif not draft.rollout.step_done:
        draft.change(step_done=True, deadline=None)
        draft.tell("step_done", "This step is done; the rollout is paused and goes on when it is resumed.")


def pass_gate(draft: Draft) -> None:
    """The quorum is there. With traffic and a judge that cannot see, people are asked once more."""
    verdict = draft.rollout.verdict
    draft.change(approvals=())  # they are in the grant; at a hold, votes are for going on without PASS
    if draft.rollout.pause is None and verdict is not None and holds.troubled(verdict):
        holds.hold(draft, holds.because(verdict))
    else:
        draft.change(phase=Phase.GATED, hold=None)
        finish(draft)


def _verify(draft: Draft, verify: Verify) -> None:
    rollout = draft.rollout
    draft.change(phase=Phase.VERIFYING)
    if rollout.policy.exclusive:
        draft.tell(
            "verify_later",
            f"{rollout.lane.service} never runs twice: {rollout.candidate.version} is checked after the shift.",
        )
        finish(draft)
        return
    draft.desire(rollout.stable, rollout.candidate, 0, verify.timeout_s)
    draft.tell("verifying", f"Starting {rollout.candidate.version}, without traffic, to check it.")


def _gate(draft: Draft, gate: Gate) -> None:
    draft.change(phase=Phase.GATED)
    if draft.rollout.known_good:
        draft.tell("gate_exempt", f"Going back to a known-good release: the gate {gate.name} does not apply.")
        finish(draft)
        return
    draft.change(deadline=draft.after(gate.expires_s))
    people = "1 approval" if gate.quorum == 1 else f"{gate.quorum} approvals"
    draft.tell("gate_opened", f"Waiting for {people} by {gate.role} ({gate.name}).", gate=gate.name)
    draft.order(Notify("gate_opened", (gate.role,), text=draft.rollout.outcome))


def _shift(draft: Draft, shift: Shift) -> None:
    rollout = draft.rollout
    if not cleared(rollout):
        raise IllegalTransition(
            f"rollout {rollout.id}: traffic was to be shifted past a gate without its quorum"
        )
    # From the order on, not from the answer: what a target does with an order whose answer is lost is not known.
    watched = rollout.judge_state or (None if rollout.known_good else judge.begin(rollout.policy.judge))
    draft.change(phase=Phase.SHIFTING, had_traffic=True, judge_state=watched)
    weight = shift.weight
    if rollout.stable is None and not any(isinstance(s, Gate) for s in rollout.plan.steps[rollout.step :]):
        weight = 100  # a first release has nobody to share with
    draft.desire(rollout.stable, rollout.candidate, weight, shift.timeout_s)
    said = draft.say.shifting.format(weight=weight, version=rollout.candidate.version)
    draft.tell("shifting", said, weight=weight)


def _soak(draft: Draft, soak: Soak | Observe) -> None:
    state = draft.rollout.judge_state
    if state is None:  # a return to a known-good release is not judged
        finish(draft)
        return
    draft.change(judge_state=judge.begin_soak(state, draft.at.timestamp()), unseen=False)
    observing = isinstance(soak, Observe)
    draft.change(phase=Phase.OBSERVING if observing else Phase.SOAKING, verdict=None)
    what = "Observing" if observing else "Soaking"
    draft.tell(
        what.lower(), f"{what} at {draft.rollout.weight} % for {duration(soak.duration_s)} of measured time."
    )


def _sync(draft: Draft, sync: SyncCommands) -> None:
    rollout = draft.rollout
    phase = Phase.SHIFTING if rollout.had_traffic else Phase.VERIFYING
    draft.change(phase=phase, deadline=draft.after(sync.timeout_s + PROGRESS_GRACE_S))
    draft.order(
        RunSync(rollout.lane, rollout.step, rollout.candidate, sync.application, sync.mode, sync.timeout_s)
    )
    what = "Adding the new slash commands" if sync.mode == "additions" else "Bringing the slash commands"
    draft.tell("syncing", f"{what} of {sync.application} to those of {rollout.candidate.version}.")


def _take_over(draft: Draft, *, warm: bool) -> None:
    rollout = draft.rollout
    draft.change(phase=Phase.SHIFTING)
    kept = (rollout.stable,) if warm and rollout.stable is not None else ()
    draft.desire(rollout.candidate, None, 0, COMPLETION_TIMEOUT_S, warm=kept)
    draft.change(weight=100)
    draft.tell("taking_over", f"All steps are done: {rollout.candidate.version} becomes the stable release.")


# ---- what the outside reports ------------------------------------------------------------------------------


def started(draft: Draft, event: Applied) -> None:
    """VERIFYING: the candidate is ready, without traffic."""
    draft.change(confirmed=event.generation, observed_weight=event.weight)
    _check(draft)


def shifted(draft: Draft, event: Applied) -> None:
    """SHIFTING: traffic was observed; the step is done when it is where it should be."""
    rollout = draft.rollout
    draft.change(observed_weight=event.weight)
    if rollout.current is None:
        _succeed(draft, event)
    elif event.weight == rollout.weight:
        draft.change(confirmed=event.generation, deadline=None)
        said = draft.say.shifted
        draft.tell("shifted", said.format(version=rollout.candidate.version, weight=event.weight))
        if not (rollout.policy.exclusive and _check(draft)):
            finish(draft)


def _check(draft: Draft) -> bool:
    """Order the plan's checks of the candidate; False when the plan has none."""
    verify = next((step for step in draft.rollout.plan.steps if isinstance(step, Verify)), None)
    if verify is None:
        return False
    rollout = draft.rollout
    draft.change(deadline=draft.after(verify.timeout_s))
    draft.order(RunChecks(rollout.lane, rollout.step, rollout.candidate, verify.checks, verify.timeout_s))
    draft.tell("checking", f"{rollout.candidate.version} is ready and is being checked.")
    return True


def verified(draft: Draft, event: Verified) -> None:
    """VERIFYING, and SHIFTING for exclusive services: the checks ended."""
    unasked = isinstance(draft.rollout.current, SyncCommands)
    if unasked or draft.rollout.confirmed != draft.rollout.generation:
        raise IllegalTransition(f"rollout {draft.rollout.id}: checks ended that were not ordered")
    version = draft.rollout.candidate.version
    if not event.passed:
        backward.automatic(
            draft, "verify_failed", f"checks failed: {'; '.join(event.findings) or 'no reason given'}"
        )
        return
    draft.change(deadline=None)
    draft.tell("verified", f"{version} passed its checks.")
    finish(draft)


def synced(draft: Draft, event: Synced) -> None:
    """VERIFYING before there was traffic, SHIFTING afterwards: slash commands are as the step wants them, or not."""
    sync = draft.rollout.current
    if not isinstance(sync, SyncCommands):
        raise IllegalTransition(f"rollout {draft.rollout.id}: commands were synced that nobody asked for")
    if not event.passed:
        why = "; ".join(event.findings) or "no reason given"
        backward.automatic(draft, "sync_failed", f"the slash commands of {sync.application}: {why}")
        return
    draft.change(deadline=None)
    draft.tell(
        "synced",
        f"The slash commands of {sync.application} are as {draft.rollout.candidate.version} wants them.",
    )
    finish(draft)


def not_applied(draft: Draft, event: ApplyFailed) -> None:
    """VERIFYING, SHIFTING: the target could not do what was ordered."""
    rollout = draft.rollout
    if rollout.phase is Phase.SHIFTING and rollout.current is None and not event.unsafe:
        # The candidate serves everything: a warm release that died is no reason to take traffic away from it.
        said = draft.say.untidy
        draft.tell("not_tidy", said.format(version=rollout.candidate.version, why=event.why))
    elif (
        rollout.had_traffic and rollout.current is not None and event.unsafe and not rollout.policy.exclusive
    ):
        # An exclusive service has no stable running during a shift; for all others, going back needs one.
        backward.halt(draft, f"Going back is unsafe, the stable release is gone or unhealthy: {event.why}")
    else:
        backward.automatic(draft, "apply_failed", event.why)


def no_progress(draft: Draft, event: TimerDue) -> None:
    """VERIFYING, SHIFTING: no answer came in time."""
    rollout = draft.rollout
    if rollout.current is None:
        draft.change(asked_again=rollout.asked_again + 1)
        sentence = "The target has not confirmed the end of this rollout; asking again."
        draft.tell("asked_again", sentence)
        if not rollout.asked_again:
            draft.order(Notify("unconfirmed", rollout.policy.notify_roles, text=sentence))
        _take_over(draft, warm=False)
        return
    backward.automatic(draft, "no_progress", "the target did not confirm in time what was ordered")


def _succeed(draft: Draft, event: Applied) -> None:
    rollout = draft.rollout
    draft.change(confirmed=event.generation, observed_weight=100)
    draft.order(MarkKnownGood(rollout.lane, rollout.candidate, good=not rollout.unseen))
    sentence = draft.say.succeeded.format(
        version=rollout.candidate.version, environment=rollout.lane.environment
    )
    if rollout.unseen:
        sentence += " It is not known good: its observation was ended without PASS."
    backward.close(draft, Phase.SUCCEEDED, "succeeded", sentence)
    draft.order(Notify("succeeded", text=sentence))
