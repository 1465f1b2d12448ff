"""What lanes served, in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from bot.domain.judge.evidence.counters import Counts
from bot.domain.judge.history.served import Edges, ServedTick, in_order, minutes
from bot.domain.rollout.model import Lane
from tests.fakes.store.tables import Part, Tables, statement


class MemoryServed(Part):
    """Implements `bot.ports.store.ServedStore`."""

    part = "served"

    @statement
    def append(self, t: Tables, now: datetime, ticks: Sequence[tuple[Lane, ServedTick]]) -> None:
        for lane in {lane for lane, _ in ticks}:
            new = [tick for where, tick in ticks if where == lane]
            t.served[lane] = tuple(in_order([*t.served.get(lane, ()), *new]))

    @statement
    def read(self, t: Tables, now: datetime, lane: Lane, since: float = 0.0) -> Sequence[ServedTick]:
        return [tick for tick in t.served.get(lane, ()) if tick.at >= since]

    @statement
    def strips(
        self, t: Tables, now: datetime, lanes: Sequence[Lane], measure: str, since: float, slot_s: float
    ) -> Mapping[Lane, Mapping[int, Counts]]:
        found: dict[Lane, dict[int, Counts]] = {}
        for lane in lanes:
            for tick in t.served.get(lane, ()):
                if tick.at >= since and measure in tick.counts:
                    slots, slot = found.setdefault(lane, {}), int((tick.at - since) // slot_s)
                    before, counted = slots.get(slot, Counts()), tick.counts[measure]
                    slots[slot] = Counts(before.total + counted.total, before.bad + counted.bad)
        return found

    @statement
    def thin(self, t: Tables, now: datetime, lane: Lane, edges: Edges) -> bool:
        ticks = t.served.get(lane, ())
        full = [tick for tick in ticks if tick.at >= edges.full_since]
        t.served[lane] = (*minutes(tick for tick in ticks if tick.at < edges.full_since), *full)
        return False

    @statement
    def forget(self, t: Tables, now: datetime, before: float) -> bool:
        for lane, ticks in list(t.served.items()):
            t.served[lane] = tuple(tick for tick in ticks if tick.at >= before)
        return False
