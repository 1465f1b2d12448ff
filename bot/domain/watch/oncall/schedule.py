"""On-call schedules: who is on call at which time, who comes next, and when no one is."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Literal

from bot.domain.formatting import stamp
from bot.domain.secret import Secret
from bot.domain.watch.oncall.rotation import Rotation

# An override may last so long; a longer absence belongs into the catalog.
LONGEST_OVERRIDE = timedelta(days=90)
# How many shifts are looked through for someone other than the person on call.
_FURTHER = 100
_MOST_REASONS = 3
NOT_READ = "The calendar was not read yet."


@dataclass(frozen=True, slots=True)
class Person:
    """Someone who may be on call. id: in Discord; two with the same id are one. aliases: how calendars call them."""

    id: int
    name: str = field(compare=False)
    aliases: tuple[str, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class CalendarShift:
    """An event of a calendar. person: None where it names no one who is known; `why` says what it names instead."""

    since: datetime
    until: datetime
    person: Person | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Calendar:
    """What was read of a calendar. shifts: in any order; where they overlap, the one that began last counts.

    problem: why it could not be read the last time, as a sentence. until: up to when events were read; None: nothing
    was read yet.
    """

    shifts: tuple[CalendarShift, ...] = ()
    until: datetime | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class CalendarSource:
    """Where a calendar is: a file, or an address, which may be secret. It is read every `refresh_s` seconds."""

    file: str = ""
    url: Secret | None = None
    refresh_s: float = 900.0
    allow_loopback: bool = False

    @property
    def digest(self) -> str:
        """Names the source without telling it."""
        where = self.url.reveal() if self.url is not None else self.file
        return hashlib.sha256(where.encode(errors="replace")).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class OnCallSchedule:
    """Who is on call when: a rotation of `people`, or a calendar, which is read from `source`.

    people: in the order of the rotation; for a calendar, those that it may name. second: `next` is the next person of
    this schedule who is not on call; another schedule names its own; None: there is no second. lead: a person, or a
    role of the catalog. tested: its turns begin when the person on call gets a test page.
    """

    name: str
    people: tuple[Person, ...]
    time_zone: str
    rotation: Rotation | None = None
    calendar: Calendar | None = None
    source: CalendarSource | None = None
    second: OnCallSchedule | Literal["next"] | None = "next"
    lead: Person | None = None
    lead_role: str = ""
    tested: Rotation | None = None

    def reading(self, calendars: Mapping[str, Calendar]) -> OnCallSchedule:
        """The schedule with what was read of its calendar, by name of schedule."""
        second = self.second
        if isinstance(second, OnCallSchedule):
            second = second.reading(calendars)
        calendar = self.calendar if self.source is None else calendars.get(self.name, Calendar())
        return replace(self, second=second, calendar=calendar)


@dataclass(frozen=True, slots=True)
class Override:
    """A time that a person takes over. Of two for the same time, the one that was given last counts: the higher id."""

    id: int
    schedule: str
    person: Person
    since: datetime
    until: datetime
    by_id: int
    by: str
    reason: str
    at: datetime

    def covers(self, at: datetime) -> bool:
        return self.since <= at < self.until


@dataclass(frozen=True, slots=True)
class OnCallShift:
    """One person's time on call, or a gap. Times are in UTC; the end is no part of it.

    person: None in a gap, and `why` says in sentences why no one is on call. since, until: None where it has no
    beginning or no end. override: what gives the person this time, or some of it.
    """

    person: Person | None
    since: datetime | None
    until: datetime | None
    why: str = ""
    override: Override | None = None


@dataclass(frozen=True, slots=True)
class Responders:
    """The people to call at one time, each None where there is no one. lead_role: instead of a person."""

    primary: Person | None = None
    second: Person | None = None
    lead: Person | None = None
    lead_role: str = ""


def on_call(schedule: OnCallSchedule, overrides: Sequence[Override], at: datetime) -> OnCallShift:
    """The shift at that time. It ends when another person, or no one, is on call; so it may span several turns."""
    own = _of(schedule, overrides)
    found = _piece(schedule, own, at)
    first, reasons = found, [found.why]
    while first.since is not None:
        before = _piece(schedule, own, first.since - datetime.resolution)
        if before.person != found.person:
            break
        first = before
        reasons.insert(0, before.why)
    last = found
    while last.until is not None:
        after = _piece(schedule, own, last.until)
        if after.person != found.person:
            break
        last = after
        reasons.append(after.why)
    why = " ".join(list(dict.fromkeys(filter(None, reasons)))[:_MOST_REASONS])
    return replace(found, since=first.since, until=last.until, why=why)


def shifts(schedule: OnCallSchedule, overrides: Sequence[Override], at: datetime) -> Iterator[OnCallShift]:
    """The shift at that time and all that follow, gaps included. There is no end to those of a rotation."""
    shift = on_call(schedule, overrides, at)
    yield shift
    while shift.until is not None:
        shift = on_call(schedule, overrides, shift.until)
        yield shift


def coming(
    schedule: OnCallSchedule, overrides: Sequence[Override], at: datetime, count: int
) -> list[OnCallShift]:
    """At most `count` shifts, beginning with the present one."""
    return list(islice(shifts(schedule, overrides, at), count))


def between(
    schedule: OnCallSchedule, overrides: Sequence[Override], since: datetime, until: datetime
) -> Iterator[OnCallShift]:
    """The shifts with a part in this time, in full length."""
    for shift in shifts(schedule, overrides, since):
        if shift.since is not None and shift.since >= until:
            return
        yield shift


def gaps(
    schedule: OnCallSchedule, overrides: Sequence[Override], since: datetime, until: datetime
) -> Iterator[OnCallShift]:
    """The times of this period in which no one is on call, cut to it."""
    for shift in between(schedule, overrides, since, until):
        if shift.person is None:
            yield cut(shift, since, until)


def cut(shift: OnCallShift, since: datetime, until: datetime) -> OnCallShift:
    """The part of the shift within this time."""
    return replace(shift, since=_latest(shift.since, since), until=_earliest(shift.until, until))


def second(schedule: OnCallSchedule, overrides: Sequence[Override], at: datetime) -> Person | None:
    """Who comes after the person on call: the first other person of the schedule for it, now or next."""
    if schedule.second is None:
        return None
    first = on_call(schedule, overrides, at).person
    asked = schedule.second if isinstance(schedule.second, OnCallSchedule) else schedule
    found = (shift.person for shift in islice(shifts(asked, overrides, at), _FURTHER))
    return next((person for person in found if person is not None and person != first), None)


def responders(schedule: OnCallSchedule, overrides: Sequence[Override], at: datetime) -> Responders:
    """Whom to call at that time, first, second and last."""
    return Responders(
        primary=on_call(schedule, overrides, at).person,
        second=second(schedule, overrides, at),
        lead=schedule.lead,
        lead_role=schedule.lead_role,
    )


# ---- one piece: until the next edge of anything ----


def _of(schedule: OnCallSchedule, overrides: Iterable[Override]) -> list[Override]:
    """The overrides of the schedule, the strongest first."""
    own = [each for each in overrides if each.schedule == schedule.name]
    return sorted(own, key=lambda each: each.id, reverse=True)


def _piece(schedule: OnCallSchedule, overrides: Sequence[Override], at: datetime) -> OnCallShift:
    """What holds at that time, at least up to the nearest override that begins or ends."""
    override = next((each for each in overrides if each.covers(at)), None)
    if override is not None:
        found = OnCallShift(override.person, override.since, override.until, override=override)
    else:
        found = _turn(schedule, at)
    edges = [edge for each in overrides for edge in (each.since, each.until)]
    since = max((edge for edge in edges if edge <= at), default=None)
    until = min((edge for edge in edges if edge > at), default=None)
    return replace(found, since=_latest(found.since, since), until=_earliest(found.until, until))


def _turn(schedule: OnCallSchedule, at: datetime) -> OnCallShift:
    """What the schedule says without overrides."""
    if schedule.calendar is not None:
        return _event(schedule.calendar, at)
    rotation, people = schedule.rotation, schedule.people
    if rotation is None or not people:
        return OnCallShift(None, None, None, "The schedule has no people.")
    turn = rotation.turn(at)
    if turn is None:
        begins = rotation.start(0)
        return OnCallShift(None, None, begins, f"The rotation begins {stamp(begins)}.")
    person = people[turn % len(people)]
    if len(set(people)) == 1:  # no one ever takes over
        return OnCallShift(person, rotation.start(0), None)
    return OnCallShift(person, rotation.start(turn), rotation.start(turn + 1))


def _event(calendar: Calendar, at: datetime) -> OnCallShift:
    """The event that began last, up to the next edge of any event."""
    edges = [edge for each in calendar.shifts for edge in (each.since, each.until)]
    since = max((edge for edge in edges if edge <= at), default=None)
    until = min((edge for edge in edges if edge > at), default=None)
    there = [each for each in calendar.shifts if each.since <= at < each.until]
    if there:
        found = max(there, key=lambda each: (each.since, each.person is not None))
        return OnCallShift(found.person, since, until, found.why)
    if calendar.until is None or at >= calendar.until:
        why = calendar.problem or ("The calendar is not read so far ahead." if calendar.until else NOT_READ)
        return OnCallShift(None, _latest(since, calendar.until), until, why)
    until = _earliest(until, calendar.until)
    return OnCallShift(None, since, until, "The calendar has no event for that time.")


def _latest(one: datetime | None, other: datetime | None) -> datetime | None:
    return max(one, other) if one is not None and other is not None else one or other


def _earliest(one: datetime | None, other: datetime | None) -> datetime | None:
    return min(one, other) if one is not None and other is not None else one or other
