"""Context of targets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from bot.domain.config import ServedLane
from bot.domain.rollout.model import Lane
from bot.kinds import SpecSettings, TargetKind, TargetSettings
from bot.ports.data_plane.targets import CatalogTarget

T = TypeVar("T", bound=TargetSettings)


@dataclass(frozen=True, slots=True)
class TargetContext:
    """Argument of every target's factory.

    data_dir: Slipway's folder. start: whether the target may start programs of its own (`slipway doctor` starts none).
    """

    data_dir: Path
    start: bool = True


def target_kind(
    settings: type[T],
    make: Callable[[T, Mapping[Lane, ServedLane], TargetContext], CatalogTarget],
    *,
    spec: type[SpecSettings],
    router: Any,
) -> TargetKind:
    """An entry of `targets:`.

    spec: what a release needs to run there. router: how users reach a lane, a model of `RouterSettings`.
    """
    return TargetKind(settings, make, spec, router)
