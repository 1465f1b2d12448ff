"""Weekly reports, posted once for each week, and sums of what lanes served by the day."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from bot.domain.config import Catalog, GuildConfig
from bot.domain.errors import UserError
from bot.domain.reports import wording
from bot.domain.reports.records import whole_days
from bot.domain.reports.report import PeriodReport
from bot.domain.rollout.events import CallPeople
from bot.engine.reports.service import ReportService
from bot.ports.coordination import Clock
from bot.ports.reports import ReportStore

log = structlog.get_logger(__name__)

ICON = "📊"
_DAYS = 7
_MOST_SERVICES = 8
_KEPT = timedelta(days=400)
# Each takes up to some tenths of a second of the database.
_DAYS_AT_ONCE = 2


class WeeklyReports:
    """What was posted last is a row, and changes in one transaction with the message.

    So a report is posted once, whatever restarts, also one that came due while no process ran; of several missed
    ones the newest. The first look at a server posts nothing: its first report comes with the next week. One that
    cannot be made is left out, with the reason in the log.
    """

    def __init__(
        self, reports: ReportService, store: ReportStore, catalog: Callable[[], Catalog], clock: Clock
    ) -> None:
        self._reports = reports
        self._store = store
        self._catalog = catalog
        self._clock = clock

    async def once(self) -> bool:
        """One round of the loop."""
        now = self._clock.now()
        for guild in self._catalog().guilds.values():
            turn = guild.report.turn(now) if guild.report is not None else None
            if guild.report is None or turn is None:
                continue
            try:
                await self._look(guild, guild.report.start(turn))
            except UserError as refused:
                # Such as more alerts than a report is made of: the other servers get theirs.
                log.warning("weekly_report_left_out", guild_id=guild.id, why=str(refused))
                await self._store.post(guild.id, guild.report.start(turn), ())
        return False

    async def _look(self, guild: GuildConfig, due_at: datetime) -> None:
        last = await self._store.posted(guild.id)
        if last is not None and last >= due_at:
            return
        calls = []
        if last is not None:
            scope = self._reports.scope(guild.id)
            calls = [call(guild, due_at, await self._reports.about(scope, whole_days(_DAYS, due_at)))]
        if await self._store.post(guild.id, due_at, calls):
            log.info("weekly_report", guild_id=guild.id, posted=bool(calls))


class DayCounter:
    """Sums up what lanes served by the day, which is kept for longer than the ticks themselves."""

    def __init__(self, store: ReportStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def once(self) -> bool:
        """One round of the loop."""
        now = self._clock.now()
        if await self._store.count_days(now, _DAYS_AT_ONCE):
            return True
        return await self._store.forget_days((now - _KEPT).date())


def call(guild: GuildConfig, due_at: datetime, report: PeriodReport) -> CallPeople:
    """The message of a report: its figures, the services, and what the chart shows."""
    lines = [f"**{line.label}:** {line.text}" for line in wording.lines(report.total)]
    services = [f"- {each.name}: {wording.short(each)}" for each in report.services[:_MOST_SERVICES]]
    if len(report.services) > _MOST_SERVICES:
        services.append(f"- and {len(report.services) - _MOST_SERVICES} more: `/report`")
    noisy = [f"- {each}" for each in wording.noisy(report)[:3]]
    parts = [*lines, *(["**Services**", *services] if services else [])]
    parts += ["**Noisiest alerts**", *noisy] if noisy else []
    return CallPeople(
        key=hashlib.sha256(f"{guild.id}/report/{due_at.isoformat()}".encode()).hexdigest()[:24],
        guild_id=guild.id,
        title=f"Weekly report: {wording.dates(report.period)}",
        text="\n".join(parts),
        channel="reports",
        icon=ICON,
        bars=tuple(
            (str(bar.first), str(bar.last), bar.good, bar.failed, bar.availability) for bar in report.bars
        ),
    )
