"""What `IncidentStore` promises, and the audit lines of a lane, in memory and on PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.records import AuditEntry
from bot.domain.rollout.events import CallPeople
from bot.domain.watch.alerts.alert import Owner
from bot.domain.watch.alerts.escalation import AlertPolicy
from bot.domain.watch.alerts.findings import Finding, Severity
from bot.domain.watch.alerts.lifecycle import begin
from bot.domain.watch.incidents.incident import Incident, IncidentEntry
from bot.ports.watch.alerts import AlertChange
from bot.ports.watch.incidents import IncidentCard, IncidentSave
from tests.support.actors import DEV
from tests.support.catalogs import GUILD, PRODUCTION, STAGING
from tests.support.postgres import PostgresServer
from tests.support.stores import BOTH, StoreWorld, opened_store
from tests.support.virtual_time import EPOCH

CALL = CallPeople("call-1", GUILD, "Incident 1", "Close it.", channel="incidents")
AUDIT = AuditEntry(PRODUCTION, DEV, EPOCH, "incident_opened", "w\0hy 🚀", GUILD, details={"incident": 1})
OPENED = IncidentEntry(EPOCH, "opened", "b\0ad 🚀", "ada")


class IncidentStoreWorld(StoreWorld):
    async def made(self, **more: object) -> Incident:
        incident = Incident(
            await self.store.incidents.next_id(),
            GUILD,
            PRODUCTION,
            "Payments fail",
            Severity.HIGH,
            EPOCH,
            EPOCH,
            "ada",
        )
        return replace(incident, **more)  # type: ignore[arg-type]

    async def opened(self, **more: object) -> Incident:
        incident = await self.made(**more)
        assert await self.save(incident, 0, OPENED)
        return incident

    async def save(self, incident: Incident, before: int, *entries: IncidentEntry, **more: object) -> bool:
        saved = IncidentSave(incident, before, incident.asked_at, entries)
        return await self.store.incidents.save(replace(saved, **more))  # type: ignore[arg-type]


@pytest.fixture(params=BOTH)
async def world(
    request: pytest.FixtureRequest, postgres: PostgresServer
) -> AsyncIterator[IncidentStoreWorld]:
    async with opened_store(request.param, postgres, IncidentStoreWorld) as world:
        yield world


def later(incident: Incident, **changes: object) -> Incident:
    return replace(incident, version=incident.version + 1, **changes)  # type: ignore[arg-type]


async def test_an_incident_is_read_as_it_was_saved(world: IncidentStoreWorld) -> None:
    incident = await world.opened()
    taken = later(
        incident,
        owner=Owner(2**62, "ada 🚀"),
        acknowledged_at=EPOCH,
        alerts=(3, 4),
        rollouts=(9,),
        closed_at=EPOCH,
    )
    assert await world.save(taken, incident.version)
    assert await world.store.incidents.load(incident.id) == taken
    assert await world.store.incidents.load(incident.id + 1000) is None


async def test_of_two_that_change_it_one_does_with_its_call_and_audit_line(world: IncidentStoreWorld) -> None:
    incident = await world.opened()
    note = IncidentEntry(EPOCH, "note", "n")
    saved = await asyncio.gather(
        *(
            world.save(later(incident), incident.version, note, calls=(CALL,), audit=(AUDIT,))
            for _ in range(4)
        )
    )
    assert sorted(saved) == [False, False, False, True]
    assert await world.messages() == [CALL]
    assert [each.what for each in await world.store.incidents.timeline(incident.id, 9)] == ["opened", "note"]
    happened = await world.store.history.happened(PRODUCTION, EPOCH, EPOCH, 9)
    assert [(line.what, line.actor.name) for line in happened] == [("incident_opened", DEV.name)]


async def test_one_origin_opens_one_incident_in_a_server(world: IncidentStoreWorld) -> None:
    made = [await world.made(origin="alert-7") for _ in range(3)]
    saved = await asyncio.gather(*(world.save(each, 0, OPENED) for each in made))
    assert sorted(saved) == [False, False, True]
    elsewhere = await world.opened(origin="alert-7", guild_id=GUILD + 1)
    found = await world.store.incidents.of_origin(GUILD + 1, "alert-7")
    assert found is not None and found.id == elsewhere.id
    # People open as many as they like.
    await world.opened()
    await world.opened()
    assert await world.store.incidents.of_origin(GUILD, "") is None


async def test_an_alert_and_the_incident_that_it_opens_are_saved_together(world: IncidentStoreWorld) -> None:
    finding = Finding("f1", "rule", "errors", EPOCH, severity=Severity.CRITICAL, lane=PRODUCTION)
    number = await world.store.alerts.next_id()
    change = begin(number, finding, (GUILD,), EPOCH, AlertPolicy())
    opens = IncidentSave(await world.made(origin=f"alert-{number}"), 0, None, (OPENED,))
    assert await world.store.alerts.save(AlertChange(change.alert, 0, None, change.entries, (), (opens,)))
    found = await world.store.incidents.of_origin(GUILD, f"alert-{number}")
    assert found == opens.incident
    # Again, by a later step, and by a process that comes too late.
    more = replace(opens, incident=replace(opens.incident, id=await world.store.incidents.next_id()))
    step = replace(change.alert, version=2)
    assert await world.store.alerts.save(AlertChange(step, 1, None, (), (), (more,)))
    late = replace(more, incident=replace(more.incident, origin="alert-0"))
    assert not await world.store.alerts.save(AlertChange(step, 1, None, (), (), (late,)))
    assert [each.id for each in await world.store.incidents.open(GUILD)] == [opens.incident.id]


async def test_a_marked_message_is_one_line_and_lines_are_in_the_order_of_times(
    world: IncidentStoreWorld,
) -> None:
    incident = await world.opened()
    pinned = IncidentEntry(EPOCH - timedelta(minutes=5), "marked", "look", "bob", "message-1")
    assert await world.save(later(incident), 1, pinned)
    assert await world.save(replace(incident, version=3), 2, pinned, replace(pinned, key="message-2"))
    lines = await world.store.incidents.timeline(incident.id, 9)
    assert [(each.what, each.key) for each in lines] == [
        ("marked", "message-1"),
        ("marked", "message-2"),
        ("opened", ""),
    ]
    assert lines[-1].text.replace("\0", "") == "bad 🚀"
    few = await world.store.incidents.timeline(incident.id, 1)
    assert [(each.what, each.text, each.key) for each in few] == [
        ("marked", "look", "message-2"),
        ("left_out", "2", ""),
    ]


async def test_a_long_timeline_is_read_from_its_beginning_and_its_end(world: IncidentStoreWorld) -> None:
    incident = await world.opened()
    notes = [IncidentEntry(EPOCH + timedelta(seconds=n), "note", f"{n}", "ada") for n in range(1, 20)]
    assert await world.save(later(incident), 1, *notes)
    lines = await world.store.incidents.timeline(incident.id, 8)
    assert [(each.what, each.text) for each in lines[1:4]] == [
        ("note", "1"),
        ("left_out", "12"),
        ("note", "14"),
    ]
    assert (lines[0].what, lines[2].at, lines[-1].text) == ("opened", EPOCH + timedelta(seconds=2), "19")
    assert len(await world.store.incidents.timeline(incident.id, 20)) == 20


async def test_open_ones_come_worst_first_and_the_newest_with_closed_ones(world: IncidentStoreWorld) -> None:
    low = await world.opened(severity=Severity.LOW)
    bad = await world.opened(severity=Severity.CRITICAL)
    over = await world.opened(closed_at=EPOCH)
    there = await world.opened(guild_id=GUILD + 1)
    ids = [each.id for each in await world.store.incidents.open(GUILD)]
    assert ids == [bad.id, low.id]
    assert [each.id for each in await world.store.incidents.open()] == [bad.id, there.id, low.id]
    assert [each.id for each in await world.store.incidents.newest(GUILD, 2)] == [over.id, bad.id]


async def test_what_is_due_comes_in_order_and_not_before(world: IncidentStoreWorld) -> None:
    late = await world.opened(asked_at=EPOCH + timedelta(hours=2))
    soon = await world.opened(asked_at=EPOCH + timedelta(hours=1))
    await world.opened()
    due = world.store.incidents.due
    assert await due(EPOCH + timedelta(minutes=59), 9) == []
    assert [each.id for each in await due(EPOCH + timedelta(hours=1), 9)] == [soon.id]
    assert [each.id for each in await due(EPOCH + timedelta(hours=9), 9)] == [soon.id, late.id]


async def test_cards_are_outdated_until_drawn_and_know_their_thread(world: IncidentStoreWorld) -> None:
    incidents = world.store.incidents
    incident = await world.opened()
    assert [each.id for each in await incidents.undrawn(9)] == [incident.id]
    assert await incidents.card(incident.id) is None
    await incidents.put_card(IncidentCard(incident.id, 5, 6))
    await incidents.drawn(incident.id, 1)
    assert await incidents.undrawn(9) == []
    await incidents.redraw(incident.id)
    assert [each.id for each in await incidents.undrawn(9)] == [incident.id]
    await incidents.drawn(incident.id, 1)
    await incidents.put_card(IncidentCard(incident.id, 5, 6, 2**62))
    assert await incidents.card(incident.id) == IncidentCard(incident.id, 5, 6, 2**62)
    found = await incidents.of_thread(2**62)
    assert found is not None and found.id == incident.id
    assert await incidents.of_thread(6) is None


async def test_audit_lines_of_a_lane_are_read_by_their_time(world: IncidentStoreWorld) -> None:
    incident = await world.made()
    lines = [replace(AUDIT, at=EPOCH + timedelta(minutes=n), what=f"incident_{n}") for n in range(5)]
    elsewhere = replace(AUDIT, lane=STAGING, what="other")
    assert await world.save(incident, 0, OPENED, audit=(*lines, elsewhere))
    since, until = EPOCH + timedelta(minutes=1), EPOCH + timedelta(minutes=3)
    found = await world.store.history.happened(PRODUCTION, since, until, 9)
    assert [line.what for line in found] == ["incident_1", "incident_2", "incident_3"]
    found = await world.store.history.happened(PRODUCTION, since, until, 2)
    assert [line.what for line in found] == ["incident_2", "incident_3"]
    assert found[0].why.replace("\0", "") == "why 🚀"
