"""Releases listed in the catalog."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Generic, Literal

from pydantic import Field

from bot.adapters.sources.releases import FoundRelease, irreversible, overlaid, release_kind
from bot.kinds import ReleaseSettings, S, SettingsProblem, SpecSettings, WithSpec
from bot.values import Short, Text


class ListedVersion(WithSpec[S], Generic[S]):
    version: Text = Field(description="The version that people type; in quotes if YAML would read a number.")
    digest: str = Field(default="", description="Digest of the artifact, where it has one.")
    commit: Text = Field(default="", description="The commit that it was built from, shown to people.")
    irreversible: bool | Text = Field(
        default=False, description="What of it cannot be undone, or true: people alone roll it back."
    )
    spec: S = Field(default={}, validate_default=True, description="Overrides the common spec, key by key.")


class ListedSettings(ReleaseSettings[S], Generic[S]):
    """A list of versions, newest first."""

    kind: Literal["listed"]
    versions: tuple[Annotated[ListedVersion[S], Short("version", {"type": "string"})], ...] = Field(
        description="The versions, newest first."
    )

    def layers(self) -> Sequence[tuple[str, SpecSettings]]:
        return [(version.version, version.spec) for version in self.versions]

    def problems(self) -> Iterator[SettingsProblem]:
        seen: dict[str, int] = {}
        for index, version in enumerate(self.versions):
            first = seen.setdefault(version.version, index)
            if first != index:
                sentence = f'version "{version.version}" is listed twice; the first one is at {{first}}.'
                yield SettingsProblem(("versions", index), sentence, first=("versions", first))


class ListedReleases:
    """Implements `ReleaseFinder`."""

    def __init__(self, service: str, settings: ListedSettings[Any]) -> None:
        self._settings = settings

    async def find(self) -> Sequence[FoundRelease]:
        common = self._settings.spec.said()
        return [
            FoundRelease(
                v.version,
                v.digest,
                v.commit,
                overlaid(common, v.spec.said()),
                irreversible=irreversible(v.irreversible),
            )
            for v in self._settings.versions
        ]


KIND = release_kind(ListedSettings, ListedReleases)
