"""Hand-overs are announced once for each change, with both people mentioned."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from bot.domain.watch.oncall.calendar import CalendarEvent
from bot.domain.watch.oncall.schedule import Calendar, CalendarSource
from bot.engine.watch.oncall.handover import HandOvers
from bot.ports.watch.oncall import ReadCalendar
from tests.support.catalogs import GUILD, STAGING, catalog
from tests.support.oncall import (
    ADA,
    ALAN,
    DAY,
    GRACE,
    HAND_OVER,
    HOUR,
    NOW,
    WEEK,
    Desk,
    schedule,
    with_schedules,
)

SOURCE = CalendarSource(file="/payments.ics")


def loop(desk: Desk) -> HandOvers:
    """As a process has it after its start."""
    return HandOvers(desk.on_call, desk.store.on_call, lambda: desk.catalog)


async def seen(desk: Desk) -> Desk:
    """After the first look."""
    await loop(desk).once()
    assert desk.messages == []
    return desk


async def test_a_hand_over_mentions_both_people_and_says_what_comes_next() -> None:
    desk = await seen(Desk())
    desk.clock.at = HAND_OVER
    await loop(desk).once()
    (said,) = desk.messages
    assert (said.title, said.icon, said.channel) == ("payments: alan is on call", "📟", "alerts")
    assert said.text == "Before: grace. alan hands over to ada ⟨2026-11-23T08:00:00Z⟩."
    assert (said.mention_users, said.mention_roles, said.guild_id) == ((ALAN.id, GRACE.id), (), GUILD)
    assert len(said.key) <= 24


async def test_nothing_is_said_before_the_hand_over_and_once_after_it_over_restarts() -> None:
    desk = await seen(Desk())
    desk.clock.at = HAND_OVER - HOUR
    await loop(desk).once()
    assert desk.messages == []
    desk.clock.at = HAND_OVER
    for _ in range(3):
        await loop(desk).once()
    desk.clock.forward(HOUR.total_seconds())
    await loop(desk).once()
    assert len(desk.messages) == 1


async def test_what_came_due_while_no_process_ran_is_said_once_for_who_is_on_call_now() -> None:
    desk = await seen(Desk())
    desk.clock.at = HAND_OVER + WEEK + DAY  # two hand-overs later
    await loop(desk).once()
    assert [said.title for said in desk.messages] == ["payments: ada is on call"]


async def test_two_processes_at_one_hand_over_say_it_once() -> None:
    desk = await seen(Desk())
    desk.clock.at = HAND_OVER
    await asyncio.gather(loop(desk).once(), loop(desk).once())
    assert len(desk.messages) == 1


async def test_an_override_is_a_hand_over_there_and_back() -> None:
    desk = await seen(Desk())
    await desk.on_call.override(desk.asked(ADA, hours=8))
    await loop(desk).once()
    desk.clock.forward(8 * 3600)
    await loop(desk).once()
    assert [(said.title, said.mention_users) for said in desk.messages] == [
        ("payments: ada is on call", (ADA.id, GRACE.id)),
        ("payments: grace is on call", (GRACE.id, ADA.id)),
    ]
    assert desk.messages[0].text == "Before: grace. ada hands over to grace ⟨2026-11-11T20:00:00Z⟩."


async def test_an_edit_of_the_catalog_that_changes_who_is_on_call_is_announced() -> None:
    desk = await seen(Desk())
    desk.catalog = with_schedules(catalog(), schedule("payments", GRACE, ADA))
    await loop(desk).once()
    assert [said.title for said in desk.messages] == ["payments: ada is on call"]


async def test_a_gap_calls_the_role_and_says_who_takes_over_when() -> None:
    source = schedule(rotation=None, source=SOURCE, calendar=Calendar())
    desk = Desk(with_schedules(catalog(), source))
    await loop(desk).once()  # the calendar was not read: nothing is known, and nothing is recorded
    assert await desk.store.on_call.told() == {}
    events = (
        CalendarEvent(NOW - DAY, NOW + DAY, "ada"),
        CalendarEvent(NOW + 2 * DAY, NOW + 3 * DAY, "grace"),
    )
    await desk.store.on_call.put_calendar(ReadCalendar("payments", SOURCE.digest, events, NOW + WEEK, NOW))
    await seen(desk)
    desk.clock.at = NOW + DAY
    await loop(desk).once()
    (said,) = desk.messages
    assert (said.title, said.icon) == ("payments: no one is on call", "")
    assert said.text == (
        "Before: ada. The calendar has no event for that time. grace takes over ⟨2026-11-13T12:00:00Z⟩.\n"
        "`/oncall override` gives the time to a person."
    )
    assert (said.mention_users, said.mention_roles) == ((ADA.id,), ("on-call",))


async def test_a_next_person_who_left_the_server_is_told_before_the_shift() -> None:
    desk = await seen(Desk())
    desk.members.left = {ADA.id}
    desk.clock.at = HAND_OVER
    await loop(desk).once()
    (said,) = desk.messages
    assert said.text.endswith("\n⚠️ ada is not in this server and cannot be called.")
    assert (said.mention_roles, said.icon) == ((), "📟")


async def test_a_person_on_call_who_left_the_server_calls_the_role() -> None:
    desk = await seen(Desk())
    desk.members.left = {ALAN.id}
    desk.clock.at = HAND_OVER
    await loop(desk).once()
    (said,) = desk.messages
    assert "⚠️ alan is not in this server and cannot be called.\n`/oncall override`" in said.text
    assert (said.mention_roles, said.mention_users, said.icon) == (("on-call",), (GRACE.id,), "")


async def test_each_server_of_the_lanes_is_told_and_no_other() -> None:
    has = with_schedules(catalog(), schedule())
    guild = has.guilds[GUILD]
    guilds = {number: replace(guild, id=number, name=str(number)) for number in (GUILD, 43, 44)}
    lanes = {**has.lanes, STAGING: replace(has.lanes[STAGING], guilds=(GUILD, 43))}
    desk = await seen(Desk(replace(has, guilds=guilds, lanes=lanes)))
    desk.clock.at = HAND_OVER
    await loop(desk).once()
    assert [said.guild_id for said in desk.messages] == [GUILD, 43]
    assert len({said.key for said in desk.messages}) == 2


async def test_someone_alone_is_never_handed_over() -> None:
    desk = await seen(Desk(with_schedules(catalog(), schedule("payments", ADA))))
    desk.clock.at = NOW + 10 * WEEK
    await loop(desk).once()
    assert desk.messages == []


@pytest.mark.parametrize("schedules", [(), (schedule(),)])
async def test_a_round_without_changes_writes_nothing(schedules: tuple[object, ...]) -> None:
    desk = await seen(Desk(with_schedules(catalog(), *schedules)))  # type: ignore[arg-type]
    before = dict(await desk.store.on_call.told())
    await loop(desk).once()
    assert await desk.store.on_call.told() == before
    assert len(before) == len(schedules)
