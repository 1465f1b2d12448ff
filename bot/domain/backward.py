"""The ways back: rolling back, giving up before there was traffic, halting, and ending."""

from __future__ import annotations

from bot.domain.draft import Draft
from bot.domain.events import (
    Applied,
    ApplyFailed,
    Crashed,
    HostAborted,
    LockLane,
    Notify,
    RestoreCommands,
    TimerDue,
)
from bot.domain.model import Phase, SyncCommands

# What belongs to going forward and means nothing once a rollout is on its way back or over.
_NOTHING_PENDING = {"hold": None, "pause": None, "deadline": None, "step_done": False, "approvals": ()}


def automatic(draft: Draft, what: str, why: str) -> None:
    """Slipway itself turns back: judge, crash, deadline or target said so. Quarantines a release that had traffic."""
    rollout = draft.rollout
    if not rollout.had_traffic:
        failed = draft.say.failed
        end(draft, Phase.FAILED, what, failed.format(version=rollout.candidate.version, why=why))
        draft.order(Notify("failed", mention_users=(rollout.requester.id,), text=draft.rollout.outcome))
        return
    if not _order(draft, what, f"Automatic rollback: {why}"):
        return
    if rollout.policy.lock_after_rollback:
        reason = f"{rollout.candidate.version} was rolled back by itself: {why}"
        draft.order(LockLane(rollout.lane, draft.actor.name, reason, rollout.candidate.digest))
    draft.order(Notify("rolled_back", rollout.policy.notify_roles, text=draft.rollout.outcome))


def by_person(draft: Draft, what: str, sentence: str) -> None:
    """Somebody turns it back; a rollout without traffic is cancelled instead."""
    rollout = draft.rollout
    if not rollout.had_traffic:
        end(draft, Phase.CANCELLED, what, sentence)
    elif _order(draft, what, sentence):
        told = () if draft.actor.id == rollout.requester.id else (rollout.requester.id,)
        draft.order(Notify("rolled_back", mention_users=told, text=sentence))


def _order(draft: Draft, what: str, sentence: str) -> bool:
    """All traffic to stable, ahead of anything queued; False when there is no stable to go back to."""
    rollout = draft.rollout
    if rollout.stable is None:
        halt(draft, f"{sentence.rstrip('.')}. There is no earlier release to go back to.")
        return False
    draft.change(phase=Phase.ROLLING_BACK, **_NOTHING_PENDING)
    draft.desire(rollout.stable, None, 0, rollout.policy.rollback_timeout_s, urgent=True)
    draft.tell(what, sentence, to=rollout.stable.version)
    _restore_commands(draft)
    return True


def _restore_commands(draft: Draft) -> None:
    """The former release's slash commands come back with it; of what was not changed yet, nothing is restored."""
    rollout = draft.rollout
    begun = rollout.plan.steps[: rollout.step + 1]
    for application in dict.fromkeys(s.application for s in begun if isinstance(s, SyncCommands)):
        draft.order(RestoreCommands(rollout.lane, application))


def halt(draft: Draft, why: str) -> None:
    """Leave the traffic where it is and call people; only a person ends this."""
    draft.change(phase=Phase.HALTED, **_NOTHING_PENDING)
    draft.tell("halted", why)
    draft.order(Notify("halted", draft.rollout.policy.notify_roles, text=why))


def end(draft: Draft, phase: Phase, what: str, sentence: str) -> None:
    """Over before the candidate had traffic: take it away again."""
    rollout = draft.rollout
    draft.desire(rollout.stable, None, 0, rollout.policy.rollback_timeout_s)
    _restore_commands(draft)
    close(draft, phase, what, sentence)


def close(draft: Draft, phase: Phase, what: str, sentence: str) -> None:
    """Over, with nothing more to do."""
    draft.change(phase=phase, ended_at=draft.at, **_NOTHING_PENDING)
    draft.tell(what, sentence)


# ---- what the outside reports ------------------------------------------------------------------------------


def returned(draft: Draft, event: Applied) -> None:
    """ROLLING_BACK: done only when the candidate is observed without traffic."""
    draft.change(observed_weight=event.weight)
    if event.weight > 0:
        return
    stable = draft.rollout.stable
    draft.change(confirmed=event.generation)
    version = stable.version if stable else "nothing"
    why = draft.rollout.outcome
    said = draft.say.returned
    close(draft, Phase.ROLLED_BACK, "rolled_back", said.format(version=version))
    # The card's last word is why it was rolled back; that it was is said by the phase.
    draft.change(outcome=why)


def returned_late(draft: Draft, event: Applied) -> None:
    """HALTED: the target got there after all. People were called, so a person ends it."""
    draft.change(observed_weight=event.weight, confirmed=event.generation)
    draft.tell("observed_late", draft.say.seen_late(event.weight))


def not_returned(draft: Draft, event: ApplyFailed) -> None:
    """ROLLING_BACK: the target could not."""
    halt(draft, f"The rollback failed: {event.why}")


def no_answer(draft: Draft, event: TimerDue) -> None:
    """ROLLING_BACK: the target never said."""
    halt(draft, "The rollback was ordered, but the target did not confirm it in time.")


def expired(draft: Draft, event: TimerDue) -> None:
    """GATED: nobody approved in time."""
    if draft.rollout.had_traffic:
        automatic(draft, "gate_expired", "the gate expired without its approvals")
        return
    end(draft, Phase.CANCELLED, "gate_expired", "The gate expired without its approvals.")
    draft.order(Notify("expired", mention_users=(draft.rollout.requester.id,), text=draft.rollout.outcome))


def crashed(draft: Draft, event: Crashed) -> None:
    """The candidate died."""
    automatic(draft, "crashed", f"{draft.rollout.candidate.version} crashed: {event.why}")


def aborted(draft: Draft, event: HostAborted) -> None:
    """Somebody turned it back on the machine. Their generation becomes ours, and ours the next.

    An equal generation was ordered here before the abort was heard of, and the machine has refused it.
    """
    if event.generation < draft.rollout.generation:
        return
    draft.change(generation=event.generation, confirmed=event.generation)
    why = f": {event.why}" if event.why else ""
    by_person(draft, "host_aborted", f"{event.by} aborted this on the machine{why}.")
