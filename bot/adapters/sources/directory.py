"""Releases from the sub-folders of a folder."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Generic, Literal

from pydantic import Field

from bot.adapters import artifacts
from bot.adapters.sources.releases import FoundRelease, irreversible, release_kind
from bot.kinds import ReleaseSettings, S
from bot.ports.errors import Unreachable
from bot.values import RelativePath

MARK = "IRREVERSIBLE"
_LARGEST_MARK = 4096


class DirectorySettings(ReleaseSettings[S], Generic[S]):
    """Every sub-folder of a folder is a release, named after its version."""

    kind: Literal["directory"]
    path: RelativePath = Field(description="The folder, relative to this file.")
    spec: S = Field(
        default={}, validate_default=True, description="As in listed; {path} is the release's folder."
    )

    def folder(self, version: str) -> Path | None:
        return self.path / version


class DirectoryReleases:
    """Implements `ReleaseFinder`. A folder is hashed again only when a file in it changed."""

    def __init__(self, service: str, settings: DirectorySettings[Any]) -> None:
        self._service = service
        self._root = settings.path
        self._spec = settings.spec.said()
        self._kept = settings.spec.keeps_files
        self._hashed: dict[Path, tuple[artifacts.Listing, str]] = {}

    async def find(self) -> Sequence[FoundRelease]:
        return await asyncio.to_thread(self._find)

    def _find(self) -> Sequence[FoundRelease]:
        try:
            folders = [f for f in self._root.iterdir() if f.is_dir() and not f.name.startswith(".")]
            found = [self._found(f) for f in sorted(folders, key=lambda f: version_key(f.name), reverse=True)]
        except OSError as error:
            raise Unreachable(
                f"The releases of {self._service} in {self._root} cannot be read: {error.strerror or error}."
            ) from None
        self._hashed = {f: h for f, h in self._hashed.items() if f in folders}
        return found

    def _found(self, folder: Path) -> FoundRelease:
        found = FoundRelease(folder.name, self._hash(folder), spec=self._spec, irreversible=_mark(folder))
        return replace(found, files=folder) if self._kept else replace(found, places={"path": str(folder)})

    def _hash(self, folder: Path) -> str:
        listing = artifacts.listing(folder)
        known = self._hashed.get(folder)
        if known is None or known[0] != listing:
            known = (listing, artifacts.digest(artifacts.manifest(folder, listing)))
            self._hashed[folder] = known
        return known[1]


def _mark(folder: Path) -> str:
    """What the release's file `IRREVERSIBLE` says in its first line; the file alone is enough."""
    try:
        with (folder / MARK).open("rb") as file:
            text = file.read(_LARGEST_MARK).decode("utf-8-sig", "replace")
    except FileNotFoundError:
        return ""
    return irreversible(text.strip().partition("\n")[0] or True)


def version_key(version: str) -> tuple[tuple[int, int | str], ...]:
    """Sort key of a version: numbers as numbers, and a pre-release before its release."""
    core, _, suffix = version.removeprefix("v").partition("-")
    parts = [p for p in re.split(r"(\d+)", core) if p not in ("", ".")]
    rest = [p for p in re.split(r"(\d+)", suffix) if p not in ("", ".")]
    key = [(2, int(p)) if p.isdigit() else (1, p) for p in parts]
    return (
        (*key, (0, ""), *((2, int(p)) if p.isdigit() else (1, p) for p in rest))
        if suffix
        else (*key, (1, ""))
    )


KIND = release_kind(DirectorySettings, DirectoryReleases)
