"""What is stored of on-call schedules: overrides, and of whom people were last told that they are on call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bot.domain.records import AuditEntry
from bot.domain.rollout.events import CallPeople
from bot.domain.watch.oncall.calendar import CalendarEvent
from bot.domain.watch.oncall.pages import Page
from bot.domain.watch.oncall.schedule import CalendarSource, Override


@dataclass(frozen=True, slots=True)
class Told:
    """The last hand-over of a schedule that was announced. person_id: None in a gap. since: when it was."""

    schedule: str
    person_id: int | None
    person: str
    since: datetime


@dataclass(frozen=True, slots=True)
class ReadCalendar:
    """What was read of a schedule's calendar.

    source: what it was read from, as a hash. until: up to when events were read; None: it was never read. read_at: the
    last attempt. problem: why that failed, as a sentence; the events are then those of an earlier one.
    """

    schedule: str
    source: str
    events: tuple[CalendarEvent, ...]
    until: datetime | None
    read_at: datetime
    problem: str = ""


class OnCallStore(Protocol):
    """Raises `Unreachable` when the database does not answer."""

    async def overrides(self, until_after: datetime) -> Sequence[Override]:
        """The overrides of all schedules that end after this time, by id."""
        ...

    async def give(self, override: Override, entry: AuditEntry, calls: Sequence[CallPeople] = ()) -> Override:
        """Record an override with its audit line and messages; returns it with its id, which is above all others."""
        ...

    async def told(self) -> Mapping[str, Told]:
        """What was last announced, by schedule."""
        ...

    async def tell(self, before: Told | None, now: Told, calls: Sequence[CallPeople]) -> bool:
        """Record a hand-over with the messages about it; False, with nothing recorded, unless `before` still holds.

        before: None where nothing was announced yet.
        """
        ...

    async def pages(self, since: datetime) -> Sequence[Page]:
        """The test pages that were due since then, by the time when they were."""
        ...

    async def send_page(self, page: Page, calls: Sequence[CallPeople]) -> bool:
        """Record a test page with its messages; False, with nothing recorded, when it was sent before."""
        ...

    async def posted(self, keys: Sequence[str]) -> Mapping[str, datetime]:
        """When the messages with these keys were posted, or left out after their time; without those that wait."""
        ...

    async def answer_page(self, page: Page, at: datetime) -> bool:
        """Record an answer; False when the page is not open any more."""
        ...

    async def miss_page(self, page: Page, at: datetime, calls: Sequence[CallPeople]) -> bool:
        """Record that no answer came, with its messages; False when the page is not open any more."""
        ...

    async def calendars(self) -> Mapping[str, ReadCalendar]:
        """What was read of calendars, by schedule."""
        ...

    async def put_calendar(self, calendar: ReadCalendar) -> None: ...


class CalendarReader(Protocol):
    """Reads calendars in the iCalendar format."""

    async def read(
        self, source: CalendarSource, zone: str, since: datetime, until: datetime
    ) -> Sequence[CalendarEvent]:
        """The events with a part in this time, recurrences expanded. zone: of days and of times that say none.

        Raises `Unreachable` with a sentence.
        """
        ...
