"""Calendars as other programs write them, and those that would take all time, memory or disk."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web

from bot.adapters.calendars.reader import LARGEST, MOST_EVENTS, IcsCalendars
from bot.domain.secret import Secret
from bot.domain.watch.oncall.calendar import CalendarEvent
from bot.domain.watch.oncall.schedule import CalendarSource
from bot.ports.errors import Unreachable
from tests.support.waiting import PATIENCE_S

SINCE, UNTIL = datetime(2026, 10, 12, tzinfo=UTC), datetime(2026, 11, 16, tzinfo=UTC)
KEY = "private-4711"


def calendar(*events: str, head: str = "") -> str:
    inside = "".join(
        f"BEGIN:VEVENT\nUID:{n}\n{event.strip()}\nEND:VEVENT\n" for n, event in enumerate(events)
    )
    return f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:test\n{head}{inside}END:VCALENDAR\n".replace("\n", "\r\n")


async def read(folder: Path, text: str, zone: str = "Europe/Berlin") -> list[CalendarEvent]:
    file = folder / "a.ics"
    file.write_text(text, encoding="utf-8")
    return list(await IcsCalendars().read(CalendarSource(file=str(file)), zone, SINCE, UNTIL))


async def refused(folder: Path, text: str, **limits: float) -> str:
    file = folder / "a.ics"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(Unreachable) as error:
        await IcsCalendars(**limits).read(CalendarSource(file=str(file)), "UTC", SINCE, UNTIL)
    return str(error.value)


def utc(*when: int) -> datetime:
    return datetime(*when, tzinfo=UTC)  # type: ignore[misc, arg-type]


# ---- what is understood --------------------------------------------------------------------------------------


async def test_recurrences_keep_their_local_time_when_clocks_change(tmp_path: Path) -> None:
    weekly = "DTSTART;TZID=Europe/Berlin:20261012T090000\nDTEND;TZID=Europe/Berlin:20261019T090000\n"
    found = await read(tmp_path, calendar(weekly + "RRULE:FREQ=WEEKLY;INTERVAL=2\nSUMMARY:ada"))
    assert [(event.since, event.until) for event in found] == [
        (utc(2026, 10, 12, 7), utc(2026, 10, 19, 7)),
        (utc(2026, 10, 26, 8), utc(2026, 11, 2, 8)),
        (utc(2026, 11, 9, 8), utc(2026, 11, 16, 8)),
    ]
    assert {event.title for event in found} == {"ada"}


async def test_one_recurrence_may_be_moved_left_out_or_cancelled(tmp_path: Path) -> None:
    series = (
        "DTSTART:20261012T090000Z\nDTEND:20261013T090000Z\nRRULE:FREQ=WEEKLY;COUNT=4\n"
        "EXDATE:20261019T090000Z\nSUMMARY:ada"
    )
    moved = "UID:0\nRECURRENCE-ID:20261026T090000Z\nDTSTART:20261027T100000Z\nDTEND:20261028T100000Z\nSUMMARY:grace"
    text = calendar(series, moved).replace("UID:1\r\n", "")
    cancelled = calendar("DTSTART:20261101T090000Z\nDTEND:20261102T090000Z\nSTATUS:CANCELLED\nSUMMARY:alan")
    found = await read(tmp_path, text + cancelled)
    assert [(event.since, event.title) for event in found] == [
        (utc(2026, 10, 12, 9), "ada"),
        (utc(2026, 10, 27, 10), "grace"),
        (utc(2026, 11, 2, 9), "ada"),
    ]


async def test_whole_days_and_times_without_a_zone_are_the_schedules(tmp_path: Path) -> None:
    days = "DTSTART;VALUE=DATE:20261109\nDTEND;VALUE=DATE:20261111\nSUMMARY:ada"
    floating = "DTSTART:20261111T090000\nDURATION:PT8H\nSUMMARY:grace"
    found = await read(tmp_path, calendar(days, floating))
    assert [(event.since, event.until) for event in found] == [
        (utc(2026, 11, 8, 23), utc(2026, 11, 10, 23)),
        (utc(2026, 11, 11, 8), utc(2026, 11, 11, 16)),
    ]


async def test_attendees_are_names_and_addresses_unless_they_declined(tmp_path: Path) -> None:
    event = (
        "DTSTART:20261109T090000Z\nDTEND:20261110T090000Z\nSUMMARY:On call\n"
        "ATTENDEE;CN=Ada Lovelace:mailto:ada@example.com\n"
        "ATTENDEE;PARTSTAT=DECLINED;CN=Grace:mailto:grace@example.com"
    )
    (found,) = await read(tmp_path, calendar(event))
    assert found.names == ("mailto:ada@example.com", "Ada Lovelace")


# ---- what is refused -----------------------------------------------------------------------------------------


async def test_what_is_no_calendar_is_refused_with_a_sentence(tmp_path: Path) -> None:
    for text in ("", "hello", "<html></html>", "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nEND:VCALENDAR\r\n"):
        assert (await refused(tmp_path, text)).startswith("The calendar is not valid: ")
    with pytest.raises(
        Unreachable, match=r"The calendar gone.ics cannot be read: No such file or directory."
    ):
        await IcsCalendars().read(CalendarSource(file=str(tmp_path / "gone.ics")), "UTC", SINCE, UNTIL)


async def test_an_endless_recurrence_costs_a_limited_time(tmp_path: Path) -> None:
    each_second = "DTSTART:20200101T000000Z\nDTEND:20200101T000001Z\nRRULE:FREQ=SECONDLY\nSUMMARY:ada"
    said = await refused(tmp_path, calendar(each_second), expand_s=1.0)
    assert said == "The calendar takes too long to expand."


async def test_too_many_events_are_refused(tmp_path: Path) -> None:
    often = "DTSTART:20261012T000000Z\nDTEND:20261012T000100Z\nRRULE:FREQ=MINUTELY;COUNT=3000\nSUMMARY:ada"
    said = await refused(tmp_path, calendar(often))
    assert said == f"The calendar is not valid: it has more than {MOST_EVENTS} events in 35 days."


async def test_a_large_file_is_refused(tmp_path: Path) -> None:
    said = await refused(tmp_path, "x" * (LARGEST + 1))
    assert said == "The calendar a.ics is larger than 4 MiB."


# ---- addresses -----------------------------------------------------------------------------------------------


@asynccontextmanager
async def serving(answer: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/{KEY}/a.ics"
    finally:
        await runner.cleanup()


def at(url: str, *, allow_loopback: bool = True) -> CalendarSource:
    return CalendarSource(url=Secret(url), allow_loopback=allow_loopback)


async def asked(source: CalendarSource, fetch_s: float = PATIENCE_S) -> str:
    with pytest.raises(Unreachable) as error:
        await IcsCalendars(fetch_s=fetch_s).read(source, "UTC", SINCE, UNTIL)
    assert KEY not in str(error.value)
    return str(error.value)


async def test_an_address_is_fetched(tmp_path: Path) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(text=calendar("DTSTART:20261109T090000Z\nDURATION:P1D\nSUMMARY:ada"))

    async with serving(answer) as url:
        (found,) = await IcsCalendars().read(at(url), "UTC", SINCE, UNTIL)
    assert (found.title, found.until - found.since) == ("ada", timedelta(days=1))


async def test_failures_name_the_host_and_not_the_secret_address() -> None:
    async def missing(request: web.Request) -> web.Response:
        return web.Response(status=404)

    async with serving(missing) as url:
        host = url.split("/")[2]
        assert await asked(at(url)) == f"The calendar at {host} answered 404 Not Found."
    assert (await asked(at(url))).startswith(f"The calendar at {host} cannot be fetched")


async def test_a_server_that_hangs_streams_or_redirects_away_is_left() -> None:
    async def hang(request: web.Request) -> web.Response:
        await asyncio.sleep(60)
        return web.Response()

    async def stream(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x" * 65536)

    async def circle(request: web.Request) -> web.Response:
        raise web.HTTPFound(request.url)

    async def inside(request: web.Request) -> web.Response:
        raise web.HTTPFound(f"http://10.0.0.1/{KEY}")

    async def file(request: web.Request) -> web.Response:
        raise web.HTTPFound("file:///etc/passwd")

    async with serving(hang) as url:
        assert "did not answer in full within 0.5 s" in await asked(at(url), fetch_s=0.5)
    for answer, said in (
        (stream, "is larger than 4096 KiB"),
        (circle, "redirected more than 5 times"),
        (inside, "use https"),
        (file, "use https"),
    ):
        async with serving(answer) as url:
            assert said in await asked(at(url), fetch_s=PATIENCE_S)


async def test_plain_http_is_refused_except_on_this_machine_to_try_it_out() -> None:
    assert "use https" in await asked(at("http://127.0.0.1:1/private-4711", allow_loopback=False))
