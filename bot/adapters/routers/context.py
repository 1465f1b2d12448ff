"""Context of routers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from bot.kinds import Kind, RouterProgramSettings
from bot.ports.data_plane.routers import Router

P = TypeVar("P", bound=RouterProgramSettings)


@dataclass(frozen=True, slots=True)
class RouterContext:
    """Argument of every router's factory: `make(settings, context) -> Router`.

    folder: private folder for the router's own files and sockets; it may not exist yet.
    """

    folder: Path


def router_kind(settings: type[P], make: Callable[[P, RouterContext], Router]) -> Kind:
    """What `router:` of a hosted target may be. A target may name none: every field of the settings has a default."""
    return Kind(settings, make)
