"""Context of targets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class TargetContext:
    """Argument of every target's factory.

    data_dir: Slipway's folder. start: whether the target may start programs of its own (`slipway doctor` starts none).
    """

    data_dir: Path
    start: bool = True
