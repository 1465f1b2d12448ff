"""What `SilenceStore` promises, in memory and on PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.watch.alerts.silences import Silence
from bot.engine.watch.alerts.silencing import entry
from tests.fakes.store import MemoryDatabase
from tests.support.actors import ONCALL
from tests.support.catalogs import GUILD
from tests.support.postgres import PostgresServer
from tests.support.stores import BOTH, StoreWorld, opened_store
from tests.support.virtual_time import EPOCH

HOUR = timedelta(hours=1)


class SilenceStoreWorld(StoreWorld):
    async def added(self, since: int = 0, until: int = 1) -> Silence:
        labels = {"pod": "web-1 🚀", "x": "'; --"}
        wanted = Silence(
            0,
            GUILD,
            "checkout",
            "",
            labels,
            EPOCH + since * HOUR,
            EPOCH + until * HOUR,
            "dis\0k",
            2**62,
            "ada",
            EPOCH,
        )
        return await self.store.silences.add(wanted, entry(wanted, ONCALL, EPOCH, "silence_added"))

    async def due(self, hours: float) -> list[int]:
        return [each.id for each in await self.store.silences.due(EPOCH + hours * HOUR, 10)]

    async def kept(self) -> list[int]:
        """All that are stored, over or not."""
        if isinstance(self.database, MemoryDatabase):
            return sorted(self.database.tables.silences)
        async with self.database.connection() as connection:
            return [row["id"] for row in await connection.fetch("SELECT id FROM silences ORDER BY id")]

    async def standing(self, hours: float) -> list[int]:
        return [each.id for each in await self.store.silences.standing(EPOCH + hours * HOUR)]


@pytest.fixture(params=BOTH)
async def world(request: pytest.FixtureRequest, postgres: PostgresServer) -> AsyncIterator[SilenceStoreWorld]:
    async with opened_store(request.param, postgres, SilenceStoreWorld) as world:
        yield world


async def test_silences_are_read_as_they_were_added_until_they_are_over(world: SilenceStoreWorld) -> None:
    short, long = await world.added(), await world.added(1, 2)
    assert 0 < short.id < long.id
    first, _ = await world.store.silences.standing(EPOCH)
    assert replace(first, reason="") == replace(short, reason="")
    assert first.labels == short.labels
    assert await world.standing(0.99) == [short.id, long.id]
    assert await world.standing(1) == [long.id]
    assert await world.standing(2) == []


async def test_beginning_and_end_are_each_carried_out_once(world: SilenceStoreWorld) -> None:
    silence = await world.added(1, 2)
    carried_out = world.store.silences.carried_out
    assert await world.due(0.99) == []
    assert await world.due(1) == [silence.id]
    at = EPOCH + HOUR
    assert sorted(await asyncio.gather(carried_out(silence, at, None), carried_out(silence, at, None))) == [
        False,
        True,
    ]
    assert await world.due(1.5) == []
    assert [each.begun for each in await world.store.silences.standing(EPOCH)] == [True]
    assert await world.due(2) == [silence.id]
    over = entry(silence, ONCALL, at, "silence_over")
    assert await carried_out(silence, EPOCH + 2 * HOUR, over)
    assert not await carried_out(silence, EPOCH + 2 * HOUR, over)
    assert await world.due(99) == []


async def test_one_that_a_person_ends_is_over_at_once_and_due_until_alerts_are_woken(
    world: SilenceStoreWorld,
) -> None:
    silence, other = await world.added(), await world.added()
    at = EPOCH + HOUR / 2
    line = entry(silence, ONCALL, at, "silence_ended")
    assert await world.store.silences.end(silence.id, at, line)
    assert not await world.store.silences.end(silence.id, at, line)
    assert not await world.store.silences.end(other.id, EPOCH + HOUR, line)
    assert not await world.store.silences.end(other.id + 99, at, line)
    assert await world.standing(0.5) == [other.id]
    due = {each.id: each for each in await world.store.silences.due(at, 10)}
    assert due[silence.id].over_at == at
    assert await world.store.silences.carried_out(due[silence.id], at, None)
    assert silence.id not in await world.due(0.5)


async def test_silences_that_were_over_for_long_are_tidied(world: SilenceStoreWorld) -> None:
    """By when they were over; what was not carried out yet stays, however old it is."""
    silences = world.store.silences
    old, just, waiting = await world.added(until=1), await world.added(until=2), await world.added(until=1)
    for each in (old, just):
        assert await silences.carried_out(each, EPOCH + 3 * HOUR, None)
    assert not await world.store.housekeeping.tidy(EPOCH, EPOCH, EPOCH + 2 * HOUR)
    assert await world.kept() == [just.id, waiting.id]
    assert await world.due(3) == [waiting.id]
    assert (await world.added(4, 5)).id > waiting.id
