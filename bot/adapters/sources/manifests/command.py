"""Manifests printed by a program."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from bot.adapters.sources.manifests.reading import LARGEST, ManifestContext, decoded, parsed
from bot.adapters.sources.programs import ProgramError, output_of
from bot.domain.rollout.model import Release
from bot.kinds import ManifestSettings
from bot.ports.appcommands import SourcedManifest
from bot.ports.errors import ManifestUnavailable
from bot.values import Duration, RelativePath, Text


class CommandSettings(ManifestSettings):
    kind: Literal["command"]
    command: tuple[Text, ...] = Field(min_length=1, description="A program that prints the JSON.")
    cwd: RelativePath = Field(
        default=Path(), validate_default=True, description="Working directory, relative to this file."
    )
    timeout: Duration = Field(default=30.0, description="How long the program may run.")

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
            output = await output_of(
                program.command, cwd=program.cwd, timeout_s=program.timeout, largest=LARGEST
            )
        except ProgramError as error:
            raise ManifestUnavailable(str(error)) from None
        return SourcedManifest(parsed(decoded(output, where), where), where)
