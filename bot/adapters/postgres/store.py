"""The store in PostgreSQL, on one connection pool."""

from __future__ import annotations

from bot.adapters.postgres.connection.database import Database
from bot.adapters.postgres.effects import PostgresEffects
from bot.adapters.postgres.history import PostgresHistory, PostgresHousekeeping, PostgresNotes
from bot.adapters.postgres.lanes import PostgresLanes
from bot.adapters.postgres.reports import PostgresExports, PostgresReports
from bot.adapters.postgres.rollouts import Charters, PostgresRollouts
from bot.adapters.postgres.served import PostgresServed
from bot.adapters.postgres.ticks import PostgresTicks, PostgresTimers
from bot.adapters.postgres.watch.alerts import PostgresAlerts, PostgresWatchedLanes
from bot.adapters.postgres.watch.incidents import PostgresIncidents
from bot.adapters.postgres.watch.monitors import PostgresMonitors
from bot.adapters.postgres.watch.oncall import PostgresOnCall
from bot.adapters.postgres.watch.silences import PostgresSilences
from bot.ports.store import EffectStore, RolloutStore


class PostgresStore:
    """Implements `bot.ports.store.Store`. Connects on first use; the caller closes `database`."""

    def __init__(self, database: Database) -> None:
        charters = Charters()
        # Composition may put another around these two.
        self.rollouts: RolloutStore = PostgresRollouts(database, charters)
        self.effects: EffectStore = PostgresEffects(database)
        self.timers = PostgresTimers(database)
        self.ticks = PostgresTicks(database, charters)
        self.lanes = PostgresLanes(database, charters)
        self.history = PostgresHistory(database)
        self.served = PostgresServed(database)
        self.alerts = PostgresAlerts(database)
        self.incidents = PostgresIncidents(database)
        self.watched = PostgresWatchedLanes(database)
        self.on_call = PostgresOnCall(database)
        self.silences = PostgresSilences(database)
        self.monitors = PostgresMonitors(database)
        self.reports = PostgresReports(database)
        self.exports = PostgresExports(database)
        self.housekeeping = PostgresHousekeeping(database)
        self.cards = self.notes = PostgresNotes(database)
