"""Release sources: which releases of a service exist."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from bot.domain.rollout.model import Release


class ReleaseSource(Protocol):
    """Lists the releases of services, and makes one immutable."""

    async def releases(self, service: str, environment: str, *, fresh: bool = False) -> Sequence[Release]:
        """Newest first; specs resolved for `environment`. Raises `Unreachable`.

        fresh: as the source lists them now, not as it did a short time ago.
        """
        ...

    async def pinned(self, release: Release, environment: str) -> Release:
        """The release as its rollout runs it: what it names by a tag is named by its digest.

        Raises `UserError` for one that does not exist, `Unreachable`.
        """
        ...
