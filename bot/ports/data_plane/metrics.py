"""Metric sources: counts per release."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from bot.domain.judge.evidence.ticks import Sample
from bot.domain.rollout.model import Lane


class MetricSource(Protocol):
    """Reads counts of releases, which are cumulative or say that they are new since the last look.

    limit_s: the longest that `sample` takes, in seconds: after that it has said itself what it could not read. A source
        that takes longer is given up, and says nothing about the release.
    """

    @property
    def name(self) -> str: ...

    @property
    def limit_s(self) -> float: ...

    async def sample(self, lane: Lane, digests: Sequence[str]) -> Sequence[Sample]:
        """One `Sample` for each digest, in order. What cannot be read is a `Sample` with `error` set."""
        ...
