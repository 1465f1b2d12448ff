"""Releases printed by a program, as lines of JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Generic, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from bot.adapters.inherited import base_environment
from bot.adapters.sources.kept import KeptReleases
from bot.adapters.sources.programs import ProgramError, output_of
from bot.adapters.sources.releases import FoundRelease
from bot.domain.formatting import one_line
from bot.kinds import ReleaseSettings, S
from bot.ports.errors import Unreachable
from bot.redaction import Redactor
from bot.values import Duration, RelativePath, SecretText, Text

_LARGEST = 1024 * 1024
_MOST = 1000
_NAME = r"^[A-Za-z_][A-Za-z0-9_]*$"
_UNKNOWN = datetime.min.replace(tzinfo=UTC)


class ReleaseCommandSettings(ReleaseSettings[S], Generic[S]):
    """A program prints the releases, one JSON object a line.

    Its keys: `version`, and if known `commit`, `subject`, `time` (with its offset from UTC), `digest` and `repository`.
    """

    kind: Literal["command"]
    command: tuple[Text, ...] = Field(min_length=1, description="The program and its arguments; no shell.")
    cwd: RelativePath = Field(
        default=Path(), validate_default=True, description="Working directory, relative to this file."
    )
    env: dict[Annotated[str, Field(pattern=_NAME)], SecretText] = Field(
        default={},
        description="Variables that the program gets beside PATH, HOME and the like, each from ${NAME}.",
    )
    timeout: Duration = Field(default=20.0, description="How long the program may run.")


class PrintedRelease(BaseModel):
    """A line of the program. time: with its offset from UTC."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: str = Field(min_length=1, max_length=100)
    commit: str = Field(default="", max_length=64)
    subject: str = ""
    time: AwareDatetime | None = None
    digest: str = ""
    repository: str = ""


class PrintedReleases:
    """Runs the program at each `look`."""

    def __init__(self, service: str, settings: ReleaseCommandSettings[Any]) -> None:
        self._service = service
        self._settings = settings
        self._spec = settings.spec.said()
        self._env = {name: value.reveal() for name, value in settings.env.items()}
        self._redact = Redactor(self._env.values())

    async def look(self) -> Sequence[FoundRelease]:
        """Newest first by time if each line has one, else as printed. Raises `Unreachable`."""
        settings = self._settings
        try:
            output = await output_of(
                settings.command,
                cwd=settings.cwd,
                timeout_s=settings.timeout,
                largest=_LARGEST,
                env=base_environment() | self._env,
            )
            found = list(_lines(output, settings.command[0]))
        except ProgramError as error:
            said = self._redact(str(error))
            raise Unreachable(f"The releases of {self._service} cannot be listed: {said}") from None
        if all(each.time for each in found):
            found.sort(key=lambda each: each.time or _UNKNOWN, reverse=True)
        return [
            FoundRelease(
                each.version,
                each.digest,
                each.commit,
                self._spec,
                made_at=each.time,
                subject=each.subject,
                repository=each.repository,
            )
            for each in found
        ]


def make_printed(service: str, settings: ReleaseCommandSettings[Any]) -> KeptReleases:
    return KeptReleases(service, PrintedReleases(service, settings).look)


def _lines(output: bytes, program: str) -> Iterator[PrintedRelease]:
    """Raises `ProgramError` for the first line that is no release, so that no list is half a list."""
    if len(output) > _LARGEST:
        raise ProgramError(f"{program} printed more than {_LARGEST // 1024} KiB.")
    seen: set[str] = set()
    for number, line in enumerate(output.splitlines(), 1):
        if not line.strip():
            continue
        found = _release(line, f"line {number} of {program}")
        if found.version in seen:
            raise ProgramError(f"line {number} of {program} has the version {found.version} again.")
        seen.add(found.version)
        if len(seen) > _MOST:
            raise ProgramError(f"{program} printed more than {_MOST} releases.")
        yield found


def _release(line: bytes, where: str) -> PrintedRelease:
    try:
        return PrintedRelease.model_validate(json.loads(line.decode("utf-8-sig")))
    except ValidationError as wrong:
        error = wrong.errors(include_url=False)[0]
        key = ".".join(map(str, error["loc"]))
        raise ProgramError(f"{where}: {f'{key}: ' if key else ''}{error['msg']}.") from None
    except (ValueError, RecursionError):
        shown = one_line(line[:200].decode("utf-8", "replace"), 60)
        raise ProgramError(f"{where} is not JSON: “{shown}”.") from None
