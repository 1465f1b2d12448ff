"""What people ask about on-call schedules, and who may override them."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.adapters.redis.waker import EventWaker
from bot.domain.errors import UserError
from bot.domain.rollout.model import SYSTEM
from bot.domain.watch.oncall.calendar import CalendarEvent
from bot.domain.watch.oncall.rotation import Rotation
from bot.domain.watch.oncall.schedule import Calendar, CalendarSource, Responders
from bot.engine.watch.alerts.api import Reached
from bot.engine.watch.alerts.service import Alerts
from bot.engine.watch.oncall.rota import advice
from bot.engine.watch.oncall.service import OnCall
from bot.ports.errors import Unreachable
from bot.ports.watch.oncall import ReadCalendar
from tests.support.actors import BOSS, DEV, GUEST, LEAD
from tests.support.alerts import AlertWorld, errors
from tests.support.catalogs import GUILD, PRODUCTION, STAGING, catalog
from tests.support.oncall import ADA, ALAN, DAY, GRACE, HAND_OVER, NOW, WEEK, Desk, schedule, with_schedules
from tests.support.virtual_time import EPOCH

SOURCE = CalendarSource(file="/payments.ics")


async def refused(desk: Desk, **more: Any) -> str:
    with pytest.raises(UserError) as error:
        await desk.on_call.override(desk.asked(**more))
    assert await desk.store.on_call.overrides(NOW - WEEK) == []
    return str(error.value)


# ---- who -----------------------------------------------------------------------------------------------------


async def test_a_status_says_who_is_on_call_who_is_next_and_who_is_second() -> None:
    desk = Desk()
    (found,) = await desk.on_call.status(GUILD)
    assert (found.now.person, found.now.until) == (GRACE, HAND_OVER)
    assert found.shifts[1].person == ALAN
    assert found.responders == Responders(GRACE, ALAN)
    assert found.lanes == [STAGING, PRODUCTION]
    assert [shift.person for shift in found.shifts] == [GRACE, ALAN, ADA, GRACE, ALAN]
    assert (found.gaps, found.gone, found.problem) == ([], frozenset(), "")


async def test_people_who_left_the_server_are_marked() -> None:
    desk = Desk()
    desk.members.left = {ALAN.id, 999}
    (found,) = await desk.on_call.status(GUILD)
    assert found.gone == {ALAN.id}


async def test_a_server_sees_the_schedules_of_its_lanes_and_those_of_none() -> None:
    has = with_schedules(catalog(), schedule(), schedule("spare"), schedule("foreign"))
    lanes = dict(has.lanes)
    lanes[STAGING] = replace(lanes[STAGING], on_call="foreign", guilds=(7,))
    desk = Desk(replace(has, lanes=lanes))
    assert [each.schedule.name for each in await desk.on_call.status(GUILD)] == ["payments", "spare"]
    with pytest.raises(UserError, match="There is no schedule `foreign`"):
        await desk.on_call.status(GUILD, "foreign")


async def test_an_unknown_schedule_is_refused_with_the_closest_name() -> None:
    with pytest.raises(UserError, match="Did you mean `payments`"):
        await Desk().on_call.status(GUILD, "paymnets")
    assert await Desk(catalog()).on_call.status(GUILD) == []


async def test_responders_of_an_unknown_schedule_are_no_one() -> None:
    desk = Desk()
    assert await desk.on_call.responders("payments") == Responders(GRACE, ALAN)
    assert await desk.on_call.responders("gone") == Responders()
    assert await desk.on_call.responders(None) == Responders()


async def test_a_database_that_hangs_is_unreachable() -> None:
    desk = Desk()

    class HangingStore:
        async def overrides(self, until_after: object) -> Any:
            await asyncio.sleep(60)

    store: Any = HangingStore()
    on_call = OnCall(store, lambda: desk.catalog, desk.clock, answer_s=0.01)
    with pytest.raises(Unreachable, match="no answer within"):
        await on_call.status(GUILD)


async def test_a_calendar_counts_as_it_was_read_last_until_the_catalog_names_another() -> None:
    has = with_schedules(catalog(), schedule(rotation=None, source=SOURCE, calendar=Calendar()))
    desk = Desk(has)
    assert (await desk.on_call.rota()).unread("payments")
    event = CalendarEvent(NOW - DAY, NOW + DAY, "ada")
    read = ReadCalendar("payments", SOURCE.digest, (event,), NOW + WEEK, NOW, "It is away.")
    await desk.store.on_call.put_calendar(read)
    (found,) = await desk.on_call.status(GUILD)
    assert (found.now.person, found.now.until, found.problem) == (ADA, NOW + DAY, "It is away.")
    other = schedule(rotation=None, source=CalendarSource(file="/other.ics"), calendar=Calendar())
    desk.catalog = with_schedules(catalog(), other)
    assert (await desk.on_call.rota()).unread("payments")


# ---- gaps ----------------------------------------------------------------------------------------------------


async def test_advice_tells_of_gaps_in_the_next_four_weeks() -> None:
    late = schedule("search")
    assert late.rotation is not None
    late = replace(late, rotation=replace(late.rotation, begins=late.rotation.begins + 2 * WEEK))
    new = schedule("new", rotation=None, source=SOURCE, calendar=Calendar())
    desk = Desk(with_schedules(catalog(), schedule(), late, new))
    assert advice(await desk.on_call.rota()) == (
        "No one is on call for search from ⟨2026-11-11T12:00:00Z⟩ to ⟨2026-11-16T08:00:00Z⟩. "
        "The rotation begins ⟨2026-11-16T08:00:00Z⟩.",
    )


# ---- overrides -----------------------------------------------------------------------------------------------


async def test_an_override_takes_over_is_audited_and_ends_by_itself() -> None:
    desk = Desk()
    done = await desk.on_call.override(desk.asked(ADA, hours=24))
    assert (done.override.id, done.override.by, done.override.reason) == (1, "oncall", "a dentist")
    assert [(shift.person, shift.since, shift.until) for shift in done.instead] == [(GRACE, NOW, NOW + DAY)]
    assert (await desk.on_call.responders("payments")).primary == ADA
    desk.clock.forward(DAY.total_seconds())
    assert (await desk.on_call.responders("payments")).primary == GRACE
    entry = desk.store.effects.database.tables.audit[-1].entry
    assert entry is not None
    assert (entry.what, entry.why, entry.guild_id, entry.actor.name) == (
        "on_call_override",
        "a dentist",
        GUILD,
        "oncall",
    )
    assert entry.details["instead"] == ["grace"]
    assert (entry.details["schedule"], entry.details["user_id"]) == ("payments", ADA.id)


async def test_the_same_override_once_more_changes_nothing() -> None:
    desk = Desk()
    request = desk.asked(ADA)
    first = await desk.on_call.override(request)
    desk.clock.forward(5)
    again = await desk.on_call.override(request)
    assert again.override == first.override
    assert len(await desk.store.on_call.overrides(NOW)) == 1


async def test_an_override_names_every_shift_that_it_replaces() -> None:
    desk = Desk()
    done = await desk.on_call.override(desk.asked(ADA, until=HAND_OVER + DAY))
    assert [(shift.person, shift.until) for shift in done.instead] == [
        (GRACE, HAND_OVER),
        (ALAN, HAND_OVER + DAY),
    ]


async def test_an_override_that_begins_later_is_told_to_those_concerned() -> None:
    desk = Desk()
    await desk.on_call.override(desk.asked(ADA, since=HAND_OVER - DAY, until=HAND_OVER + DAY))
    (said,) = desk.messages
    assert (said.title, said.mention_users) == ("payments: ada takes over", (ADA.id, GRACE.id, ALAN.id))
    assert said.text == (
        "ada takes over payments ⟨2026-11-15T08:00:00Z⟩. The override ends ⟨2026-11-17T08:00:00Z⟩. "
        "Given by oncall: a dentist."
    )


async def test_an_override_that_replaces_someone_who_left_mentions_the_others() -> None:
    desk = Desk()
    desk.members.left = {ALAN.id}
    await desk.on_call.override(desk.asked(ADA, since=HAND_OVER - DAY, until=HAND_OVER + DAY))
    assert desk.messages[0].mention_users == (ADA.id, GRACE.id)


async def test_an_override_begins_now_at_the_earliest() -> None:
    desk = Desk()
    done = await desk.on_call.override(desk.asked(since=NOW - DAY))
    assert done.override.since == NOW


@pytest.mark.parametrize("actor", [BOSS, LEAD, DEV, SYSTEM], ids=lambda actor: actor.name)
async def test_those_on_call_and_those_who_operate_a_lane_may_override(actor: Any) -> None:
    desk = Desk()
    assert list(desk.on_call.may_override(GUILD, "payments")) == ["on-call", "release-manager", "deployer"]
    await desk.on_call.override(desk.asked(actor=actor))


async def test_others_may_not() -> None:
    said = await refused(Desk(), actor=GUEST)
    assert said.startswith("You need the role `on-call`, `release-manager` or `deployer` to change who is on")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"reason": " "}, "A reason is required."),
        ({"until": NOW}, "The override would already have ended ⟨2026-11-11T12:00:00Z⟩."),
        ({"since": NOW + 2 * DAY, "until": NOW + DAY}, "before it begins ⟨2026-11-13T12:00:00Z⟩"),
        ({"until": NOW + timedelta(days=91)}, "An override lasts 90 days at most."),
        ({"person": GRACE}, "grace is on call for payments all that time anyway."),
        ({"schedule": "search"}, "There is no schedule `search`."),
    ],
)
async def test_what_is_no_override_is_refused(more: dict[str, Any], said: str) -> None:
    assert said in await refused(Desk(), **more)


async def test_someone_who_is_not_in_the_server_cannot_take_over() -> None:
    desk = Desk()
    desk.members.left = {ADA.id}
    assert "ada cannot be on call" in await refused(desk)


# ---- alerts --------------------------------------------------------------------------------------------------


async def test_alerts_of_a_lane_reach_the_people_of_its_schedule() -> None:
    desk = Desk(with_schedules(catalog(), schedule(lead=ADA)))
    assert await desk.on_call.reached(PRODUCTION, NOW) == {
        "on_call": Reached(users=(GRACE.id,)),
        "second": Reached(users=(ALAN.id,)),
        "lead": Reached(users=(ADA.id,)),
    }
    desk = Desk(with_schedules(catalog(), schedule("payments", ADA, lead_role="lead")))
    assert await desk.on_call.reached(PRODUCTION, NOW) == {
        "on_call": Reached(users=(ADA.id,)),
        "lead": Reached(roles=("lead",)),
    }


async def test_alerts_without_a_lane_or_a_schedule_reach_no_one_of_a_schedule() -> None:
    assert await Desk().on_call.reached(None, NOW) == {}
    assert await Desk(catalog()).on_call.reached(PRODUCTION, NOW) == {}


async def test_someone_who_left_is_not_called() -> None:
    desk = Desk()
    desk.members.left = {GRACE.id}
    assert await desk.on_call.reached(PRODUCTION, NOW) == {"second": Reached(users=(ALAN.id,))}


async def test_a_storm_of_alerts_reads_the_schedule_every_two_seconds() -> None:
    desk, reads = Desk(), []

    class Counting:
        async def overrides(self, until_after: object) -> Any:
            reads.append(until_after)
            return []

    store: Any = Counting()
    on_call = OnCall(store, lambda: desk.catalog, desk.clock, desk.members)
    for _ in range(1000):
        assert await on_call.reached(PRODUCTION, desk.clock.now())
        desk.clock.forward(0.01)
    assert 5 <= len(reads) <= 6
    desk.catalog = with_schedules(catalog(), schedule("payments", ADA))
    assert (await on_call.reached(PRODUCTION, desk.clock.now()))["on_call"] == Reached(users=(ADA.id,))


async def test_an_escalation_calls_who_is_on_call_at_each_step() -> None:
    """ada hands over to grace 20 minutes after the alert began."""
    begins = (EPOCH - timedelta(hours=3, minutes=40)).replace(tzinfo=None)
    world = AlertWorld()
    shifts = schedule(rotation=Rotation("UTC", begins, timedelta(hours=4)), lead_role="lead")
    world.catalog = with_schedules(world.catalog, shifts)
    on_call = OnCall(world.store.on_call, lambda: world.catalog, world.clock)
    world.alerts = Alerts(
        world.store,
        lambda: world.catalog,
        clock=world.clock,
        waker=EventWaker(),
        roll_back=world._roll_back,
        on_call=on_call.reached,
    )
    await world.alerts.hear([errors()])
    for _ in range(4):
        await world.pass_s(900)
    first, second, last = world.calls()
    assert (first.mention_users, first.mention_roles) == ((ADA.id,), ())
    assert (second.mention_users, second.mention_roles) == ((GRACE.id, ALAN.id), ())
    assert (last.mention_users, last.mention_roles) == ((GRACE.id, ALAN.id), ("lead",))
