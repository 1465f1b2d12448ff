"""Rows of a Slipway without stamps, which may still run while it is being replaced."""

from __future__ import annotations

from datetime import UTC, datetime

from bot.adapters.postgres.connection.database import Database
from bot.adapters.postgres.store import PostgresStore
from bot.domain.records import RolloutChange
from bot.domain.rollout.events import Acted
from bot.domain.rollout.machine import machine
from bot.domain.rollout.model import Action
from bot.engine.stepper import change_of
from tests.support.actors import LEAD
from tests.support.catalogs import PRODUCTION, STRAIGHT, begin_rollout

NOW = datetime(2026, 11, 20, tzinfo=UTC)


async def change(store: PostgresStore, rollout_id: int, action: Action) -> RolloutChange:
    loaded = await store.rollouts.load(rollout_id)
    assert loaded is not None
    return change_of(loaded, machine.step(loaded.rollout, Acted(action, LEAD, NOW)), NOW)


async def test_a_row_without_a_stamp_is_saved_and_has_one_then(dsn: str) -> None:
    async with Database(dsn) as database:
        store = PostgresStore(database)
        begun = begin_rollout(id=1, lane=PRODUCTION, plan=STRAIGHT, at=NOW, generation=0)
        assert await store.rollouts.save(change_of(None, begun, NOW))
        async with database.connection() as connection:
            await connection.execute("UPDATE rollouts SET stamp = DEFAULT")
        assert await store.rollouts.save(await change(store, 1, Action.PAUSE))
        loaded = await store.rollouts.load(1)
        assert loaded is not None
        assert loaded.rollout.stamp


async def test_what_an_earlier_version_saved_meanwhile_is_not_overwritten(dsn: str) -> None:
    """It raises the version and leaves the stamp as it is."""
    async with Database(dsn) as database:
        store = PostgresStore(database)
        begun = begin_rollout(id=1, lane=PRODUCTION, plan=STRAIGHT, at=NOW, generation=0)
        assert await store.rollouts.save(change_of(None, begun, NOW))
        paused = await change(store, 1, Action.PAUSE)
        async with database.connection() as connection:
            await connection.execute("UPDATE rollouts SET version = version + 1")
        assert not await store.rollouts.save(paused)
