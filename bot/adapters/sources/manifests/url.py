"""Manifests from a URL."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from bot.adapters.sources.fetching import Fetcher
from bot.adapters.sources.manifests.reading import LARGEST, ManifestContext, manifest_kind, parsed
from bot.domain.rollout.model import Release
from bot.kinds import ManifestSettings, SettingsProblem
from bot.ports.appcommands import SourcedManifest
from bot.values import Duration, HttpUrl, Names


class UrlSettings(ManifestSettings):
    """A URL: https only, on the hosts named here, and never inside the network."""

    kind: Literal["url"]
    url: HttpUrl = Field(description="URL of the JSON.")
    hosts: Names | None = Field(
        default=None, description="Hosts that it may redirect to; by default its own."
    )
    allow_loopback: bool = Field(default=False, description="Also allow http on this machine, to try it out.")
    timeout: Duration = Field(default=10.0, description="How long the answer may take.")

    @property
    def where(self) -> str:
        return f"url {self.url}"

    def problems(self) -> Iterator[SettingsProblem]:
        if self.url.startswith("http://") and not self.allow_loopback:
            yield SettingsProblem(("url",), "must begin with https://.")


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


KIND = manifest_kind(UrlSettings, UrlManifest)
