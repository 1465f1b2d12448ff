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
    observe,
)
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
