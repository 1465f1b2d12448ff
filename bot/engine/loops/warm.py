"""Warm releases: the former stable release is stopped once its lane has kept it for long enough."""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.domain import phrasebook
from bot.domain.config import LaneConfig
from bot.domain.formatting import duration
from bot.domain.records import AuditEntry, LaneRow
from bot.domain.rollout.model import SYSTEM, Lane, Phase
from bot.engine.lanes import Lanes
from bot.ports.store import Store


class WarmReleases:
    """Finds lanes in which the time of a warm release is over.

    It is counted from the end of the rollout as it is stored: a restart of Slipway or of the target changes nothing.
    """

    def __init__(self, store: Store, lanes: Lanes) -> None:
        self._store = store
        self._lanes = lanes
        # When the rollout behind a lane's row succeeded, by the row's stamp: neither changes any more.
        self._ended: dict[Lane, tuple[str, datetime | None]] = {}

    async def over(self, config: LaneConfig, row: LaneRow) -> AuditEntry | None:
        """The audit line for stopping the lane's warm releases; None as long as they are to be kept."""
        keep_s, warm = config.keep_warm_s, row.desired.warm
        if keep_s is None or not warm or not self._lanes.target(row.lane).capabilities.warm:
            return None
        ended, now = await self._ended_at(row), self._lanes.now()
        if ended is None or now - ended < timedelta(seconds=keep_s):
            return None
        versions = ", ".join(release.version for release in warm)
        return AuditEntry(
            row.lane, SYSTEM, now, "warm_over", phrasebook.warm_over(versions, duration(keep_s))
        )

    async def _ended_at(self, row: LaneRow) -> datetime | None:
        """When the rollout succeeded that left the lane as it is desired; None if it did not, or there was none."""
        stamp, ended = self._ended.get(row.lane, ("", None))
        if stamp == row.stamp:
            return ended
        if row.rollout_id is None:
            return None
        loaded = await self._store.rollouts.load(row.rollout_id)
        if loaded is None or not loaded.rollout.phase.final:
            return None
        ended = loaded.rollout.ended_at if loaded.rollout.phase is Phase.SUCCEEDED else None
        self._ended[row.lane] = (row.stamp, ended)
        return ended
