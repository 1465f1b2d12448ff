"""Health of the lanes of a server, from what is stored: nothing is asked, so it answers for hundreds at once."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable

from bot.domain.config import Catalog
from bot.domain.rollout.model import Lane
from bot.domain.watch.alerts.alert import Alert
from bot.domain.watch.health import LaneHealth, ServerHealth, lane_health
from bot.engine.api import Within, everywhere
from bot.ports.coordination import Clock
from bot.ports.store import Store

_MOST = 500


class Healths:
    """The lanes of one server, what is wrong first, then in the catalog's order. Raises `Unreachable`."""

    def __init__(self, store: Store, catalog: Callable[[], Catalog], clock: Clock) -> None:
        self._store = store
        self._catalog = catalog
        self._clock = clock

    async def __call__(self, guild_id: int, within: Within = everywhere) -> ServerHealth:
        states, alerts = await asyncio.gather(
            self._store.watched.read(), self._store.alerts.open(guild_id, _MOST)
        )
        of: dict[Lane | None, list[Alert]] = defaultdict(list)
        for alert in alerts:
            of[alert.lane].append(alert)
        now = self._clock.now().timestamp()
        found = [
            lane_health(c.lane, c.policy.judge, states.get(c.lane), tuple(of[c.lane]), now)
            for c in self._catalog().visible(guild_id)
            if within(c.lane)
        ]
        # What concerns no lane is for those who may see all of them.
        shown = [alert for alert in alerts if within is everywhere or (alert.lane and within(alert.lane))]
        return ServerHealth(tuple(sorted(found, key=_worst_first)), tuple(shown))


def _worst_first(health: LaneHealth) -> tuple[int, bool]:
    worst = min((alert.severity.rank for alert in health.alerts), default=9)
    return worst, health.well
