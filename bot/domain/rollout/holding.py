"""Holds: stop at the present step until people decide."""

from __future__ import annotations

from bot.domain.rollout.events import Notify
from bot.domain.rollout.model import Hold, Phase
from bot.domain.rollout.step_builder import StepBuilder


def hold(builder: StepBuilder, why: str, *, for_people: bool = False) -> None:
    """Wait for a decision, with a deadline and what happens then.

    for_people: later verdicts do not end it. An irreversible release is never rolled back at a deadline: people are
    called again.
    """
    policy, candidate = builder.rollout.policy, builder.rollout.candidate
    outcome = "wait" if candidate.irreversible else policy.hold_outcome
    asked = Hold(why, builder.at, builder.after(policy.hold_deadline_s), outcome, for_people)
    builder.change(phase=Phase.HELD, hold=asked, step_done=False)
    builder.tell("held", f"On hold: {why}", outcome=outcome)
    builder.order(
        Notify("irreversible" if for_people else "held", policy.notify_roles, text=builder.rollout.outcome)
    )
