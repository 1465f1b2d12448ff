"""States of monitors, in memory."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime
from math import fsum

from bot.domain.watch.checks import Hour, MonitorState
from bot.ports.watch.monitors import Glance, MonitorKey
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
    def tidy(self, t: Tables, now: datetime, before: float) -> bool:
        for key, state in list(t.monitors.items()):
            kept = tuple(hour for hour in state.hours if _day_of(hour) >= before - DAY_S)
            t.monitors[key] = replace(state, hours=kept)
        return False


def _day_of(hour: Hour) -> float:
    return hour.since // DAY_S * DAY_S
