"""Health probes as a metric source: each sample asks every instance once, for services without a router."""

from __future__ import annotations

import asyncio
import errno
import time
from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

import aiohttp
from pydantic import Field

from bot.adapters.metrics.context import ASK_S, MetricContext
from bot.adapters.routers.counts import BOUNDS
from bot.domain.judge.evidence import CounterReading, Sample
from bot.domain.rollout.model import Lane
from bot.kinds import MetricSettings
from bot.ports.errors import TargetRefused, Unreachable
from bot.values import Duration, UrlPath

# Errors that keep this machine from connecting to anything.
_OURS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL})


class ProbeSettings(MetricSettings):
    """Probes every instance once per tick, for services without requests through a router."""

    kind: Literal["probe"]
    path: UrlPath = Field(default="/healthz", description="Path that is requested from each instance.")
    timeout: Duration = Field(default=2.0, description="How long the answer may take.")

    @property
    def bounds(self) -> Sequence[float]:
        return BOUNDS


class Addresses(Protocol):
    """Source of the addresses of a release's instances."""

    async def addresses(self, lane: Lane, digest: str) -> Mapping[str, str]: ...


class ProbeMetrics:
    """Metric source of probes: `GET path` answered below 400 within `timeout_s` is good, anything else is bad.

    A refused connection and a missing answer are bad too. Only what says nothing about the instance is an error: its
    address is unknown, or this machine cannot connect to anything. Readings are deltas, so no state is kept.
    """

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

    @property
    def name(self) -> str:
        return self._name

    @property
    def limit_s(self) -> float:
        return ASK_S + self._timeout_s

    async def sample(self, lane: Lane, digests: Sequence[str]) -> Sequence[Sample]:
        return await asyncio.gather(*(self._sample(lane, digest) for digest in digests))

    async def _sample(self, lane: Lane, digest: str) -> Sample:
        try:
            async with asyncio.timeout(ASK_S):
                addresses = await self._target.addresses(lane, digest)
            found = await asyncio.gather(*(self._probe(i, address) for i, address in addresses.items()))
        except TimeoutError:
            problem: object = f"the target did not say within {ASK_S:g} s where the release is"
        except (Unreachable, TargetRefused, _NotAskedError) as error:
            problem = error
        else:
            return Sample(time.time(), digest, tuple(found))
        return Sample(time.time(), digest, error=f"{self._name}: {problem}")

    async def _probe(self, instance: str, address: str) -> CounterReading:
        began = time.monotonic()
        try:
            async with self._session.get(
                address + self._path,
                timeout=aiohttp.ClientTimeout(total=self._timeout_s),
                allow_redirects=False,
            ) as answer:
                good = answer.status < 400
        except (aiohttp.InvalidURL, aiohttp.ClientConnectorDNSError) as problem:
            raise _NotAskedError(f"{address} is no address: {type(problem).__name__}") from None
        except OSError as problem:  # TimeoutError, and refused or broken connections
            if problem.errno in _OURS:
                raise _NotAskedError(f"this machine cannot connect: {problem.strerror}") from None
            good = False
        except aiohttp.ClientError:
            good = False
        return _reading(instance, time.monotonic() - began, good=good)


class _NotAskedError(Exception):
    """The instance could not be asked, for a reason that lies here; a sentence."""


def make_probe(name: str, settings: ProbeSettings, context: MetricContext) -> ProbeMetrics:
    return ProbeMetrics(
        context.targets, context.session, name=name, path=settings.path, timeout_s=settings.timeout
    )


def _reading(instance: str, seconds: float, *, good: bool) -> CounterReading:
    buckets = tuple((bound, int(seconds <= bound)) for bound in BOUNDS)
    return CounterReading(instance, 1, int(not good), buckets, delta=True)
