"""Which releases exist, as the catalog says: listed in it, or as the folders of a directory."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
import stat
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bot.domain.config import Catalog, unknown
from bot.domain.rollout.model import Release
from bot.ports.errors import Unreachable

Spec = Mapping[str, Any]

# A release folder's files by name, with what tells whether one was changed.
_Listing = tuple[tuple[str, int, int, int], ...]


class CatalogReleases:
    """A `ReleaseSource` that reads the present catalog at each call, so that a reload counts at once.

    A digest covers the artifact and the spec as it is written, not what an environment lays over it: the same
    release has the same digest everywhere, which is what "it succeeded in staging" is about.
    """

    def __init__(self, current: Callable[[], Catalog]) -> None:
        self._current = current
        self._hashed: dict[Path, tuple[_Listing, str]] = {}

    async def releases(self, service: str, environment: str) -> Sequence[Release]:
        """Newest first. Raises `UserError` for a service that the catalog does not have, `Unreachable`."""
        sources = self._current().sources
        if service not in sources:
            raise unknown("service", service, sources)
        settings: Mapping[str, Any] = sources[service]
        over = settings.get("environments", {}).get(environment, {})
        if settings["kind"] == "listed":
            return [_listed(service, settings, version, over) for version in settings["versions"]]
        return await asyncio.to_thread(self._directory, service, settings, over)

    def _directory(self, service: str, settings: Mapping[str, Any], over: Spec) -> list[Release]:
        root = Path(settings["path"])
        try:
            folders = [f for f in root.iterdir() if f.is_dir() and not f.name.startswith(".")]
            found = [
                _release(
                    service,
                    f.name,
                    artifact=self._hash(f),
                    commit="",
                    spec=settings["spec"],
                    over=over,
                    places={"path": str(f)},
                )
                for f in sorted(folders, key=lambda f: version_key(f.name), reverse=True)
            ]
        except OSError as error:
            raise Unreachable(
                f"The releases of {service} in {root} cannot be read: {error.strerror}."
            ) from None
        self._hashed = {f: h for f, h in self._hashed.items() if f.parent != root or f in folders}
        return found

    def _hash(self, folder: Path) -> str:
        listing = _files(folder)
        known = self._hashed.get(folder)
        if known is None or known[0] != listing:
            known = (listing, _digest_of_files(folder, listing))
            self._hashed[folder] = known
        return known[1]


def version_key(version: str) -> tuple[tuple[int, int | str], ...]:
    """Sorts versions as people do: numbers as numbers, and a pre-release before what it leads to."""
    core, _, suffix = version.removeprefix("v").partition("-")
    parts = [p for p in re.split(r"(\d+)", core) if p not in ("", ".")]
    rest = [p for p in re.split(r"(\d+)", suffix) if p not in ("", ".")]
    key = [(2, int(p)) if p.isdigit() else (1, p) for p in parts]
    return (
        (*key, (0, ""), *((2, int(p)) if p.isdigit() else (1, p) for p in rest))
        if suffix
        else (*key, (1, ""))
    )


def overlaid(spec: Spec, over: Spec) -> dict[str, Any]:
    """`spec` with the keys of `over`; mappings inside are laid together key by key, everything else replaced."""
    merged = dict(spec)
    for key, value in over.items():
        below = merged.get(key)
        both = isinstance(value, Mapping) and isinstance(below, Mapping)
        merged[key] = overlaid(below, value) if both and below is not None else value
    return merged


def _listed(service: str, settings: Mapping[str, Any], version: Mapping[str, Any], over: Spec) -> Release:
    spec = overlaid(settings["spec"], version["spec"])
    return _release(
        service,
        version["version"],
        artifact=version["digest"],
        commit=version["commit"],
        spec=spec,
        over=over,
        places={},
    )


def _release(
    service: str,
    version: str,
    *,
    artifact: str,
    commit: str,
    spec: Spec,
    over: Spec,
    places: Mapping[str, str],
) -> Release:
    # What is to be hidden follows from the rest.
    written = {key: value for key, value in spec.items() if key != "secrets"}
    content = json.dumps([service, version, artifact, written], sort_keys=True, ensure_ascii=False)
    digest = f"sha256:{hashlib.sha256(content.encode()).hexdigest()}"
    filled = _fill(overlaid(spec, over), {"service": service, "python": sys.executable, **places})
    return Release(service, version, digest, commit, filled)


def _fill(value: Any, places: Mapping[str, str]) -> Any:
    """Replace what is known now; `{version}`, `{environment}`, `{port}`, `{instance}` are the target's."""
    if isinstance(value, str):
        for name, text in places.items():
            value = value.replace(f"{{{name}}}", text)
        return value
    if isinstance(value, Mapping):
        return {k: _fill(v, places) for k, v in value.items()}
    return [_fill(v, places) for v in value] if isinstance(value, list | tuple) else value


def _files(folder: Path) -> _Listing:
    found = []
    for place, folders, names in os.walk(folder):
        links = [name for name in folders if (Path(place) / name).is_symlink()]
        for name in (*names, *links):
            path = Path(place) / name
            about = path.lstat()
            found.append((str(path.relative_to(folder)), about.st_mode, about.st_size, about.st_mtime_ns))
    return tuple(sorted(found))


def _digest_of_files(folder: Path, listing: _Listing) -> str:
    """Over names, contents, what is executable and where links point; not over times and owners."""
    digest = hashlib.sha256()
    for name, mode, _, _ in listing:
        path = folder / name
        if stat.S_ISLNK(mode):
            kind, content = "link", hashlib.sha256(os.fsencode(path.readlink())).hexdigest()
        else:
            kind = "program" if mode & stat.S_IXUSR else "file"
            with path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
        digest.update(json.dumps([name, kind, content]).encode())
    return digest.hexdigest()
