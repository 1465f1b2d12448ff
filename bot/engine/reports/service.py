"""Reports and exports as people ask for them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.domain import phrasebook
from bot.domain.config import Catalog, LaneConfig, unknown
from bot.domain.reports import tables
from bot.domain.reports.records import Period, PeriodFacts, RecordScope, ReportedLane, last_days
from bot.domain.reports.report import PeriodReport, report, summed_from
from bot.domain.reports.tables import Table
from bot.domain.watch.rules import error_limit
from bot.engine.api import Within, everywhere
from bot.ports.coordination import Clock
from bot.ports.errors import Unreachable
from bot.ports.store import Store

DAYS = (7, 28, 90)
# Several statements, of a second each at most.
ANSWER_S = 8.0
_MOST = 50_000
_EXPORTS_AT_ONCE = 2
_LONGEST_EXPORT = timedelta(days=1100)


@dataclass(frozen=True, slots=True)
class ReportScope:
    """What a report is about: lanes as the catalog has them, and the records that may be read."""

    configs: tuple[LaneConfig, ...]
    records: RecordScope


class ReportService:
    """Raises `UserError` with a sentence, or `Unreachable`."""

    def __init__(self, store: Store, catalog: Callable[[], Catalog], clock: Clock) -> None:
        self._store = store
        self._catalog = catalog
        self._clock = clock
        self._exporting = 0

    def scope(self, guild_id: int, service: str | None = None, within: Within = everywhere) -> ReportScope:
        """What a server sees, or one service of it."""
        seen = [each for each in self._catalog().visible(guild_id) if within(each.lane)]
        # What concerns no lane is for those who may see all of them.
        return _limited(seen, service, (guild_id,), whole=within is everywhere)

    def everything(self, service: str | None = None) -> ReportScope:
        """What all servers see: for the machine's own command line."""
        catalog = self._catalog()
        return _limited(list(catalog.lanes.values()), service, tuple(catalog.guilds), whole=True)

    async def report(self, scope: ReportScope, days: int = 7, service: str | None = None) -> PeriodReport:
        """The last days, of which today is one."""
        return await self.about(scope, last_days(days, self._clock.now()), service)

    async def about(self, scope: ReportScope, period: Period, service: str | None = None) -> PeriodReport:
        """What is recorded of a period, beside the one before."""
        try:
            async with asyncio.timeout(ANSWER_S):
                facts = await self._facts(scope.records, period)
        except TimeoutError:
            raise Unreachable(f"no answer within {ANSWER_S:g} s") from None
        lanes = [
            ReportedLane(each.lane, each.gated, error_limit(each.policy.judge)) for each in scope.configs
        ]
        return await asyncio.to_thread(report, period, lanes, facts, service or "")

    async def _facts(self, scope: RecordScope, period: Period) -> PeriodFacts:
        store, lanes, before = self._store.reports, scope.lanes, period.before
        since, until = before.since, period.until
        rollouts = await store.rollouts(lanes, since, until, _MOST + 1)
        alerts = await store.alerts(scope, since, until, _MOST + 1)
        if max(len(rollouts), len(alerts)) > _MOST:
            raise phrasebook.too_much_to_report(_MOST)
        return PeriodFacts(
            known_since=dict(await store.first_rollouts(lanes)),
            rollouts=tuple(rollouts),
            alerts=tuple(alerts),
            served=tuple(await store.served(lanes, summed_from(period), period.last)),
            incidents=tuple(await store.incidents(scope, since, until)),
        )

    # ---- exports -------------------------------------------------------------------------------------------

    async def export(
        self, table: Table, scope: ReportScope, since: datetime, until: datetime
    ) -> AsyncGenerator[bytes, None]:
        """The rows as CSV, some at a time. A connection to the database is held until it is closed."""
        if not since < until or until - since > _LONGEST_EXPORT:
            raise phrasebook.bad_period(_LONGEST_EXPORT.days)
        if self._exporting >= _EXPORTS_AT_ONCE:
            raise phrasebook.exports_are_busy(_EXPORTS_AT_ONCE)
        self._exporting += 1
        try:
            found = self._store.exports.rows(table, scope.records, since, until)
            head = tables.head(table)
            async with aclosing(found) as rows:
                async for some in rows:
                    yield head + tables.body(some)
                    head = b""
            if head:
                yield head
        finally:
            self._exporting -= 1


def _limited(
    lanes: Sequence[LaneConfig], service: str | None, guilds: tuple[int, ...], *, whole: bool
) -> ReportScope:
    if service is not None:
        known = {each.lane.service for each in lanes}
        if service not in known:
            raise unknown("service", service, known)
        lanes = [each for each in lanes if each.lane.service == service]
    names = tuple(each.lane for each in lanes)
    return ReportScope(tuple(lanes), RecordScope(names, guilds, whole=whole and service is None))
