"""Escalation: who is told of an alert that no one has acknowledged, and when.

The defaults are the on-call matrix of the teams that Slipway was made for: at once the person on call, after 15 minutes
again and by direct message, after 30 the second person, after an hour the lead, with a war room.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from bot.domain.watch.alerts.findings import Severity

# `team`: the roles that the lane notifies. The others come from its on-call schedule.
Responder = Literal["team", "on_call", "second", "lead"]
# As a sentence names them.
SPOKEN: Mapping[str, str] = {
    "team": "the team",
    "on_call": "the person on call",
    "second": "the second person",
    "lead": "the lead",
}
RESPONDERS: tuple[Responder, ...] = get_args(Responder)


@dataclass(frozen=True, slots=True)
class EscalationStep:
    """After `after_s` without an acknowledgement, tell these people.

    direct: by direct message too. war_room: open a thread for the incident, and ask for someone to lead it.
    """

    after_s: float
    who: tuple[Responder, ...]
    direct: bool = False
    war_room: bool = False


_MATRIX = (
    EscalationStep(0.0, ("team", "on_call")),
    EscalationStep(900.0, ("on_call",), direct=True),
    EscalationStep(1800.0, ("on_call", "second"), direct=True),
    EscalationStep(3600.0, ("on_call", "second", "lead"), direct=True, war_room=True),
)
STEPS: Mapping[Severity, tuple[EscalationStep, ...]] = {
    Severity.CRITICAL: _MATRIX,
    Severity.HIGH: _MATRIX,
    # A warning is the on-call person's after ten minutes, if it is not over by then.
    Severity.MEDIUM: (EscalationStep(600.0, ("on_call",)),),
    Severity.LOW: (),
}


@dataclass(frozen=True, slots=True)
class AlertPolicy:
    """How alerts are followed up. Times are in seconds.

    settle_s: how long all must be well until an alert is resolved; doubled each time it comes back, up to 16 times.
    quiet_s, answer_s: after this long an acknowledged alert's owner is asked whether they still have it, and after that
    much more without an answer the escalation goes on. blame_s: how long a deploy is a plausible cause. reopen_s: after
    this long, trouble that a person resolved and that never ended opens a new alert, and so does trouble that is over
    and that another program still tells of.
    """

    steps: Mapping[Severity, tuple[EscalationStep, ...]] = field(default_factory=lambda: STEPS)
    settle_s: float = 120.0
    quiet_s: float = 1800.0
    answer_s: float = 900.0
    blame_s: float = 3600.0
    reopen_s: float = 900.0

    def of(self, severity: Severity) -> tuple[EscalationStep, ...]:
        """The steps for a severity, in the order of their times."""
        return self.steps.get(severity, ())
