"""Context of metric sources: the target of each lane, and HTTP."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import aiohttp

from bot.adapters.metrics.shared_answers import SharedAnswers
from bot.domain.rollout.model import Lane, Observed
from bot.kinds import Kind, MetricSettings
from bot.ports.data_plane.metrics import MetricSource

M = TypeVar("M", bound=MetricSettings)
# How long a target may take to say what runs and where, and a router to say what it counted, in seconds.
ASK_S = 2.0


class LaneTargets(Protocol):
    """The part of every lane's target that metric sources use. Its calls raise `Unreachable`."""

    async def observe(self, lane: Lane) -> Observed:
        """What runs in the lane."""
        ...

    async def addresses(self, lane: Lane, digest: str) -> Mapping[str, str]:
        """Addresses of the release's instances, by a name that changes when one restarts."""
        ...

    async def counts(self, lane: Lane) -> Mapping[str, Any]:
        """The router's counts by digest; see `RouterMetrics`."""
        ...


@dataclass(frozen=True, slots=True)
class MetricContext:
    """Argument of every metric source's factory. answers: what sources asked servers that many lanes share."""

    targets: LaneTargets
    session: aiohttp.ClientSession
    answers: SharedAnswers = field(default_factory=SharedAnswers)


def metric_kind(settings: type[M], make: Callable[[str, M, MetricContext], MetricSource]) -> Kind:
    """A line under `metrics:`; `make` takes its name in the catalog."""
    return Kind(settings, make)
