"""Health probes as a metric source: each sample asks every instance once, for services without a router."""

from __future__ import annotations

import asyncio
import errno
import json
import time
from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal, Protocol

import aiohttp
from pydantic import Field

from bot.adapters.metrics.context import ASK_S, MetricContext, metric_kind
from bot.domain.judge.evidence.ticks import CounterReading, Sample, Signal
from bot.domain.rollout.model import Lane
from bot.kinds import MetricSettings
from bot.ports.errors import TargetRefused, Unreachable
from bot.values import Duration, Text, UrlPath

MAX_BYTES = 64 * 1024
GATEWAY = "gateway"
# What a health answer says of a connection that is there.
CONNECTED = frozenset({"connected", "ok", "ready", "up"})
# Errors that keep this machine from connecting to anything.
_OURS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL})

# Upper bounds of its latency histogram in seconds, with the usual latency limits among them.
BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 2.5, 3.0, 5.0, 10.0)


class ProbeSettings(MetricSettings):
    """Probes every instance once per tick, for services without requests through a router."""

    probes: ClassVar[bool] = True

    kind: Literal["probe"]
    path: UrlPath = Field(default="/healthz", description="Path that is requested from each instance.")
    timeout: Duration = Field(default=2.0, description="How long the answer may take.")
    gateway: Text | None = Field(
        default=None,
        description="Where a JSON answer says whether the bot is connected to Discord: keys, joined by dots.",
    )

    @property
    def signals(self) -> frozenset[str]:
        return frozenset({GATEWAY} if self.gateway else ())

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
        gateway: str | None = None,
    ) -> None:
        self._target = target
        self._session = session
        self._name = name
        self._path = path
        self._timeout_s = timeout_s
        self._gateway = gateway

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
            signals = self._signals([body for _, body in found])
            return Sample(time.time(), digest, tuple(reading for reading, _ in found), signals=signals)
        return Sample(time.time(), digest, error=f"{self._name}: {problem}")

    async def _probe(self, instance: str, address: str) -> tuple[CounterReading, bytes | None]:
        """The reading, and the answer's beginning where it is wanted; None without an answer."""
        began, body = time.monotonic(), None
        try:
            async with self._session.get(
                address + self._path,
                timeout=aiohttp.ClientTimeout(total=self._timeout_s),
                allow_redirects=False,
            ) as answer:
                good = answer.status < 400
                body = await _at_most(answer.content, MAX_BYTES) if self._gateway else b""
        except (aiohttp.InvalidURL, aiohttp.ClientConnectorDNSError) as problem:
            raise _NotAskedError(f"{address} is no address: {type(problem).__name__}") from None
        except OSError as problem:  # TimeoutError, and refused or broken connections
            if problem.errno in _OURS:
                raise _NotAskedError(f"this machine cannot connect: {problem.strerror}") from None
            good = False
        except aiohttp.ClientError:
            good = False
        return _reading(instance, time.monotonic() - began, good=good), body

    def _signals(self, answers: Sequence[bytes | None]) -> tuple[tuple[str, Signal], ...]:
        """The gateway's state: bad when that of any instance is, unknown when that of any other cannot be read."""
        if self._gateway is None or not answers:
            return ()
        each = [_connected(body, self._gateway) for body in answers]
        order = {True: 0, None: 1, False: 2}
        return ((GATEWAY, min(each, key=lambda signal: order[signal.bad])),)


class _NotAskedError(Exception):
    """The instance could not be asked, for a reason that lies here; a sentence."""


def make_probe(name: str, settings: ProbeSettings, context: MetricContext) -> ProbeMetrics:
    return ProbeMetrics(
        context.targets,
        context.session,
        name=name,
        path=settings.path,
        timeout_s=settings.timeout,
        gateway=settings.gateway,
    )


def _reading(instance: str, seconds: float, *, good: bool) -> CounterReading:
    buckets = tuple((bound, int(seconds <= bound)) for bound in BOUNDS)
    return CounterReading(instance, 1, int(not good), buckets, delta=True)


async def _at_most(content: aiohttp.StreamReader, limit: int) -> bytes:
    try:
        return await content.readexactly(limit)
    except asyncio.IncompleteReadError as all_of_it:
        return all_of_it.partial


def _connected(body: bytes | None, keys: str) -> Signal:
    """What one instance's answer says at `keys`. An instance that does not answer is not connected."""
    if body is None:
        return Signal(True, "no answer")
    try:
        found = json.loads(body)
        for key in keys.split("."):
            found = found[key]
    except (ValueError, KeyError, TypeError, RecursionError):
        return Signal(None, f"the answer is not JSON with {keys}")
    if isinstance(found, bool):
        return Signal(not found, "" if found else f"{keys} is false")
    if not isinstance(found, str):
        return Signal(None, f"{keys} is neither true, false nor a word")
    well = found.lower() in CONNECTED
    return Signal(not well, "" if well else f"{keys} is {found[:40]}")


KIND = metric_kind(ProbeSettings, make_probe)
