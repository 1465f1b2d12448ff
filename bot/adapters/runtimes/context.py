"""Context of runtimes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from bot.adapters.targets.hosted.settings import HostedTargetSettings
from bot.domain.rollout.model import Release
from bot.kinds import RuntimeKind, SpecSettings
from bot.ports.data_plane.runtimes import Runtime

H = TypeVar("H", bound=HostedTargetSettings)


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


def runtime_kind(
    settings: type[H],
    make: Callable[[H, RuntimeContext], Runtime],
    *,
    spec: type[SpecSettings],
    pin: Callable[[H, Release, str], Awaitable[Release]] | None = None,
) -> RuntimeKind:
    """A runtime, which is a kind of target too: behind a router, served by the host."""
    return RuntimeKind(settings, make, spec, pin)
