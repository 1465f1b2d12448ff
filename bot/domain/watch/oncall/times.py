"""Times as people type them: in a schedule's time zone, such as `friday 09:00`."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_UNITS = {"m": "minutes", "min": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_LENGTH = re.compile(r"(\d{1,4})\s*(min|m|h|d|w)")
_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")
_LONGEST = 60
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def moment(text: str, after: datetime, zone: str) -> datetime | None:
    """The time that `text` means, in UTC; None for what is no time.

    Lengths (`8h`, `1d 12h`) count from `after`. A clock time or weekday alone is the next one after it; a day without a
    clock time begins at midnight.
    """
    if len(text) > _LONGEST:
        return None
    try:
        return _meant(" ".join(text.lower().split()), after, zone)
    except OverflowError:  # in ten thousand years
        return None


def _meant(said: str, after: datetime, zone: str) -> datetime | None:
    if said == "now":
        return after
    length = _length(said)
    if length is not None:
        return after + length
    day, _, clock = said.rpartition(" ")
    at = _clock(clock)
    if at is None:
        day, at = said, time()
        if not day:
            return None
    local = after.astimezone(ZoneInfo(zone))
    found = _days(day, local.date())
    candidates = (datetime.combine(each, at, ZoneInfo(zone)).astimezone(UTC) for each in found)
    return next((each for each in candidates if each > after or _is_date(day)), None)


def _length(said: str) -> timedelta | None:
    parts = _LENGTH.findall(said)
    if not re.fullmatch(rf"(?:{_LENGTH.pattern}\s*)+", said):
        return None
    return sum((timedelta(**{_UNITS[unit]: int(count)}) for count, unit in parts), timedelta())


def _clock(said: str) -> time | None:
    found = _CLOCK.fullmatch(said)
    return time(int(found[1]), int(found[2])) if found else None


def _is_date(said: str) -> bool:
    return re.fullmatch(r"\d{4}-\d\d-\d\d", said) is not None


def _days(said: str, today: date) -> list[date]:
    """The days that are meant, the nearest first."""
    ahead = [today + timedelta(days=days) for days in range(9)]
    if not said:
        return ahead
    if said in ("today", "tomorrow"):
        return [ahead[said == "tomorrow"]]
    if _is_date(said):
        try:
            return [date.fromisoformat(said)]
        except ValueError:
            return []
    named = [index for index, name in enumerate(_DAYS) if len(said) >= 3 and name.startswith(said)]
    return [day for day in ahead if day.weekday() in named]
