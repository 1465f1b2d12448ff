"""The router's counts as a metric source: what users experienced, per release."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Protocol

from bot.adapters.metrics.context import ASK_S, MetricContext
from bot.adapters.routers.counts import BOUNDS
from bot.domain.judge.evidence import CounterReading, Sample
from bot.domain.rollout.model import Lane
from bot.kinds import MetricSettings
from bot.ports.errors import TargetRefused, Unreachable

# The histogram ends here; nothing that takes longer can be told apart.
LONGEST_S = BOUNDS[-1]


class RouterCountsSettings(MetricSettings):
    """The router's own counts per release: the first source."""

    kind: Literal["router"]

    @property
    def bounds(self) -> Sequence[float]:
        return BOUNDS


class CountsOf(Protocol):
    """The part of `ProcessTarget` that this source uses."""

    async def counts(self, lane: Lane, overdue_s: float) -> Mapping[str, Any]: ...


class RouterMetrics:
    """One reading for each instance, under a constant name, since the router's counts outlive restarts.

    overdue_s: the largest latency limit (seconds) that a lane is judged by, None where there is none.
    """

    def __init__(
        self,
        target: CountsOf,
        *,
        name: str = "router",
        overdue_s: Callable[[Lane], float | None] = lambda lane: None,
    ) -> None:
        self._target = target
        self._name = name
        self._overdue_s = overdue_s

    @property
    def name(self) -> str:
        return self._name

    @property
    def limit_s(self) -> float:
        return ASK_S

    async def sample(self, lane: Lane, digests: Sequence[str]) -> Sequence[Sample]:
        try:
            counts = await self._target.counts(lane, self._overdue_s(lane) or LONGEST_S)
        except (Unreachable, TargetRefused) as problem:
            error = f"the router of {lane} could not be read: {problem}"
            return [Sample(time.time(), digest, error=error) for digest in digests]
        now = time.time()
        if not counts["routed"]:
            error = f"{lane} has no router on this host"
            return [Sample(now, digest, error=error) for digest in digests]
        return [Sample(now, digest, _readings(counts["releases"].get(digest, {}))) for digest in digests]


def make_router(name: str, settings: RouterCountsSettings, context: MetricContext) -> RouterMetrics:
    return RouterMetrics(context.targets, name=name, overdue_s=context.latency_limit_s)


def _readings(instances: Mapping[str, Mapping[str, Any]]) -> tuple[CounterReading, ...]:
    return tuple(
        CounterReading(
            instance=f"router#{index}",
            total=found["total"],
            bad=found["bad"],
            buckets=tuple((float(bound), int(count)) for bound, count in found["buckets"]),
            overdue=found["overdue"],
        )
        for index, found in sorted(instances.items())
    )
