"""On-call schedules of a catalog: what they resolve to, and every mistake with its place."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from bot.__main__ import cli
from bot.catalog.models.oncall import parse_hand_over, parse_rotation
from bot.domain.rollout.model import Lane
from bot.domain.secret import Secret
from bot.domain.watch.oncall.rotation import Rotation
from bot.domain.watch.oncall.schedule import Calendar, CalendarSource, OnCallSchedule, Person
from tests.support.catalog_files import SOUND, check, line_of, load, reloader, write

ADA, GRACE = Person(200000000000000001, "ada"), Person(200000000000000002, "grace")
PEOPLE = """\
people:
  ada: "200000000000000001"
  grace: {id: "200000000000000002", calendar: [Grace Hopper, grace@example.com]}
"""
WEEKLY = """\
on_call:
  payments:
    people: [ada, grace]
    time_zone: Europe/Berlin
    start: 2026-11-23
"""


def oncall(schedules: str, people: str = PEOPLE) -> str:
    return SOUND + people + schedules


def mistakes(folder: Path, text: str) -> list[str]:
    _, found = check(write(folder, all=text))
    return [f"{each.place.line}: {each.key}: {each.sentence} {each.hint}".rstrip() for each in found]


def test_a_rotation_is_weekly_from_the_first_hand_over_on(tmp_path: Path) -> None:
    schedule = load(write(tmp_path, all=oncall(WEEKLY))).on_call["payments"]
    rotation = Rotation("Europe/Berlin", datetime(2026, 11, 23, 9), timedelta(weeks=1))
    assert schedule == OnCallSchedule("payments", (ADA, GRACE), "Europe/Berlin", rotation)
    assert [person.name for person in schedule.people] == ["ada", "grace"]
    assert schedule.people[1].aliases == ("Grace Hopper", "grace@example.com")


@pytest.mark.parametrize(
    ("keys", "begins", "length"),
    [
        ('hand_over: "wednesday 17:30"', datetime(2026, 11, 25, 17, 30), timedelta(weeks=1)),
        ('hand_over: "8:00"', datetime(2026, 11, 23, 8), timedelta(weeks=1)),
        ("rotation: daily", datetime(2026, 11, 23, 9), timedelta(days=1)),
        ('rotation: 12h\n    hand_over: "20:00"', datetime(2026, 11, 23, 20), timedelta(hours=12)),
        ('rotation: 14d\n    hand_over: "fri 09:00"', datetime(2026, 11, 27, 9), timedelta(days=14)),
    ],
)
def test_turns_and_hand_overs(tmp_path: Path, keys: str, begins: datetime, length: timedelta) -> None:
    found = load(write(tmp_path, all=oncall(f"{WEEKLY}    {keys}\n")))
    assert found.on_call["payments"].rotation == Rotation("Europe/Berlin", begins, length)


def test_a_schedule_has_its_second_and_its_lead(tmp_path: Path) -> None:
    text = oncall(WEEKLY + '    second: backup\n    lead: lead\n    test_page: "Thu 11:00"\n')
    text += "  backup: {people: grace, time_zone: UTC, start: 2026-01-05, second: none, lead: ada}\n"
    found = load(write(tmp_path, all=text)).on_call
    assert found["payments"].second == found["backup"]
    assert (found["payments"].lead, found["payments"].lead_role) == (None, "lead")
    assert found["payments"].tested == Rotation("Europe/Berlin", datetime(2026, 1, 8, 11), timedelta(weeks=1))
    assert found["backup"].tested is None
    assert (found["backup"].second, found["backup"].lead) == (None, ADA)


def test_a_calendar_is_a_file_beside_the_catalog_or_an_address(tmp_path: Path) -> None:
    (tmp_path / "payments.ics").write_text("BEGIN:VCALENDAR")
    text = oncall(
        "on_call:\n"
        "  payments: {time_zone: UTC, ics: payments.ics}\n"
        "  search: {time_zone: UTC, people: ada, ics: {source: '${ADDRESS}', refresh: 1h}}\n"
    )
    found = load(write(tmp_path, all=text), {"ADDRESS": "https://cal.example/secret.ics"}).on_call
    payments, search = found["payments"], found["search"]
    assert payments.source == CalendarSource(file=str(tmp_path / "payments.ics"))
    assert search.source == CalendarSource(url=Secret("https://cal.example/secret.ics"), refresh_s=3600.0)
    assert (payments.people, search.people) == ((ADA, GRACE), (ADA,))
    assert (payments.rotation, payments.calendar) == (None, Calendar())


def test_lanes_inherit_their_schedule_and_may_have_none(tmp_path: Path) -> None:
    text = oncall(WEEKLY).replace("defaults:\n", "defaults:\n  on_call: payments\n", 1)
    text = text.replace("  staging: {}\n", "  staging: {on_call: none}\n", 1)
    found = load(write(tmp_path, all=text))
    assert found.lanes[Lane("checkout", "production")].on_call == "payments"
    assert found.lanes[Lane("checkout", "staging")].on_call is None
    assert load(write(tmp_path, all=SOUND)).lanes[Lane("checkout", "production")].on_call is None


def test_every_mistake_is_told_at_once_with_its_line_and_a_hint(tmp_path: Path) -> None:
    people = PEOPLE + '  twin: "200000000000000001"\n  short: "12"\n'
    schedules = (
        "on_call:\n"
        "  payments:\n"
        "    people: [ada, grase]\n"
        "    time_zone: Europe/Berln\n"
        "    start: soon\n"
        "    second: paymnets\n"
        "    test_page: '11:00'\n"
        "    lead: leed\n"
        "    rotation: 1h\n"
        "    hand_over: 17:00\n"
        "  search: {time_zone: UTC, second: search, peple: [ada]}\n"
        "  files: {time_zone: UTC, ics: gone.ics, start: 2026-11-23}\n"
        "  web: {time_zone: UTC, ics: 'ftp://cal.example/a.ics'}\n"
        "  days: {people: [ada], time_zone: UTC, rotation: daily, hand_over: 'monday 09:00', start: 2026-11-23}\n"
        "  next: {people: [ada], time_zone: UTC, start: 2026-11-23}\n"
    )
    text = oncall(schedules, people).replace("defaults:\n", "defaults:\n  on_call: paymens\n", 1)

    def at(words: str) -> int:
        return line_of(text, words)

    rotations = 'must be weekly, daily or a duration of at least 4 hours, such as "14d" or "12h", not "1h".'
    assert mistakes(tmp_path, text) == [
        f'{at("on_call: paymens")}: defaults.on_call: there is no on-call schedule "paymens". Did you mean "payments"?',
        f'{at("twin")}: people.twin: has the Discord id of "ada".',
        f"{at('short')}: people.short: must be a Discord id of 15 to 20 digits (Developer Mode, then Copy ID), "
        'not "12".',
        f'{at("grase")}: on_call.payments.people[1]: there is no person "grase". Did you mean "grace"?',
        f'{at("Berln")}: on_call.payments.time_zone: there is no time zone "Europe/Berln". '
        'Did you mean "Europe/Berlin"?',
        f'{at("soon")}: on_call.payments.start: must be a date such as 2026-11-23, not "soon".',
        f'{at("paymnets")}: on_call.payments.second: there is no schedule "paymnets". '
        "Known: days, files, next, none, search, web.",
        f"{at('test_page')}: on_call.payments.test_page: must be a weekday and a time in quotes, such as "
        '"tuesday 11:00", not "11:00".',
        f'{at("leed")}: on_call.payments.lead: there is no person or role "leed". Did you mean "lead"?',
        f"{at('rotation: 1h')}: on_call.payments.rotation: {rotations}",
        f"{at('17:00')}: on_call.payments.hand_over: must be a weekday and a time in quotes, such as "
        '"monday 09:00", not 1020.',
        f'{at("search:")}: on_call.search: "start" is missing. Say from which day on it holds, such as 2026-11-23.',
        f"{at('search:')}: on_call.search: it has no people. Add people: [...], or ics: with a calendar.",
        f'{at("peple")}: on_call.search.peple: there is no such key here. Did you mean "people"?',
        f"{at('search:')}: on_call.search.second: is the schedule itself. "
        "Known: days, files, next, none, payments, web.",
        f'{at("gone")}: on_call.files.ics: there is no file "gone.ics" there.',
        f"{at('gone')}: on_call.files.start: has no meaning for a calendar, which says who is on call when.",
        f"{at('ftp')}: on_call.web.ics: must be an address that starts with https://, or the path of an "
        '.ics file, not "ftp://cal.example/a.ics".',
        f"{at('days:')}: on_call.days.hand_over: names a weekday, but its turns are not whole weeks. "
        'Write "09:00", or rotation: weekly.',
        f'{at("  next:")}: on_call.next: a schedule cannot be called "next", which has a meaning.',
    ]


def test_a_name_of_a_person_and_a_role_cannot_lead(tmp_path: Path) -> None:
    text = oncall(WEEKLY + "    lead: lead\n", PEOPLE + '  lead: "200000000000000009"\n')
    (found,) = mistakes(tmp_path, text)
    assert 'on_call.payments.lead: "lead" is a person and a role.' in found


def test_another_order_of_people_is_another_catalog(tmp_path: Path) -> None:
    holder = reloader(write(tmp_path, all=oncall(WEEKLY)))
    write(tmp_path, all=oncall(WEEKLY.replace("[ada, grace]", "[grace, ada]")))
    assert holder.reload().changed
    assert holder.current.on_call["payments"].people == (GRACE, ADA)


def test_the_resolved_catalog_shows_schedules_without_secret_addresses(tmp_path: Path) -> None:
    text = oncall(WEEKLY + "  search: {time_zone: UTC, ics: 'https://cal.example/private-4711/a.ics'}\n")
    write(tmp_path, all=text)
    shown = CliRunner().invoke(cli, ["config", "show", "--full", str(tmp_path)])
    assert shown.exit_code == 0, shown.output
    assert "private-4711" not in shown.output
    assert yaml.safe_load(shown.output)["on_call"]["payments"]["time_zone"] == "Europe/Berlin"


@pytest.mark.parametrize(
    "given", ["monday", "9", "mo 09:00", "someday 09:00", "24:00", 540, None, "monday  9:5"]
)
def test_what_is_no_hand_over(given: object) -> None:
    with pytest.raises(ValueError, match="monday 09:00"):
        parse_hand_over(given)


@pytest.mark.parametrize("given", ["3h", "monthly", 7, "4h 30s", "", None])
def test_what_is_no_rotation(given: object) -> None:
    with pytest.raises(ValueError, match="at least 4 hours"):
        parse_rotation(given)
