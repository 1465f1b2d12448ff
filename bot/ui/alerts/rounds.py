"""Rounds of drawing: each server by itself, so that one that does not answer keeps no other one waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from bot.domain.watch.alerts.alert import Alert
from bot.engine.tasks import Tasks
from bot.ports.errors import Unreachable

# In place of a server: direct messages, in whichever channels they are.
DIRECTLY = 0
# So many alerts are drawn in a place until worse ones are looked for.
_AT_ONCE = 20
# A place that does not answer is tried again at once, and then after pauses that grow.
_FIRST_PAUSE_S, _LAST_PAUSE_S = 0.2, 2.0

# Draws the alert of this number in a place; the version that is shown there now.
DrawIn = Callable[[int, int], Awaitable[int]]


class Round(NamedTuple):
    """What a round came to. drawn: alerts that every place shows by now, each with its version. error: of any place."""

    drawn: Mapping[int, int]
    error: Exception | None


@dataclass(slots=True)
class _Part:
    """A version of an alert. left: places that do not show it yet."""

    version: int
    rank: int
    left: set[int]


@dataclass(slots=True)
class _Pause:
    """Of a place that did not answer. until: in seconds of the loop's clock."""

    until: float = 0.0
    next_s: float = 0.0


class _Drew(NamedTuple):
    place: int
    shown: Mapping[int, int]
    error: Exception | None


class DrawingRounds:
    """What is still to be drawn in which places: in servers, and `DIRECTLY`. Nothing of it outlives the process."""

    def __init__(self, draw: DrawIn) -> None:
        self._draw = draw
        self._parts: dict[int, _Part] = {}
        self._pauses: dict[int, _Pause] = {}
        self._busy = Tasks[int, _Drew]()

    def waiting(self) -> Mapping[int, int]:
        """Alerts of which nothing can be begun now, each with its version."""
        return {
            alert_id: part.version
            for alert_id, part in self._parts.items()
            if part.left and not any(map(self._free, part.left))
        }

    def add(self, alert: Alert, places: Collection[int]) -> None:
        """Have the alert drawn in all of these places, unless this version of it is under way."""
        known = self._parts.get(alert.id)
        if known is None or known.version != alert.version:
            self._parts[alert.id] = _Part(alert.version, alert.severity.rank, set(places))

    async def go_on(self, within_s: float) -> Round:
        """Begin what can be begun, the worst first. Returns when all that is begun has ended, or after `within_s`."""
        for place in {place for part in self._parts.values() for place in part.left}:
            if self._free(place):
                wanted = sorted((part.rank, id_) for id_, part in self._parts.items() if place in part.left)
                work = self._draw_all(place, [alert_id for _, alert_id in wanted[:_AT_ONCE]])
                self._busy.start(place, work, f"alert_cards:{place}")
        await self._busy.wait(within_s)
        error = None
        for drew in self._busy.finished():
            self._take(drew)
            error = error or drew.error
        drawn = {alert_id: part.version for alert_id, part in self._parts.items() if not part.left}
        for alert_id in drawn:
            del self._parts[alert_id]
        return Round(drawn, error)

    @property
    def under_way(self) -> bool:
        """Whether a round would do something now, or see the end of something."""
        return bool(len(self._busy)) or len(self.waiting()) < len(self._parts)

    async def stop(self) -> None:
        await self._busy.stop()

    def _free(self, place: int) -> bool:
        pause = self._pauses.get(place)
        away = pause is not None and asyncio.get_running_loop().time() < pause.until
        return place not in self._busy and not away

    async def _draw_all(self, place: int, alerts: Collection[int]) -> _Drew:
        shown: dict[int, int] = {}
        failed: Exception | None = None
        for alert_id in alerts:
            try:
                shown[alert_id] = await self._draw(place, alert_id)
            except Unreachable as away:
                return _Drew(place, shown, away)
            except Exception as error:
                failed = error  # of this one; the others are drawn all the same
        return _Drew(place, shown, failed)

    def _take(self, drew: _Drew) -> None:
        for alert_id, version in drew.shown.items():
            part = self._parts.get(alert_id)
            if part is not None and version >= part.version:
                part.left.discard(drew.place)
        if drew.error is None:
            self._pauses.pop(drew.place, None)
            return
        pause = self._pauses.setdefault(drew.place, _Pause())
        pause.until = asyncio.get_running_loop().time() + pause.next_s
        pause.next_s = min(_LAST_PAUSE_S, max(_FIRST_PAUSE_S, 2 * pause.next_s))
