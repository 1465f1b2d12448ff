"""What reports are made from, which of them were posted, and rows to export."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import date, datetime
from typing import Protocol

from bot.domain.reports.records import Outage, PastAlert, PastRollout, RecordScope, ServedDays
from bot.domain.reports.tables import Table, Value
from bot.domain.rollout.events import CallPeople
from bot.domain.rollout.model import Lane


class ReportStore(Protocol):
    """Facts for reports. Raises `Unreachable` when the database does not answer."""

    async def first_rollouts(self, lanes: Sequence[Lane]) -> Mapping[Lane, datetime]:
        """When the first rollout of each lane was requested; lanes without one are left out."""
        ...

    async def rollouts(
        self, lanes: Sequence[Lane], since: datetime, until: datetime, limit: int
    ) -> Sequence[PastRollout]:
        """Those that ended in this time, the first first."""
        ...

    async def alerts(
        self, scope: RecordScope, since: datetime, until: datetime, limit: int
    ) -> Sequence[PastAlert]:
        """Those that began in this time, the first first."""
        ...

    async def incidents(self, scope: RecordScope, since: datetime, until: datetime) -> Sequence[Outage]:
        """Critical and high incidents of lanes that were opened in this time, until users were well again."""
        ...

    async def served(self, lanes: Sequence[Lane], begins: Sequence[date], last: date) -> Sequence[ServedDays]:
        """What was counted of these lanes until `last`, summed up from each of `begins` (rising) to the next."""
        ...

    async def count_days(self, now: datetime, limit: int) -> int:
        """Sum up so many days of what lanes served, that were not counted for an hour; how many there were."""
        ...

    async def forget_days(self, before: date) -> bool:
        """Delete some of the days before; True when there is more."""
        ...

    async def posted(self, guild_id: int) -> datetime | None:
        """When the newest report that was posted in the server was due; None before the first."""
        ...

    async def post(self, guild_id: int, due_at: datetime, calls: Sequence[CallPeople]) -> bool:
        """Record a report with its message; False, with nothing recorded, when it or a newer one was posted."""
        ...


class ExportStore(Protocol):
    """Rows of whole tables. Raises `Unreachable`."""

    def rows(
        self, table: Table, scope: RecordScope, since: datetime, until: datetime
    ) -> AsyncGenerator[Sequence[Sequence[Value]], None]:
        """Rollouts that were requested, alerts that began, or incidents that were opened, in this time; some at a time.

        The first come first, with values in the order of `COLUMNS`. What is not yet read is not in memory.
        """
        ...
