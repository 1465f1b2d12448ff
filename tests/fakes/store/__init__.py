"""The database in memory, as strict as the real one: `tests/contract/test_store.py` runs on both."""

from __future__ import annotations

from tests.fakes.store.alerts import MemoryAlerts, MemoryWatchedLanes
from tests.fakes.store.effects import MemoryEffects
from tests.fakes.store.history import MemoryHistory, MemoryHousekeeping, MemoryNotes
from tests.fakes.store.incidents import MemoryIncidents
from tests.fakes.store.lanes import MemoryLanes
from tests.fakes.store.monitors import MemoryMonitors
from tests.fakes.store.oncall import MemoryOnCall
from tests.fakes.store.reports import MemoryExports, MemoryReports
from tests.fakes.store.rollouts import MemoryRollouts
from tests.fakes.store.served import MemoryServed
from tests.fakes.store.silences import MemorySilences
from tests.fakes.store.tables import MemoryDatabase, Statement, Tables
from tests.fakes.store.ticks import MemoryTicks, MemoryTimers

__all__ = ["MemoryDatabase", "MemoryStore", "Statement", "Tables"]


class MemoryStore:
    """Implements `bot.ports.store.Store`."""

    def __init__(self, database: MemoryDatabase) -> None:
        self.rollouts = MemoryRollouts(database)
        self.effects = MemoryEffects(database)
        self.timers = MemoryTimers(database)
        self.ticks = MemoryTicks(database)
        self.lanes = MemoryLanes(database)
        self.history = MemoryHistory(database)
        self.served = MemoryServed(database)
        self.alerts = MemoryAlerts(database)
        self.incidents = MemoryIncidents(database)
        self.watched = MemoryWatchedLanes(database)
        self.on_call = MemoryOnCall(database)
        self.silences = MemorySilences(database)
        self.monitors = MemoryMonitors(database)
        self.reports = MemoryReports(database)
        self.exports = MemoryExports(database)
        self.housekeeping = MemoryHousekeeping(database)
        self.cards = self.notes = MemoryNotes(database)
