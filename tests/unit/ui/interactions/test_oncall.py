"""Answers about on-call schedules: what they say, and that they always fit into a message."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from bot.domain.watch.oncall.pages import Page
from bot.domain.watch.oncall.rotation import Rotation
from bot.domain.watch.oncall.schedule import Calendar as ReadCalendar
from bot.domain.watch.oncall.schedule import CalendarShift, OnCallSchedule, Person
from bot.engine.watch.oncall.service import OnCallStatus
from bot.ui import escaping
from bot.ui.errors import Reply
from bot.ui.interactions import oncall
from tests.support.catalogs import GUILD, catalog
from tests.support.components import payload, said
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

UNTIL, NEXT = int(HAND_OVER.timestamp()), int((HAND_OVER + WEEK).timestamp())


def shown(reply: Reply) -> str:
    assert reply.view is not None
    assert reply.view.total_children_count <= 40
    found = said(reply.view)
    assert escaping.units(found) <= 4000
    payload(reply.view)
    return found


async def status(*schedules: OnCallSchedule, desk: Desk | None = None) -> list[OnCallStatus]:
    desk = desk or Desk()
    desk.catalog = with_schedules(catalog(), *(schedules or (schedule(),)))
    return list(await desk.on_call.status(GUILD))


async def test_who_shows_the_person_until_when_and_who_comes_after() -> None:
    found = shown(oncall.who(await status(schedule(lead_role="lead"))))
    assert found.splitlines() == [
        "## On call",
        "### payments",
        f"📟 **<@102>** until <t:{UNTIL}:f>, <t:{UNTIL}:R>",
        "**Next** <@103> · **Second** <@103> · **Lead** `lead`",
        "-# For checkout/staging, checkout/production",
    ]


async def test_who_shows_an_override_with_its_reason_and_giver() -> None:
    desk = Desk()
    await desk.on_call.override(desk.asked(ADA, hours=8, reason="the *dentist* @everyone"))
    found = shown(oncall.who(await status(desk=desk)))
    ends = int((NOW + 8 * HOUR).timestamp())
    assert f"📟 **<@101>** until <t:{ends}:f>" in found
    assert "-# Override by oncall: “the \\*dentist\\* @\u200beveryone”" in found


async def test_who_says_that_no_one_is_on_call_and_when_someone_is() -> None:
    shifts = (CalendarShift(HAND_OVER, HAND_OVER + WEEK, ADA),)
    empty = schedule(rotation=None, calendar=ReadCalendar(shifts, HAND_OVER + 6 * WEEK))
    found = shown(oncall.who(await status(empty)))
    assert f"🚨 **No one is on call** until <t:{UNTIL}:f>, <t:{UNTIL}:R>. The calendar has no event" in found
    assert "**Next** <@101> · **Second** <@101>" in found
    # The gap that is now is not told twice, the later one is.
    assert found.count("⚠️") == 1
    assert f"⚠️ No one is on call for payments from <t:{NEXT}:f> to <t:" in found


async def test_people_who_left_are_named_and_not_mentioned() -> None:
    desk = Desk()
    desk.members.left = {ALAN.id}
    found = shown(oncall.who(await status(desk=desk)))
    assert "**Next** alan · **Second** alan" in found
    assert "⚠️ alan is not in this server and cannot be called." in found
    assert "<@103>" not in found
    assert "alan · left the server" in shown(oncall.weeks(await status(desk=desk)))


async def test_the_last_test_page_is_shown() -> None:
    desk = Desk()
    page = Page("payments", NOW, GRACE, NOW)
    (found,) = await status(desk=desk)
    missed = replace(found, page=replace(page, missed_at=NOW + HOUR))
    assert "⚠️ grace has not answered the test page that was sent <t:" in shown(oncall.who([missed]))
    answered = replace(found, page=replace(page, answered_at=NOW))
    assert f"-# Test page answered <t:{int(NOW.timestamp())}:R>" in shown(oncall.who([answered]))


async def test_a_calendar_that_is_away_is_said_while_it_still_counts() -> None:
    shifts = (CalendarShift(NOW - DAY, NOW + 5 * WEEK, ADA),)
    calendar = ReadCalendar(shifts, NOW + 8 * WEEK, "It answered 500.")
    found = shown(oncall.who(await status(schedule(rotation=None, calendar=calendar))))
    assert "⚠️ The calendar is shown as it was read before. It answered 500." in found


async def test_the_weeks_have_a_line_for_each_shift() -> None:
    desk = Desk()
    await desk.on_call.override(desk.asked(ADA, since=HAND_OVER, until=HAND_OVER + DAY))
    found = shown(oncall.weeks(await status(desk=desk))).splitlines()
    after = int((HAND_OVER + DAY).timestamp())
    assert found[1:3] == ["### payments", "-# Hand-over in Europe/Berlin, shown in your time"]
    assert found[4:6] == [
        f"<t:{UNTIL}:d> <t:{UNTIL}:t> <@101> · override by oncall",
        f"<t:{after}:d> <t:{after}:t> <@103>",
    ]
    assert len(found) == 3 + 6


async def test_the_weeks_of_a_daily_rotation_are_all_there() -> None:
    daily = schedule()
    assert daily.rotation is not None
    daily = replace(daily, rotation=Rotation("Europe/Berlin", daily.rotation.begins, timedelta(days=1)))
    lines = shown(oncall.weeks(await status(daily))).splitlines()
    assert sum(line.startswith("<t:") for line in lines) == 29


async def test_many_schedules_fit_and_the_rest_is_counted() -> None:
    many = [schedule(f"schedule-{n:02}", GRACE, Person(2**63 - 1, "x" * 32)) for n in range(40)]
    for reply in (oncall.who(await status(*many)), oncall.weeks(await status(*many))):
        found = shown(reply)
        assert "schedule-00" in found
        assert "more; name a schedule to see it" in found


async def test_an_override_names_exactly_what_changes() -> None:
    desk = Desk()
    until = HAND_OVER + DAY
    done = await desk.on_call.override(desk.asked(ADA, until=until))
    now, ends = int(NOW.timestamp()), int(until.timestamp())
    assert oncall.overridden(done).content.splitlines() == [
        f"📟 **<@101>** is on call for `payments` from <t:{now}:f> to <t:{ends}:f>, "
        f"instead of <@102> (until <t:{UNTIL}:f>) and <@103> (until <t:{ends}:f>).",
        f"-# “a dentist” · It ends by itself <t:{ends}:R>.",
    ]
    short = await desk.on_call.override(desk.asked(GRACE, hours=1))
    assert "instead of <@101>." in oncall.overridden(short).content
