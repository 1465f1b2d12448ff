"""Context of routers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class RouterContext:
    """Argument of every router's factory: `make(settings, context) -> Router`.

    folder: private folder for the router's own files and sockets; it may not exist yet.
    """

    folder: Path
