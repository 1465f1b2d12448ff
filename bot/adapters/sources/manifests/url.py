"""Manifests from an address."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from bot.adapters.sources.fetching import Fetcher
from bot.adapters.sources.manifests.reading import LARGEST, ManifestContext, parsed
from bot.domain.rollout.model import Release
from bot.kinds import ManifestSettings, Problem
from bot.ports.appcommands import SourcedManifest
from bot.values import Duration, HttpUrl, Names


class UrlSettings(ManifestSettings):
    """Only https, only the hosts that are named here, and never an address inside the network."""

    kind: Literal["url"]
    url: HttpUrl = Field(description="Where the JSON is.")
    hosts: Names | None = Field(
        default=None, description="Hosts that it may redirect to; its own by default."
    )
    allow_loopback: bool = Field(default=False, description="Also http on this machine: for a try-out.")
    timeout: Duration = Field(default=10.0, description="How long the answer may take.")

    @property
    def where(self) -> str:
        return f"url {self.url}"

    def problems(self) -> Iterator[Problem]:
        if self.url.startswith("http://") and not self.allow_loopback:
            yield Problem(("url",), "must be https://.")


class UrlManifest:
    """Implements `ManifestReader`."""

    def __init__(self, settings: UrlSettings, context: ManifestContext) -> None:
        self._settings = settings

    async def read(self, release: Release | None) -> SourcedManifest:
        settings = self._settings
        fetcher = Fetcher(
            hosts=settings.hosts,
            allow_loopback=settings.allow_loopback,
            largest=LARGEST,
            timeout_s=settings.timeout,
        )
        return SourcedManifest(parsed(await fetcher.get(settings.url), settings.url), settings.url)
