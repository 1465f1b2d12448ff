"""Discovery files that Envoy watches: written aside, then renamed, so that it never reads half a file.

Each kind has a folder of its own: Envoy reads all files of a folder again when one of them is renamed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any

from bot.adapters.disk_reserve import with_reserve

Json = dict[str, Any]

LISTENERS, CLUSTERS, ROUTES = "listeners", "clusters", "routes"


def place(folder: Path, kind: str) -> Path:
    return folder / kind / f"{kind}.json"


class DiscoveryFiles:
    """One JSON file for each kind of resource. `seen_at`: the same folder as Envoy sees it, perhaps in a container."""

    def __init__(self, folder: Path, seen_at: Path | None = None) -> None:
        self.folder = folder
        self.seen_at = seen_at or folder
        self._begun = time.time_ns()
        self._numbers = count(1)

    def write(self, kind: str, resources: Sequence[Json]) -> str:
        """Replace the file of a kind; returns its version, which is like no other. Raises OSError."""
        version = f"{self._begun}.{next(self._numbers)}"
        self.path(kind).parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        # In the same file system. Envoy looks when something is renamed, not when it is written.
        aside = self.path(kind).with_suffix(".new")
        content = json.dumps({"version_info": version, "resources": list(resources)})
        with_reserve(aside, lambda: aside.write_text(content))
        # An Envoy that others run has another user; Slipway's own has a private folder around this one.
        aside.chmod(0o644)
        aside.replace(self.path(kind))
        return version

    def read(self, kind: str) -> list[Json]:
        """Resources of a kind as last written; none where nothing was, or where it cannot be read."""
        try:
            found = json.loads(self.path(kind).read_text())
        except (OSError, ValueError):
            return []
        return list(found.get("resources", ()))

    def path(self, kind: str) -> Path:
        return place(self.folder, kind)
