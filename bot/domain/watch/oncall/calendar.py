"""Events of a calendar as shifts: their attendees and titles name people of the catalog."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.domain.formatting import one_line
from bot.domain.watch.oncall.schedule import CalendarShift, Person

_SHOWN = 60


@dataclass(frozen=True, slots=True)
class CalendarEvent:
    """One event. names: of its attendees, and their addresses; title: its summary."""

    since: datetime
    until: datetime
    title: str
    names: tuple[str, ...] = ()


def shifts_of(events: Iterable[CalendarEvent], people: Sequence[Person]) -> tuple[CalendarShift, ...]:
    """A shift for each event that lasts. One that names no one, or several people, has no person."""
    return tuple(_shift(event, people) for event in events if event.since < event.until)


def _shift(event: CalendarEvent, people: Sequence[Person]) -> CalendarShift:
    found = named(event, people)
    if len(found) == 1:
        return CalendarShift(event.since, event.until, found[0])
    title = one_line(event.title, _SHOWN)
    which = f"event “{title}”" if title else "untitled event"
    if found:
        several = " and ".join(person.name for person in found[:3])
        why = f"The calendar's {which} names several people: {several}."
    else:
        why = f"The calendar's {which} names none of the schedule's people."
    return CalendarShift(event.since, event.until, None, why)


def named(event: CalendarEvent, people: Sequence[Person]) -> list[Person]:
    """The people that an event names: its attendees, else its title, else names within its title."""
    attending = {_plain(name) for name in event.names}
    title = _plain(event.title)
    for fits in (
        lambda said: said in attending,
        lambda said: said == title,
        lambda said: re.search(rf"(?<!\w){re.escape(said)}(?!\w)", title) is not None,
    ):
        found = [person for person in people if any(map(fits, _said(person)))]
        if found:
            return list(dict.fromkeys(found))
    return []


def _said(person: Person) -> list[str]:
    return [plain for plain in map(_plain, (person.name, *person.aliases)) if plain]


def _plain(name: str) -> str:
    """Without what does not tell two names apart: case, spaces, `mailto:`."""
    return " ".join(name.casefold().removeprefix("mailto:").split())
