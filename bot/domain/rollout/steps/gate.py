"""Gate: wait for people to approve."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from bot.domain.formatting import counted, duration
from bot.domain.rollout.events import Notify
from bot.domain.rollout.model import Phase, Rollout, Step
from bot.domain.rollout.step_builder import StepBuilder
from bot.domain.rollout.steps.kind import (
    DONE,
    WAITING,
    Place,
    StepKind,
    StepProblem,
    StepStatus,
    not_positive,
)
from bot.domain.rollout.wording import Wording


@dataclass(frozen=True, slots=True)
class Gate(Step):
    """Wait for `quorum` people with `role`, the requester not counted; cancelled after `expires_s`.

    Votes are in `approvals.py`.
    """

    name: str
    role: str
    quorum: int = 1
    expires_s: float = 1800.0
    allow_requester: bool = False
    kind: Literal["gate"] = "gate"

    @property
    def people(self) -> str:
        return counted(self.quorum, "approval")


def needed(rollout: Rollout, gate: Gate) -> int:
    """How many people have to approve. One of them could be the requester, where it is not known who that is."""
    return gate.quorum + (0 if gate.allow_requester else rollout.extra_approvals)


def problems(gate: Gate, place: Place) -> Iterator[StepProblem]:
    if gate.quorum < 1:
        yield StepProblem(f"a gate that needs {gate.quorum} approvals", "at least 1")
    if not gate.role:
        yield StepProblem("a gate without a role", "name the role that approves")
    yield from not_positive("expiry", gate.expires_s)


def describe(gate: Gate, say: Wording) -> str:
    return f"gate {gate.name}: {gate.people} from {gate.role} within {duration(gate.expires_s)}"


def mark(gate: Gate, say: Wording) -> str:
    return "approval" if gate.quorum == 1 else gate.people


def enter(builder: StepBuilder, gate: Gate) -> StepStatus:
    builder.change(phase=Phase.GATED)
    if builder.rollout.known_good:
        builder.tell(
            "gate_exempt", f"The gate {gate.name} does not apply to a return to a known-good release."
        )
        return DONE
    builder.change(deadline=builder.after(gate.expires_s))
    people = counted(needed(builder.rollout, gate), "approval")
    builder.tell("gate_opened", f"Waiting for {people} from {gate.role} ({gate.name}).", gate=gate.name)
    builder.order(Notify("gate_opened", (gate.role,), text=builder.rollout.outcome))
    return WAITING


GATE = StepKind(step=Gate, problems=problems, describe=describe, mark=mark, enter=enter)
