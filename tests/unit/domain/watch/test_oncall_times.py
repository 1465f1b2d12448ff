"""Times as people type them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.watch.oncall.times import moment

ZONE = "Europe/Berlin"
WEDNESDAY = datetime(2026, 11, 11, 13, 30, tzinfo=ZoneInfo(ZONE)).astimezone(UTC)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("now", (2026, 11, 11, 13, 30)),
        ("8h", (2026, 11, 11, 21, 30)),
        ("1d 12h", (2026, 11, 13, 1, 30)),
        ("2w", (2026, 11, 25, 13, 30)),
        ("90 min", (2026, 11, 11, 15, 0)),
        ("18:00", (2026, 11, 11, 18, 0)),
        ("9:00", (2026, 11, 12, 9, 0)),  # it is past nine
        ("13:30", (2026, 11, 12, 13, 30)),
        ("today 20:00", (2026, 11, 11, 20, 0)),
        ("tomorrow", (2026, 11, 12, 0, 0)),
        ("Tomorrow  09:00", (2026, 11, 12, 9, 0)),
        ("friday 09:00", (2026, 11, 13, 9, 0)),
        ("fri", (2026, 11, 13, 0, 0)),
        ("wednesday 14:00", (2026, 11, 11, 14, 0)),
        ("wed 09:00", (2026, 11, 18, 9, 0)),
        ("2026-12-24", (2026, 12, 24, 0, 0)),
        ("2026-10-01 08:15", (2026, 10, 1, 8, 15)),  # the past is the past
    ],
)
def test_a_time_in_the_zone_of_the_schedule(text: str, meant: tuple[int, ...]) -> None:
    expected = datetime(*meant, tzinfo=ZoneInfo(ZONE)).astimezone(UTC)  # type: ignore[misc, arg-type]
    assert moment(text, WEDNESDAY, ZONE) == expected


@pytest.mark.parametrize(
    "text", ["", "soon", "25:00", "9", "today 09:00", "mo 09:00", "2026-02-30", "someday 09:00", "8", "-2h"]
)
def test_what_is_no_time(text: str) -> None:
    assert moment(text, WEDNESDAY, ZONE) is None


@given(st.text(max_size=30))
def test_no_text_is_an_error(text: str) -> None:
    found = moment(text, WEDNESDAY, ZONE)
    assert found is None or found.tzinfo is UTC


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1m", 60),
        ("1min", 60),
        ("1 h", 3600),
        ("1D", 86_400),
        ("1w", 604_800),
        ("2h30m", 9000),
        ("1w 1d 1h 1m", 694_860),
        ("9999m", 599_940),
        ("0m", 0),
    ],
)
def test_lengths_count_from_now(text: str, seconds: int) -> None:
    assert moment(text, WEDNESDAY, ZONE) == WEDNESDAY + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("day", "date"),
    [
        ("thu", 12),
        ("friday", 13),
        ("satur", 14),
        ("sunday", 15),
        ("mon", 16),
        ("tues", 17),
        ("wednesday", 18),
    ],
)
def test_a_weekday_alone_is_the_next_midnight_of_that_day(day: str, date: int) -> None:
    assert moment(day, WEDNESDAY, ZONE) == datetime(2026, 11, date, tzinfo=ZoneInfo(ZONE)).astimezone(UTC)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("0:00", (2026, 11, 12, 0, 0)),
        ("23:59", (2026, 11, 11, 23, 59)),
        ("13:31", (2026, 11, 11, 13, 31)),
        ("09:05", (2026, 11, 12, 9, 5)),
        ("wed 13:30", (2026, 11, 18, 13, 30)),
        ("wed 13:31", (2026, 11, 11, 13, 31)),
        ("tomorrow 00:00", (2026, 11, 12, 0, 0)),
        ("2026-11-11", (2026, 11, 11, 0, 0)),
        ("NOW", (2026, 11, 11, 13, 30)),
        (" \t now\n", (2026, 11, 11, 13, 30)),
        (f"now{' ' * 57}", (2026, 11, 11, 13, 30)),
    ],
)
def test_the_next_time_that_is_meant(text: str, meant: tuple[int, ...]) -> None:
    expected = datetime(*meant, tzinfo=ZoneInfo(ZONE)).astimezone(UTC)  # type: ignore[misc, arg-type]
    assert moment(text, WEDNESDAY, ZONE) == expected


@pytest.mark.parametrize(
    "text",
    [
        f"now{' ' * 58}",
        "today",
        "24:00",
        "12:60",
        "12:5",
        "123:00",
        "th 09:00",
        "2026-13-01",
        "2026-1-1",
        "x2026-11-12",
        "12026-11-12",
        "10000h",
        "1h x",
        "x 1h",
        "1y",
        "wednesdays",
    ],
)
def test_what_is_almost_a_time(text: str) -> None:
    assert moment(text, WEDNESDAY, ZONE) is None


@pytest.mark.parametrize("text", ["1w", "tomorrow", "09:00"])
def test_what_no_calendar_has_is_no_time(text: str) -> None:
    assert moment(text, datetime(9999, 12, 30, tzinfo=UTC), ZONE) is None


def test_the_day_is_that_of_the_schedules_zone() -> None:
    late = datetime(2026, 11, 11, 23, 30, tzinfo=UTC)  # Thursday in Berlin
    assert moment("today 09:00", late, ZONE) == datetime(2026, 11, 12, 8, tzinfo=UTC)
    assert moment("today 23:45", late, "UTC") == datetime(2026, 11, 11, 23, 45, tzinfo=UTC)
