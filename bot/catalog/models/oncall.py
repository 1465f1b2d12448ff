"""People, and the schedules by which they are on call."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, ValidationInfo, WithJsonSchema

from bot.values import Duration, Names, Part, Short, Snowflake, Text, parse_path, parse_positive

_TEXT: Mapping[str, Any] = {"type": "string"}
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_HAND_OVER = re.compile(r"(?:([a-z]+)\s+)?([01]?\d|2[0-3]):([0-5]\d)")
_WEEK_S, _DAY_S = 7 * 86_400.0, 86_400.0
_ROTATIONS = {"weekly": _WEEK_S, "daily": _DAY_S}


def parse_hand_over(value: object) -> str:
    """`"monday 09:00"` or `"09:00"`, with the weekday in full; raises ValueError."""
    found = _HAND_OVER.fullmatch(value.strip().lower()) if isinstance(value, str) else None
    days = [day for day in WEEKDAYS if found and found[1] and len(found[1]) >= 3 and day.startswith(found[1])]
    if found is None or (found[1] and not days):
        # YAML reads 17:00 without quotes as a number.
        raise ValueError('a weekday and a time in quotes, such as "monday 09:00"')
    return " ".join([*days, f"{int(found[2]):02}:{found[3]}"])


def parse_test_page(value: object) -> str:
    """`"tuesday 11:00"`; raises ValueError."""
    text = parse_hand_over(value)
    if " " not in text:
        raise ValueError('a weekday and a time in quotes, such as "tuesday 11:00"')
    return text


def parse_rotation(value: object) -> float:
    """Seconds of `"weekly"`, `"daily"` or a duration of at least four hours; raises ValueError."""
    if isinstance(value, str) and value in _ROTATIONS:
        return _ROTATIONS[value]
    try:
        seconds = parse_positive(value)
    except ValueError:
        seconds = 0.0
    if seconds < 4 * 3600 or seconds % 60:
        raise ValueError('weekly, daily or a duration of at least 4 hours, such as "14d" or "12h"')
    return seconds


def parse_date(value: object) -> date:
    """A day of the calendar; raises ValueError."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    try:
        return date.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        raise ValueError("a date such as 2026-11-23") from None


def parse_calendar(value: object, info: ValidationInfo) -> str:
    """An https address, or the absolute path of a file; raises ValueError."""
    if isinstance(value, str) and re.match(r"\w+:", value):
        loopback = (info.data or {}).get("allow_loopback") and value.startswith("http://")
        if not value.startswith("https://") and not loopback:
            raise ValueError("an address that starts with https://, or the path of an .ics file")
        return value
    return str(parse_path(value, info))


def hand_over_of(text: str) -> tuple[int | None, time]:
    """Weekday (Monday is 0) and local time of what `parse_hand_over` gave."""
    day, _, clock = text.rpartition(" ")
    return (WEEKDAYS.index(day) if day else None), time.fromisoformat(clock)


class Person(Part):
    """Someone who may be on call. A Discord id alone will do."""

    id: Snowflake = Field(description="The person's Discord id, in quotes.")
    calendar: Names = Field(
        default=(),
        description="Names and mail addresses by which calendars know the person, besides the key.",
    )


class Ics(Part):
    """A calendar in the iCalendar format. Its events' attendees or titles name people."""

    allow_loopback: bool = Field(default=False, description="Also allow http on this machine, to try it out.")
    source: Annotated[str, BeforeValidator(parse_calendar), WithJsonSchema(dict(_TEXT))] = Field(
        description="Path of an .ics file, relative to this file, or an https:// address."
    )
    refresh: Duration = Field(default=900.0, ge=60, description="How often it is read; 15m by default.")


class Schedule(Part):
    """Who is called when something breaks, and when: a rotation of people, or a calendar (`ics`)."""

    people: Names = Field(
        default=(), description="Names of people:, in the order of the rotation. With ics:, all by default."
    )
    time_zone: Text = Field(description="IANA name, such as Europe/Berlin.")
    rotation: Annotated[
        float,
        BeforeValidator(parse_rotation),
        WithJsonSchema({**_TEXT, "examples": ["weekly", "daily", "14d"]}),
    ] = Field(default=_WEEK_S, description="Length of a turn: weekly (the default), daily or a duration.")
    hand_over: (
        Annotated[
            str,
            BeforeValidator(parse_hand_over),
            WithJsonSchema({**_TEXT, "examples": ["monday 09:00", "09:00"]}),
        ]
        | None
    ) = Field(
        default=None,
        description='Local time at which turns end and begin, in quotes; "monday 09:00" by default, "09:00" where '
        "turns are not whole weeks.",
    )
    start: (
        Annotated[date, BeforeValidator(parse_date), WithJsonSchema({**_TEXT, "format": "date"})] | None
    ) = Field(
        default=None, description="The first turn begins with the first hand-over on this day or later."
    )
    ics: Annotated[Ics, Short("source", _TEXT)] | None = Field(
        default=None, description="A calendar instead of a rotation."
    )
    second: str = Field(
        default="next",
        description='Who is called second: "next" in this schedule, another schedule, or "none".',
    )
    lead: str | None = Field(default=None, description="A person or role that is called last.")
    test_page: (
        Annotated[
            str, BeforeValidator(parse_test_page), WithJsonSchema({**_TEXT, "examples": ["tuesday 11:00"]})
        ]
        | None
    ) = Field(
        default=None,
        description="When the person on call gets a test page each week: weekday and local time, in quotes.",
    )
