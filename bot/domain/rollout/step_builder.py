"""Builder of one machine step: the next rollout, its effects, and its audit lines."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any, NamedTuple

from bot.domain.rollout.events import DrawCard, Effect, LogLine, Notify, SetDesired, Transition
from bot.domain.rollout.model import Actor, Desired, Hold, Phase, Release, Rollout
from bot.domain.rollout.wording import Wording, wording_for

_PLACES = {each.name: place for place, each in enumerate(fields(Rollout))}
_values = attrgetter(*_PLACES)


def changed(rollout: Rollout, **changes: Any) -> Rollout:
    """`dataclasses.replace` of a rollout, in a third of its time: each press makes five. KeyError for unknown names."""
    values = list(_values(rollout))
    for name, value in changes.items():
        values[_PLACES[name]] = value
    return Rollout(*values)


class Stepped(NamedTuple):
    """Result of one event. An event that changed nothing returns the same rollout and nothing else."""

    rollout: Rollout
    effects: tuple[Effect, ...] = ()
    transitions: tuple[Transition, ...] = ()


@dataclass(slots=True)
class StepBuilder:
    """Lives for one `step`. `rollout` is replaced, never changed; `actor` and `at` sign every transition."""

    before: Rollout
    actor: Actor
    at: datetime
    rollout: Rollout = field(init=False)
    effects: list[Effect] = field(default_factory=list)
    transitions: list[Transition] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rollout = self.before

    @property
    def say(self) -> Wording:
        """Words for what this rollout moves."""
        return wording_for(self.rollout.policy.words)

    def change(self, **changes: Any) -> None:
        self.rollout = changed(self.rollout, **changes)

    def order(self, *effects: Effect) -> None:
        self.effects.extend(effects)

    def after(self, seconds: float) -> datetime:
        return self.at + timedelta(seconds=seconds)

    def tell(self, what: str, sentence: str, **details: object) -> None:
        """Record a transition from the phase of the last one to the present; the card's thread gets the sentence."""
        told = self.transitions[-1].to_phase if self.transitions else str(self.before.phase)
        facts = {"step": self.rollout.step, "generation": self.rollout.generation, **details}
        self.transitions.append(
            Transition(self.actor, self.at, what, sentence, told, str(self.rollout.phase), facts)
        )
        self.order(LogLine(sentence))
        self.change(outcome=sentence)

    def desire(
        self,
        stable: Release | None,
        candidate: Release | None,
        weight: int,
        timeout_s: float,
        *,
        warm: tuple[Release, ...] = (),
        urgent: bool = False,
        delay_s: float = 0.0,
    ) -> None:
        """Order the next generation; the target has `timeout_s` seconds to be observed there.

        The time is measured where the order is executed, so it cannot race with the outcome.
        """
        generation = self.rollout.generation + 1
        self.change(generation=generation, weight=weight)
        desired = Desired(generation, stable, candidate, weight, warm)
        self.order(SetDesired(self.rollout.lane, desired, timeout_s, urgent, delay_s))

    def hold(self, why: str, *, for_people: bool = False) -> None:
        """Stop at the present step until people decide, with a deadline and what happens then.

        for_people: later verdicts do not end it. An irreversible release is never rolled back at a deadline: people
        are called again.
        """
        policy = self.rollout.policy
        outcome = "wait" if self.rollout.candidate.irreversible else policy.hold_outcome
        asked = Hold(why, self.at, self.after(policy.hold_deadline_s), outcome, for_people)
        self.change(phase=Phase.HELD, hold=asked, step_done=False)
        self.tell("held", f"On hold: {why}", outcome=outcome)
        self.order(
            Notify("irreversible" if for_people else "held", policy.notify_roles, text=self.rollout.outcome)
        )

    def wait_for_outcome(self) -> None:
        """Wait for an effect of the step: in VERIFYING before the candidate has traffic, then in SHIFTING."""
        self.change(phase=Phase.SHIFTING if self.rollout.had_traffic else Phase.VERIFYING)

    def done(self) -> Stepped:
        """The result. When anything changed, `version` rises by one and the card is redrawn."""
        if self.rollout is self.before and not self.effects:
            return Stepped(self.before)
        self.change(version=self.before.version + 1)
        return Stepped(self.rollout, (*self.effects, DrawCard()), tuple(self.transitions))
