"""Actions of people, one function each. The table of `machine.py` says in which phase an action is legal."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from bot.domain import phrasebook
from bot.domain.formatting import duration
from bot.domain.rollout.events import Acted, Notify
from bot.domain.rollout.machine import approvals, progress, rollback
from bot.domain.rollout.model import Grant, Pause, Phase, Release, Rollout
from bot.domain.rollout.step_builder import StepBuilder
from bot.domain.rollout.steps import Gate
from bot.domain.rollout.steps.gate import needed

LONGEST_EXTENSION_S = 24 * 3600.0


def approve(builder: StepBuilder, acted: Acted) -> None:
    """GATED: one vote per person; the quorum passes the gate. A second press changes nothing."""
    rollout, gate = builder.rollout, builder.rollout.current
    assert isinstance(gate, Gate)
    approval = approvals.vote(rollout, acted)
    if rollout.step_done or any(a.actor_id == acted.actor.id for a in rollout.approvals):
        return
    given = (*rollout.approvals, approval)
    count, quorum = approvals.votes(rollout, given), needed(rollout, gate)
    builder.change(approvals=given)
    builder.tell("approved", f"{acted.actor.name} approved ({count} of {quorum}).", seal=rollout.seal)
    if count >= quorum:
        grant = Grant(rollout.step, gate.name, builder.at, given)
        builder.change(grants=(*rollout.grants, grant), deadline=None)
        progress.pass_gate(builder)


def revoke(builder: StepBuilder, acted: Acted) -> None:
    """GATED: take back an approval, until the quorum is reached."""
    rollout = builder.rollout
    if rollout.step_done:
        raise phrasebook.too_late_to_revoke()
    kept = tuple(a for a in rollout.approvals if a.actor_id != acted.actor.id)
    if kept == rollout.approvals:
        raise phrasebook.not_approved()
    builder.change(approvals=kept)
    builder.tell("revoked", f"{acted.actor.name} revoked their approval{_why(acted)}.")


def reject(builder: StepBuilder, acted: Acted) -> None:
    """GATED: one rejection ends the rollout; it needs a reason."""
    if not acted.reason.strip():
        raise phrasebook.reason_required("Say in one sentence what is wrong.")
    although, details = rollback.confirmed(_undone(builder.rollout))
    sentence = f"{acted.actor.name} rejected the rollout{although}{_why(acted)}."
    rollback.by_person(builder, "rejected", sentence, **details)
    if not builder.rollout.had_traffic:
        requester = builder.rollout.requester
        told = () if acted.actor.id in requester.ids else (requester.mention,)
        builder.order(Notify("rejected", mention_users=told, text=builder.rollout.outcome))


def pause(builder: StepBuilder, acted: Acted) -> None:
    """Stop moving forward until Resume; a rollback stays possible. Pausing twice changes nothing."""
    paused, name = builder.rollout.pause, acted.actor.name
    if paused is not None:
        if acted.panic and not paused.panic:
            taken = Pause(name, acted.reason, paused.since, True, own_by=paused.by, own_reason=paused.reason)
            builder.change(pause=taken)
            builder.tell("panic", f"{name} switched the panic stop on{_why(acted)}.")
        elif paused.panic and not acted.panic and not paused.own_by:
            builder.change(pause=replace(paused, own_by=name, own_reason=acted.reason))
            builder.tell("paused", f"{name} paused the rollout, also beyond the panic stop{_why(acted)}.")
        return
    builder.change(pause=Pause(acted.actor.name, acted.reason, builder.at, acted.panic))
    if acted.panic:
        builder.tell("panic", f"{acted.actor.name} switched the panic stop on{_why(acted)}.")
        builder.order(Notify("paused", text=builder.rollout.outcome))
    else:
        builder.tell("paused", f"{acted.actor.name} paused the rollout{_why(acted)}.")


def resume(builder: StepBuilder, acted: Acted) -> None:
    """Continue; a gate gets back the time that it was paused. Resuming what is not paused changes nothing.

    The end of a panic stop resumes what the panic stop paused, not what a person paused besides.
    """
    rollout = builder.rollout
    if rollout.pause is None or (acted.panic and not rollout.pause.panic):
        return
    if acted.panic and rollout.pause.own_by:
        kept = Pause(rollout.pause.own_by, rollout.pause.own_reason, rollout.pause.since)
        builder.change(pause=kept)
        said = f"{acted.actor.name} switched the panic stop off. The rollout stays paused by {kept.by}."
        builder.tell("panic_over", said)
        return
    if rollout.phase is Phase.GATED:
        builder.change(deadline=approvals.expiry(rollout, builder.at))
    builder.change(pause=None)
    builder.tell("resumed", f"{acted.actor.name} resumed the rollout{_why(acted)}.")
    if rollout.step_done and rollout.phase is Phase.GATED:
        progress.pass_gate(builder)
    elif rollout.step_done:
        progress.finish(builder)


def extend(builder: StepBuilder, acted: Acted) -> None:
    """Add time: measured time at a soak or hold, time to approve at a gate, time to decide while nothing can be
    measured. Without `seconds`, as much again as the step had."""
    rollout, step = builder.rollout, builder.rollout.current
    if not 0 <= acted.seconds <= LONGEST_EXTENSION_S:
        raise phrasebook.bad_extension(acted.seconds, LONGEST_EXTENSION_S)
    if rollout.hold is not None and rollout.hold.for_people:
        raise phrasebook.nothing_to_measure()
    blind = progress.troubled(rollout.verdict)
    if rollout.hold is not None and (blind or isinstance(step, Gate)):
        seconds = acted.seconds or rollout.policy.hold_deadline_s
        ends = rollout.hold.deadline and rollout.hold.deadline + timedelta(seconds=seconds)
        builder.change(hold=replace(rollout.hold, deadline=ends))
        what = "to decide"
    elif isinstance(step, Gate):
        if rollout.deadline is None:
            raise phrasebook.needs_no_extension()
        seconds = acted.seconds or step.expires_s
        builder.change(deadline=rollout.deadline + timedelta(seconds=seconds))
        what = "to approve"
    else:
        assert step is not None and step.soak_s is not None
        seconds = acted.seconds or step.soak_s
        builder.change(soak_extra_s=rollout.soak_extra_s + seconds, step_done=False)
        progress.back_to_soak(builder)
        what = "of measured time"
    builder.tell("extended", f"{acted.actor.name} added {duration(seconds)} {what}{_why(acted)}.")


def promote(builder: StepBuilder, acted: Acted) -> None:
    """SOAKING, OBSERVING, HELD: continue without `PASS`, by the environment's quorum. Later gates still apply."""
    rollout = builder.rollout
    if rollout.pause is not None:
        raise phrasebook.paused()
    approval = approvals.vote(rollout, acted)
    if any(a.actor_id == acted.actor.id for a in rollout.approvals):
        return
    given = (*rollout.approvals, approval)
    count, quorum = approvals.votes(rollout, given), approvals.to_promote(rollout)
    builder.change(approvals=given)
    verdict = rollout.verdict.outcome if rollout.verdict else "none yet"
    builder.tell(
        "promote_vote",
        f"{acted.actor.name} voted to continue without PASS ({count} of {quorum}; verdict: {verdict}){_why(acted)}.",
    )
    if count >= quorum:
        builder.change(unseen=True)
        builder.tell("promoted", "Promoted: continuing without PASS.")
        progress.enter(builder, rollout.step + 1)


def roll_back(builder: StepBuilder, acted: Acted) -> None:
    """Roll back, in every phase that is not final. ROLLING_BACK: changes nothing. HALTED: tries again."""
    rollout = builder.rollout
    if rollout.phase is Phase.ROLLING_BACK:
        return
    although, details = rollback.confirmed(_undone(rollout))
    sentence = f"{acted.actor.name} rolled back{although}{_why(acted)}."
    rollback.by_person(builder, "rollback_ordered", sentence, **details)


def cancel(builder: StepBuilder, acted: Acted) -> None:
    """End the rollout before it had traffic."""
    if builder.rollout.had_traffic:
        raise phrasebook.has_traffic(builder.say.begun)
    rollback.end(
        builder, Phase.CANCELLED, "cancelled", f"{acted.actor.name} cancelled the rollout{_why(acted)}."
    )


def close(builder: StepBuilder, acted: Acted) -> None:
    """HALTED: end the rollout and leave traffic where it is."""
    sentence = f"{acted.actor.name} closed the rollout{_why(acted) or ' without a reason'}."
    rollback.close(builder, Phase.CANCELLED, "closed", sentence)


def _undone(rollout: Rollout) -> Release | None:
    """The candidate, where going back from it needs a confirmation."""
    return rollout.candidate if rollout.candidate.irreversible and rollout.had_traffic else None


def _why(acted: Acted) -> str:
    reason = acted.reason.strip().rstrip(".")
    return f": {reason}" if reason else ""
