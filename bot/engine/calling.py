"""Calling people about what belongs to no rollout: to whom, and as effects that are recorded with what they tell of."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

from bot.domain.config import Catalog
from bot.domain.events import CallPeople
from bot.domain.model import Lane
from bot.engine.clean import clean


class Calling:
    """Makes the calls that a lane's guilds hear in #alerts."""

    def __init__(self, catalog: Callable[[], Catalog]) -> None:
        self._catalog = catalog

    def about(
        self, lane: Lane, what: str, sentence: str, once: str, *, over: bool = False
    ) -> Sequence[CallPeople]:
        """One for each guild that sees the lane; none for a lane that the catalog does not have.

        once: what is told under the same words here is told once. over: the end of what was told before, which
        mentions nobody.
        """
        config = self._catalog().lanes.get(lane)
        if config is None:
            return ()
        roles = () if over else config.policy.notify_roles
        return [
            CallPeople(_key(guild_id, lane, once), guild_id, f"{lane}: {what}", clean(sentence), roles, over)
            for guild_id in config.guilds
        ]


def _key(guild_id: int, lane: Lane, once: str) -> str:
    return hashlib.sha256(f"{guild_id}/{lane}/{once}".encode()).hexdigest()[:24]
