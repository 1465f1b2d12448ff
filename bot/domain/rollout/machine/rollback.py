"""Rollback: turning back, giving up before there was traffic, halting, and ending."""

from __future__ import annotations

from dataclasses import replace

from bot.domain import phrasebook
from bot.domain.rollout import steps
from bot.domain.rollout.events import (
    Applied,
    ApplyFailed,
    Crashed,
    HostAborted,
    LockLane,
    Notify,
    SealBroken,
    TimerDue,
)
from bot.domain.rollout.model import Phase, Release
from bot.domain.rollout.step_builder import StepBuilder

# A target that stays ahead after so many tries has another controller.
_CATCH_UPS = 5

# State of going forward, which ends when a rollout turns back or ends.
_NOTHING_PENDING = {
    "hold": None,
    "pause": None,
    "deadline": None,
    "step_done": False,
    "approvals": (),
    "asked_again": 0,
}


def automatic(builder: StepBuilder, what: str, why: str) -> None:
    """Turn back because of the judge, a crash, a deadline or the target. Quarantines a release that had traffic.

    An irreversible release that had traffic stays where it is, and people decide. Before that its users are the stable
    release's anyway: it ends like any other, and people are told to look.
    """
    rollout = builder.rollout
    candidate = rollout.candidate
    if not rollout.had_traffic:
        said = builder.say.failed.format(version=candidate.version, why=why)
        if candidate.irreversible:
            said = (
                f"{said.rstrip('.')}. {phrasebook.may_have_begun(candidate.version, candidate.irreversible)}"
            )
        end(builder, Phase.FAILED, what, said)
        told = (rollout.requester.mention,)
        builder.order(Notify("failed", mention_users=told, text=builder.rollout.outcome))
        return
    if candidate.irreversible:
        _leave_to_people(builder, why)
        return
    if not _order(builder, what, f"Automatic rollback: {why}"):
        return
    if rollout.policy.lock_after_rollback:
        reason = f"{rollout.candidate.version} was rolled back automatically: {why}"
        builder.order(LockLane(rollout.lane, builder.actor.name, reason, rollout.candidate.digest))
    builder.order(Notify("rolled_back", rollout.policy.notify_roles, text=builder.rollout.outcome))


def _leave_to_people(builder: StepBuilder, why: str) -> None:
    """Stop without going back. While the candidate is judged it is on hold; in the middle of a step it is halted."""
    rollout = builder.rollout
    if rollout.hold is not None and rollout.hold.for_people:
        return
    sentence = phrasebook.left_to_people(why, rollout.candidate.version, rollout.candidate.irreversible)
    if rollout.phase in (Phase.SOAKING, Phase.OBSERVING, Phase.HELD):
        builder.hold(sentence, for_people=True)
    else:
        halt(builder, sentence)


def by_person(builder: StepBuilder, what: str, sentence: str, **details: object) -> None:
    """Turn back because a person ordered it; a rollout without traffic is cancelled instead. details: of the line."""
    rollout = builder.rollout
    if not rollout.had_traffic:
        end(builder, Phase.CANCELLED, what, sentence)
    elif _order(builder, what, sentence, **details):
        if not rollout.known_good:
            quarantine(builder, rollout.candidate, sentence.partition(": ")[2].rstrip("."))
        asked = rollout.requester
        told = () if builder.actor.id in asked.ids else (asked.mention,)
        builder.order(Notify("rolled_back", mention_users=told, text=builder.rollout.outcome))


def confirmed(undone: Release | None) -> tuple[str, dict[str, object]]:
    """How an audit line marks that a person confirmed to go back from, or past, an irreversible release.

    The words that end its clause, and its details: what cannot be undone. Both are empty for None.
    """
    if undone is None:
        return "", {}
    return f", although {undone.version} is irreversible", {"confirmed_irreversible": undone.irreversible}


def quarantine(builder: StepBuilder, release: Release, reason: str) -> None:
    """Lock the lane against the release that is taken back.

    Where a person does, only if people decide what goes forward; an alert does it as the judge would, everywhere.
    """
    rollout = builder.rollout
    by_alert = builder.actor.via == "system"
    if not rollout.policy.lock_after_rollback or not (rollout.gated or by_alert):
        return
    why = f": {reason}" if reason else ""
    sentence = f"{release.version} was rolled back by {builder.actor.name}{why}"
    builder.order(LockLane(rollout.lane, builder.actor.name, sentence, release.digest))
    said = f"{release.version} is quarantined."
    outcome = f"{builder.rollout.outcome} {said}"
    builder.tell("quarantined", said)
    builder.change(outcome=outcome)


def _order(builder: StepBuilder, what: str, sentence: str, **details: object) -> bool:
    """Send all traffic to stable, ahead of queued orders; False when there is no stable to go back to."""
    rollout = builder.rollout
    if rollout.stable is None:
        halt(builder, f"{sentence.rstrip('.')}. There is no earlier release to go back to.")
        return False
    since = rollout.back_since if rollout.phase is Phase.ROLLING_BACK else builder.at
    builder.change(phase=Phase.ROLLING_BACK, back_since=since, **_NOTHING_PENDING)
    builder.desire(rollout.stable, None, 0, rollout.policy.rollback_timeout_s, urgent=True)
    builder.tell(what, sentence, to=rollout.stable.version, **details)
    _undo(builder)
    return True


def _undo(builder: StepBuilder) -> None:
    """Take back what the begun steps did; the kind that was begun last comes first."""
    rollout = builder.rollout
    begun = rollout.plan.steps[: rollout.step + 1]
    for name in dict.fromkeys(step.kind for step in reversed(begun)):
        builder.order(*steps.KINDS[name].undo(rollout, [step for step in begun if step.kind == name]))


def halt(builder: StepBuilder, why: str) -> None:
    """Leave traffic where it is and alert people; only a person ends this."""
    builder.change(phase=Phase.HALTED, back_since=builder.at, **_NOTHING_PENDING)
    builder.tell("halted", why)
    builder.order(Notify("halted", builder.rollout.policy.notify_roles, text=why))


def end(builder: StepBuilder, phase: Phase, what: str, sentence: str) -> None:
    """End before the candidate had traffic, and stop the candidate."""
    rollout = builder.rollout
    builder.desire(rollout.stable, None, 0, rollout.policy.rollback_timeout_s)
    _undo(builder)
    close(builder, phase, what, sentence)


def close(builder: StepBuilder, phase: Phase, what: str, sentence: str) -> None:
    """End, with nothing more to order."""
    changes = builder.rollout.changes
    if changes is not None and changes.reading:  # an answer that comes later is not heard
        builder.change(changes=replace(changes, reading=False, problem="the rollout ended before they were."))
    builder.change(phase=phase, ended_at=builder.at, **_NOTHING_PENDING)
    builder.tell(what, sentence)


# ---- outcomes ------------------------------------------------------------------------------


def returned(builder: StepBuilder, event: Applied) -> None:
    """ROLLING_BACK: done when the candidate is observed without traffic."""
    builder.change(observed_weight=event.weight)
    if event.weight > 0:
        return
    stable = builder.rollout.stable
    builder.change(confirmed=event.generation)
    version = stable.version if stable else "nothing"
    why = builder.rollout.outcome
    said = builder.say.returned
    close(builder, Phase.ROLLED_BACK, "rolled_back", said.format(version=version))
    # The card shows why it was rolled back; the phase says that it was.
    builder.change(outcome=why)


def returned_late(builder: StepBuilder, event: Applied) -> None:
    """HALTED: the target reached the state after all. People were alerted, so a person ends it."""
    builder.change(observed_weight=event.weight, confirmed=event.generation)
    builder.tell("observed_late", builder.say.seen_late(event.weight))


def not_returned(builder: StepBuilder, event: ApplyFailed) -> None:
    """ROLLING_BACK: the target failed. When it is ahead of Slipway, the order is repeated above its generation."""
    rollout = builder.rollout
    if event.newest >= rollout.generation and rollout.asked_again < _CATCH_UPS and rollout.stable is not None:
        catch_up(builder, event)
        builder.change(asked_again=rollout.asked_again + 1)
        builder.desire(rollout.stable, None, 0, rollout.policy.rollback_timeout_s, urgent=True)
        builder.tell(
            "outpaced", f"The target is ahead of Slipway ({event.why}). Ordering the rollback again."
        )
        return
    halt(builder, f"The rollback failed: {event.why}")


def catch_up(builder: StepBuilder, event: ApplyFailed) -> None:
    """Put the next order above the target's generation, which is ahead after a failover or a restored backup."""
    builder.change(generation=max(builder.rollout.generation, event.newest))


def expired(builder: StepBuilder, event: TimerDue) -> None:
    """GATED: the approvals did not come in time."""
    if builder.rollout.had_traffic:
        automatic(builder, "gate_expired", "the gate expired before it was approved")
        return
    end(builder, Phase.CANCELLED, "gate_expired", "The gate expired before it was approved.")
    builder.order(
        Notify("expired", mention_users=(builder.rollout.requester.mention,), text=builder.rollout.outcome)
    )


def crashed(builder: StepBuilder, event: Crashed) -> None:
    """The candidate crashed."""
    automatic(builder, "crashed", f"{builder.rollout.candidate.version} crashed: {event.why}")


def seal_broken(builder: StepBuilder, event: SealBroken) -> None:
    """VERIFYING, SHIFTING: what was about to be executed is not what was approved. It was not executed."""
    automatic(builder, "seal_broken", event.why)


def aborted(builder: StepBuilder, event: HostAborted) -> None:
    """The rollout was aborted on the machine. The abort's generation becomes ours, and ours the next.

    An equal generation was ordered here before the abort was known, and the machine has refused it.
    """
    if event.generation < builder.rollout.generation:
        return
    builder.change(generation=event.generation, confirmed=event.generation)
    why = f": {event.why}" if event.why else ""
    by_person(builder, "host_aborted", f"{event.by} aborted the rollout on the machine{why}.")
