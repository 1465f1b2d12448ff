"""Prometheus endpoints as a metric source: the releases' own, or one for all of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, Protocol

import aiohttp
from prometheus_client.parser import text_string_to_metric_families
from pydantic import Field

from bot.adapters.metrics.context import ASK_S, MetricContext, metric_kind
from bot.adapters.metrics.rules import NotThereError, RuleSubject, ScrapeRules, readings
from bot.domain.judge.evidence.ticks import CounterReading, Sample
from bot.domain.rollout.model import Lane, Observed
from bot.kinds import MetricSettings
from bot.ports.errors import TargetRefused, Unreachable
from bot.values import Duration, shaped

MAX_BYTES = 5 * 1024 * 1024
_ACCEPT = {"Accept": "text/plain;version=0.0.4"}


_Url = Annotated[str, *shaped(r"^(\{address\}|https?://)", "{address}/… or http://…")]


class ScrapeSettings(ScrapeRules, MetricSettings):
    """Reads Prometheus endpoints: the releases' own, or one for all of them."""

    kind: Literal["scrape"]
    url: _Url = Field(description="{address}/metrics, or http://….")
    buckets: tuple[float, ...] | None = Field(default=None, description="Bounds of the histogram, if known.")
    timeout: Duration = Field(default=3.0, description="How long an endpoint may take to answer.")

    @property
    def proportions(self) -> frozenset[str]:
        return frozenset(self.extra)

    @property
    def bounds(self) -> Sequence[float]:
        return self.buckets or ()


class AddressesOf(Protocol):
    """The part of a target that this source uses."""

    async def observe(self, lane: Lane) -> Observed: ...

    async def addresses(self, lane: Lane, digest: str) -> Mapping[str, str]: ...


class _UnreadableError(Exception):
    """The endpoint cannot be used; carries a sentence without the endpoint's text."""


class ScrapeMetrics:
    """Metric source over `url`: with `{address}`, each instance's own endpoint; without, one for all releases.

    url: such as ``{address}/metrics`` or ``http://router:9464/metrics``; `{service}`, `{environment}`,
        `{version}`, `{digest}` are filled in. Redirects are not followed, more than 5 MB is not read.
    rules: what to read there.
    """

    def __init__(
        self,
        name: str,
        url: str,
        rules: ScrapeRules,
        target: AddressesOf,
        session: aiohttp.ClientSession,
        *,
        timeout_s: float = 3.0,
    ) -> None:
        self._name = name
        self._url = url
        self._rules = rules
        self._target = target
        self._session = session
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
        per_instance = "{address}" in self._url
        try:
            async with asyncio.timeout(ASK_S):
                running = (await self._target.observe(lane)).of(digest)
                addresses = await self._target.addresses(lane, digest) if running and per_instance else {}
        except TimeoutError:
            return Sample(time.time(), digest, error=f"{self._name}: the target did not say what runs")
        except (Unreachable, TargetRefused) as problem:
            return Sample(time.time(), digest, error=f"{self._name}: {problem}")
        if running is None:
            return Sample(time.time(), digest)
        subject = RuleSubject(lane, running.version, digest)
        try:
            if not per_instance:
                found = await self._read(self._url, subject, "endpoint")
            else:
                each = await asyncio.gather(
                    *(
                        self._read(self._url.replace("{address}", address), subject, instance)
                        for instance, address in addresses.items()
                    )
                )
                found = tuple(reading for one in each for reading in one)
        except (_UnreadableError, NotThereError) as problem:
            return Sample(time.time(), digest, error=f"{self._name}: {problem}")
        return Sample(time.time(), digest, found)

    async def _read(self, url: str, subject: RuleSubject, instance: str) -> tuple[CounterReading, ...]:
        text = await self._fetch(subject.fill(url))
        # Megabytes take a second to parse, so this runs in a thread.
        return await asyncio.to_thread(self._parse, text, subject, instance)

    def _parse(self, text: str, subject: RuleSubject, instance: str) -> tuple[CounterReading, ...]:
        try:
            return readings(list(text_string_to_metric_families(text)), self._rules, subject, instance)
        except NotThereError:
            raise
        except (ValueError, KeyError, IndexError, OverflowError) as problem:
            raise _UnreadableError(f"the answer is not Prometheus text ({type(problem).__name__})") from None

    async def _fetch(self, url: str) -> str:
        timeout = aiohttp.ClientTimeout(total=self._timeout_s)
        try:
            async with self._session.get(
                url, headers=_ACCEPT, timeout=timeout, allow_redirects=False
            ) as answer:
                if answer.status != 200:
                    raise _UnreadableError(f"GET {url} answered {answer.status}")
                return (await _at_most(answer, MAX_BYTES)).decode(errors="replace")
        except TimeoutError:
            raise _UnreadableError(f"GET {url} took longer than {self._timeout_s:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as problem:
            raise _UnreadableError(f"GET {url} failed: {type(problem).__name__}") from None


def make_scrape(name: str, settings: ScrapeSettings, context: MetricContext) -> ScrapeMetrics:
    return ScrapeMetrics(
        name, settings.url, settings, context.targets, context.session, timeout_s=settings.timeout
    )


async def _at_most(answer: aiohttp.ClientResponse, limit: int) -> bytes:
    found = bytearray()
    async for chunk in answer.content.iter_chunked(1 << 16):
        found += chunk
        if len(found) > limit:
            raise _UnreadableError(f"the endpoint sent more than {limit // 2**20} MB")
    return bytes(found)


KIND = metric_kind(ScrapeSettings, make_scrape)
