"""Resolution of on-call schedules: names become people, local times become rotations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo, available_timezones

from bot.catalog import models
from bot.catalog.diagnostics import KeyPath, nearest
from bot.catalog.models.oncall import hand_over_of
from bot.catalog.validate import Sections
from bot.catalog.yaml_source import Document
from bot.domain.secret import Secret
from bot.domain.watch.oncall.rotation import Rotation
from bot.domain.watch.oncall.schedule import Calendar, CalendarSource, OnCallSchedule, Person

NEXT, NONE = "next", "none"
_OF_ROTATIONS = ("rotation", "hand_over", "start")
_WEEK = timedelta(weeks=1)


def schedules(document: Document, sections: Sections) -> Mapping[str, OnCallSchedule]:
    """Every schedule that has no mistake which keeps it from being built, by name."""
    return _Resolver(document, sections).schedules()


class _Resolver:
    def __init__(self, document: Document, sections: Sections) -> None:
        self._document = document
        self._sections = sections
        self._people = self._known_people()

    def schedules(self) -> dict[str, OnCallSchedule]:
        written: dict[str, models.Schedule] = self._sections.of("on_call")
        found = {name: self._schedule(name, each) for name, each in written.items()}
        for name in written:
            if name in (NEXT, NONE):
                self._wrong(("on_call", name), f'a schedule cannot be called "{name}", which has a meaning.')
        return {
            name: replace(each, second=self._second(name, written[name].second, found))
            for name, each in found.items()
        }

    def _known_people(self) -> dict[str, Person]:
        people: dict[str, Person] = {}
        for name, each in self._sections.of("people").items():
            same = next((other for other in people.values() if other.id == each.id), None)
            if same is not None:
                self._wrong(("people", name), f'has the Discord id of "{same.name}".')
            people[name] = Person(each.id, name, each.calendar)
        return people

    def _schedule(self, name: str, written: models.Schedule) -> OnCallSchedule:
        path: KeyPath = ("on_call", name)
        lead, role = self._lead(path, written.lead)
        made = OnCallSchedule(
            name, self._on(path, written.people), written.time_zone, lead=lead, lead_role=role
        )
        zoned = self._zone(path, written.time_zone)
        if zoned and written.test_page is not None:
            made = replace(made, tested=each_week(written.time_zone, written.test_page))
        if written.ics is not None:
            return self._from_calendar(path, written, written.ics, made)
        if self._spoilt(path, "ics"):
            return made
        if not written.people and not self._spoilt(path, "people"):
            self._wrong(path, "it has no people.", "Add people: [...], or ics: with a calendar.")
        return replace(made, rotation=self._rotation(path, written) if zoned else None)

    def _from_calendar(
        self, path: KeyPath, written: models.Schedule, ics: models.Ics, made: OnCallSchedule
    ) -> OnCallSchedule:
        for key in _OF_ROTATIONS:
            if key in written.model_fields_set:
                self._wrong((*path, key), "has no meaning for a calendar, which says who is on call when.")
        remote = "://" in ics.source
        if not remote and not Path(ics.source).is_file():
            self._wrong((*path, "ics"), f'there is no file "{Path(ics.source).name}" there.')
        source = CalendarSource(
            file="" if remote else ics.source,
            url=Secret(ics.source) if remote else None,
            refresh_s=ics.refresh,
            allow_loopback=ics.allow_loopback,
        )
        people = made.people if written.people else tuple(self._people.values())
        return replace(made, people=people, source=source, calendar=Calendar())

    def _rotation(self, path: KeyPath, written: models.Schedule) -> Rotation | None:
        length = timedelta(seconds=written.rotation)
        weeks = not length % _WEEK
        weekday, clock = hand_over_of(written.hand_over or ("monday 09:00" if weeks else "09:00"))
        if weekday is not None and not weeks:
            sentence = "names a weekday, but its turns are not whole weeks."
            self._wrong((*path, "hand_over"), sentence, f'Write "{clock:%H:%M}", or rotation: weekly.')
        if written.start is None:
            if not self._spoilt(path, "start"):
                hint = "Say from which day on it holds, such as 2026-11-23."
                self._wrong(path, '"start" is missing.', hint)
            return None
        day = written.start
        if weekday is not None:
            day += timedelta(days=(weekday - day.weekday()) % 7)
        return Rotation(written.time_zone, datetime.combine(day, clock), length)

    # ---- references ----

    def _on(self, path: KeyPath, names: tuple[str, ...]) -> tuple[Person, ...]:
        known = self._sections.known("people")
        for index, name in enumerate(names):
            if name not in known:
                at = self._sections.original((*path, "people", index))
                self._wrong(at, f'there is no person "{name}".', nearest(name, known) if known else _ADD)
        return tuple(self._people[name] for name in names if name in self._people)

    def _lead(self, path: KeyPath, name: str | None) -> tuple[Person | None, str]:
        if name is None:
            return None, ""
        people = self._sections.known("people")
        roles = {role for guild in self._sections.of("guilds").values() for role in guild.roles}
        if name in people and name in roles:
            self._wrong(
                (*path, "lead"), f'"{name}" is a person and a role.', "Give one of them another name."
            )
        elif name not in people | roles and not self._sections.is_spoilt(("guilds",)):
            self._wrong(
                (*path, "lead"), f'there is no person or role "{name}".', nearest(name, people | roles)
            )
        return (self._people.get(name), "") if name in people else (None, name)

    def _second(
        self, name: str, second: str, found: Mapping[str, OnCallSchedule]
    ) -> OnCallSchedule | Literal["next"] | None:
        path: KeyPath = ("on_call", name, "second")
        if second in (NEXT, NONE):
            return "next" if second == NEXT else None
        known = self._sections.known("on_call") - {name}
        if second not in known:
            itself = second == name
            sentence = "is the schedule itself." if itself else f'there is no schedule "{second}".'
            self._wrong(path, sentence, nearest(second, known | {NEXT, NONE}))
        other = found.get(second)
        return replace(other, second=None) if other is not None else None

    def _zone(self, path: KeyPath, name: str) -> bool:
        return is_zone(self._document, path, name)

    def _spoilt(self, path: KeyPath, key: str) -> bool:
        return self._sections.is_spoilt((*path, key))

    def _wrong(self, path: KeyPath, sentence: str, hint: str = "") -> None:
        self._document.wrong(path, sentence, hint)


def is_zone(document: Document, path: KeyPath, name: str) -> bool:
    """Whether there is such a time zone; what is wrong with `time_zone` below `path` is reported."""
    try:
        ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        sentence = f'there is no time zone "{name}".'
        document.wrong((*path, "time_zone"), sentence, nearest(name, available_timezones()))
        return False
    return True


def each_week(zone: str, text: str) -> Rotation:
    """Turns of a week that begin at a weekday and local time, such as `"monday 09:00"`."""
    weekday, clock = hand_over_of(text)
    return Rotation(zone, datetime.combine(_A_MONDAY + timedelta(days=weekday or 0), clock), _WEEK)


_A_MONDAY = date(2026, 1, 5)
_ADD = "Add people:, by name and Discord id."
