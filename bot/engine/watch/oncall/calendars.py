"""Calendars of on-call schedules: read one after another, each at its own interval."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import structlog

from bot.domain.config import Catalog
from bot.domain.watch.oncall.schedule import CalendarSource, OnCallSchedule
from bot.engine.watch.oncall.rota import AHEAD, BACK
from bot.ports.coordination import Clock
from bot.ports.errors import Unreachable
from bot.ports.watch.oncall import CalendarReader, OnCallStore, ReadCalendar

log = structlog.get_logger(__name__)

_FURTHER = timedelta(weeks=4)
_AGAIN_S = 60.0


class CalendarLoop:
    """Reads the calendars that are due. While one is away, what was read last counts, with the reason beside it."""

    def __init__(
        self, reader: CalendarReader, store: OnCallStore, catalog: Callable[[], Catalog], clock: Clock
    ) -> None:
        self._reader = reader
        self._store = store
        self._catalog = catalog
        self._clock = clock

    async def once(self) -> bool:
        """One round of the loop."""
        schedules = [each for each in self._catalog().on_call.values() if each.source is not None]
        if not schedules:
            return False
        known = await self._store.calendars()
        for schedule in schedules:
            assert schedule.source is not None
            before = known.get(schedule.name)
            if (
                before is None
                or before.source != schedule.source.digest
                or self._is_due(before, schedule.source)
            ):
                await self._read(schedule, schedule.source, before)
        return False

    def _is_due(self, before: ReadCalendar, source: CalendarSource) -> bool:
        wait_s = min(_AGAIN_S, source.refresh_s) if before.problem else source.refresh_s
        return self._clock.now() - before.read_at >= timedelta(seconds=wait_s)

    async def _read(
        self, schedule: OnCallSchedule, source: CalendarSource, before: ReadCalendar | None
    ) -> None:
        now = self._clock.now()
        until = now + AHEAD + _FURTHER
        same = before if before is not None and before.source == source.digest else None
        try:
            events = await self._reader.read(source, schedule.time_zone, now - BACK, until)
        except Unreachable as away:
            log.warning("calendar_unreadable", schedule=schedule.name, error=str(away))
            found = same or ReadCalendar(schedule.name, source.digest, (), None, now)
            found = replace(found, read_at=now, problem=str(away))
        else:
            found = ReadCalendar(schedule.name, source.digest, tuple(events), until, now)
        await self._store.put_calendar(found)
