"""Overrides and hand-overs of on-call schedules in PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from bot.adapters.postgres.connection.database import Database, Row
from bot.adapters.postgres.connection.json import dumped, storable
from bot.adapters.postgres.effects import call, record
from bot.domain.records import AuditEntry
from bot.domain.rollout.events import CallPeople
from bot.domain.watch.oncall.calendar import CalendarEvent
from bot.domain.watch.oncall.pages import Page
from bot.domain.watch.oncall.schedule import Override, Person
from bot.ports.store import NO_LANE
from bot.ports.watch.oncall import ReadCalendar, Told


class PostgresOnCall:
    """Implements `bot.ports.watch.oncall.OnCallStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def overrides(self, until_after: datetime) -> Sequence[Override]:
        return [_override(row) for row in await self._database.fetch("on_call_overrides", until_after)]

    async def give(self, override: Override, entry: AuditEntry, calls: Sequence[CallPeople] = ()) -> Override:
        async with self._database.transaction() as connection:
            row = await connection.one(
                "give_override",
                override.schedule,
                override.person.id,
                storable(override.person.name),
                override.since,
                override.until,
                override.by_id,
                storable(override.by),
                storable(override.reason),
                override.at,
            )
            await record(connection, entry)
            await call(connection, NO_LANE, calls)
        assert row is not None
        return replace(override, id=row["id"])

    async def told(self) -> Mapping[str, Told]:
        rows = await self._database.fetch("told_on_call")
        return {
            row["schedule"]: Told(row["schedule"], row["user_id"], row["user_name"], row["since"])
            for row in rows
        }

    async def tell(self, before: Told | None, now: Told, calls: Sequence[CallPeople]) -> bool:
        columns = (now.schedule, now.person_id, storable(now.person), now.since)
        async with self._database.transaction() as connection:
            if before is None:
                row = await connection.one("tell_first_hand_over", *columns)
            else:
                row = await connection.one("tell_hand_over", *columns, before.person_id, before.since)
            if row is not None:
                await call(connection, NO_LANE, calls)
        return row is not None

    async def pages(self, since: datetime) -> Sequence[Page]:
        return [
            Page(
                row["schedule"],
                row["due_at"],
                Person(row["user_id"], row["user_name"]),
                row["sent_at"],
                row["answered_at"],
                row["missed_at"],
            )
            for row in await self._database.fetch("on_call_pages", since)
        ]

    async def send_page(self, page: Page, calls: Sequence[CallPeople]) -> bool:
        person = page.person
        columns = (page.schedule, page.due_at, person.id, storable(person.name), page.sent_at)
        return await self._with_calls("send_page", columns, calls)

    async def posted(self, keys: Sequence[str]) -> Mapping[str, datetime]:
        rows = await self._database.fetch("posted", list(keys))
        return {row["key"]: row["done_at"] for row in rows}

    async def answer_page(self, page: Page, at: datetime) -> bool:
        return await self._database.one("answer_page", page.schedule, page.due_at, at) is not None

    async def miss_page(self, page: Page, at: datetime, calls: Sequence[CallPeople]) -> bool:
        return await self._with_calls("miss_page", (page.schedule, page.due_at, at), calls)

    async def _with_calls(self, name: str, columns: Sequence[object], calls: Sequence[CallPeople]) -> bool:
        """Run the statement, and order the messages if it changed something."""
        async with self._database.transaction() as connection:
            row = await connection.one(name, *columns)
            if row is not None:
                await call(connection, NO_LANE, calls)
        return row is not None

    async def calendars(self) -> Mapping[str, ReadCalendar]:
        rows = await self._database.fetch("on_call_calendars")
        return {row["schedule"]: _calendar(row) for row in rows}

    async def put_calendar(self, calendar: ReadCalendar) -> None:
        events = [[each.since, each.until, each.title, list(each.names)] for each in calendar.events]
        await self._database.one(
            "put_on_call_calendar",
            calendar.schedule,
            calendar.source,
            dumped(events),
            calendar.until,
            calendar.read_at,
            storable(calendar.problem),
        )


def _calendar(row: Row) -> ReadCalendar:
    events = tuple(
        CalendarEvent(datetime.fromisoformat(since), datetime.fromisoformat(until), title, tuple(names))
        for since, until, title, names in json.loads(row["events"])
    )
    return ReadCalendar(row["schedule"], row["source"], events, row["until"], row["read_at"], row["problem"])


def _override(row: Row) -> Override:
    return Override(
        id=row["id"],
        schedule=row["schedule"],
        person=Person(row["user_id"], row["user_name"]),
        since=row["since"],
        until=row["until"],
        by_id=row["by_id"],
        by=row["by_name"],
        reason=row["reason"],
        at=row["at"],
    )
