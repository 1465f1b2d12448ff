"""What people ask for, each action a small function. Whether it is legal now is in the table of `machine.py`."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from bot.domain.errors import Refused
from bot.domain.formatting import duration
from bot.domain.rollout import approvals, progress, rollback
from bot.domain.rollout.events import Acted, Notify
from bot.domain.rollout.model import Grant, Pause, Phase
from bot.domain.rollout.step_builder import StepBuilder
from bot.domain.rollout.steps import Gate

LONGEST_EXTENSION_S = 24 * 3600.0


def approve(builder: StepBuilder, acted: Acted) -> None:
    """GATED: one vote a person; the quorum passes the gate. Approving twice changes nothing."""
    rollout, gate = builder.rollout, builder.rollout.current
    assert isinstance(gate, Gate)
    approval = approvals.vote(rollout, acted)
    if rollout.step_done or any(a.actor_id == acted.actor.id for a in rollout.approvals):
        return
    given = (*rollout.approvals, approval)
    count = approvals.votes(rollout, given)
    builder.change(approvals=given)
    builder.tell("approved", f"{acted.actor.name} approved ({count} of {gate.quorum}).", seal=rollout.seal)
    if count >= gate.quorum:
        grant = Grant(rollout.step, gate.name, builder.at, given)
        builder.change(grants=(*rollout.grants, grant), deadline=None)
        progress.pass_gate(builder)


def revoke(builder: StepBuilder, acted: Acted) -> None:
    """GATED: until the quorum is reached, an approval can be taken back."""
    rollout = builder.rollout
    if rollout.step_done:
        raise Refused(
            "The quorum is reached; the approval cannot be taken back.",
            rule="quorum_reached",
            remedy="Cancel or Roll back stops the rollout.",
        )
    kept = tuple(a for a in rollout.approvals if a.actor_id != acted.actor.id)
    if kept == rollout.approvals:
        raise Refused("You have not approved this, so there is nothing to take back.", rule="not_approved")
    builder.change(approvals=kept)
    builder.tell("revoked", f"{acted.actor.name} took the approval back{_why(acted)}.")


def reject(builder: StepBuilder, acted: Acted) -> None:
    """GATED: one no is enough; it needs a reason."""
    if not acted.reason.strip():
        raise Refused("A rejection needs a reason.", rule="reason", remedy="Say in a sentence what is wrong.")
    rollback.by_person(builder, "rejected", f"{acted.actor.name} rejected this{_why(acted)}.")


def pause(builder: StepBuilder, acted: Acted) -> None:
    """Nothing moves forward until Resume; going back is always possible. Pausing twice changes nothing."""
    paused, name = builder.rollout.pause, acted.actor.name
    if paused is not None:
        if acted.panic and not paused.panic:
            taken = Pause(name, acted.reason, paused.since, True, own_by=paused.by, own_reason=paused.reason)
            builder.change(pause=taken)
            builder.tell("panic", f"{name} stopped everything{_why(acted)}.")
        elif paused.panic and not acted.panic and not paused.own_by:
            builder.change(pause=replace(paused, own_by=name, own_reason=acted.reason))
            builder.tell("paused", f"{name} paused this beyond the panic stop{_why(acted)}.")
        return
    builder.change(pause=Pause(acted.actor.name, acted.reason, builder.at, acted.panic))
    if acted.panic:
        builder.tell("panic", f"{acted.actor.name} stopped everything{_why(acted)}.")
        builder.order(Notify("paused", text=builder.rollout.outcome))
    else:
        builder.tell("paused", f"{acted.actor.name} paused this{_why(acted)}.")


def resume(builder: StepBuilder, acted: Acted) -> None:
    """Go on; a gate gets back the time that it was paused. Resuming what runs changes nothing.

    The end of a panic stop lets go of what it held, not of what somebody paused on purpose.
    """
    rollout = builder.rollout
    if rollout.pause is None or (acted.panic and not rollout.pause.panic):
        return
    if acted.panic and rollout.pause.own_by:
        kept = Pause(rollout.pause.own_by, rollout.pause.own_reason, rollout.pause.since)
        builder.change(pause=kept)
        builder.tell("panic_over", f"{acted.actor.name} ended the panic stop; {kept.by} has paused this.")
        return
    if rollout.phase is Phase.GATED:
        builder.change(deadline=approvals.expiry(rollout, builder.at))
    builder.change(pause=None)
    builder.tell("resumed", f"{acted.actor.name} resumed this{_why(acted)}.")
    if rollout.step_done and rollout.phase is Phase.GATED:
        progress.pass_gate(builder)
    elif rollout.step_done:
        progress.finish(builder)


def extend(builder: StepBuilder, acted: Acted) -> None:
    """More time: measured time at a soak or hold, time to approve at a gate, time to decide while nothing can
    be measured. Without `seconds`, as much again as the step had."""
    rollout, step = builder.rollout, builder.rollout.current
    if not 0 <= acted.seconds <= LONGEST_EXTENSION_S:
        raise Refused(
            f"{duration(abs(acted.seconds))} is not a time to extend by.",
            rule="seconds",
            remedy=f"Up to {duration(LONGEST_EXTENSION_S)} at once.",
        )
    blind = progress.troubled(rollout.verdict)
    if rollout.hold is not None and (blind or isinstance(step, Gate)):
        seconds = acted.seconds or rollout.policy.hold_deadline_s
        ends = rollout.hold.deadline and rollout.hold.deadline + timedelta(seconds=seconds)
        builder.change(hold=replace(rollout.hold, deadline=ends))
        what = "to decide"
    elif isinstance(step, Gate):
        if rollout.deadline is None:
            raise Refused("The quorum is reached; the gate needs no more time.", rule="quorum_reached")
        seconds = acted.seconds or step.expires_s
        builder.change(deadline=rollout.deadline + timedelta(seconds=seconds))
        what = "to approve"
    else:
        assert step is not None and step.soak_s is not None
        seconds = acted.seconds or step.soak_s
        builder.change(soak_extra_s=rollout.soak_extra_s + seconds, step_done=False)
        progress.back_to_soak(builder)
        what = "of measured time"
    builder.tell("extended", f"{acted.actor.name} gave it {duration(seconds)} more {what}{_why(acted)}.")


def promote(builder: StepBuilder, acted: Acted) -> None:
    """SOAKING, OBSERVING, HELD: go on without `PASS`, by the environment's quorum. Gates that follow stay."""
    rollout = builder.rollout
    if rollout.pause is not None:
        raise Refused("The rollout is paused.", rule="paused", remedy="Resume it first.")
    approval = approvals.vote(rollout, acted)
    if any(a.actor_id == acted.actor.id for a in rollout.approvals):
        return
    given = (*rollout.approvals, approval)
    count, quorum = approvals.votes(rollout, given), rollout.policy.promote_quorum
    builder.change(approvals=given)
    said = rollout.verdict.outcome if rollout.verdict else "nothing yet"
    builder.tell(
        "promote_vote",
        f"{acted.actor.name} wants to go on without PASS ({count} of {quorum}; the judge says {said}){_why(acted)}.",
    )
    if count >= quorum:
        builder.change(unseen=True)
        builder.tell("promoted", "Going on without PASS: people decided.")
        progress.enter(builder, rollout.step + 1)


def roll_back(builder: StepBuilder, acted: Acted) -> None:
    """Every phase that is not final. Again while it is rolling back: nothing new. HALTED: another try."""
    if builder.rollout.phase is not Phase.ROLLING_BACK:
        rollback.by_person(builder, "rollback_ordered", f"{acted.actor.name} rolled back{_why(acted)}.")


def cancel(builder: StepBuilder, acted: Acted) -> None:
    """Before there was traffic."""
    if builder.rollout.had_traffic:
        raise Refused(builder.say.begun, rule="has_traffic", remedy="Use Roll back.")
    rollback.end(builder, Phase.CANCELLED, "cancelled", f"{acted.actor.name} cancelled this{_why(acted)}.")


def close(builder: StepBuilder, acted: Acted) -> None:
    """HALTED: a person ends it, with the traffic where it is."""
    sentence = f"{acted.actor.name} closed this{_why(acted) or ', without giving a reason'}."
    rollback.close(builder, Phase.CANCELLED, "closed", sentence)


def _why(acted: Acted) -> str:
    reason = acted.reason.strip().rstrip(".")
    return f": {reason}" if reason else ""
