"""Hand-overs on a real database: once over restarts and over several processes, and calendars that outlive both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

from bot.domain.watch.oncall.rotation import Rotation
from bot.domain.watch.oncall.schedule import Calendar, CalendarSource, OnCallSchedule
from bot.engine.watch.oncall.overrides import OverrideRequest
from bot.ports.notifications import Announcement
from tests.support.actors import ONCALL
from tests.support.catalogs import GUILD, catalog
from tests.support.harness import QUICK, STEADY, Slipway, World
from tests.support.oncall import ADA, ALAN, GRACE, FakeCalendarReader, schedule, with_schedules
from tests.support.waiting import until

SOON = replace(QUICK, on_call_s=0.05, calendars_s=0.05)
DAY = timedelta(days=1)


def turns() -> OnCallSchedule:
    """ada has been on call since yesterday, grace takes over in ten minutes.

    An effect that is a day old by the engine's clock would be given up: the tests move it by fifteen minutes.
    """
    begins = (datetime.now(UTC) - DAY + timedelta(minutes=10)).replace(tzinfo=None)
    return schedule("payments", ADA, GRACE, rotation=Rotation("UTC", begins, DAY))


def world_of(dsn: str, found: OnCallSchedule) -> World:
    return World(dsn, with_schedules(catalog(), found))


async def first_look(slipway: Slipway) -> None:
    await until(slipway.store.on_call.told)


async def posted(world: World) -> Sequence[Announcement]:
    return list(world.announcer.alerts.values())


async def test_a_hand_over_while_no_process_runs_is_announced_once_after_the_start(dsn: str) -> None:
    world = world_of(dsn, turns())
    async with world.open(intervals=SOON) as slipway:
        await first_look(slipway)
    assert await posted(world) == []
    world.clock.forward(900)
    for _ in range(2):
        async with world.open(intervals=SOON) as slipway:
            await until(partial(posted, world))
            await slipway.quiet()
    (said,) = await posted(world)
    assert (said.title, said.mention_users) == ("payments: grace is on call", (GRACE.id, ADA.id))
    assert list(world.announcer.calls.values()) == [1]


async def test_while_discord_is_away_the_message_waits_and_comes_once(dsn: str) -> None:
    world = world_of(dsn, turns())
    async with world.open(intervals=SOON) as slipway:
        await first_look(slipway)
        world.announcer.away = True
        world.clock.forward(900)

        async def recorded() -> bool:
            return (await slipway.store.on_call.told())["payments"].person_id == GRACE.id

        await until(recorded)

        async def tried() -> bool:
            return bool(world.announcer.calls)

        await until(tried)
        assert await posted(world) == []
    world.announcer.away = False
    async with world.open(intervals=SOON) as slipway:
        await until(partial(posted, world))
        await slipway.quiet()
    assert [said.title for said in await posted(world)] == ["payments: grace is on call"]


async def test_two_processes_announce_one_hand_over_once(dsn: str) -> None:
    world = world_of(dsn, turns())
    steady = replace(STEADY, on_call_s=SOON.on_call_s, calendars_s=SOON.calendars_s)
    async with world.open(intervals=steady) as one, world.open(intervals=steady):
        await first_look(one)
        world.clock.forward(900)
        await until(partial(posted, world))
        await one.quiet()
    assert list(world.announcer.calls.values()) == [1]


async def test_an_override_is_stored_audited_and_announced(dsn: str) -> None:
    world = world_of(dsn, turns())
    async with world.open(intervals=SOON) as slipway:
        await first_look(slipway)
        now = world.clock.now()
        wanted = OverrideRequest(GUILD, ONCALL, "payments", ALAN, now, now + timedelta(hours=2), "a dentist")
        await slipway.engine.on_call.override(wanted)
        await until(partial(posted, world))
        (line,) = await slipway.audit("on_call_override")
        assert (line["actor"], line["why"], line["guild_id"]) == ("oncall", "a dentist", GUILD)
    async with world.open(working=False) as slipway:  # a restart forgets nothing
        assert (await slipway.engine.on_call.responders("payments")).primary == ALAN
        world.clock.forward(2 * 3600)
        assert (await slipway.engine.on_call.responders("payments")).primary == GRACE


async def test_what_was_read_of_a_calendar_outlives_the_process_and_the_calendar(dsn: str) -> None:
    source = CalendarSource(file="/payments.ics", refresh_s=60.0)
    world = world_of(dsn, schedule(rotation=None, source=source, calendar=Calendar()))
    async with world.open(intervals=SOON, calendars=FakeCalendarReader()) as slipway:
        await until(slipway.store.on_call.calendars)
    reader = FakeCalendarReader(problem="It is away.")
    world.clock.forward(900)
    async with world.open(intervals=SOON, calendars=reader) as slipway:

        async def failed() -> bool:
            return (await slipway.store.on_call.calendars())["payments"].problem == "It is away."

        await until(failed)
        assert (await slipway.engine.on_call.responders("payments")).primary == ADA
