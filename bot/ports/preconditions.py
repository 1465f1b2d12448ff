"""Preconditions of a rollout, as they stand now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from bot.domain.config import Preconditions
from bot.domain.rollout.model import Precondition, Release


class PreconditionSource(Protocol):
    async def look(self, wanted: Preconditions, release: Release) -> Sequence[Precondition]:
        """How each stands, within about a second and a half. One that cannot be asked about is not met."""
        ...
