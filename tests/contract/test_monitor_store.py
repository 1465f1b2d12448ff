"""What `MonitorStore` promises, in memory and on PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import pytest

from bot.adapters.postgres.connection.database import Database
from bot.adapters.postgres.connection.queries import SQL
from bot.adapters.postgres.store import PostgresStore
from bot.domain.rollout.model import Lane
from bot.domain.watch.checks import (
    HOUR_S,
    CheckResult,
    Hour,
    Monitor,
    MonitorRule,
    MonitorRules,
    MonitorState,
    Seen,
    observe,
)
from bot.domain.watch.locations import LocationLook
from bot.ports.watch.monitors import MonitorKey, MonitorStore
from tests.fakes.store import MemoryDatabase, MemoryStore
from tests.scenarios.virtual_time import fresh
from tests.support.catalogs import PRODUCTION, STAGING
from tests.support.clocks import FrozenClock
from tests.support.postgres import PostgresServer
from tests.support.virtual_time import EPOCH

DAY_S = 86_400.0
NOON = 20_000 * DAY_S + 12 * HOUR_S
HEALTH, FEED = MonitorKey(PRODUCTION, "health"), MonitorKey(PRODUCTION, "feed")


@pytest.fixture(params=["memory", "postgres"])
async def monitors(request: pytest.FixtureRequest, postgres: PostgresServer) -> AsyncIterator[MonitorStore]:
    if request.param == "memory":
        yield MemoryStore(MemoryDatabase(FrozenClock(EPOCH).now)).monitors
        return
    async with Database(await fresh(postgres), size=2) as database:
        yield PostgresStore(database).monitors


def answered(results: Iterator[CheckResult], state: MonitorState | None = None) -> MonitorState:
    state = state or MonitorState()
    for result in results:
        state, _ = observe(Monitor(PRODUCTION, "health"), state, result)
    return state


def stored(state: MonitorState) -> MonitorState:
    """As it comes back: a process that reads has told nothing yet."""
    return replace(state, untold=frozenset(MonitorRule))


async def test_what_was_saved_is_read(monitors: MonitorStore) -> None:
    assert await monitors.read() == {}
    failing = answered(CheckResult(NOON + 60 * n, 0.25, "Down.") for n in range(5))
    slow = answered(CheckResult(NOON + 60 * n, 2.5) for n in range(15))
    assert failing.firing == {MonitorRule.FAILING}
    assert slow.firing == {MonitorRule.SLOW}
    other = MonitorKey(STAGING, "health")
    await monitors.save({HEALTH: failing, FEED: slow, other: MonitorState()})
    assert await monitors.read() == {
        HEALTH: stored(failing),
        FEED: stored(slow),
        other: stored(MonitorState()),
    }


async def test_a_state_that_goes_on_replaces_the_former_and_keeps_older_hours(monitors: MonitorStore) -> None:
    begun = answered(CheckResult(NOON + 60 * n, 0.1) for n in range(90))
    await monitors.save({HEALTH: begun})
    # Two days later; what is remembered has only the hours since.
    later = answered(
        (CheckResult(NOON + 2 * DAY_S + 60 * n, 0.1, "Down." if n % 7 == 0 else "") for n in range(300)),
        replace(begun, hours=()),
    )
    await monitors.save({HEALTH: later})
    found = (await monitors.read())[HEALTH]
    assert found == stored(replace(later, hours=(*begun.hours, *later.hours)))
    assert [hour.since for hour in found.hours] == sorted({hour.since for hour in found.hours})
    assert sum(hour.up_s + hour.down_s for hour in found.hours) == pytest.approx(89 * 60 + 299 * 60)


async def test_a_day_is_saved_again_as_it_grows(monitors: MonitorStore) -> None:
    state = MonitorState()
    midnight = 20_001 * DAY_S
    for n in range(-3, 4):
        state = answered(iter([CheckResult(midnight + 60 * n, 0.1)]), state)
        await monitors.save({HEALTH: state})
    assert (await monitors.read())[HEALTH].hours == (
        Hour(midnight - HOUR_S, 180.0, 0.0),
        Hour(midnight, 180.0, 0.0),
    )


async def test_what_left_the_catalog_is_forgotten_with_its_hours(monitors: MonitorStore) -> None:
    state = answered(CheckResult(NOON + 60 * n, 0.1) for n in range(5))
    await monitors.save({HEALTH: state, FEED: state})
    await monitors.forget({HEALTH, MonitorKey(Lane("no", "such"), "check")})
    assert list(await monitors.read()) == [FEED]
    await monitors.save({HEALTH: MonitorState()})
    assert (await monitors.read())[HEALTH].hours == ()
    await monitors.forget(())


async def test_old_hours_are_deleted(monitors: MonitorStore) -> None:
    old = answered(CheckResult(NOON + 60 * n, 0.1) for n in range(5))
    await monitors.save({HEALTH: old})
    assert await monitors.tidy(NOON + DAY_S / 2) is False
    assert len((await monitors.read())[HEALTH].hours) == 1  # the last day of it may stay
    assert await monitors.tidy(NOON + 2 * DAY_S) is False
    assert (await monitors.read())[HEALTH].hours == ()


async def test_text_that_cannot_be_stored_is_made_so(monitors: MonitorStore) -> None:
    state = MonitorState(last=CheckResult(NOON, 0.1, "Bad \0 text \ud83d."))
    await monitors.save({HEALTH: state})
    last = (await monitors.read())[HEALTH].last
    assert last is not None
    assert last.said.startswith("Bad ")


async def test_a_thousand_monitors_with_a_week_of_hours_are_saved_and_read(dsn: str) -> None:
    """Each statement has a second, so they come in parts."""
    hours = tuple(Hour(NOON + n * HOUR_S, 3_000.0, 600.0) for n in range(7 * 24))
    rules = MonitorRules()
    assert len(hours) * HOUR_S == rules.over_s
    states = {
        MonitorKey(Lane(f"s{n}", "production"), "health"): MonitorState(hours=hours) for n in range(1_000)
    }
    async with Database(dsn, size=2) as database:
        found = PostgresStore(database).monitors
        for days in range(1, 8):
            part = {
                key: replace(state, hours=tuple(h for h in hours if h.since < NOON + days * DAY_S))
                for key, state in states.items()
            }
            await found.save(part)
        read = await found.read()
        assert len(read) == 1_000
        assert {len(state.hours) for state in read.values()} == {7 * 24}


async def test_no_statement_reads_all_days_for_a_few(dsn: str) -> None:
    async with Database(dsn, size=2) as database, database.connection() as connection:
        await connection.execute(
            "INSERT INTO monitor_days SELECT 's' || n % 500, 'e', 'c' || n % 7, to_timestamp(n::float8 * 86400), '[]'"
            " FROM generate_series(1, 40000) n",
            timeout=60,
        )
        await connection.execute("ANALYZE", timeout=60)
        named = '[{"service": "s1", "environment": "e", "name": "c1"}]'
        for name, arguments in (
            ("monitor_days", ("s1", "e", "c1", 0.0, 100, 0.0)),
            ("save_monitors", ("[]", "[]")),
            ("forget_monitors", (named,)),
            ("tidy_monitor_days", (1e6, 100)),
        ):
            plan = await connection.fetch(f"EXPLAIN {SQL[name]}", *arguments)
            said = "\n".join(row[0] for row in plan)
            assert "Seq Scan on monitor_days" not in said, f"{name}:\n{said}"


async def test_a_glance_adds_up_the_last_day_and_week(monitors: MonitorStore) -> None:
    now = NOON + 600.0
    hours = tuple(Hour(NOON + n * HOUR_S, 3000.0, 600.0) for n in range(-10 * 24, 1))
    last = CheckResult(NOON, 0.1, "Down.")
    for first in range(0, len(hours), 24):
        await monitors.save({HEALTH: MonitorState(last, hours=hours[: first + 24])})
    await monitors.save({FEED: MonitorState(last)})
    found = await monitors.glance(now)
    # The hours that began since, the present one among them.
    assert found[HEALTH].day == (24 * 3000.0, 24 * 600.0)
    assert found[HEALTH].week == (7 * 24 * 3000.0, 7 * 24 * 600.0)
    assert found[HEALTH].state == stored(MonitorState(last))
    assert found[FEED] == (stored(MonitorState(last)), (0.0, 0.0), (0.0, 0.0))
    assert (await monitors.glance(now + 30 * DAY_S))[HEALTH].week == (0.0, 0.0)


# ---- locations ---------------------------------------------------------------------------------------------


def looked(at: float, said: str = "", *, parts: tuple[str, ...] = ()) -> LocationLook:
    return LocationLook(at, CheckResult(at, 0.25, said, parts))


async def test_the_newest_look_of_each_check_and_location_is_kept(monitors: MonitorStore) -> None:
    assert await monitors.looks(0.0) == []
    await monitors.save_looks("here", {HEALTH: looked(NOON), FEED: LocationLook(NOON + 1)})
    await monitors.save_looks("there", {HEALTH: looked(NOON, "Not \ud83d well \0.", parts=("db", "redis"))})
    await monitors.save_looks("here", {HEALTH: looked(NOON + 60, "Down.")})
    await monitors.save_looks("here", {HEALTH: looked(NOON + 30)})  # of a process that is late
    found = {(each.key, each.location): each.look for each in await monitors.looks(0.0)}
    assert found == {
        (HEALTH, "here"): looked(NOON + 60, "Down."),
        (FEED, "here"): LocationLook(NOON + 1),
        (HEALTH, "there"): found[HEALTH, "there"],
    }
    there = found[HEALTH, "there"].result
    assert there is not None and there.parts == ("db", "redis")
    assert there.said.startswith("Not ") and there.said.endswith(".")
    await monitors.save_looks("here", {})


async def test_looks_are_read_on_from_where_they_were_saved(monitors: MonitorStore) -> None:
    await monitors.save_looks(
        "here", {MonitorKey(Lane(f"s{n}", "x"), "health"): looked(NOON) for n in range(1_200)}
    )
    (*_, last) = found = await monitors.looks(0.0)
    assert len(found) == 1_200
    assert [each.saved for each in found] == sorted(each.saved for each in found)
    assert last in await monitors.looks(last.saved)
    assert await monitors.looks(last.saved + 1.0) == []


async def test_looks_are_forgotten_one_by_one(monitors: MonitorStore) -> None:
    for location in ("here", "there"):
        await monitors.save_looks(location, {HEALTH: looked(NOON), FEED: looked(NOON)})
    await monitors.forget_looks([(HEALTH, "here"), (FEED, "nowhere")])
    found = {(each.key, each.location) for each in await monitors.looks(0.0)}
    assert found == {(FEED, "here"), (HEALTH, "there"), (FEED, "there")}


async def test_what_locations_saw_is_part_of_a_state(monitors: MonitorStore) -> None:
    seen = (Seen("here", CheckResult(NOON, 0.1, "Down.")), Seen("there"))
    state = replace(MonitorState(), seen=seen)
    await monitors.save({HEALTH: state})
    assert await monitors.read() == {HEALTH: stored(state)}
    assert (await monitors.glance(NOON))[HEALTH].state.seen == seen
