"""Manifests in a file beside the catalog."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from bot.adapters.sources.manifests.reading import ManifestContext, manifest_kind, read_file
from bot.domain.rollout.model import Release
from bot.kinds import ManifestSettings
from bot.ports.appcommands import SourcedManifest
from bot.values import RelativePath


class FileSettings(ManifestSettings):
    kind: Literal["file"]
    path: RelativePath = Field(description="A JSON file, relative to this file.")

    @property
    def where(self) -> str:
        """The file's name, without its folder on this machine."""
        return f"file {self.path.name}"


class FileManifest:
    """Implements `ManifestReader`."""

    def __init__(self, settings: FileSettings, context: ManifestContext) -> None:
        self._path = settings.path

    async def read(self, release: Release | None) -> SourcedManifest:
        return await read_file(self._path)


KIND = manifest_kind(FileSettings, FileManifest)
