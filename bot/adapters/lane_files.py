"""State on disk: one JSON file for each lane, replaced as a whole; and the JSON forms of lanes and releases."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from bot.adapters.disk_reserve import with_reserve
from bot.domain.rollout.model import Lane, Release

Json = dict[str, Any]


def write_atomically(path: Path, content: bytes) -> None:
    """Replace a file: after a crash of the machine it has either the old content or the new one, never a part.

    Takes the reserve of the folder when the disk is full.
    """
    with_reserve(path, lambda: _write(path, content))


def _write(path: Path, content: bytes) -> None:
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            beside.unlink()
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


class LaneFiles:
    """State files of lanes in one folder, all of one version of their format."""

    def __init__(self, folder: Path, version: int) -> None:
        self._folder = folder
        self._version = version
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def lanes(self) -> Iterator[Json]:
        """Every lane's state. Raises ValueError for a file of another version."""
        for path in sorted(self._folder.glob("*.json")):
            state = json.loads(path.read_bytes())
            if state.get("version") != self._version:
                raise ValueError(
                    f"{path} has version {state.get('version')!r}; this Slipway reads {self._version}"
                )
            yield state

    async def save(self, lane: Lane, state: Json) -> None:
        """Save a lane's state. Callers must not save the same lane at the same time. Raises OSError."""
        content = json.dumps({"version": self._version, "lane": lane_to_json(lane), **state}).encode()
        await asyncio.to_thread(write_atomically, self._folder / f"{folder_name(lane)}.json", content)


def folder_name(lane: Lane) -> str:
    return f"{quote(lane.service, safe='')}@{quote(lane.environment, safe='')}"


def lane_to_json(lane: Lane) -> list[str]:
    return [lane.service, lane.environment]


def lane_from_json(stored: Any) -> Lane:
    service, environment = stored
    return Lane(str(service), str(environment))


def release_to_json(release: Release) -> Json:
    return {
        "service": release.service,
        "version": release.version,
        "digest": release.digest,
        "commit": release.commit,
        "spec": _plain(release.spec),
    }


def release_from_json(stored: Json) -> Release:
    return Release(**stored)


def _plain(value: Any) -> Any:
    """Frozen mappings and tuples as dicts and lists, as JSON returns them, so that equal values stay equal."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
