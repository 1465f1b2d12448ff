"""Look-up of the commits that a rollout changes."""

from __future__ import annotations

from dataclasses import replace

from bot.domain.records import Claimed
from bot.domain.rollout.events import ChangesRead, ReadChanges
from bot.engine.lanes import Lanes
from bot.engine.stepper import EventOf
from bot.ports.changes import ChangeSource

_NO_REPOSITORY = "the catalog no longer names the repository."


class ReadsChanges:
    """Asks once, in the repository that the present catalog names for the lane. The rollout never waits for it."""

    def __init__(self, lanes: Lanes, source: ChangeSource | None) -> None:
        self._lanes = lanes
        self._source = source

    async def run(self, claim: Claimed, effect: ReadChanges) -> EventOf:
        config = self._lanes.catalog.lanes.get(effect.lane)
        repository = config.repository if config else None
        if self._source is None or repository is None:
            found = replace(effect.changes, problem=_NO_REPOSITORY)
        else:
            found = await self._source.look(repository, effect.changes)
        event = ChangesRead(self._lanes.now(), replace(found, reading=False))
        return lambda _: event
