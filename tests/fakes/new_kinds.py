"""Kinds of adapters that Slipway does not have: the whole of what docs/extending.md asks for, but the registry's line.

`JsonCounts` is a metric source, `TextReleases` a release source, `Containers` a target with a spec and a router of
its own (in memory: it starts nothing).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Generic, Literal

import aiohttp
from pydantic import Field

from bot.adapters.metrics.context import MetricContext
from bot.adapters.sources.releases import FoundRelease
from bot.adapters.targets.context import TargetContext
from bot.domain.config import ServedLane
from bot.domain.judge.evidence.ticks import CounterReading, Sample
from bot.domain.rollout.model import Lane
from bot.kinds import (
    MetricSettings,
    ReleaseSettings,
    RouterSettings,
    S,
    SettingsProblem,
    SpecSettings,
    TargetSettings,
)
from bot.values import Duration, HttpUrl, RelativePath, SecretText, Short, Text
from tests.fakes.target import FakeTarget

# ---- a metric source ---------------------------------------------------------------------------------------


class JsonSettings(MetricSettings):
    """A JSON document with `total` and `bad` for each release, by its digest."""

    kind: Literal["json"]
    url: HttpUrl
    token: SecretText | None = None
    timeout: Duration = 2.0
    buckets: tuple[float, ...] = (0.1, 1.0)

    @property
    def bounds(self) -> Sequence[float]:
        return self.buckets

    def problems(self) -> Iterator[SettingsProblem]:
        for index, (lower, upper) in enumerate(zip(self.buckets, self.buckets[1:], strict=False)):
            if upper <= lower:
                sentence = f"{upper:g} comes after {lower:g} ({{first}}): bounds rise."
                yield SettingsProblem(("buckets", index + 1), sentence, first=("buckets", index))


class JsonCounts:
    """Implements `bot.ports.data_plane.metrics.MetricSource`."""

    def __init__(self, name: str, settings: JsonSettings, context: MetricContext) -> None:
        self.name = name
        self.limit_s = settings.timeout
        self._settings = settings
        self._session = context.session

    async def sample(self, lane: Lane, digests: Sequence[str]) -> Sequence[Sample]:
        try:
            found = await self._read()
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            return [Sample(time.time(), d, error=f"{self.name}: {type(error).__name__}") for d in digests]
        return [Sample(time.time(), digest, _readings(found, digest)) for digest in digests]

    async def _read(self) -> Mapping[str, Any]:
        settings = self._settings
        headers = {"Authorization": f"Bearer {settings.token.reveal()}"} if settings.token else {}
        timeout = aiohttp.ClientTimeout(total=settings.timeout)
        async with self._session.get(settings.url, headers=headers, timeout=timeout) as answer:
            answer.raise_for_status()
            found: Mapping[str, Any] = await answer.json()
            return found


def _readings(found: Mapping[str, Any], digest: str) -> tuple[CounterReading, ...]:
    counts = found.get(digest)
    return (CounterReading("all", counts["total"], counts["bad"]),) if counts else ()


# ---- a release source --------------------------------------------------------------------------------------


class TextSettings(ReleaseSettings[S], Generic[S]):
    """One version a line, newest first."""

    kind: Literal["text"]
    file: RelativePath


class TextReleases:
    """Implements `bot.adapters.sources.releases.ReleaseFinder`."""

    def __init__(self, service: str, settings: TextSettings[Any]) -> None:
        self._settings = settings

    async def find(self) -> Sequence[FoundRelease]:
        spec = self._settings.spec.said()
        return [FoundRelease(version, spec=spec) for version in self._settings.file.read_text().split()]


# ---- a target ----------------------------------------------------------------------------------------------


class ContainerSettings(TargetSettings):
    when_away: ClassVar[str] = "start the engine"

    kind: Literal["containers"]
    network: str = "bridge"


class ContainerSpec(SpecSettings):
    needed: ClassVar[tuple[str, ...]] = ("image",)
    private: ClassVar[tuple[str, ...]] = ("env",)

    image: Text | None = None
    env: dict[str, Text] | None = None
    grace: Duration | None = Field(default=None, serialization_alias="grace_s")
    secrets_folder: RelativePath | None = None


class NameRouter(RouterSettings):
    """A lane has a name instead of a port."""

    name: Text


class Containers(FakeTarget):
    """Implements `bot.ports.data_plane.targets.CatalogTarget`."""

    needed = "image"

    def __init__(
        self, settings: ContainerSettings, lanes: Mapping[Lane, ServedLane], context: TargetContext
    ) -> None:
        super().__init__()
        self.settings, self.lanes, self.data_dir = settings, lanes, context.data_dir

    async def reload(self, settings: ContainerSettings, lanes: Mapping[Lane, ServedLane]) -> None:
        self.settings, self.lanes = settings, lanes

    async def describe(self) -> Mapping[str, Any]:
        return {"network": self.settings.network, "folder": Path(self.data_dir)}

    async def router_address(self, lane: Lane) -> str | None:
        router = self.lanes[lane].router
        return f"http://{router.name}" if isinstance(router, NameRouter) else None

    async def addresses(self, lane: Lane, digest: str) -> Mapping[str, str]:
        return {}

    async def counts(self, lane: Lane) -> Mapping[str, Any]:
        return {"routed": True, "releases": {}}


NameRouterPart = Annotated[NameRouter, Short("name", {"type": "string"})]
