"""Facts for reports, and rows for exports, in PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Literal

from bot.adapters.postgres.connection.database import Database, Row
from bot.adapters.postgres.connection.queries import SQL
from bot.adapters.postgres.effects import call
from bot.domain.reports.records import Outage, PastAlert, PastRollout, RecordScope, ServedDays, midnight
from bot.domain.reports.tables import COLUMNS, Table, Value
from bot.domain.rollout.events import CallPeople
from bot.domain.rollout.model import Lane, Phase
from bot.domain.watch.alerts.findings import Severity
from bot.ports.store import NO_LANE

# What lanes served is kept for two weeks; of the oldest day a part may be gone.
_COUNTED_BACK = timedelta(days=12)
_FORGOTTEN_AT_ONCE = 1000
_ROWS_AT_ONCE = 500
_ROWS_S = 10.0


class PostgresReports:
    """Implements `bot.ports.reports.ReportStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def first_rollouts(self, lanes: Sequence[Lane]) -> Mapping[Lane, datetime]:
        rows = await self._database.fetch("first_rollouts", *_names(lanes))
        return {Lane(row["service"], row["environment"]): row["created_at"] for row in rows}

    async def rollouts(
        self, lanes: Sequence[Lane], since: datetime, until: datetime, limit: int
    ) -> Sequence[PastRollout]:
        rows = await self._database.fetch("report_rollouts", *_names(lanes), since, until, limit)
        known = _by_names(lanes)
        return [_rollout(row, known) for row in rows]

    async def alerts(
        self, scope: RecordScope, since: datetime, until: datetime, limit: int
    ) -> Sequence[PastAlert]:
        rows = await self._database.fetch("report_alerts", *_scope(scope), since, until, limit)
        known = _by_names(scope.lanes)
        return [
            PastAlert(
                id=row["id"],
                lane=known[row["service"], row["environment"]] if row["service"] else None,
                severity=Severity(row["severity"]),
                title=row["title"],
                opened_at=row["opened_at"],
                acknowledged_at=row["acknowledged_at"],
                ended_at=row["ended_at"],
                returns=row["returns"],
            )
            for row in rows
        ]

    async def served(self, lanes: Sequence[Lane], begins: Sequence[date], last: date) -> Sequence[ServedDays]:
        rows = await self._database.fetch("report_served", *_names(lanes), list(begins), last)
        known = _by_names(lanes)
        return [
            ServedDays(
                known[row["service"], row["environment"]],
                row["first"],
                row["seconds"],
                row["requests"],
                row["bad"],
            )
            for row in rows
        ]

    async def incidents(self, scope: RecordScope, since: datetime, until: datetime) -> Sequence[Outage]:
        names, guilds = _names(scope.lanes), list(scope.guilds)
        rows = await self._database.fetch("report_incidents", *names, guilds, since, until)
        return [Outage(Lane(row["service"], row["environment"]), row["since"], row["until"]) for row in rows]

    async def count_days(self, now: datetime, limit: int) -> int:
        oldest = midnight(now) - _COUNTED_BACK
        return len(await self._database.fetch("count_served_days", oldest, now, limit))

    async def forget_days(self, before: date) -> bool:
        row = await self._database.one("forget_served_days", before, _FORGOTTEN_AT_ONCE)
        return row is not None and row["gone"] == _FORGOTTEN_AT_ONCE

    async def posted(self, guild_id: int) -> datetime | None:
        row = await self._database.one("report_posted", guild_id)
        return row["due_at"] if row else None

    async def post(self, guild_id: int, due_at: datetime, calls: Sequence[CallPeople]) -> bool:
        async with self._database.transaction() as connection:
            row = await connection.one("post_report", guild_id, due_at)
            if row is not None:
                await call(connection, NO_LANE, calls)
        return row is not None


class PostgresExports:
    """Implements `bot.ports.reports.ExportStore`: a cursor of the server, in a transaction that only reads."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def rows(
        self, table: Table, scope: RecordScope, since: datetime, until: datetime
    ) -> AsyncGenerator[Sequence[Sequence[Value]], None]:
        names, args = COLUMNS[table], (*_scope(scope), since, until)
        async with self._database.connection() as connection, connection.transaction(readonly=True):
            cursor = await connection.cursor(SQL[f"export_{table}"], *args, timeout=_ROWS_S)
            while rows := await cursor.fetch(_ROWS_AT_ONCE, timeout=_ROWS_S):
                yield [[row[name] for name in names] for row in rows]


def _names(lanes: Sequence[Lane]) -> tuple[list[str], list[str]]:
    return [lane.service for lane in lanes], [lane.environment for lane in lanes]


def _by_names(lanes: Sequence[Lane]) -> Mapping[tuple[str, str], Lane]:
    """One object for each lane: a report looks tens of thousands of records up by their lanes."""
    return {(lane.service, lane.environment): lane for lane in lanes}


def _scope(scope: RecordScope) -> tuple[list[str], list[str], list[int], bool]:
    return (*_names(scope.lanes), list(scope.guilds), scope.whole)


def _rollout(row: Row, known: Mapping[tuple[str, str], Lane]) -> PastRollout:
    return PastRollout(
        id=row["id"],
        lane=known[row["service"], row["environment"]],
        phase=Phase(row["phase"]),
        to_digest=row["to_digest"],
        from_digest=row["from_digest"],
        requested_at=row["created_at"],
        ended_at=row["ended_at"],
        had_traffic=row["had_traffic"],
        returns=row["returns"],
        made_at=datetime.fromisoformat(row["made_at"]) if row["made_at"] else None,
        shifted_at=row["shifted_at"],
        rolled_back=_by(row["via"]),
    )


def _by(via: str | None) -> Literal["automatic", "person"] | None:
    if via is None:
        return None
    return "automatic" if via == "system" else "person"
