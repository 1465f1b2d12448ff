"""Context of routers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bot.adapters.targets.hosted.host.sockets import Sockets


@dataclass(frozen=True, slots=True)
class RouterContext:
    """Argument of every router's factory: `make(settings, context) -> Router`.

    folder: private folder for the router's own files and sockets; it may not exist yet.
    sockets: listening sockets that outlive the host.
    """

    folder: Path
    sockets: Sockets
