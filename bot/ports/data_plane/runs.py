"""Commands that rollouts run as steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from bot.domain.rollout.model import Lane, Release
from bot.domain.rollout.steps import RunCommand
from bot.ports.data_plane.targets import Printed


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What a command is told. `address`: where the candidate answers, if that is known."""

    lane: Lane
    rollout_id: int
    name: str
    candidate: Release
    stable: Release | None
    weight: int
    address: str | None = None


@dataclass(frozen=True, slots=True)
class RunKey:
    """One command of one rollout: `run` is unique among all that ever ran."""

    rollout_id: int
    run: str


class Runner(Protocol):
    """Runs commands that go on when Slipway dies, each once."""

    async def start(self, key: RunKey, command: RunCommand, facts: RunFacts, timeout_s: float) -> str | None:
        """Start the command unless that was done before; a sentence when it cannot be. Raises `Unreachable`."""
        ...

    async def finding(self, key: RunKey, timeout_s: float) -> str | None:
        """How it ended: empty when it passed, else a clause that says how it failed; None while it runs."""
        ...

    async def printed(self, key: RunKey) -> Printed | None:
        """The next part of what it prints, the same one until `passed_on`; None: nothing new."""
        ...

    async def passed_on(self, key: RunKey) -> None:
        """The part is recorded."""
        ...

    async def stop(self, rollout_id: int) -> None:
        """End what the rollout has under way; returns at once."""
        ...
