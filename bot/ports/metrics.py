"""Metric sources: cumulative counts per release."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from bot.domain.judge.evidence import Sample
from bot.domain.rollout.model import Lane


class MetricSource(Protocol):
    """Reads cumulative counts of releases. The judge takes deltas."""

    @property
    def name(self) -> str: ...

    async def sample(self, lane: Lane, digests: Sequence[str]) -> Sequence[Sample]:
        """One `Sample` for each digest, in order. What cannot be read is a `Sample` with `error` set."""
        ...
