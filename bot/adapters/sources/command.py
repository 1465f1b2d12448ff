"""Releases printed by a program, as lines of JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Generic, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from bot.adapters.sources.cached import CachedReleases
from bot.adapters.sources.programs import ProgramError, ProgramSettings, output_of
from bot.adapters.sources.releases import FoundRelease, irreversible, release_kind
from bot.domain.formatting import one_line
from bot.kinds import ReleaseSettings, S
from bot.ports.errors import Unreachable
from bot.values import Duration

_LARGEST = 1024 * 1024
_MOST = 1000
_UNKNOWN = datetime.min.replace(tzinfo=UTC)


class ReleaseCommandSettings(ProgramSettings, ReleaseSettings[S], Generic[S]):
    """A program prints the releases, one JSON object a line.

    Its keys: `version`, and if known `commit`, `subject`, `time` (with its offset from UTC), `digest`, `repository` and
    `irreversible`.
    """

    kind: Literal["command"]
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
    irreversible: bool | str = False


class PrintedReleases:
    """Runs the program at each `look`."""

    def __init__(self, service: str, settings: ReleaseCommandSettings[Any]) -> None:
        self._service = service
        self._settings = settings
        self._spec = settings.spec.said()

    async def look(self) -> Sequence[FoundRelease]:
        """Newest first by time if each line has one, else as printed. Raises `Unreachable`."""
        settings = self._settings
        try:
            output = await output_of(settings, _LARGEST)
            found = list(_lines(output, settings.command[0]))
        except ProgramError as error:
            said = settings.redacted(str(error))
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
                irreversible=irreversible(each.irreversible),
            )
            for each in found
        ]


def make_printed(service: str, settings: ReleaseCommandSettings[Any]) -> CachedReleases:
    return CachedReleases(service, PrintedReleases(service, settings).look)


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


KIND = release_kind(ReleaseCommandSettings, make_printed)
