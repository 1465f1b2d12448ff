"""What `AlertStore` and `WatchedLanes` promise, in memory and on PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from bot.adapters.postgres.store import PostgresStore
from bot.domain.judge.evidence.counters import Counts
from bot.domain.judge.history.served import ServedTick
from bot.domain.judge.policy import JudgePolicy, Objective
from bot.domain.rollout.events import CallPeople
from bot.domain.rollout.model import Lane
from bot.domain.watch.alerts.alert import (
    LEFT_OUT,
    Alert,
    AlertState,
    Change,
    Entry,
    Owner,
    Suspect,
    WantedRollback,
)
from bot.domain.watch.alerts.escalation import AlertPolicy
from bot.domain.watch.alerts.findings import Finding, Severity
from bot.domain.watch.alerts.follow_up import due_at
from bot.domain.watch.alerts.lifecycle import begin
from bot.domain.watch.default_rules import default_rules
from bot.domain.watch.incidents.incident import Incident, IncidentEntry
from bot.domain.watch.rules import WatchState, advance_watch
from bot.ports.watch.alerts import KEPT_FIRST, KEPT_MORE, KEPT_NEWEST, AlertCard, AlertChange
from bot.ports.watch.incidents import IncidentSave
from tests.support.catalogs import GUILD, PRODUCTION, STAGING
from tests.support.postgres import PostgresServer
from tests.support.stores import BOTH, StoreWorld, opened_store
from tests.support.virtual_time import EPOCH

POLICY = AlertPolicy()
CALL = CallPeople("call-1", GUILD, "checkout/production", "No one has acknowledged this for 15 min.")


class AlertStoreWorld(StoreWorld):
    async def opened(
        self,
        lane: Lane | None = PRODUCTION,
        severity: Severity = Severity.CRITICAL,
        title: str = "errors",
        guilds: tuple[int, ...] = (GUILD,),
    ) -> Alert:
        change = await self.begun(lane, severity, title, guilds)
        assert await self.save(change, 0)
        return change.alert

    async def begun(
        self,
        lane: Lane | None = PRODUCTION,
        severity: Severity = Severity.CRITICAL,
        title: str = "errors",
        guilds: tuple[int, ...] = (GUILD,),
    ) -> Change:
        labels = {"pod": "a\0b 🚀", "long": "x" * 500}
        finding = Finding(
            "f1", "rule", title, EPOCH, severity=severity, lane=lane, labels=labels, text="wo\0rse"
        )
        suspect = Suspect(7, "1.4.0", "1.5.0", "ada", EPOCH)
        return begin(await self.store.alerts.next_id(), finding, guilds, EPOCH, POLICY, suspect=suspect)

    async def save(self, change: Change, before: int, calls: tuple[CallPeople, ...] = ()) -> bool:
        due = due_at(change.alert, POLICY)
        return await self.store.alerts.save(AlertChange(change.alert, before, due, change.entries, calls))


@pytest.fixture(params=BOTH)
async def world(request: pytest.FixtureRequest, postgres: PostgresServer) -> AsyncIterator[AlertStoreWorld]:
    async with opened_store(request.param, postgres, AlertStoreWorld) as world:
        yield world


def later(alert: Alert, **changes: object) -> Change:
    return Change(replace(alert, version=alert.version + 1, **changes))  # type: ignore[arg-type]


def plain(alert: Alert) -> Alert:
    """Without what a database cannot hold."""
    (trouble,) = alert.troubles
    finding = replace(
        trouble.finding,
        text=trouble.finding.text.replace("\0", ""),
        labels={key: value.replace("\0", "") for key, value in trouble.finding.labels.items()},
    )
    return replace(alert, troubles=(replace(trouble, finding=finding),))


async def test_an_alert_is_read_as_it_was_saved(world: AlertStoreWorld) -> None:
    alert = await world.opened()
    owner, wanted = Owner(2**62, "ada 🚀"), WantedRollback(7, "errors 🚀", EPOCH + timedelta(seconds=5), 2)
    taken = later(alert, state=AlertState.ACKNOWLEDGED, owner=owner, acknowledged_at=EPOCH, wanted=wanted)
    assert await world.save(taken, alert.version)
    found = await world.store.alerts.load(alert.id)
    assert found is not None
    assert plain(found) == plain(taken.alert)
    assert await world.store.alerts.load(alert.id + 1000) is None


async def test_a_group_has_one_alert_that_is_not_over(world: AlertStoreWorld) -> None:
    first = await world.opened()
    assert not await world.save(await world.begun(), 0)
    over = later(first, state=AlertState.RESOLVED, ended_at=EPOCH)
    assert await world.save(over, first.version)
    second = await world.opened()
    assert second.id > first.id
    other = await world.opened(None, title="disk full")
    groups = [first.group, other.group, "unknown"]
    found = await world.store.alerts.newest(groups)
    assert {group: alert.id for group, alert in found.items()} == {
        first.group: second.id,
        other.group: other.id,
    }


async def test_alerts_of_a_lane_that_are_open_or_were_opened_since(world: AlertStoreWorld) -> None:
    first = await world.opened()
    over = later(first, state=AlertState.RESOLVED, ended_at=EPOCH + timedelta(hours=1))
    assert await world.save(over, first.version)
    second = await world.opened()
    await world.opened(STAGING)
    of_lane = world.store.alerts.of_lane
    assert [alert.id for alert in await of_lane(PRODUCTION, EPOCH, 9)] == [second.id, first.id]
    assert [alert.id for alert in await of_lane(PRODUCTION, EPOCH, 1)] == [second.id]
    after = EPOCH + timedelta(microseconds=1)
    assert [alert.id for alert in await of_lane(PRODUCTION, after, 9)] == [second.id]
    assert await of_lane(Lane("nothing", "here"), EPOCH, 9) == []


async def test_of_two_processes_one_changes_it_and_calls_people(world: AlertStoreWorld) -> None:
    alert = await world.opened()
    change = replace(later(alert), entries=(Entry(EPOCH, "called", "on_call"),))
    saved = await asyncio.gather(*(world.save(change, alert.version, (CALL,)) for _ in range(4)))
    assert sorted(saved) == [False, False, False, True]
    assert await world.messages() == [CALL]
    timeline = await world.store.alerts.timeline(alert.id, 50)
    assert [entry.what for entry in timeline] == ["opened", "called", "called"]
    few = await world.store.alerts.timeline(alert.id, 1)
    assert few == [Entry(EPOCH, "left_out", "2"), Entry(EPOCH, "called", "on_call")]


async def test_what_is_due_comes_in_order_and_what_is_over_never(world: AlertStoreWorld) -> None:
    soon = await world.opened()
    late = await world.opened(STAGING, Severity.HIGH)
    assert await world.save(later(late, escalates_from=EPOCH + timedelta(seconds=60)), late.version)
    due = world.store.alerts.due
    assert await due(EPOCH + timedelta(seconds=899), 10) == []
    assert [each.id for each in await due(EPOCH + timedelta(seconds=900), 10)] == [soon.id]
    assert [each.id for each in await due(EPOCH + timedelta(hours=1), 10)] == [soon.id, late.id]
    assert [each.id for each in await due(EPOCH + timedelta(hours=1), 1)] == [soon.id]
    assert await world.save(later(soon, state=AlertState.RESOLVED, ended_at=EPOCH), soon.version)
    assert [each.id for each in await due(EPOCH + timedelta(hours=1), 10)] == [late.id]


async def test_open_alerts_come_worst_first_for_the_servers_that_see_them(world: AlertStoreWorld) -> None:
    low = await world.opened(None, Severity.LOW, "disk")
    critical = await world.opened()
    elsewhere = await world.opened(None, Severity.HIGH, "cpu", (GUILD + 1,))
    everywhere = await world.opened(None, Severity.HIGH, "memory", (GUILD, GUILD + 1))
    found = world.store.alerts.open
    assert [each.id for each in await found(GUILD)] == [critical.id, everywhere.id, low.id]
    assert [each.id for each in await found()] == [critical.id, elsewhere.id, everywhere.id, low.id]
    assert [each.id for each in await found(None, 1)] == [critical.id]


async def test_what_a_maintenance_silence_keeps_silent(world: AlertStoreWorld) -> None:
    by_silence, by_person = await world.opened(), await world.opened(STAGING)
    until = EPOCH + timedelta(hours=1)
    assert await world.save(later(by_silence, silenced_until=until, silence_id=3), by_silence.version)
    assert await world.save(later(by_person, silenced_until=until), by_person.version)
    assert [each.id for each in await world.store.alerts.silenced(10)] == [by_silence.id]
    over = replace(by_silence, state=AlertState.RESOLVED, silence_id=3, version=3)
    assert await world.save(Change(over), 2)
    assert await world.store.alerts.silenced(10) == []


async def test_open_alerts_are_counted_by_severity(world: AlertStoreWorld) -> None:
    assert await world.store.alerts.count_open() == {}
    first = await world.opened(severity=Severity.HIGH, title="a")
    await world.opened(lane=STAGING, severity=Severity.HIGH, title="b")
    await world.opened(lane=None, severity=Severity.LOW, title="c")
    assert await world.store.alerts.count_open() == {"high": 2, "low": 1}
    over = replace(first, state=AlertState.RESOLVED, version=first.version + 1)
    assert await world.save(Change(over), first.version)
    assert await world.store.alerts.count_open() == {"high": 1, "low": 1}


async def test_cards_are_outdated_until_they_show_the_newest_version(world: AlertStoreWorld) -> None:
    alerts = world.store.alerts
    low = await world.opened(None, Severity.LOW, "disk")
    alert = await world.opened()
    assert [(each.id, shown) for each, shown in await alerts.undrawn(10)] == [(alert.id, 0), (low.id, 0)]
    await alerts.drawn(alert.id, 1)
    await alerts.drawn(low.id, 1)
    assert await alerts.undrawn(10) == []
    assert await world.save(later(alert), alert.version)
    assert [(each.id, shown) for each, shown in await alerts.undrawn(10)] == [(alert.id, 1)]
    # What a caller cannot draw now is left out until it changes.
    assert await alerts.undrawn(10, {low.id: 1, alert.id: 2}) == []
    assert [each.id for each, _ in await alerts.undrawn(10, {low.id: 1, alert.id: 1})] == [alert.id]
    await alerts.drawn(alert.id, 2)
    await alerts.drawn(alert.id, 1)
    assert await alerts.undrawn(10) == []


async def test_each_server_has_a_card_and_it_may_be_posted_again(world: AlertStoreWorld) -> None:
    alert = await world.opened()
    here, there = AlertCard(alert.id, GUILD, 5, 6), AlertCard(alert.id, GUILD + 1, 7, 2**62)
    await world.store.alerts.put_card(here)
    await world.store.alerts.put_card(there)
    again = replace(here, message_id=9)
    await world.store.alerts.put_card(again)
    found = await world.store.alerts.cards(alert.id)
    assert sorted(found, key=lambda card: card.guild_id) == [again, there]


async def test_what_was_over_for_long_is_tidied_and_what_is_open_keeps_its_past(
    world: AlertStoreWorld,
) -> None:
    """Alerts and incidents that were over before a time go with lines, cards and notes; those of that time stay."""
    alerts, incidents, notes = world.store.alerts, world.store.incidents, world.store.notes
    before = EPOCH + timedelta(days=1)

    async def over(at: datetime, title: str) -> Alert:
        alert = await world.opened(None, title=title)
        ended = later(alert, state=AlertState.RESOLVED, ended_at=at)
        assert await world.save(replace(ended, entries=(Entry(at, "resolved", "calm"),)), alert.version)
        return alert

    async def incident(about: tuple[Alert, ...], closed_at: datetime | None) -> int:
        number = await incidents.next_id()
        ids = tuple(each.id for each in about)
        made = Incident(
            number, GUILD, None, "=x", Severity.HIGH, EPOCH, EPOCH, closed_at=closed_at, alerts=ids
        )
        lines = (IncidentEntry(EPOCH, "opened"), IncidentEntry(EPOCH, "note", "look", "ada"))
        assert await incidents.save(IncidentSave(made, 0, None, lines))
        return number

    gone, just, linked = (
        await over(EPOCH, "gone"),
        await over(before, "just"),
        await over(EPOCH, "of an open incident"),
    )
    opened = await world.opened()
    for alert in (gone, opened):
        await alerts.put_card(AlertCard(alert.id, GUILD, 5, 6))
        await notes.put_note("alert_direct", str(alert.id), {"of": "x"})
    closed, recent = await incident((gone, opened), EPOCH), await incident((gone,), before)
    going_on = await incident((opened, linked), None)

    assert not await world.store.housekeeping.tidy(EPOCH, EPOCH, before)
    left = {each.id for each in (gone, just, linked, opened) if await alerts.load(each.id) is not None}
    assert left == {just.id, linked.id, opened.id}
    for alert in (just, linked):
        assert [entry.what for entry in await alerts.timeline(alert.id, 9)] == [
            "opened",
            "called",
            "resolved",
        ]
    assert await alerts.timeline(gone.id, 9) == []
    assert await alerts.cards(gone.id) == []
    assert await alerts.cards(opened.id) and await alerts.timeline(opened.id, 9)
    assert await incidents.load(closed) is None and await incidents.timeline(closed, 9) == []
    for number in (recent, going_on):
        assert len(await incidents.timeline(number, 9)) == 2 and await incidents.load(number) is not None
    if isinstance(world.store, PostgresStore):
        await world.store.housekeeping.tidy(world.clock.now() + timedelta(days=9999), EPOCH, EPOCH)
        assert await notes.note("alert_direct", str(gone.id)) is None
    assert await notes.note("alert_direct", str(opened.id)) == {"of": "x"}


async def test_a_long_timeline_keeps_its_beginning_its_end_and_what_was_done(world: AlertStoreWorld) -> None:
    """What is left out is counted where it was: for one reader, or for good of an alert that is open for long."""
    alert, alerts = await world.opened(), world.store.alerts

    async def lines(count: int, what: Any = "trouble", by: str = "") -> None:
        nonlocal alert
        made = tuple(Entry(EPOCH, what, f"{n}", by) for n in range(count))
        change = replace(later(alert), entries=made)
        assert await world.save(change, alert.version)
        alert = change.alert

    async def tidied() -> None:
        while await world.store.housekeeping.tidy(EPOCH, EPOCH, EPOCH):
            pass

    def gaps(found: Sequence[Entry]) -> list[int]:
        return [int(entry.text) for entry in found if entry.what == LEFT_OUT]

    await lines(30)
    found = await alerts.timeline(alert.id, 8)
    assert [entry.what for entry in found[:4]] == ["opened", "called", LEFT_OUT, "trouble"]
    assert (len(found), gaps(found), found[-1].text) == (9, [24], "29")
    await lines(1, "acknowledged", "ada")
    await lines(KEPT_FIRST + KEPT_NEWEST + KEPT_MORE - 34)
    await tidied()
    assert gaps(await alerts.timeline(alert.id, 9999)) == []  # too few to be worth it
    await lines(200, "better")
    await lines(2, "acknowledged", "grace")
    await lines(1, "worse")
    await lines(500)
    whole = len(await alerts.timeline(alert.id, 9999))
    for _ in range(2):
        await tidied()
        found = await alerts.timeline(alert.id, 9999)
        (gap,) = gaps(found)
        assert gap + len(found) - 1 == whole
        assert [entry.by for entry in found if entry.by or entry.what == "worse"] == [
            "ada",
            "grace",
            "grace",
            "",
        ]
        assert (found[0].what, found[KEPT_FIRST].what, found[-1].text) == ("opened", LEFT_OUT, "499")
        assert len(found) == KEPT_FIRST + 1 + 3 + KEPT_NEWEST
    await lines(300)
    await tidied()
    assert gaps(await alerts.timeline(alert.id, 9999)) == [gap + 300]
    assert gaps(await alerts.timeline(alert.id, 8)) == [whole + 300 - 8]
    assert await world.save(later(alert, state=AlertState.RESOLVED, ended_at=EPOCH), alert.version)


async def test_what_is_known_of_lanes_survives(world: AlertStoreWorld) -> None:
    rules = default_rules(JudgePolicy(objectives=(Objective("errors", "errors", 0.01),)))
    tick = ServedTick(EPOCH.timestamp(), 5.0, {"errors": Counts(200, 100)})
    sick, _ = advance_watch(rules, WatchState(), tick)
    assert sick.firing
    now: datetime = world.clock.now()
    await world.store.watched.save({PRODUCTION: WatchState(), STAGING: sick}, now)
    await world.store.watched.save({PRODUCTION: sick}, now)
    assert await world.store.watched.read() == {PRODUCTION: sick, STAGING: sick}
