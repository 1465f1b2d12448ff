"""Health probes as evidence: each sample asks every instance once, for services without traffic through a router."""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

import aiohttp
from pydantic import Field

from bot.adapters.metrics.context import MetricContext
from bot.adapters.routers.counts import BOUNDS
from bot.domain.judge.evidence import CounterReading, Sample
from bot.domain.rollout.model import Lane
from bot.kinds import MetricSettings
from bot.ports.errors import TargetRefused, Unreachable
from bot.values import Duration, UrlPath


class ProbeSettings(MetricSettings):
    """Every instance is asked once a tick: for services without requests through a router."""

    kind: Literal["probe"]
    path: UrlPath = Field(default="/healthz", description="What each instance is asked.")
    timeout: Duration = Field(default=2.0, description="How long the answer may take.")

    @property
    def bounds(self) -> Sequence[float]:
        return BOUNDS


class Addresses(Protocol):
    """Where the instances of a release can be asked, by a name that changes when one restarts."""

    async def addresses(self, lane: Lane, digest: str) -> Mapping[str, str]: ...


class ProbeMetrics:
    """`GET path` answered below 400 within `timeout_s` is good; all else is bad. Counts since this was made."""

    def __init__(
        self,
        target: Addresses,
        session: aiohttp.ClientSession,
        *,
        name: str = "probe",
        path: str = "/healthz",
        timeout_s: float = 2.0,
    ) -> None:
        self._target = target
        self._session = session
        self._name = name
        self._path = path
        self._timeout_s = timeout_s
        self._seen: dict[tuple[Lane, str], dict[str, _Tally]] = {}

    @property
    def name(self) -> str:
        return self._name

    async def sample(self, lane: Lane, digests: Sequence[str]) -> Sequence[Sample]:
        return await asyncio.gather(*(self._sample(lane, digest) for digest in digests))

    async def _sample(self, lane: Lane, digest: str) -> Sample:
        try:
            addresses = await self._target.addresses(lane, digest)
        except (Unreachable, TargetRefused) as problem:
            return Sample(time.time(), digest, error=f"{self._name}: {problem}")
        before = self._seen.get((lane, digest), {})
        tallies = {instance: before.get(instance) or _Tally() for instance in addresses}
        self._seen[(lane, digest)] = tallies
        await asyncio.gather(*(self._probe(addresses[i], tally) for i, tally in tallies.items()))
        return Sample(time.time(), digest, tuple(tally.reading(i) for i, tally in tallies.items()))

    async def _probe(self, address: str, tally: _Tally) -> None:
        began = time.monotonic()
        try:
            async with self._session.get(
                address + self._path,
                timeout=aiohttp.ClientTimeout(total=self._timeout_s),
                allow_redirects=False,
            ) as answer:
                good = answer.status < 400
        except (aiohttp.ClientError, OSError, TimeoutError):
            good = False
        tally.add(time.monotonic() - began, good=good)


def make_probe(name: str, settings: ProbeSettings, context: MetricContext) -> ProbeMetrics:
    return ProbeMetrics(
        context.targets, context.session, name=name, path=settings.path, timeout_s=settings.timeout
    )


class _Tally:
    def __init__(self) -> None:
        self._total = self._bad = 0
        self._buckets = [0] * (len(BOUNDS) + 1)

    def add(self, seconds: float, *, good: bool) -> None:
        self._total += 1
        self._bad += not good
        self._buckets[bisect_left(BOUNDS, seconds)] += 1

    def reading(self, instance: str) -> CounterReading:
        so_far, buckets = 0, []
        for bound, count in zip(BOUNDS, self._buckets, strict=False):
            so_far += count
            buckets.append((bound, so_far))
        return CounterReading(instance, self._total, self._bad, tuple(buckets))
