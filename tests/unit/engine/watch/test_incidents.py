"""The incident service: alerts and people open incidents, restarts and two processes change nothing."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.errors import Refused, UserError
from bot.domain.records import AuditEntry
from bot.domain.rollout.events import CallPeople
from bot.domain.rollout.model import Lane
from bot.domain.watch.alerts.alert import LEFT_OUT, AlertAction, Entry, Owner
from bot.domain.watch.alerts.findings import Severity
from bot.domain.watch.incidents.incident import Incident, IncidentAction, IncidentState
from bot.engine.watch.alerts.api import Reached
from bot.engine.watch.incidents.api import IncidentOpening, IncidentRequest
from bot.ports.watch.incidents import IncidentCard
from tests.support.actors import DEV, GUEST, LEAD, ONCALL
from tests.support.alerts import AlertWorld, errors
from tests.support.catalogs import GUILD, PRODUCTION, STAGING
from tests.support.virtual_time import EPOCH

THREAD = 4321


class IncidentWorld(AlertWorld):
    async def pass_s(self, seconds: float) -> None:
        await super().pass_s(seconds)
        while await self.incidents.once():
            pass

    async def incident(self) -> Incident:
        (found,) = await self.store.incidents.newest(GUILD, 9)
        return found

    async def did(self, action: IncidentAction, actor: object = ONCALL, **more: object) -> Incident:
        number = (await self.incident()).id
        return await self.incidents.act(IncidentRequest(number, action, actor, GUILD, **more))  # type: ignore[arg-type]

    def said(self) -> list[CallPeople]:
        """Messages about the incident itself."""
        return [call for call in self.calls() if call.title.startswith("Incident")]

    def told(self) -> list[str]:
        return [entry.what for _, entry in self.database.tables.incident_entries]

    def audited(self) -> list[str]:
        lines = [row.line.what for row in self.database.tables.audit]
        return [what for what in lines if what.startswith("incident_")]


async def war_room(world: IncidentWorld) -> Incident:
    await world.alerts.hear([errors()])
    for _ in range(4):
        await world.pass_s(900)
    return await world.incident()


async def test_the_war_room_opens_the_incident_with_its_message_and_counts_from_the_alert() -> None:
    world = IncidentWorld()
    incident = await war_room(world)
    (call,) = [call for call in world.calls() if call.room]
    assert (incident.room, incident.origin, incident.alerts) == (call.key, "alert-1", (1,))
    assert (incident.since, incident.opened_at) == (EPOCH, EPOCH + timedelta(hours=1))
    assert (incident.lane, incident.severity, incident.production) == (PRODUCTION, Severity.CRITICAL, True)
    assert incident.thread_name == call.room
    assert world.audited() == ["incident_opened"]


async def test_a_stale_press_on_a_card_takes_nothing_from_anyone_and_opens_nothing() -> None:
    world = IncidentWorld()
    await world.alerts.hear([errors()])
    alert = await world.one()
    opening = IncidentOpening(GUILD, ONCALL, alert_id=alert.id, unless_over=True)
    await world.press(alert, AlertAction.RESOLVE)
    with pytest.raises(Refused, match="Alert 1 is over, so its card opens no incident"):
        await world.incidents.open(opening)
    incident = await world.incidents.open(replace(opening, unless_over=False))
    assert await world.incidents.open(opening) == incident
    await world.did(IncidentAction.ACKNOWLEDGE, ONCALL)
    with pytest.raises(Refused, match=f"{ONCALL.name} has incident 1 already"):
        await world.did(IncidentAction.ACKNOWLEDGE, DEV, unless_taken=True)
    assert (await world.did(IncidentAction.ACKNOWLEDGE, ONCALL, unless_taken=True)).owner == Owner(
        ONCALL.id, ONCALL.name
    )
    assert (await world.did(IncidentAction.ASSIGN, DEV)).owner == Owner(DEV.id, DEV.name)
    await world.did(IncidentAction.RESTORE)
    await world.did(IncidentAction.CLOSE)
    for action in (IncidentAction.ACKNOWLEDGE, IncidentAction.RESTORE, IncidentAction.CLOSE):
        with pytest.raises(Refused, match="Incident 1 is closed"):
            await world.did(action, LEAD, unless_taken=True)


async def test_an_incident_is_restored_while_a_low_alert_of_its_lane_goes_on() -> None:
    world = IncidentWorld()
    low = errors(fingerprint="burn", severity=Severity.LOW, lane=PRODUCTION)
    await war_room(world)
    alert = await world.one()
    await world.press(alert, AlertAction.RESOLVE)
    await world.alerts.hear([low])
    await world.pass_s(1)
    incident = await world.incident()
    assert (incident.state, incident.alerts) == (IncidentState.RESTORED, (alert.id, alert.id + 1))
    restored_at = incident.restored_at
    await world.pass_s(600)
    assert (await world.incident()).restored_at == restored_at
    assert world.told().count("returned") == 0
    assert [call.text for call in world.said()] == [
        "Of the alerts of incident 1, only notices are open. Close it if users are well."
    ]


async def test_an_alert_has_one_war_room_however_often_help_is_asked_for() -> None:
    world = IncidentWorld()
    await war_room(world)
    for _ in range(2):
        await world.press(await world.one(), AlertAction.ESCALATE)
    rooms = [(call.channel, bool(call.room)) for call in world.calls() if call.channel == "incidents"]
    assert rooms == [("incidents", True), ("incidents", False), ("incidents", False)]


async def test_an_alert_that_joined_an_incident_opens_no_other() -> None:
    world = IncidentWorld()
    await world.incidents.open(IncidentOpening(GUILD, DEV, "Payments fail", Severity.HIGH, PRODUCTION))
    await war_room(world)
    assert [call.room for call in world.calls() if call.room] == []


async def test_a_restart_at_every_step_opens_one_incident_and_asks_once() -> None:
    world = IncidentWorld()
    await world.alerts.hear([errors()])
    for _ in range(70):
        world.alerts = world.process()
        await world.pass_s(60)
    await world.press(await world.one(), AlertAction.RESOLVE)
    for _ in range(5):
        world.alerts = world.process()
        await world.pass_s(60)
    await world.did(IncidentAction.CLOSE)
    for _ in range(60):
        world.alerts = world.process()
        await world.pass_s(3600)
    assert world.told() == ["opened", "restored", "calm", "closed", "asked"]
    assert ["post-mortem" in call.text for call in world.said()] == [False, True]


async def test_two_processes_at_one_timer_ask_once() -> None:
    world = IncidentWorld()
    await war_room(world)
    await world.press(await world.one(), AlertAction.RESOLVE)
    one, other = world.incidents, (world.process(), world.incidents)[1]
    await asyncio.gather(one.once(), other.once(), one.once(), other.once())
    assert len(world.said()) == 1
    await world.did(IncidentAction.CLOSE)
    world.clock.forward(48 * 3600)
    await asyncio.gather(one.once(), other.once(), one.once(), other.once())
    assert len(world.said()) == 2


async def test_two_people_who_make_an_alert_an_incident_have_one() -> None:
    world = IncidentWorld()
    await world.alerts.hear([errors()])
    requests = [IncidentOpening(GUILD, actor, alert_id=1) for actor in (DEV, LEAD, ONCALL)]
    found = await asyncio.gather(*(world.incidents.open(each) for each in requests))
    assert {each.id for each in found} == {(await world.incident()).id}
    # The war room of that alert opens no second one, and no second thread.
    await war_room(world)
    assert "Who leads this incident?" in world.calls()[-1].text
    assert [call.room for call in world.calls() if call.room] == []
    with pytest.raises(UserError, match="no alert 99"):
        await world.incidents.open(IncidentOpening(GUILD, DEV, alert_id=99))
    with pytest.raises(UserError, match="no alert 1"):
        await world.incidents.open(IncidentOpening(GUILD + 1, DEV, alert_id=1))


async def test_a_person_opens_one_and_alerts_of_the_lane_join_it() -> None:
    world = IncidentWorld()
    await world.incidents.open(IncidentOpening(GUILD, DEV, "Payments fail", Severity.MEDIUM, PRODUCTION))
    await world.alerts.hear([errors(), errors(fingerprint="other", lane=STAGING)])
    await world.pass_s(1)
    incident = await world.incident()
    (alert,) = [each for each in await world.store.alerts.open(GUILD) if each.lane == PRODUCTION]
    assert (incident.alerts, incident.severity) == ((alert.id,), Severity.CRITICAL)
    await world.press(alert, AlertAction.ACKNOWLEDGE)
    await world.pass_s(1)
    assert (await world.incident()).owner == Owner(ONCALL.id, ONCALL.name)
    with pytest.raises(UserError):
        await world.incidents.open(IncidentOpening(GUILD, DEV, "x", lane=Lane("nothing", "nowhere")))


async def test_everyone_may_take_note_and_open_but_not_everyone_may_end_it() -> None:
    world = IncidentWorld()
    await world.incidents.open(IncidentOpening(GUILD, GUEST, "Payments fail", lane=PRODUCTION))
    await world.did(IncidentAction.NOTE, GUEST, text="it began at noon")
    for action in (IncidentAction.CLOSE, IncidentAction.RESTORE):
        with pytest.raises(Refused, match="you need one of the roles"):
            await world.did(action, GUEST)
    with pytest.raises(Refused, match="To assign"):
        await world.did(IncidentAction.ASSIGN, GUEST, person=Owner(LEAD.id, LEAD.name))
    await world.did(IncidentAction.ASSIGN, GUEST)
    closed = await world.did(IncidentAction.CLOSE, GUEST, text="a cable")
    assert (closed.state, closed.closed_by) == (IncidentState.CLOSED, GUEST.name)
    assert world.audited() == [
        "incident_opened",
        "incident_note",
        "incident_acknowledged",
        "incident_restored",
        "incident_closed",
    ]


async def test_a_request_that_is_repeated_acts_once_and_another_one_again() -> None:
    world = IncidentWorld()

    def opening(interaction: str) -> IncidentOpening:
        return IncidentOpening(GUILD, GUEST, "Payments fail", lane=PRODUCTION, interaction=interaction)

    found = await asyncio.gather(*(world.incidents.open(opening("one")) for _ in range(3)))
    assert {each.id for each in found} == {found[0].id}
    assert (await world.incidents.open(opening("other"))).id != found[0].id

    async def act(action: IncidentAction, interaction: str, text: str = "") -> Incident:
        request = IncidentRequest(found[0].id, action, ONCALL, GUILD, text, interaction=interaction)
        return await world.incidents.act(request)

    await asyncio.gather(*(act(IncidentAction.NOTE, "a", "it began at noon") for _ in range(3)))
    # The same name of a request is another one for another action.
    for action in (IncidentAction.RESTORE, IncidentAction.CLOSE):
        first = await act(action, "a", "a cable")
        world.clock.forward(60)
        assert await act(action, "a", "a cable") == first
        with pytest.raises(
            Refused, match="was restored" if action is IncidentAction.RESTORE else "is closed"
        ):
            await act(action, "b")
    assert world.audited() == [
        *["incident_opened"] * 2,
        "incident_note",
        "incident_restored",
        "incident_closed",
    ]
    assert world.told() == ["opened", "opened", "note", "restored", "closed"]


async def test_a_person_may_take_it_by_another_name_and_not_for_others() -> None:
    world = IncidentWorld()
    await world.incidents.open(IncidentOpening(GUILD, GUEST, "Payments fail", lane=PRODUCTION))
    by_token = replace(GUEST, name="guest (token ci)")
    taken = await world.did(IncidentAction.ASSIGN, by_token, person=Owner(GUEST.id, GUEST.name))
    assert (taken.owner, taken.acknowledged_at) == (Owner(GUEST.id, GUEST.name), EPOCH)
    given = await world.did(IncidentAction.ASSIGN, by_token, person=Owner(LEAD.id, LEAD.name))
    assert given.owner == Owner(LEAD.id, LEAD.name)
    with pytest.raises(Refused, match="To assign"):
        await world.did(IncidentAction.ASSIGN, by_token, person=Owner(DEV.id, GUEST.name))


async def test_an_incident_of_another_server_is_not_there() -> None:
    world = IncidentWorld()
    incident = await world.incidents.open(IncidentOpening(GUILD, DEV, "Payments fail"))
    with pytest.raises(UserError, match="There is no incident"):
        await world.incidents.view(incident.id, GUILD + 1)
    with pytest.raises(UserError, match="There is no incident 77 here"):
        await world.incidents.act(IncidentRequest(77, IncidentAction.NOTE, DEV, GUILD, "x"))


async def test_the_owner_is_called_and_without_one_who_is_on_call() -> None:
    world = IncidentWorld()
    await war_room(world)
    await world.press(await world.one(), AlertAction.RESOLVE)
    await world.pass_s(1)
    (call,) = world.said()
    assert (call.mention_roles, call.channel) == (("on-call",), "incidents")
    other = IncidentWorld()
    other.on_call = {"on_call": Reached(users=(7,))}
    await war_room(other)
    await other.press(await other.one(), AlertAction.RESOLVE)
    await other.pass_s(1)
    assert other.said()[0].mention_users == (7,)
    await other.did(IncidentAction.ASSIGN, LEAD)
    await other.did(IncidentAction.CLOSE, LEAD)
    await other.pass_s(48 * 3600)
    assert other.said()[1].mention_users == (LEAD.id,)


async def test_a_later_time_in_the_catalog_is_waited_for() -> None:
    world = IncidentWorld()
    await world.incidents.open(IncidentOpening(GUILD, DEV, "Payments fail", lane=PRODUCTION))
    await world.did(IncidentAction.CLOSE)
    lanes = {
        lane: replace(
            config,
            watch=replace(config.watch, incidents=replace(config.watch.incidents, postmortem_s=72 * 3600.0)),
        )
        for lane, config in world.catalog.lanes.items()
    }
    world.catalog = replace(world.catalog, lanes=lanes)
    await world.pass_s(48 * 3600)
    assert world.said() == []
    await world.pass_s(24 * 3600)
    assert len(world.said()) == 1


async def test_a_marked_message_is_one_line_of_its_own_threads_incident() -> None:
    world = IncidentWorld()
    incident = await world.incidents.open(IncidentOpening(GUILD, DEV, "Payments fail"))
    await world.store.incidents.put_card(IncidentCard(incident.id, 5, 6, THREAD))

    async def mark(thread: int, message: int) -> Incident | None:
        return await world.incidents.mark(
            thread, message, at=EPOCH + timedelta(days=9), text="@everyone " * 200, by="ada"
        )

    assert await mark(THREAD + 1, 1) is None
    await asyncio.gather(*(mark(THREAD, 1) for _ in range(3)), mark(THREAD, 2))
    assert world.told() == ["opened", "marked", "marked"]
    await world.did(IncidentAction.CLOSE)
    await mark(THREAD, 3)
    lines = (await world.incidents.view(incident.id, GUILD)).lines
    # A message of a clock that runs ahead is not in the future.
    assert [line.what for line in lines if line.at > world.clock.now()] == []
    assert [line.what for line in lines].count("marked") == 3


async def test_the_view_has_alerts_presses_and_deploys_in_one_timeline() -> None:
    world = IncidentWorld()
    deploy = world.deployed(10)
    world.deployed(300)
    await war_room(world)
    await world.press(await world.one(), AlertAction.ACKNOWLEDGE)
    await world.pass_s(1)
    view = await world.incidents.view((await world.incident()).id, GUILD)
    assert [each.id for each in view.deploys] == [deploy.id]
    assert [each.id for each in view.alerts] == [1]
    said = [(line.source, line.what) for line in view.lines]
    assert said[0] == ("alert", "opened")
    assert ("incident", "opened") in said
    assert said[-1][1] == "acknowledged"
    assert [time.late for time in view.times] == [True, True]


async def test_a_post_mortem_of_a_long_incident_has_its_beginning_and_says_what_is_left_out() -> None:
    world = IncidentWorld()
    world.deployed(10)
    incident = await war_room(world)
    began = EPOCH + timedelta(hours=1)

    def audited(minutes: float, what: str) -> None:
        at = began + timedelta(minutes=minutes)
        world.database.tables.record(AuditEntry(PRODUCTION, DEV, at, what, f"{what}."))

    audited(-90, "locked")
    for n in range(2100):
        audited(24 * 60 + n, "extended")
    audited(3000 + 24 * 60, "unlocked")
    for n in range(70):
        world.database.tables.entries.append((1, Entry(began + timedelta(seconds=n), "returned", f"no {n}")))
    world.clock.forward(7 * 24 * 3600)
    for _ in range(45):
        world.deployed(5)
    text = await world.incidents.postmortem(incident.id, GUILD)
    rows = [line.split(" | ")[1] for line in text.splitlines() if line.startswith("| 2026")]
    assert rows[:2] == ["Locked: locked.", "Alert 1 opened: Many requests fail"]
    assert "Unlocked: unlocked." in rows
    assert sum(row.startswith("Alert 1 returned") for row in rows) == 70
    (gap,) = [number for number, row in enumerate(rows) if "left out" in row]
    assert rows[gap].startswith("Lines of the lane's audit log until 2026-07-02 11:40:59 are left out here")
    assert rows[gap + 1] == "Extended: extended."
    assert "- Rollout 1 2026-07-01 08:50:00" in text
    view = await world.incidents.view(incident.id)
    assert [line.left_out for line in view.lines if line.what == LEFT_OUT] == [
        len(world.lines(await world.one())) - 50
    ]
    (first,) = [line for line in view.lines if line.what == "opened" and line.source == "alert"]
    assert first.at == EPOCH


async def test_new_lines_of_alerts_draw_the_card_again() -> None:
    world = IncidentWorld()
    incident = await war_room(world)
    await world.pass_s(10)
    await world.store.incidents.drawn(incident.id, (await world.incident()).version)
    await world.pass_s(10)
    assert await world.store.incidents.undrawn(9) == []
    await world.alerts.hear([errors(fingerprint="slow", title="Slow", at=world.clock.now())])
    await world.pass_s(10)
    assert [each.id for each in await world.store.incidents.undrawn(9)] == [incident.id]
