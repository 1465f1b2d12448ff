"""State of the host on disk: its lanes, its platforms, where it serves metrics, and its id."""

from __future__ import annotations

import contextlib
import json
import secrets
from collections.abc import Iterable
from pathlib import Path

from bot.adapters.lane_files import LaneFiles, write_atomically
from bot.adapters.targets.hosted.settings import PlatformSettings

_VERSION = 1


class StateStore:
    """State files of one data folder."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.lanes = LaneFiles(data_dir / "lanes", _VERSION)

    def host_id(self) -> str:
        """Id that marks what the host of this data folder starts."""
        path = self.data_dir / "host.id"
        with contextlib.suppress(FileNotFoundError):
            return path.read_text().strip()
        made = secrets.token_hex(8)
        write_atomically(path, made.encode())
        return made

    def platforms(self) -> list[PlatformSettings]:
        with contextlib.suppress(FileNotFoundError):
            stored = json.loads((self.data_dir / "platforms.json").read_bytes())
            return [PlatformSettings.model_validate(one) for one in stored]
        return []

    def keep_platforms(self, platforms: Iterable[PlatformSettings]) -> None:
        stored = [platform.model_dump() for platform in platforms]
        write_atomically(self.data_dir / "platforms.json", json.dumps(stored).encode())

    def metrics_at(self) -> tuple[str, int] | None:
        """Address at which Prometheus text was last served."""
        with contextlib.suppress(FileNotFoundError):
            host, port = json.loads((self.data_dir / "metrics.json").read_bytes())
            return str(host), int(port)
        return None

    def keep_metrics_at(self, host: str, port: int) -> None:
        write_atomically(self.data_dir / "metrics.json", json.dumps([host, port]).encode())
