"""States of monitors, in memory."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from math import fsum

from bot.domain.watch.checks import Hour, MonitorState
from bot.domain.watch.locations import LocationLook
from bot.ports.watch.monitors import Glance, MonitorKey, SavedLook
from tests.fakes.store.tables import Part, Tables, statement

DAY_S = 86_400.0


class MemoryMonitors(Part):
    """Implements `bot.ports.watch.monitors.MonitorStore`."""

    part = "monitors"

    @statement
    def read(self, t: Tables, now: datetime) -> Mapping[MonitorKey, MonitorState]:
        return dict(t.monitors)

    @statement
    def glance(self, t: Tables, now: datetime, at: float) -> Mapping[MonitorKey, Glance]:
        def sums(state: MonitorState, since: float) -> tuple[float, float]:
            counted = [hour for hour in state.hours if hour.since >= since]
            return fsum(hour.up_s for hour in counted), fsum(hour.down_s for hour in counted)

        return {
            key: Glance(replace(state, hours=()), sums(state, at - DAY_S), sums(state, at - 7 * DAY_S))
            for key, state in t.monitors.items()
        }

    @statement
    def save(self, t: Tables, now: datetime, states: Mapping[MonitorKey, MonitorState]) -> None:
        for key, state in states.items():
            known = t.monitors.get(key, MonitorState())
            hours: dict[float, Hour] = {hour.since: hour for hour in (*known.hours, *state.hours)}
            kept = tuple(hours[since] for since in sorted(hours))
            t.monitors[key] = replace(state, hours=kept, untold=MonitorState().untold)

    @statement
    def forget(self, t: Tables, now: datetime, keys: Collection[MonitorKey]) -> None:
        for key in keys:
            t.monitors.pop(key, None)

    @statement
    def looks(self, t: Tables, now: datetime, since: float) -> Sequence[SavedLook]:
        found = [SavedLook(*place, saved, look) for place, (saved, look) in t.looks.items() if saved >= since]
        return sorted(found, key=lambda each: each.saved)

    @statement
    def save_looks(
        self, t: Tables, now: datetime, location: str, looks: Mapping[MonitorKey, LocationLook]
    ) -> None:
        for key, look in looks.items():
            known = t.looks.get((key, location))
            if known is None or known[1].at < look.at:
                t.looks[key, location] = (now.timestamp(), look)

    @statement
    def forget_looks(self, t: Tables, now: datetime, gone: Collection[tuple[MonitorKey, str]]) -> None:
        for place in gone:
            t.looks.pop(place, None)

    @statement
    def tidy(self, t: Tables, now: datetime, before: float) -> bool:
        for key, state in list(t.monitors.items()):
            kept = tuple(hour for hour in state.hours if _day_of(hour) >= before - DAY_S)
            t.monitors[key] = replace(state, hours=kept)
        return False


def _day_of(hour: Hour) -> float:
    return hour.since // DAY_S * DAY_S
