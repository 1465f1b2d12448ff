"""Release sources: which releases of a service exist."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from bot.domain.rollout.model import Release


class ReleaseSource(Protocol):
    """Knows which releases of a service exist."""

    async def releases(self, service: str, environment: str) -> Sequence[Release]:
        """Newest first; specs resolved for `environment`. Raises `Unreachable`."""
        ...
