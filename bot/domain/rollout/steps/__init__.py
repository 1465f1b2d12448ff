"""Kinds of steps, one module each. A new kind is a module beside these and a line in `KINDS`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.domain.rollout.events import ReportedEffect, StepEffect
from bot.domain.rollout.model import Phase, Rollout, Step
from bot.domain.rollout.steps.gate import GATE, Gate
from bot.domain.rollout.steps.kind import StepKind, StepWords
from bot.domain.rollout.steps.run import (
    RUN,
    Run,
    RunCheck,
    RunCommand,
    RunStep,
    SshAddress,
    StopRuns,
)
from bot.domain.rollout.steps.shift import SHIFT, Shift
from bot.domain.rollout.steps.soak import OBSERVE, SOAK, Observe, Soak
from bot.domain.rollout.steps.sync_commands import SYNC_COMMANDS, RestoreCommands, RunSync, SyncCommands
from bot.domain.rollout.steps.verify import VERIFY, HttpCheck, NamedCheck, RunChecks, Verify
from bot.domain.rollout.wording import wording_for

# By the name under which plans are written in the catalog and stored. A name that was ever stored keeps its meaning.
KINDS: dict[str, StepKind[Any]] = {
    "verify": VERIFY,
    "gate": GATE,
    "shift": SHIFT,
    "soak": SOAK,
    "observe": OBSERVE,
    "sync_commands": SYNC_COMMANDS,
    "run": RUN,
}

__all__ = [
    "KINDS",
    "Gate",
    "HttpCheck",
    "NamedCheck",
    "Observe",
    "RestoreCommands",
    "Run",
    "RunCheck",
    "RunChecks",
    "RunCommand",
    "RunStep",
    "RunSync",
    "Shift",
    "Soak",
    "SshAddress",
    "StopRuns",
    "SyncCommands",
    "Verify",
    "kind_of",
    "meaning",
    "reported_effects",
    "step_effects",
    "words_under_way",
]


def kind_of(step: Step) -> StepKind[Any]:
    return KINDS[step.kind]


def step_effects() -> Mapping[str, type[StepEffect]]:
    """Every class of effect that steps order, by its kind."""
    return {name: effect for kind in KINDS.values() for name, effect in kind.effects.items()}


def reported_effects() -> list[str]:
    """Kinds of effects that only a rollout which waits for their step needs."""
    return [name for name, effect in step_effects().items() if issubclass(effect, ReportedEffect)]


def words_under_way(rollout: Rollout) -> StepWords | None:
    """How the rollout reads while it waits for an outcome of its step; None where the phase says it all."""
    step = rollout.current
    if step is None or rollout.phase not in (Phase.VERIFYING, Phase.SHIFTING):
        return None
    words = kind_of(step).words
    return words(step, wording_for(rollout.policy.words)) if words else None


def meaning(rollout: Rollout) -> str:
    """One sentence on what the rollout is doing."""
    own = words_under_way(rollout)
    return own.sentence if own else wording_for(rollout.policy.words).means[rollout.phase]
