"""States of monitors in PostgreSQL: a row for each check, one for each of its days, and one for each location."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby

from bot.adapters.postgres.connection.database import Database, Row
from bot.adapters.postgres.connection.json import dumped, spliced, storable
from bot.adapters.typed_json import typed
from bot.domain.rollout.model import Lane
from bot.domain.watch.checks import HOUR_S, Hour, MonitorState
from bot.domain.watch.locations import LocationLook
from bot.ports.watch.monitors import Glance, MonitorKey, SavedLook

DAY_S, WEEK_S = 86_400.0, 7 * 86_400.0
# A statement has one second.
_AT_ONCE = 500
_DAYS_AT_ONCE = 2_000
_TIDIED_AT_ONCE = 1_000


class PostgresMonitors:
    """Implements `bot.ports.watch.monitors.MonitorStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(self) -> Mapping[MonitorKey, MonitorState]:
        rows = await self._database.fetch("monitors")
        hours: dict[MonitorKey, list[Hour]] = defaultdict(list)
        async for row in self._days(0.0):
            hours[_key(row)] += _hours(row["since"], row["hours"])
        found: dict[MonitorKey, MonitorState] = {}
        for row in rows:
            key, state = _key(row), typed(MonitorState).validate_json(row["state"])
            found[key] = replace(state, hours=tuple(hours.get(key, ())))
        return found

    async def glance(self, now: float) -> Mapping[MonitorKey, Glance]:
        rows = await self._database.fetch("monitors")
        day_ms: dict[MonitorKey, list[int]] = defaultdict(lambda: [0, 0])
        week_ms: dict[MonitorKey, list[int]] = defaultdict(lambda: [0, 0])
        async for row in self._days(now - WEEK_S):
            key, since, hours = _key(row), row["since"], json.loads(row["hours"])
            for sums, oldest in ((week_ms, now - WEEK_S), (day_ms, now - DAY_S)):
                if since + DAY_S <= oldest:
                    continue
                counted = hours if since >= oldest else [h for h in hours if since + h[0] * HOUR_S >= oldest]
                sums[key][0] += sum([hour[1] for hour in counted])
                sums[key][1] += sum([hour[2] for hour in counted])
        return {
            key: Glance(
                typed(MonitorState).validate_json(row["state"]), _seconds(day_ms, key), _seconds(week_ms, key)
            )
            for key, row in ((_key(row), row) for row in rows)
        }

    async def _days(self, since: float) -> AsyncIterator[Row]:
        """The rows of the days that end after `since` (unix seconds)."""
        after: tuple[str, str, str, float] = ("", "", "", 0.0)
        while True:
            days = await self._database.fetch("monitor_days", *after, _DAYS_AT_ONCE, since - DAY_S)
            for row in days:
                yield row
            if len(days) < _DAYS_AT_ONCE:
                return
            last = days[-1]
            after = (last["service"], last["environment"], last["name"], last["since"])

    async def save(self, states: Mapping[MonitorKey, MonitorState]) -> None:
        each = list(states.items())
        for first in range(0, len(each), _AT_ONCE):
            part = each[first : first + _AT_ONCE]
            rows = ", ".join(spliced(_names(key), state=_dumped(state)) for key, state in part)
            days = [day for key, state in part for day in _newest_days(key, state)]
            await self._database.fetch("save_monitors", f"[{rows}]", dumped(days))

    async def forget(self, keys: Collection[MonitorKey]) -> None:
        await self._database.fetch("forget_monitors", dumped([_names(key) for key in keys]))

    async def looks(self, since: float) -> Sequence[SavedLook]:
        rows = await self._database.fetch("looks", since)
        return [
            SavedLook(
                _key(row), row["location"], row["saved"], typed(LocationLook).validate_json(row["look"])
            )
            for row in rows
        ]

    async def save_looks(self, location: str, looks: Mapping[MonitorKey, LocationLook]) -> None:
        each = list(looks.items())
        for first in range(0, len(each), _AT_ONCE):
            rows = ", ".join(
                spliced({**_names(key), "at": look.at}, look=_dumped_look(look))
                for key, look in each[first : first + _AT_ONCE]
            )
            await self._database.fetch("save_looks", f"[{rows}]", storable(location))

    async def forget_looks(self, gone: Collection[tuple[MonitorKey, str]]) -> None:
        names = [{**_names(key), "location": location} for key, location in gone]
        await self._database.fetch("forget_looks", dumped(names))

    async def tidy(self, before: float) -> bool:
        row = await self._database.one("tidy_monitor_days", before - DAY_S, _TIDIED_AT_ONCE)
        return row is not None and row["gone"] == _TIDIED_AT_ONCE


def _key(row: Mapping[str, str]) -> MonitorKey:
    return MonitorKey(Lane(row["service"], row["environment"]), row["name"])


def _seconds(sums: Mapping[MonitorKey, Sequence[int]], key: MonitorKey) -> tuple[float, float]:
    up_ms, down_ms = sums.get(key, (0, 0))
    return up_ms / 1000, down_ms / 1000


def _names(key: MonitorKey) -> dict[str, object]:
    return {"service": key.lane.service, "environment": key.lane.environment, "name": key.name}


def _dumped(state: MonitorState) -> str:
    """What is remembered, without the hours, which have rows of their own."""
    if state.last is not None:
        state = replace(state, last=replace(state.last, said=storable(state.last.said)))
    return typed(MonitorState).dump_json(state, exclude={"hours", "untold"}).decode()


def _dumped_look(look: LocationLook) -> str:
    if look.result is not None:
        look = replace(look, result=replace(look.result, said=storable(look.result.said)))
    return typed(LocationLook).dump_json(look).decode()


def _newest_days(key: MonitorKey, state: MonitorState) -> Iterator[dict[str, object]]:
    """The rows of the newest two days: older ones are stored already and do not change."""
    by_day = [(day, list(hours)) for day, hours in groupby(state.hours, lambda hour: hour.since // DAY_S)]
    for day, hours in by_day[-2:]:
        since = day * DAY_S
        told = [
            [int((hour.since - since) // HOUR_S), round(hour.up_s * 1000), round(hour.down_s * 1000)]
            for hour in hours
        ]
        yield {**_names(key), "since": since, "hours": told}


def _hours(since: float, text: str) -> Sequence[Hour]:
    """The hours of a day: each is its number in the day, and the milliseconds that the check passed and failed."""
    return [
        Hour(since + number * HOUR_S, up_ms / 1000, down_ms / 1000)
        for number, up_ms, down_ms in json.loads(text)
    ]
