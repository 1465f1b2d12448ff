"""What `ReportStore` promises, in memory and on PostgreSQL, with rollouts as the machine makes them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from bot.adapters.postgres.store import PostgresStore
from bot.domain.judge.evidence.counters import Counts
from bot.domain.judge.history.served import ServedTick
from bot.domain.records import RolloutChange
from bot.domain.reports.records import PastAlert, RecordScope, ServedDays
from bot.domain.reports.tables import COLUMNS, Table
from bot.domain.rollout.events import CallPeople, Transition
from bot.domain.rollout.model import SYSTEM, Actor, Lane, Phase, Release, Rollout
from bot.domain.watch.alerts.alert import Entry
from bot.domain.watch.alerts.escalation import AlertPolicy
from bot.domain.watch.alerts.findings import Finding, Severity
from bot.domain.watch.alerts.lifecycle import begin
from bot.domain.watch.incidents.incident import Incident
from bot.ports.watch.alerts import AlertChange
from bot.ports.watch.incidents import IncidentSave
from tests.support.actors import LEAD
from tests.support.catalogs import GUILD, PRODUCTION, STAGING, STRAIGHT, V140, V150, begin_rollout
from tests.support.postgres import PostgresServer
from tests.support.stores import BOTH, StoreWorld, opened_store
from tests.support.virtual_time import EPOCH

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MIDNIGHT = datetime(2026, 11, 20, tzinfo=UTC)


class Records(StoreWorld):
    async def ended(
        self,
        phase: Phase = Phase.SUCCEEDED,
        *,
        lane: Lane = PRODUCTION,
        candidate: Release = V150,
        by: Actor = SYSTEM,
        at: datetime = EPOCH + HOUR,
        known_good: bool = False,
    ) -> Rollout:
        """A rollout that ended an hour after it was requested; a rolled-back one got traffic half an hour before."""
        number = await self.store.rollouts.next_id()
        begun = begin_rollout(
            id=number,
            lane=lane,
            plan=STRAIGHT,
            at=at - HOUR,
            generation=0,
            candidate=candidate,
            known_good=known_good,
        ).rollout
        assert await self.store.rollouts.save(RolloutChange(begun, None, at - HOUR))
        loaded = await self.store.rollouts.load(number)
        assert loaded is not None
        turned = Transition(by, at, "rolled_back", "", "shifting", str(Phase.ROLLING_BACK))
        lines = (
            Transition(SYSTEM, at - HOUR / 2, "shifting", "", "verifying", str(Phase.SHIFTING)),
            turned,
            replace(turned, actor=SYSTEM, what="outpaced"),
        )
        done = replace(
            loaded.rollout, phase=phase, ended_at=at, had_traffic=True, version=loaded.rollout.version + 1
        )
        assert await self.store.rollouts.save(
            RolloutChange(done, loaded.rollout, at, transitions=lines if phase is Phase.ROLLED_BACK else ())
        )
        return done

    async def alert(self, lane: Lane | None, title: str, at: datetime) -> int:
        finding = Finding("f", "rule", title, at, severity=Severity.HIGH, lane=lane)
        alert = begin(await self.store.alerts.next_id(), finding, (GUILD,), at, AlertPolicy()).alert
        # Slipway's own line is no one's; who presses Roll back has the alert.
        entries = (
            Entry(at, "rollback", "would roll back"),
            *(Entry(at + n * HOUR, what, "", "ada") for n, what in ((1, "rollback"), (2, "acknowledged"))),  # type: ignore[arg-type]
        )
        assert await self.store.alerts.save(AlertChange(alert, 0, None, entries))
        return alert.id


@pytest.fixture(params=BOTH)
async def records(request: pytest.FixtureRequest, postgres: PostgresServer) -> AsyncIterator[Records]:
    async with opened_store(request.param, postgres, Records) as records:
        yield records


async def test_a_return_is_told_apart_in_the_history(records: Records) -> None:
    await records.ended()
    await records.ended(known_good=True, at=EPOCH + 2 * HOUR)
    history = records.store.history
    assert [each.returns for each in await history.history([PRODUCTION], None, 5)] == [True, False]
    assert (await history.last_successes([PRODUCTION]))[PRODUCTION].returns


async def test_rollouts_are_read_with_who_turned_them_back(records: Records) -> None:
    made = replace(V150, made_at=EPOCH - DAY)
    await records.ended(candidate=made)
    await records.ended(Phase.ROLLED_BACK, at=EPOCH + 2 * HOUR)
    await records.ended(Phase.ROLLED_BACK, by=LEAD, at=EPOCH + 3 * HOUR)
    await records.ended(known_good=True, at=EPOCH + 4 * HOUR)
    await records.ended(lane=STAGING)
    await records.ended(at=EPOCH + 9 * DAY)
    found = await records.store.reports.rollouts([PRODUCTION], EPOCH, EPOCH + DAY, 10)
    assert [(each.phase, each.rolled_back, each.returns) for each in found] == [
        (Phase.SUCCEEDED, None, False),
        (Phase.ROLLED_BACK, "automatic", False),
        (Phase.ROLLED_BACK, "person", False),
        (Phase.SUCCEEDED, None, True),
    ]
    first, second = found[:2]
    assert (first.made_at, first.shifted_at, second.made_at) == (EPOCH - DAY, None, None)
    assert second.shifted_at == EPOCH + 1.5 * HOUR
    assert (first.requested_at, first.ended_at, first.had_traffic) == (EPOCH, EPOCH + HOUR, True)
    assert (first.from_digest, first.to_digest) == (V140.digest, V150.digest)
    assert len(await records.store.reports.rollouts([PRODUCTION, STAGING], EPOCH, EPOCH + DAY, 2)) == 2
    known = await records.store.reports.first_rollouts([PRODUCTION, Lane("mail", "production")])
    assert known == {PRODUCTION: EPOCH}


async def test_alerts_are_those_of_the_lanes_and_of_servers_that_see_all(records: Records) -> None:
    mine = await records.alert(PRODUCTION, "errors", EPOCH)
    await records.alert(STAGING, "slow", EPOCH)
    none = await records.alert(None, "disk full", EPOCH + HOUR)

    async def read(*guilds: int) -> list[PastAlert]:
        scope = RecordScope((PRODUCTION,), guilds)
        return list(await records.store.reports.alerts(scope, EPOCH, EPOCH + DAY, 10))

    assert [each.id for each in await read(GUILD)] == [mine, none]
    assert [each.id for each in await read()] == [each.id for each in await read(7)] == [mine]
    assert await read(7) == [
        PastAlert(mine, PRODUCTION, Severity.HIGH, "errors", EPOCH, EPOCH + HOUR)  # the first time counts
    ]
    for whole, lanes in ((True, [None]), (False, [])):
        scope = RecordScope((), (GUILD,), whole=whole)
        found = await records.store.reports.alerts(scope, EPOCH, EPOCH + DAY, 10)
        assert [each.lane for each in found] == lanes


async def test_incidents_last_until_users_were_well_or_else_until_they_were_closed(records: Records) -> None:
    store = records.store

    async def opened(**more: Any) -> int:
        number = await store.incidents.next_id()
        usual = Incident(number, GUILD, PRODUCTION, "=errors", Severity.HIGH, EPOCH, EPOCH + HOUR)
        assert await store.incidents.save(IncidentSave(replace(usual, **more), 0, None))
        return number

    await opened()
    await opened(restored_at=EPOCH + 2 * HOUR, closed_at=EPOCH + 9 * HOUR)
    await opened(closed_at=EPOCH + 3 * HOUR)
    await opened(severity=Severity.MEDIUM)
    none = await opened(lane=None)
    await opened(lane=STAGING)
    await opened(guild_id=7)
    await opened(opened_at=EPOCH + 2 * DAY)
    scope = RecordScope((PRODUCTION,), (GUILD,))
    found = await store.reports.incidents(scope, EPOCH, EPOCH + DAY)
    assert [(each.lane, each.since, each.until) for each in found] == [
        (PRODUCTION, EPOCH, None),
        (PRODUCTION, EPOCH, EPOCH + 2 * HOUR),
        (PRODUCTION, EPOCH, EPOCH + 3 * HOUR),
    ]
    if isinstance(store, PostgresStore):
        for whole in (True, False):
            rows = store.exports.rows(Table.INCIDENTS, replace(scope, whole=whole), EPOCH, EPOCH + DAY)
            exported = [row async for some in rows for row in some]
            assert len(exported) == 5 - (not whole)
            assert (none in [row[0] for row in exported]) is whole
            named = dict(zip(COLUMNS[Table.INCIDENTS], exported[1], strict=True))
            assert (named["title"], named["alerts"], named["seconds_to_restore"]) == ("=errors", 0, 7200)
            assert (named["since"], named["acknowledged_at"]) == (EPOCH, None)


async def test_days_are_summed_up_until_they_are_over_and_then_stay(records: Records) -> None:
    reports, served = records.store.reports, records.store.served

    async def tick(at: datetime, bad: int, name: str = "errors") -> None:
        counts = {"latency>1s": Counts(90, 1), name: Counts(100, bad)}
        await served.append([(PRODUCTION, ServedTick(at.timestamp(), 5.0, counts))])

    async def days(*firsts: int) -> list[tuple[date, float, int, int]]:
        begins = [date(2026, 11, day) for day in firsts or range(18, 22)]
        found = await reports.served([PRODUCTION], begins, date(2026, 11, 21))
        return sorted((each.first, each.seconds, each.requests, each.bad) for each in found)

    await tick(MIDNIGHT - timedelta(seconds=1), 7)
    await tick(MIDNIGHT, 1)
    await tick(MIDNIGHT + HOUR, 2)
    now = MIDNIGHT + 2 * HOUR
    assert await reports.count_days(now, 1) + await reports.count_days(now, 1) == 2
    assert await reports.count_days(now, 10) == 0
    first, second = (date(2026, 11, 19), 5.0, 100, 7), (date(2026, 11, 20), 10.0, 200, 3)
    assert await days() == [first, second]
    await tick(MIDNIGHT + 3 * HOUR, 4)
    assert await reports.count_days(now + timedelta(minutes=59), 10) == 0
    assert await reports.count_days(now + timedelta(minutes=61), 10) == 1
    assert await days() == [first, (date(2026, 11, 20), 15.0, 300, 7)]
    assert await days(18) == await days(18, 21) == [(date(2026, 11, 18), 20.0, 400, 14)]
    assert await days(17, 20) == [(date(2026, 11, 17), 5.0, 100, 7), (date(2026, 11, 20), 15.0, 300, 7)]
    assert await days(20) == [(date(2026, 11, 20), 15.0, 300, 7)]
    assert await reports.count_days(MIDNIGHT + 26 * HOUR, 10) == 1  # once more when the day is over
    assert await reports.count_days(MIDNIGHT + 5 * DAY, 10) == 0
    await tick(MIDNIGHT + DAY + HOUR, 1, "proportion:other")
    assert await reports.count_days(MIDNIGHT + 2 * DAY, 10) == 1
    assert len(await days()) == 2  # on a day without counts of errors, nothing is known
    assert await reports.served([STAGING], [date(2026, 11, 18)], date(2026, 11, 21)) == []
    assert not await reports.forget_days(date(2026, 11, 20))
    assert [day for day, *_ in await days()] == [date(2026, 11, 20)]
    assert isinstance(
        (await reports.served([PRODUCTION], [date(2026, 11, 20)], date(2026, 11, 20)))[0], ServedDays
    )


async def test_of_two_processes_one_posts_a_report(records: Records) -> None:
    reports = records.store.reports
    said = CallPeople(
        "k" * 24, GUILD, "Weekly report", "…", channel="reports", bars=(("a", "b", 1, 0, None),)
    )
    assert await reports.posted(GUILD) is None
    assert await reports.post(GUILD, EPOCH, ())
    assert sorted(await asyncio.gather(*(reports.post(GUILD, EPOCH + DAY, [said]) for _ in range(4)))) == [
        False,
        False,
        False,
        True,
    ]
    assert not await reports.post(GUILD, EPOCH, [said])
    assert await reports.posted(GUILD) == EPOCH + DAY
    assert await records.messages() == [said]
