"""Alerts in PostgreSQL: one row each, its timeline, and where its cards are."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime

from bot.adapters.postgres.connection.database import Connection, Database
from bot.adapters.postgres.connection.json import dumped, storable, without_nul
from bot.adapters.postgres.effects import call
from bot.adapters.postgres.watch.incidents import save_incident
from bot.adapters.typed_json import typed
from bot.domain.rollout.model import Lane
from bot.domain.watch.alerts.alert import Alert, Entry
from bot.domain.watch.rules import WatchState
from bot.ports.store import NO_LANE
from bot.ports.watch.alerts import NOTHING, AlertCard, AlertChange
from bot.ports.watch.incidents import FIRST


class PostgresAlerts:
    """Implements `bot.ports.watch.alerts.AlertStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def next_id(self) -> int:
        row = await self._database.one("next_alert")
        assert row is not None
        return int(row["id"])

    async def load(self, alert_id: int) -> Alert | None:
        row = await self._database.one("alert", alert_id)
        return typed(Alert).validate_json(row["alert"]) if row else None

    async def newest(self, groups: Sequence[str]) -> Mapping[str, Alert]:
        rows = await self._database.fetch("newest_alerts", [storable(group) for group in groups])
        return {row["grp"]: typed(Alert).validate_json(row["alert"]) for row in rows}

    async def save(self, change: AlertChange) -> bool:
        async with self._database.transaction() as connection:
            if not await _saved(connection, change):
                return False
            if change.entries:
                await connection.one(
                    "add_entries", change.alert.id, dumped([_row(e) for e in change.entries])
                )
            await call(connection, change.alert.lane or NO_LANE, change.calls)
            for opened in change.incidents:
                await save_incident(connection, opened)
        return True

    async def due(self, now: datetime, limit: int) -> Sequence[Alert]:
        return [
            typed(Alert).validate_json(row["alert"])
            for row in await self._database.fetch("due_alerts", now, limit)
        ]

    async def open(self, guild_id: int | None = None, limit: int = 200) -> Sequence[Alert]:
        rows = await self._database.fetch("open_alerts", guild_id, limit)
        return [typed(Alert).validate_json(row["alert"]) for row in rows]

    async def silenced(self, limit: int) -> Sequence[Alert]:
        return [
            typed(Alert).validate_json(row["alert"])
            for row in await self._database.fetch("silenced_alerts", limit)
        ]

    async def of_lane(self, lane: Lane, since: datetime, limit: int) -> Sequence[Alert]:
        rows = await self._database.fetch("lane_alerts", lane.service, lane.environment, since, limit)
        return [typed(Alert).validate_json(row["alert"]) for row in rows]

    async def count_open(self) -> Mapping[str, int]:
        rows = await self._database.fetch("count_open_alerts")
        return {row["severity"]: row["number"] for row in rows}

    async def timeline(self, alert_id: int, limit: int) -> Sequence[Entry]:
        first = limit // FIRST
        rows = await self._database.fetch("alert_timeline", alert_id, first, limit - first)
        return [Entry(row["at"], row["what"], row["said"], row["who"]) for row in rows]

    async def undrawn(self, limit: int, without: Mapping[int, int] = NOTHING) -> Sequence[tuple[Alert, int]]:
        rows = await self._database.fetch("undrawn_alerts", limit, [*without], [*without.values()])
        return [(typed(Alert).validate_json(row["alert"]), row["drawn"]) for row in rows]

    async def drawn(self, alert_id: int, version: int) -> None:
        await self._database.fetch("alert_drawn", alert_id, version)

    async def cards(self, alert_id: int) -> Sequence[AlertCard]:
        return [AlertCard(**dict(row)) for row in await self._database.fetch("alert_cards", alert_id)]

    async def put_card(self, card: AlertCard) -> None:
        await self._database.fetch(
            "put_alert_card", card.alert_id, card.guild_id, card.channel_id, card.message_id
        )


class PostgresWatchedLanes:
    """Implements `bot.ports.watch.alerts.WatchedLanes`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(self) -> Mapping[Lane, WatchState]:
        rows = await self._database.fetch("watched_lanes")
        return {
            Lane(row["service"], row["environment"]): WatchState.from_json(json.loads(row["state"]))
            for row in rows
        }

    async def save(self, states: Mapping[Lane, WatchState], at: datetime) -> None:
        rows = [
            {"service": lane.service, "environment": lane.environment, "state": state.to_json()}
            for lane, state in states.items()
        ]
        await self._database.fetch("save_watched", dumped(rows), at)


async def _saved(connection: Connection, change: AlertChange) -> bool:
    alert = change.alert
    text = without_nul(typed(Alert).dump_json(alert).decode())
    if change.before:
        row = await connection.one(
            "change_alert",
            alert.id,
            change.before,
            alert.severity,
            alert.over,
            alert.version,
            text,
            change.due_at,
            alert.ended_at,
        )
    else:
        lane = alert.lane or NO_LANE
        row = await connection.one(
            "open_alert",
            alert.id,
            storable(alert.group),
            lane.service,
            lane.environment,
            list(alert.guilds),
            alert.severity,
            alert.over,
            alert.version,
            text,
            change.due_at,
            alert.opened_at,
            alert.ended_at,
        )
    return row is not None


def _row(entry: Entry) -> dict[str, object]:
    return {"at": entry.at, "what": entry.what, "who": storable(entry.by), "said": storable(entry.text)}
