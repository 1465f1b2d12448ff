"""Reports within what a server sees, exports, and weekly reports over restarts and processes."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.domain import phrasebook
from bot.domain.config import Catalog
from bot.domain.errors import UserError
from bot.domain.judge.evidence.counters import Counts
from bot.domain.judge.history.served import ServedTick
from bot.domain.reports.tables import Table
from bot.domain.rollout.events import CallPeople
from bot.domain.watch.alerts.escalation import AlertPolicy
from bot.domain.watch.alerts.findings import Finding, Severity
from bot.domain.watch.alerts.lifecycle import begin
from bot.domain.watch.oncall.rotation import Rotation
from bot.engine.reports.service import ReportScope, ReportService
from bot.engine.reports.weekly import DayCounter, WeeklyReports
from bot.ports.watch.alerts import AlertChange
from tests.fakes.store import MemoryDatabase, MemoryStore
from tests.support.catalogs import GUILD, PRODUCTION, STAGING, catalog
from tests.support.clocks import FrozenClock

# Wednesday; the report is due on Mondays at 9:00 in Berlin.
NOW = datetime(2026, 11, 18, 12, tzinfo=UTC)
MONDAY = datetime(2026, 11, 23, 8, tzinfo=UTC)
EACH_MONDAY = Rotation("Europe/Berlin", datetime(2026, 1, 5, 9), timedelta(weeks=1))
DAY = timedelta(days=1)


class Office:
    """A server with a weekly report. `process` begins another process on the same database."""

    def __init__(self) -> None:
        self.clock = FrozenClock(NOW)
        self.store = MemoryStore(MemoryDatabase(self.clock.now))
        has = catalog()
        guild = replace(has.guilds[GUILD], report=EACH_MONDAY)
        self.catalog: Catalog = replace(has, guilds={GUILD: guild})
        self.reports = ReportService(self.store, lambda: self.catalog, self.clock)

    def process(self) -> WeeklyReports:
        return WeeklyReports(self.reports, self.store.reports, lambda: self.catalog, self.clock)

    @property
    def posted(self) -> list[CallPeople]:
        rows = self.store.effects.database.tables.open.values()
        return [row.effect for row in rows if isinstance(row.effect, CallPeople)]

    async def alert(self, *, lane: object = PRODUCTION, title: str = "errors", at: datetime = NOW) -> None:
        finding = Finding("f", "rule", title, at, severity=Severity.HIGH, lane=lane)  # type: ignore[arg-type]
        alert = begin(await self.store.alerts.next_id(), finding, (GUILD,), at, AlertPolicy()).alert
        assert await self.store.alerts.save(AlertChange(alert, 0, None))


@pytest.fixture
def office() -> Office:
    return Office()


async def test_the_first_look_posts_nothing_and_then_each_week_once_in_any_process(office: Office) -> None:
    await office.process().once()
    assert office.posted == []
    office.clock.at = MONDAY - timedelta(seconds=1)
    await office.process().once()
    assert office.posted == []
    office.clock.at = MONDAY
    for _ in range(3):
        await office.process().once()  # restarts, and another process
    (first,) = office.posted
    assert (first.channel, first.guild_id) == ("reports", GUILD)
    assert first.title == "Weekly report: 16 to 22 November 2026 (UTC)"
    assert first.text.startswith("**Availability:** not known: no requests were counted\n")
    assert [bar[0] for bar in first.bars] == [f"2026-11-{day}" for day in range(16, 23)]
    assert len(first.text) < 1500
    office.clock.at = MONDAY + 7 * DAY + timedelta(minutes=1)
    await office.process().once()
    assert len({each.key for each in office.posted}) == 2


async def test_what_came_due_while_no_process_ran_is_posted_once_and_covers_its_week(office: Office) -> None:
    await office.process().once()
    office.clock.at = MONDAY + 2 * DAY
    await office.process().once()
    assert [each.title for each in office.posted] == ["Weekly report: 16 to 22 November 2026 (UTC)"]
    office.clock.at = MONDAY + 24 * DAY
    await office.process().once()
    assert office.posted[1:] == [each for each in office.posted if "7 to 13 December" in each.title]
    assert len(office.posted) == 2  # the newest of three


class TooMuch(ReportService):
    """One server has more alerts than a report is made of."""

    def scope(self, guild_id: int, *args: Any, **more: Any) -> ReportScope:
        if guild_id == 1:
            raise phrasebook.too_much_to_report(50_000)
        return super().scope(guild_id, *args, **more)


async def test_a_report_that_cannot_be_made_keeps_no_other_server_waiting(office: Office) -> None:
    office.reports = TooMuch(office.store, lambda: office.catalog, office.clock)
    guild = office.catalog.guilds[GUILD]
    office.catalog = replace(office.catalog, guilds={1: replace(guild, id=1), GUILD: guild})
    await office.process().once()
    office.clock.at = MONDAY
    for _ in range(2):
        await office.process().once()
    assert [each.guild_id for each in office.posted] == [GUILD]
    assert await office.store.reports.posted(1) == MONDAY


async def test_no_report_is_posted_where_none_is_wanted_or_its_day_moves_back(office: Office) -> None:
    await office.process().once()
    sunday = replace(EACH_MONDAY, begins=datetime(2026, 1, 4, 9))
    guild = office.catalog.guilds[GUILD]
    office.catalog = replace(office.catalog, guilds={GUILD: replace(guild, report=sunday)})
    await office.process().once()
    office.catalog = replace(office.catalog, guilds={GUILD: replace(guild, report=None)})
    office.clock.at = MONDAY + 20 * DAY
    await office.process().once()
    assert office.posted == []


async def test_a_report_has_what_was_served_and_alerted_in_the_lanes_that_are_asked_about(
    office: Office,
) -> None:
    tick = ServedTick(NOW.timestamp() - 60, 5.0, {"errors": Counts(1000, 1)})
    await office.store.served.append([(PRODUCTION, tick), (STAGING, tick)])
    while await DayCounter(office.store.reports, office.clock).once():
        pass
    await office.alert(at=NOW - DAY)
    await office.alert(lane=STAGING, at=NOW - DAY)
    await office.alert(lane=None, title="disk full", at=NOW - DAY)
    reports = office.reports
    whole = await reports.report(reports.scope(GUILD))
    assert (whole.total.now.requests, whole.total.now.bad, whole.total.now.alerts) == (1000, 1, 3)
    assert whole.total.now.budget_left == pytest.approx(0.9)
    assert whole.total.environments == ("production",)
    one = await reports.report(reports.scope(GUILD, "checkout"), 28, "checkout")
    assert (one.total.name, one.total.now.alerts, len(one.bars)) == ("checkout", 2, 28)
    limited = await reports.report(reports.scope(GUILD, within=lambda lane: lane == STAGING))
    assert (limited.total.now.alerts, limited.total.environments) == (1, ("staging",))
    with pytest.raises(UserError, match="checkout"):
        reports.scope(GUILD, "chekout")
    assert reports.scope(7).configs == ()
    assert reports.everything().records.guilds == (GUILD,)


async def test_an_export_has_its_head_once_and_at_most_two_run(office: Office) -> None:
    scope = office.reports.scope(GUILD)

    async def whole(until: datetime = NOW) -> bytes:
        async with aclosing(office.reports.export(Table.ALERTS, scope, NOW - DAY, until)) as chunks:
            return b"".join([chunk async for chunk in chunks])

    assert (await whole()).decode().count("\ufeff") == 1  # also without rows
    for title in ("=cmd|' /C calc'!A0", "plain"):
        await office.alert(title=title, lane=PRODUCTION if title == "plain" else STAGING, at=NOW - DAY / 2)
    lines = (await whole()).decode().split("\r\n")
    assert len(lines) == 4 and "'=cmd" in lines[1] and lines[3] == ""
    for until in (NOW - DAY, NOW - 2 * DAY, NOW + 2000 * DAY):
        with pytest.raises(UserError, match="after its start"):
            await whole(until)
    running = [office.reports.export(Table.ALERTS, scope, NOW - DAY, NOW) for _ in range(2)]
    for each in running:
        await anext(each)
    with pytest.raises(UserError, match="at the same time"):
        await whole()
    for each in running:
        await each.aclose()
    assert len((await whole()).splitlines()) == 3
