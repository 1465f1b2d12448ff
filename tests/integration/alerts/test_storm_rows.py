"""What the database keeps of a storm: by its alerts, and not by how often they are told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from bot.adapters.postgres.connection.database import Database
from bot.adapters.postgres.store import PostgresStore
from bot.adapters.redis.waker import EventWaker
from bot.domain.rollout.model import Lane, Rollout
from bot.domain.watch.alerts.findings import Finding
from bot.domain.watch.alerts.lifecycle import MOST_TROUBLES
from bot.engine.api import RollbackRequest
from bot.engine.watch.alerts.calls import MOST_CALLS
from bot.engine.watch.alerts.service import Alerts
from bot.ports.watch.alerts import KEPT_FIRST, KEPT_MORE, KEPT_NEWEST
from tests.support.catalogs import GUILD, PRODUCTION, STAGING, catalog
from tests.support.clocks import FrozenClock
from tests.support.virtual_time import EPOCH
from tests.support.waiting import PATIENCE_S

# Alerts of a storm, and the troubles of each, more than are kept.
ALERTS, TROUBLES, FLAPS = 20, MOST_TROUBLES + 10, 400
TABLES = ("alerts", "alert_entries", "alert_cards", "effects", "notes", "audit")


async def no_rollback(request: RollbackRequest) -> Rollout:
    raise AssertionError("nothing asked for a rollback")


def storm(value: str, at: datetime) -> list[list[Finding]]:
    """As deliveries of 50: two lanes, and racks that belong to none."""
    places: list[tuple[Lane | None, str]] = [(PRODUCTION, "Requests fail"), (STAGING, "Requests fail")]
    places += [(None, f"A disk of rack {n} is full") for n in range(ALERTS - len(places))]
    findings = [
        Finding(f"{number}/{trouble}", "prometheus", title, at, lane=lane, guilds=(GUILD,), value=value)
        for trouble in range(TROUBLES)
        for number, (lane, title) in enumerate(places)
    ]
    return [findings[first : first + 50] for first in range(0, len(findings), 50)]


async def rows(database: Database) -> Mapping[str, int]:
    async with database.connection() as connection:
        return {name: await connection.fetchval(f"SELECT count(*) FROM {name}") for name in TABLES}


async def test_a_storm_leaves_rows_by_its_alerts_however_often_it_is_told(dsn: str) -> None:
    clock = FrozenClock(EPOCH)
    async with Database(dsn, size=2, timeout_s=PATIENCE_S) as database:
        store, known = PostgresStore(database), catalog()

        def process() -> Alerts:
            return Alerts(store, lambda: known, clock=clock, waker=EventWaker(), roll_back=no_rollback)

        async def told(value: str) -> Mapping[str, int]:
            for delivery in storm(value, EPOCH):
                await alerts.hear(delivery)
            return await rows(database)

        alerts = process()
        first = await told("91%")
        assert first["alerts"] == ALERTS
        # A line for each trouble that the alert has room for, not one for each that came.
        assert first["alert_entries"] <= ALERTS * MOST_TROUBLES
        assert first["effects"] == first["notes"] == first["audit"] == first["alert_cards"] == 0
        for value in ("91%", "92%", "93%"):
            clock.forward(1)
            assert await told(value) == first

        # Unanswered, they call people a bounded number of times, over a restart too.
        clock.forward(600)
        for _ in range(2):
            while await alerts.once():
                pass
            alerts = process()
        found = await rows(database)
        assert found["effects"] <= MOST_CALLS + 1
        assert found["alert_entries"] <= first["alert_entries"] + ALERTS


async def test_lines_of_trouble_that_comes_and_goes_are_thinned(dsn: str) -> None:
    clock = FrozenClock(EPOCH)
    async with Database(dsn, size=2, timeout_s=PATIENCE_S) as database:
        store, known = PostgresStore(database), catalog()
        alerts = Alerts(store, lambda: known, clock=clock, waker=EventWaker(), roll_back=no_rollback)
        usual = Finding("flaps", "rule", "Requests fail", EPOCH, lane=PRODUCTION)
        for flap in range(FLAPS):
            at = EPOCH + timedelta(seconds=flap)
            clock.at = at
            await alerts.hear([replace(usual, at=at), replace(usual, at=at, firing=False)])
        assert (await rows(database))["alert_entries"] > KEPT_FIRST + KEPT_NEWEST + KEPT_MORE
        while await store.housekeeping.tidy(EPOCH, EPOCH, EPOCH):
            pass
        found = await rows(database)
        assert found["alerts"] == 1
        assert found["alert_entries"] <= KEPT_FIRST + KEPT_NEWEST + KEPT_MORE
        (alert,) = await store.alerts.open()
        timeline = await store.alerts.timeline(alert.id, 9999)
        assert timeline[0].what == "opened"
        # What was left out is counted.
        (gap,) = [entry for entry in timeline if entry.what == "left_out"]
        assert int(gap.text) > KEPT_MORE
