"""Holds: when the judge cannot say PASS, the rollout stops where it is and people are asked."""

from __future__ import annotations

from bot.domain.draft import Draft
from bot.domain.events import Notify
from bot.domain.judge import Outcome, Verdict
from bot.domain.model import Hold, Observe, Phase

_REASONS_SHOWN = 3


def hold(draft: Draft, why: str) -> None:
    """Stop here and ask people, with a deadline and what happens then."""
    policy = draft.rollout.policy
    asked = Hold(why, draft.at, draft.after(policy.hold_deadline_s), policy.hold_outcome)
    draft.change(phase=Phase.HELD, hold=asked, deadline=None, step_done=False)
    draft.tell("held", f"Held: {why}", outcome=policy.hold_outcome)
    draft.order(Notify("held", policy.notify_roles, text=draft.rollout.outcome))


def back_to_soak(draft: Draft) -> None:
    """HELD at a soak: the soak goes on; its measured time is kept."""
    observing = isinstance(draft.rollout.current, Observe)
    draft.change(phase=Phase.OBSERVING if observing else Phase.SOAKING, hold=None)


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
