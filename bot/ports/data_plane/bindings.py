"""Adapters of a rollout: made from what it was bound to when it started."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from bot.domain.config import CheckConfig
from bot.domain.rollout.binding import LaneBinding
from bot.domain.rollout.model import Lane, Release
from bot.ports.data_plane.metrics import MetricSource
from bot.ports.data_plane.targets import DeployTarget


class BoundAdapters(Protocol):
    """Gives the adapters that a binding names, whatever the catalog says by now."""

    def target(self, lane: Lane, binding: LaneBinding) -> DeployTarget:
        """Raises `Unreachable` when it cannot be made here, such as for an unset variable."""
        ...

    def sources(self, lane: Lane, binding: LaneBinding) -> Sequence[MetricSource]:
        """In the binding's order; those that exist. Raises `Unreachable`."""
        ...

    def check(self, lane: Lane, binding: LaneBinding, name: str) -> CheckConfig:
        """A check that the binding has, by its name. Raises `Unreachable`."""
        ...

    def changed(self, release: Release) -> str:
        """Why the release would run otherwise than it was resolved, as the end of a sentence; empty: it would not."""
        ...
