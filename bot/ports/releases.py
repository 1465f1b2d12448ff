"""Release sources: which releases of a service exist."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from bot.domain.rollout.model import Release


class ReleaseSource(Protocol):
    """Lists the releases of a service."""

    async def releases(self, service: str, environment: str) -> Sequence[Release]:
        """Newest first; specs resolved for `environment`. Raises `Unreachable`."""
        ...
