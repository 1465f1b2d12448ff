"""The router's counts as a metric source: what users experienced, per release."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, Protocol

from bot.adapters.metrics.context import ASK_S, MetricContext, metric_kind
from bot.domain.judge.evidence.ticks import CounterReading, Sample
from bot.domain.rollout.model import Lane
from bot.kinds import MetricSettings
from bot.ports.errors import TargetRefused, Unreachable


class RouterCountsSettings(MetricSettings):
    """The router's own counts per release: the first source."""

    finest_tick_s: ClassVar[float | None] = 1.0  # it is asked over a socket of the same host

    kind: Literal["router"]


class CountsOf(Protocol):
    """The part of `HostedTarget` that this source uses."""

    async def counts(self, lane: Lane) -> Mapping[str, Any]: ...


class RouterMetrics:
    """One reading for each release, under a constant name, since the router's counts outlive restarts."""

    def __init__(self, target: CountsOf, *, name: str = "router") -> None:
        self._target = target
        self._name = name

    @property
    def name(self) -> str:
        return self._name

    @property
    def limit_s(self) -> float:
        return ASK_S

    async def sample(self, lane: Lane, digests: Sequence[str]) -> Sequence[Sample]:
        try:
            counts = await self._target.counts(lane)
        except (Unreachable, TargetRefused) as problem:
            error = f"the router of {lane} could not be read: {problem}"
            return [Sample(time.time(), digest, error=error) for digest in digests]
        now = time.time()
        if not counts["routed"]:
            error = f"{lane} has no router on this host"
            return [Sample(now, digest, error=error) for digest in digests]
        return [Sample(now, digest, _readings(counts["releases"].get(digest))) for digest in digests]


def make_router(name: str, settings: RouterCountsSettings, context: MetricContext) -> RouterMetrics:
    return RouterMetrics(context.targets, name=name)


def _readings(found: Mapping[str, Any] | None) -> tuple[CounterReading, ...]:
    if found is None:
        return ()
    return (
        CounterReading(
            instance="router",
            total=found["total"],
            bad=found["bad"],
            buckets=tuple((float(bound), int(count)) for bound, count in found["buckets"]),
            overdue=found["overdue"],
            epoch=found["epoch"],
            # A host of an earlier Slipway has one histogram, and tells no instances apart.
            histogram=tuple((float(bound), int(count)) for bound, count in found.get("histogram", ())),
            parts=tuple((str(name), int(total), int(bad)) for name, total, bad in found.get("instances", ())),
        ),
    )


KIND = metric_kind(RouterCountsSettings, make_router)
