"""Process that expands a calendar: an endless recurrence must cost neither the bot's time nor its memory.

Run as a script by `reader.py`. Standard input: a line of JSON with `zone`, `since`, `until` and `most`, then the
calendar. Standard output: a line of JSON with `events`, or with `problem`.
"""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

_MEMORY = 512 * 2**20
_CPU_S = 20
_TITLE = 300
_NAMES = 50

Found = tuple[str, str, str, list[str]]


def events(text: bytes, zone: str, since: datetime, until: datetime, most: int) -> list[Found]:
    """Begin, end, title and attendees of each event in this time, in UTC; cancelled ones are left out.

    zone: of days and of times that say none. Raises ValueError for what is no calendar, or has more than `most` events.
    """
    import icalendar
    import recurring_ical_events  # type: ignore[import-untyped]

    found: list[Found] = []
    calendars: list[Any] = icalendar.Calendar.from_ical(text, multiple=True)
    if not calendars:
        raise ValueError("it has no VCALENDAR")
    for calendar in calendars:
        for event in recurring_ical_events.of(calendar).between(since, until):
            if str(event.get("STATUS", "")).upper() == "CANCELLED":
                continue
            if len(found) == most:
                raise ValueError(f"it has more than {most} events in {(until - since).days} days")
            begin, end = (_moment(event[key].dt, zone) for key in ("DTSTART", "DTEND"))
            title = str(event.get("SUMMARY", ""))[:_TITLE]
            found.append((begin.isoformat(), end.isoformat(), title, list(_names(event))[:_NAMES]))
    return sorted(found)


def _moment(value: date | datetime, zone: str) -> datetime:
    if not isinstance(value, datetime):
        value = datetime.combine(value, time())
    if value.tzinfo is None:
        value = value.replace(tzinfo=ZoneInfo(zone))
    return value.astimezone(UTC)


def _names(event: Any) -> Iterator[str]:
    given = event.get("ATTENDEE", [])
    for attendee in given if isinstance(given, list) else [given]:
        if str(attendee.params.get("PARTSTAT", "")).upper() != "DECLINED":
            yield str(attendee)[:_TITLE]
            if name := str(attendee.params.get("CN", "")):
                yield name[:_TITLE]


def main() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_S, _CPU_S))
    asked = json.loads(sys.stdin.buffer.readline())
    since, until = (datetime.fromisoformat(asked[key]) for key in ("since", "until"))
    try:
        answer: dict[str, Any] = {
            "events": events(sys.stdin.buffer.read(), asked["zone"], since, until, asked["most"])
        }
    except MemoryError:
        answer = {"problem": "it takes too much memory"}
    except Exception as error:  # the libraries' errors for what people wrote are of many kinds
        answer = {"problem": f"{type(error).__name__}: {error}" if not str(error) else str(error)}
    sys.stdout.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
