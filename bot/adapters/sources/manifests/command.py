"""Manifests printed by a program."""

from __future__ import annotations

from typing import Literal

from bot.adapters.sources.manifests.reading import LARGEST, ManifestContext, decoded, manifest_kind, parsed
from bot.adapters.sources.programs import ProgramError, ProgramSettings, output_of
from bot.domain.rollout.model import Release
from bot.kinds import ManifestSettings
from bot.ports.appcommands import SourcedManifest
from bot.ports.errors import ManifestUnavailable


class CommandSettings(ProgramSettings, ManifestSettings):
    """A program that prints the JSON."""

    kind: Literal["command"]

    @property
    def where(self) -> str:
        return f"output of {' '.join(self.command)}"


class CommandManifest:
    """Implements `ManifestReader`."""

    def __init__(self, settings: CommandSettings, context: ManifestContext) -> None:
        self._settings = settings

    async def read(self, release: Release | None) -> SourcedManifest:
        program, where = self._settings, f"output of {self._settings.command[0]}"
        try:
            content = parsed(decoded(await output_of(program, LARGEST), where), where)
        except (ProgramError, ManifestUnavailable) as error:
            raise ManifestUnavailable(program.redacted(str(error))) from None
        return SourcedManifest(content, where)


KIND = manifest_kind(CommandSettings, CommandManifest)
