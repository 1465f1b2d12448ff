"""State of the host on disk: one JSON file per lane, replaced as a whole before anything is done."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from bot.domain.rollout.model import Lane

Json = dict[str, Any]
VERSION = 1


def write_atomically(path: Path, content: bytes) -> None:
    """Replace a file: after a crash of the machine it has either the old content or the new one, never a part."""
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


class StateStore:
    """State files of one data folder."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self._lanes = data_dir / "lanes"
        self._lanes.mkdir(mode=0o700, parents=True, exist_ok=True)

    def lanes(self) -> Iterator[Json]:
        """Every lane's state. Raises ValueError for a file of another version."""
        for path in sorted(self._lanes.glob("*.json")):
            state = json.loads(path.read_bytes())
            if state.get("version") != VERSION:
                raise ValueError(f"{path} has version {state.get('version')!r}; this Slipway reads {VERSION}")
            yield state

    async def save(self, lane: Lane, state: Json) -> None:
        """Save a lane's state. Callers must not save the same lane at the same time."""
        content = json.dumps({"version": VERSION, **state}).encode()
        await asyncio.to_thread(write_atomically, self._lanes / f"{folder_name(lane)}.json", content)

    def host_id(self) -> str:
        """Id that marks the processes of this data folder."""
        path = self.data_dir / "host.id"
        with contextlib.suppress(FileNotFoundError):
            return path.read_text().strip()
        made = secrets.token_hex(8)
        write_atomically(path, made.encode())
        return made

    def metrics_at(self) -> tuple[str, int] | None:
        """Address at which Prometheus text was last served."""
        with contextlib.suppress(FileNotFoundError):
            host, port = json.loads((self.data_dir / "metrics.json").read_bytes())
            return str(host), int(port)
        return None

    def keep_metrics_at(self, host: str, port: int) -> None:
        write_atomically(self.data_dir / "metrics.json", json.dumps([host, port]).encode())

    def counts(self, lane: Lane, digest: str, index: int) -> Path:
        return self.data_dir / "counts" / folder_name(lane) / f"{quote(digest, safe='')[:80]}.{index}"

    def log(self, lane: Lane, version: str, digest: str, index: int) -> Path:
        name = f"{quote(version, safe='')[:60]}-{quote(digest, safe='')[-12:]}.{index}.log"
        return self.data_dir / "logs" / folder_name(lane) / name


def folder_name(lane: Lane) -> str:
    return f"{quote(lane.service, safe='')}@{quote(lane.environment, safe='')}"
