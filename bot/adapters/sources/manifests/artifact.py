"""Manifests from the artifact of a release."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Literal

from pydantic import Field

from bot.adapters.sources.manifests.reading import ManifestContext, manifest_kind, read_file
from bot.domain.rollout.model import Release
from bot.kinds import ManifestSettings
from bot.ports.appcommands import SourcedManifest
from bot.ports.errors import ManifestUnavailable, Unreachable
from bot.values import RelativePath


class ArtifactSettings(ManifestSettings):
    """A file in a release: deployed and rolled back with it."""

    kind: Literal["artifact"]
    service: str = Field(description="The service that the release belongs to.")
    path: str = Field(description="In the release's folder; {version} is filled in.")
    folder: RelativePath = Field(
        default=Path(),
        validate_default=True,
        description="Where releases have no folder of their own: the folder of `path`, by default that of this file.",
    )

    @property
    def released_with(self) -> str:
        return self.service

    @property
    def where(self) -> str:
        return f"{Path(self.path).name} of a release of {self.service}"


class ArtifactManifest:
    """Implements `ManifestReader`."""

    def __init__(self, settings: ArtifactSettings, context: ManifestContext) -> None:
        self._settings = settings
        self._context = context

    async def read(self, release: Release | None) -> SourcedManifest:
        of = release or await self._newest()
        found = await read_file(await asyncio.to_thread(self._place, of))
        where = f"{found.where} of {of.service} {of.version}"
        return SourcedManifest(found.content, where, of.commit)

    def _place(self, release: Release) -> Path:
        relative = self._settings.path.replace("{version}", release.version)
        folder = self._context.folder(release.service, release.version)
        if folder is None:
            return (self._settings.folder / relative).resolve()
        path = (folder / relative).resolve()
        if not path.is_relative_to(folder.resolve()):
            raise ManifestUnavailable(f"{relative} is outside the folder of {release.version}.")
        return path

    async def _newest(self) -> Release:
        service = self._settings.service
        try:
            found = await self._context.releases.releases(service, "")
        except Unreachable as error:
            raise ManifestUnavailable(str(error)) from None
        if not found:
            raise ManifestUnavailable(f"{service} has no release.")
        return found[0]


KIND = manifest_kind(ArtifactSettings, ArtifactManifest)
