"""Context of runtimes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class RuntimeContext:
    """Argument of every runtime's factory: `make(settings, context) -> Runtime`.

    folder: private folder for the runtime's own files; it may not exist yet. logs: the same for output of releases.
    owner: marks what this host starts; no other host has the same. releases: folder for files of releases, which
    users other than the host's may have to reach; it may not exist yet.
    """

    folder: Path
    logs: Path
    owner: str
    releases: Path
