"""Calendars are read at their interval; while one is away, what was read last counts."""

from __future__ import annotations

from bot.domain.watch.oncall.schedule import Calendar, CalendarSource
from bot.engine.watch.oncall.calendars import CalendarLoop
from tests.support.catalogs import GUILD, catalog
from tests.support.oncall import ADA, DAY, NOW, Desk, FakeCalendarReader, schedule, with_schedules


def calendar(file: str = "/a.ics", refresh_s: float = 900.0) -> Desk:
    source = CalendarSource(file=file, refresh_s=refresh_s)
    return Desk(with_schedules(catalog(), schedule(rotation=None, source=source, calendar=Calendar())))


def loop(desk: Desk, reader: FakeCalendarReader) -> CalendarLoop:
    return CalendarLoop(reader, desk.store.on_call, lambda: desk.catalog, desk.clock)


async def test_a_calendar_is_read_at_once_and_then_at_its_interval() -> None:
    desk, reader = calendar(), FakeCalendarReader()
    await loop(desk, reader).once()
    assert reader.reads == [("/a.ics", "Europe/Berlin")]
    assert reader.asked is not None
    assert reader.asked[0] < NOW - 4 * 7 * DAY and reader.asked[1] > NOW + 4 * 7 * DAY
    assert (await desk.on_call.responders("payments")).primary == ADA
    desk.clock.forward(899)
    await loop(desk, reader).once()
    assert len(reader.reads) == 1
    desk.clock.forward(1)
    await loop(desk, reader).once()
    assert len(reader.reads) == 2


async def test_while_it_is_away_what_was_read_counts_and_it_is_asked_again_each_minute() -> None:
    desk, reader = calendar(), FakeCalendarReader()
    await loop(desk, reader).once()
    desk.clock.forward(900)
    reader.problem = "The calendar is away."
    await loop(desk, reader).once()
    (found,) = await desk.on_call.status(GUILD)
    assert (found.now.person, found.problem) == (ADA, "The calendar is away.")
    desk.clock.forward(60)
    reader.problem = ""
    await loop(desk, reader).once()
    (found,) = await desk.on_call.status(GUILD)
    assert (found.now.person, found.problem, len(reader.reads)) == (ADA, "", 3)


async def test_one_that_was_never_read_is_a_gap_that_says_why() -> None:
    desk, reader = calendar(), FakeCalendarReader()
    reader.problem = "The calendar is away."
    await loop(desk, reader).once()
    (found,) = await desk.on_call.status(GUILD)
    assert (found.now.person, found.now.why) == (None, "The calendar is away.")


async def test_another_calendar_is_read_at_once_and_the_former_one_counts_no_more() -> None:
    desk, reader = calendar(), FakeCalendarReader()
    await loop(desk, reader).once()
    desk.catalog = calendar("/b.ics").catalog
    reader.problem = "The calendar is away."
    await loop(desk, reader).once()
    assert reader.reads[-1][0] == "/b.ics"
    (found,) = await desk.on_call.status(GUILD)
    assert found.now.person is None


async def test_a_catalog_without_calendars_reads_none() -> None:
    desk, reader = Desk(), FakeCalendarReader()
    await loop(desk, reader).once()
    assert reader.reads == []
