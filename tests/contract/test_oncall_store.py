"""What `OnCallStore` promises, in memory and on PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.records import AuditEntry
from bot.domain.rollout.events import CallPeople
from bot.domain.watch.oncall.calendar import CalendarEvent
from bot.domain.watch.oncall.pages import Page
from bot.domain.watch.oncall.schedule import Override, Person
from bot.engine.stepper import MESSAGE_KINDS
from bot.ports.store import NO_LANE
from bot.ports.watch.oncall import ReadCalendar, Told
from tests.support.actors import LEAD
from tests.support.catalogs import GUILD
from tests.support.postgres import PostgresServer
from tests.support.stores import BOTH, StoreWorld, opened_store
from tests.support.virtual_time import EPOCH

HOUR = timedelta(hours=1)
ADA = Person(2**62, "ada 🚀")
SAID = CallPeople(
    "hand-over-1", GUILD, "payments: ada is on call", "Until Monday.", mention_users=(ADA.id,), icon="📟"
)
FIRST = Told("payments", None, "", EPOCH)
SECOND = Told("payments", ADA.id, ADA.name, EPOCH + HOUR)


class OnCallStoreWorld(StoreWorld):
    async def given(self, hours: int, schedule: str = "payments") -> Override:
        now = self.clock.now()
        override = Override(0, schedule, ADA, now, now + hours * HOUR, LEAD.id, LEAD.name, "holi\0day", now)
        entry = AuditEntry(NO_LANE, LEAD, now, "on_call_override", "holiday", GUILD)
        return await self.store.on_call.give(override, entry)


@pytest.fixture(params=BOTH)
async def world(request: pytest.FixtureRequest, postgres: PostgresServer) -> AsyncIterator[OnCallStoreWorld]:
    async with opened_store(request.param, postgres, OnCallStoreWorld) as world:
        yield world


async def test_overrides_are_read_as_they_were_given_until_they_are_over(world: OnCallStoreWorld) -> None:
    short, long = await world.given(1), await world.given(2, "search")
    assert 0 < short.id < long.id
    found = await world.store.on_call.overrides(EPOCH)
    assert [replace(each, reason="") for each in found] == [replace(e, reason="") for e in (short, long)]
    assert [each.person.name for each in found] == [ADA.name, ADA.name]
    assert [each.id for each in await world.store.on_call.overrides(EPOCH + HOUR)] == [long.id]
    assert await world.store.on_call.overrides(EPOCH + 2 * HOUR) == []


async def test_a_hand_over_is_announced_once_and_with_its_messages(world: OnCallStoreWorld) -> None:
    store = world.store.on_call
    assert await store.told() == {}
    assert await store.tell(None, FIRST, ())
    assert not await store.tell(None, SECOND, [SAID])
    assert not await store.tell(replace(FIRST, since=EPOCH + HOUR), SECOND, [SAID])
    assert await world.messages() == []
    assert await store.tell(FIRST, SECOND, [SAID])
    assert not await store.tell(FIRST, SECOND, [SAID])
    assert await store.told() == {"payments": SECOND}
    assert await world.messages() == [SAID]


async def test_of_two_processes_one_announces_the_hand_over(world: OnCallStoreWorld) -> None:
    store = world.store.on_call
    assert await store.tell(None, FIRST, ())
    done = await asyncio.gather(*(store.tell(FIRST, SECOND, [SAID]) for _ in range(4)))
    assert sorted(done) == [False, False, False, True]
    assert await world.messages() == [SAID]


async def test_a_calendar_is_kept_as_it_was_read_last(world: OnCallStoreWorld) -> None:
    store = world.store.on_call
    assert await store.calendars() == {}
    event = CalendarEvent(EPOCH, EPOCH + HOUR, "ada “on call” 🚀", ("mailto:ada@example.com", "Ada"))
    read = ReadCalendar("payments", "a1", (event,), EPOCH + 24 * HOUR, EPOCH)
    for calendar in (replace(read, events=(), until=None, problem="It is away."), read):
        await store.put_calendar(calendar)
        assert await store.calendars() == {"payments": calendar}


async def test_a_test_page_is_sent_once_and_answered_or_missed(world: OnCallStoreWorld) -> None:
    store = world.store.on_call
    page = Page("payments", EPOCH, ADA, EPOCH)
    assert await store.send_page(page, [SAID])
    assert not await store.send_page(page, [SAID])
    claims = await world.store.effects.claim(sorted(MESSAGE_KINDS), 10, 10.0, ())
    assert [claim.effect for claim in claims] == [SAID]
    assert await store.pages(EPOCH) == [page]
    assert await store.posted([SAID.key, "unknown"]) == {}
    await world.store.effects.close(claims)
    done = await store.posted([SAID.key, "unknown"])
    assert [*done] == [SAID.key]
    assert await store.pages(EPOCH + HOUR) == []
    assert await store.answer_page(page, EPOCH + HOUR)
    assert not await store.answer_page(page, EPOCH + HOUR)
    assert not await store.miss_page(page, EPOCH + HOUR, [replace(SAID, key="missed-1")])
    later = replace(page, due_at=EPOCH + HOUR)
    assert await store.send_page(later, ())
    assert await store.miss_page(later, EPOCH + 2 * HOUR, [replace(SAID, key="missed-2")])
    assert not await store.answer_page(later, EPOCH + 2 * HOUR)
    assert await store.pages(EPOCH) == [
        replace(page, answered_at=EPOCH + HOUR),
        replace(later, missed_at=EPOCH + 2 * HOUR),
    ]
    assert [effect.key for effect in await world.messages()] == ["missed-2"]  # type: ignore[attr-defined]


async def test_overrides_and_test_pages_of_long_ago_are_tidied(world: OnCallStoreWorld) -> None:
    store, before = world.store.on_call, EPOCH + 2 * HOUR
    _, just = await world.given(1), await world.given(2)
    pages = [Page("payments", EPOCH + hours * HOUR, ADA, EPOCH + hours * HOUR) for hours in (1, 2)]
    for page in pages:
        assert await store.send_page(page, [])
    assert not await world.store.housekeeping.tidy(EPOCH, EPOCH, before)
    assert [each.id for each in await store.overrides(EPOCH - HOUR)] == [just.id]
    assert [each.due_at for each in await store.pages(EPOCH - HOUR)] == [before]
    assert (await world.given(3)).id > just.id
