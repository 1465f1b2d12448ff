"""Overrides and hand-overs of on-call schedules, in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from bot.domain.records import AuditEntry
from bot.domain.rollout.events import CallPeople
from bot.domain.watch.oncall.pages import Page
from bot.domain.watch.oncall.schedule import Override
from bot.ports.store import NO_LANE
from bot.ports.watch.oncall import ReadCalendar, Told
from tests.fakes.store.effects import call
from tests.fakes.store.tables import Part, Tables, statement


class MemoryOnCall(Part):
    """Implements `bot.ports.watch.oncall.OnCallStore`."""

    part = "on_call"

    @statement
    def overrides(self, t: Tables, now: datetime, until_after: datetime) -> Sequence[Override]:
        return [each for each in t.overrides if each.until > until_after]

    @statement
    def give(
        self,
        t: Tables,
        now: datetime,
        override: Override,
        entry: AuditEntry,
        calls: Sequence[CallPeople] = (),
    ) -> Override:
        given = replace(override, id=max((each.id for each in t.overrides), default=0) + 1)
        t.overrides.append(given)
        t.record(entry)
        call(t, now, NO_LANE, calls)
        return given

    @statement
    def told(self, t: Tables, now: datetime) -> Mapping[str, Told]:
        return dict(t.told)

    @statement
    def tell(
        self, t: Tables, now: datetime, before: Told | None, after: Told, calls: Sequence[CallPeople]
    ) -> bool:
        was = t.told.get(after.schedule)
        key = (was.person_id, was.since) if was else None
        if key != ((before.person_id, before.since) if before else None):
            return False
        t.told[after.schedule] = after
        call(t, now, NO_LANE, calls)
        return True

    @statement
    def pages(self, t: Tables, now: datetime, since: datetime) -> Sequence[Page]:
        return sorted((p for p in t.pages.values() if p.due_at >= since), key=lambda page: page.due_at)

    @statement
    def send_page(self, t: Tables, now: datetime, page: Page, calls: Sequence[CallPeople]) -> bool:
        if (page.schedule, page.due_at) in t.pages:
            return False
        t.pages[page.schedule, page.due_at] = page
        call(t, now, NO_LANE, calls)
        return True

    @statement
    def posted(self, t: Tables, now: datetime, keys: Sequence[str]) -> Mapping[str, datetime]:
        rows = [t.effects[t.keys[key]] for key in keys if key in t.keys]
        return {row.key: row.done_at for row in rows if row.state == "done" and row.done_at is not None}

    @statement
    def answer_page(self, t: Tables, now: datetime, page: Page, at: datetime) -> bool:
        was = t.pages.get((page.schedule, page.due_at))
        if was is None or not was.open:
            return False
        t.pages[page.schedule, page.due_at] = replace(was, answered_at=at)
        return True

    @statement
    def miss_page(
        self, t: Tables, now: datetime, page: Page, at: datetime, calls: Sequence[CallPeople]
    ) -> bool:
        was = t.pages.get((page.schedule, page.due_at))
        if was is None or not was.open:
            return False
        t.pages[page.schedule, page.due_at] = replace(was, missed_at=at)
        call(t, now, NO_LANE, calls)
        return True

    @statement
    def calendars(self, t: Tables, now: datetime) -> Mapping[str, ReadCalendar]:
        return dict(t.calendars)

    @statement
    def put_calendar(self, t: Tables, now: datetime, calendar: ReadCalendar) -> None:
        t.calendars[calendar.schedule] = calendar
