"""Unlucky moments: aborts under our own generation, presses that meet outcomes, one bad row among good ones."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import asyncpg
import pytest
from structlog.testing import capture_logs

from bot.adapters.postgres.connection.queries import SQL
from bot.adapters.redis.waker import EventWaker
from bot.domain.drift import MOST_REPAIRS
from bot.domain.errors import Refused
from bot.domain.records import AuditEntry
from bot.domain.rollout.events import Applied
from bot.domain.rollout.model import SYSTEM, Action, Desired, Lane, Observed, Phase, Plan, Rollout
from bot.domain.rollout.steps import Gate, Shift, Soak
from bot.domain.traces.ids import trace_id_of
from bot.engine.api import RollbackRequest
from bot.engine.stepper import Stepper
from bot.logs import fields, trace_id
from bot.ports.errors import Unreachable
from tests.fakes.target import FakeTarget
from tests.support.actors import DEV, ONCALL
from tests.support.catalogs import GUILD, LONG, PRODUCTION, STAGING, V140, V150, VERIFY, catalog
from tests.support.harness import QUICK, World
from tests.support.waiting import until


@pytest.fixture(autouse=True)
def logged() -> Iterator[list[Any]]:
    """What is logged. Writing a traceback out for a terminal takes longer than a database may take to answer."""
    with capture_logs() as entries:
        yield entries


class Raced(FakeTarget):
    """Someone aborts on the machine in the instant before an order of ours with that weight arrives."""

    def __init__(self, weight: int) -> None:
        super().__init__()
        self.weight: int | None = weight

    async def apply(self, lane: Lane, desired: Desired) -> None:
        if lane == PRODUCTION and desired.candidate is not None and desired.weight == self.weight:
            self.weight = None
            await self.abort(lane, "root", "users complain")
        await super().apply(lane, desired)


async def test_an_abort_under_the_generation_of_our_own_order_is_heard_at_once(dsn: str) -> None:
    plan = Plan("slow", (VERIFY, Shift(10, 600.0), Soak(60.0), Shift(100, 600.0)))
    world = World(dsn, catalog(plan), Raced(10))
    await world.serve()
    async with world.open() as slipway:
        done = await slipway.reaches(await slipway.deploy(lane=PRODUCTION), Phase.ROLLED_BACK)
        await slipway.quiet()
        (entry,) = await slipway.audit("host_aborted")
        assert "users complain" in done.outcome
        assert (entry["actor"], entry["via"]) == ("root", "cli")
        assert (await world.target.observe(PRODUCTION)).abort is None


async def test_an_abort_that_meets_the_end_of_a_rollout_is_audited_and_nothing_is_left_running(
    dsn: str,
) -> None:
    """The rollout is over when its last order finds the abort; no one but the lane is there to hear of it."""
    world = World(dsn)
    await world.serve()
    async with world.open() as slipway:
        gated = await slipway.reaches(await slipway.deploy(lane=PRODUCTION), Phase.GATED)
    async with world.open(working=False) as slipway:
        await world.target.abort(PRODUCTION, "root", "nothing new tonight")
        await slipway.press(gated, Action.CANCEL, DEV)
        observed = await world.target.observe(PRODUCTION)
        assert observed.abort is not None
        assert observed.abort.generation == (await slipway.now(gated)).generation
    async with world.open() as slipway:

        async def cleared() -> bool:
            return (await world.target.observe(PRODUCTION)).abort is None

        await until(cleared)
        await slipway.quiet()
        assert [row["why"] for row in await slipway.audit("host_aborted")] == [
            "root ran `slipway abort`: nothing new tonight"
        ]
        assert world.target.running(PRODUCTION) == {V140.digest}


async def test_an_abort_that_meets_a_repair_is_audited_once(dsn: str) -> None:
    class Repaired(FakeTarget):
        """The abort comes in the instant before the repair of what drifted."""

        armed = False

        async def apply(self, lane: Lane, desired: Desired) -> None:
            if self.armed and lane == PRODUCTION:
                self.armed = False
                await self.abort(lane, "root", "hands off")
                await self.abort(lane, "root", "hands off")
            await super().apply(lane, desired)

    target = Repaired()
    world = World(dsn, catalog(drift="repair"), target)
    await world.serve()
    async with world.open() as slipway:
        await until(slipway.store.lanes.lanes)
        target.crash(PRODUCTION, V140.digest)
        target.looks_to_start = 10**6

        async def drifted() -> Any:
            return await slipway.audit("drift_repaired")

        target.armed = True
        await until(drifted)
        target.looks_to_start = 1

        async def audited() -> Any:
            return await slipway.audit("host_aborted")

        assert "hands off" in (await until(audited))[0]["why"]
        await asyncio.sleep(0.3)
        assert len(await audited()) == 1


async def test_an_abort_heard_before_it_is_deployed_again_does_not_cancel_what_has_not_begun(
    dsn: str,
) -> None:
    """The lane knows of the abort; a gate that waits under that same generation is not aborted by it again."""
    plan = Plan("gate first", (Gate("go", "release-manager"), Shift(100, 5.0)))
    world = World(dsn, catalog(plan))
    await world.serve()
    async with world.open() as slipway:
        await until(slipway.store.lanes.lanes)
        await world.target.abort(PRODUCTION, "root", "just in case")

        async def audited() -> Any:
            return await slipway.audit("host_aborted")

        await until(audited)
        gated = await slipway.deploy(lane=PRODUCTION)
        await asyncio.sleep(0.5)
        assert (await slipway.now(gated)).phase is Phase.GATED


# ---- presses that meet something -----------------------------------------------------------------------------


async def test_a_press_and_the_outcome_that_it_supersedes_never_wait_for_each_other_in_a_circle(
    dsn: str,
) -> None:
    """Both change the rollout and the order's row; the second waits for the first and no longer."""
    world = World(dsn)
    await world.serve()
    async with world.open(working=False) as slipway:
        rollout = await slipway.deploy(lane=STAGING)
        (claim,) = await slipway.store.effects.claim(["set_desired"], 1, 60.0, [])

        def applied(now: Rollout) -> Applied | None:
            return Applied(now.generation, world.clock.now(), 0) if now.phase is Phase.VERIFYING else None

        recording = Stepper(slipway.store, world.clock, EventWaker())
        held, watch = await asyncpg.connect(dsn), await asyncpg.connect(dsn)
        async with held.transaction():
            await held.execute("SELECT FROM rollouts WHERE id = $1 FOR UPDATE", rollout.id)
            press = asyncio.create_task(slipway.press(rollout, Action.CANCEL, DEV))
            await waiting(watch, 1)
            outcome = asyncio.create_task(recording.apply(rollout.id, applied, claim=claim))
            await waiting(watch, 2)
        acted, _ = await asyncio.gather(press, outcome)
        await asyncio.gather(held.close(), watch.close())
        assert acted.rollout.phase is Phase.CANCELLED


async def waiting(connection: asyncpg.Connection, many: int) -> None:
    """Until so many others wait for a lock."""

    async def there() -> bool:
        found = await connection.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return bool(found == many)

    await until(there)


class LostAnswer:
    """A store that commits its next save and loses the answer."""

    def __init__(self, rollouts: Any) -> None:
        self._rollouts = rollouts
        self.armed = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._rollouts, name)

    async def save(self, change: Any) -> bool:
        saved: bool = await self._rollouts.save(change)
        if self.armed:
            self.armed = False
            raise Unreachable("the connection broke")
        return saved


async def test_a_press_with_a_lost_commit_reply_is_not_called_unrecorded(dsn: str) -> None:
    world = World(dsn)
    await world.serve()
    async with world.open(working=False) as slipway:
        rollout = await slipway.deploy()
        slipway.store.rollouts = lost = LostAnswer(slipway.store.rollouts)  # type: ignore[assignment]
        acted = await slipway.press(rollout, Action.CANCEL, DEV, interaction="press")
        assert not lost.armed
        assert acted.rollout.phase is Phase.CANCELLED
        assert "dev cancelled the rollout" in acted.sentence
        lost.armed = True
        again = await slipway.deploy(interaction="deploy")
        assert again.phase is Phase.VERIFYING


async def test_a_deploy_that_slips_past_a_panic_stop_does_not_start(dsn: str) -> None:
    world = World(dsn)
    await world.serve()
    async with world.open(working=False) as slipway:
        notes, stopped = slipway.store.notes, False
        read = notes.note

        async def note(kind: str, key: str) -> Mapping[str, object] | None:
            nonlocal stopped
            found = await read(kind, key)
            if kind == "panic" and not stopped:
                # In the instant after the deploy was told that no panic stop is on.
                stopped = True
                assert await slipway.engine.panic(GUILD, ONCALL, "fire", True) == 0
            return found

        slipway.store.notes.note = note  # type: ignore[method-assign]
        with pytest.raises(Refused, match="panic stop"):
            await slipway.deploy()
        assert await slipway.store.rollouts.active() == []
        assert await slipway.engine.panic(GUILD, ONCALL, "", False) == 0
        assert (await slipway.deploy()).pause is None


async def test_a_rollback_starts_during_a_panic_stop(dsn: str) -> None:
    world = World(dsn)
    await world.serve()
    async with world.open() as slipway:
        await slipway.reaches(await slipway.deploy(), Phase.SUCCEEDED)
        await slipway.engine.panic(GUILD, ONCALL, "fire", True)
        back = await slipway.engine.roll_back(RollbackRequest(GUILD, ONCALL, "checkout", "staging"))
        await slipway.reaches(back, Phase.SUCCEEDED)


async def test_a_panic_stop_reaches_all_that_it_can_reach(dsn: str) -> None:
    world = World(dsn)
    await world.serve()
    async with world.open(working=False) as slipway:
        first = await slipway.deploy(lane=STAGING)
        second = await slipway.deploy(lane=PRODUCTION)
        async with slipway.database.connection() as connection:
            await connection.execute(
                "UPDATE rollouts SET state = jsonb_set(state, '{step}', '\"of a newer version\"') WHERE id = $1",
                first.id,
            )
    async with world.open(working=False) as slipway:  # another process, which must read both
        assert await slipway.engine.panic(GUILD, ONCALL, "fire", True) == 1
        assert (await slipway.now(second)).pause is not None


async def test_a_deploy_that_meets_a_repair_of_its_lane_is_newer_than_the_repair(dsn: str) -> None:
    world = World(dsn)
    await world.serve()
    async with world.open(working=False) as slipway:
        await slipway.deploy(dry_run=False, lane=PRODUCTION)  # adopts the other lane, too
        row = (await slipway.store.lanes.situation(STAGING, world.clock.now())).row
        if row is None:
            begun = await slipway.deploy()
            await slipway.press(begun, Action.CANCEL, DEV)
            row = (await slipway.store.lanes.situation(STAGING, world.clock.now())).row
        assert row is not None
        next_id, met = slipway.store.rollouts.next_id, False

        async def repaired_meanwhile() -> int:
            nonlocal met
            if not met:
                met = True
                await _repair(slipway, row)
            return await next_id()

        slipway.store.rollouts.next_id = repaired_meanwhile  # type: ignore[method-assign]
        rollout = await slipway.deploy()
        async with slipway.database.connection() as connection:
            orders = await connection.fetch(
                "SELECT generation, rollout_id FROM effects WHERE environment = 'staging' AND kind = 'set_desired' "
                "AND state = 'pending'"
            )
        assert [order["rollout_id"] for order in orders] == [rollout.id]
        assert rollout.generation == row.generation + 2


async def _repair(slipway: Any, row: Any) -> None:
    generation = row.generation + 1
    again = replace(row, generation=generation, desired=replace(row.desired, generation=generation))
    entry = AuditEntry(row.lane, SYSTEM, slipway.world.clock.now(), "drift_repaired", "it drifted")
    await slipway.store.effects.order(again, f"lane.{row.lane}.{generation}", 5.0, entry)


# ---- one bad row among good ones -----------------------------------------------------------------------------


async def test_a_timer_of_a_rollout_that_cannot_be_read_keeps_no_other_from_firing(dsn: str) -> None:
    world = World(dsn)
    await world.serve()
    async with world.open() as slipway:
        gated = await slipway.reaches(await slipway.deploy(lane=PRODUCTION), Phase.GATED)
    connection = await asyncpg.connect(dsn)
    await connection.execute(
        "INSERT INTO rollouts (id, guild_id, service, environment, phase, final, version, schema, charter, state, "
        "requester, to_version, to_digest, to_base, reason, created_at) SELECT 900, guild_id, service, 'elsewhere', "
        "phase, final, version, 99, charter, state, requester, to_version, to_digest, to_base, reason, created_at "
        "FROM rollouts WHERE id = $1",
        gated.id,
    )
    await connection.execute("INSERT INTO timers VALUES (900, 'gate', 1, now() - interval '1 day')")
    await connection.close()
    world.clock.forward(1801.0)
    async with world.open() as slipway:
        await slipway.reaches(gated, Phase.CANCELLED)


@pytest.mark.parametrize("column", ["state", "judge", "evidence"])
async def test_a_tick_that_cannot_be_read_keeps_no_other_from_being_judged(dsn: str, column: str) -> None:
    world = World(dsn, catalog(LONG))
    await world.serve()
    async with world.open() as slipway:
        unreadable = await slipway.soaking()
    connection = await asyncpg.connect(dsn)
    await connection.execute(f"UPDATE rollouts SET {column} = '[1]' WHERE id = $1", unreadable.id)
    await connection.close()
    async with world.open() as slipway:
        await slipway.reaches(await slipway.deploy(lane=STAGING), Phase.SUCCEEDED)


async def test_a_word_that_cannot_be_stored_is_stored_without_what_is_wrong_with_it(dsn: str) -> None:
    """Bytes of a shell that are no text come as lone surrogates; a NUL comes from what a process printed."""
    world = World(dsn, catalog(LONG))
    await world.serve()
    async with world.open() as slipway:
        rollout = await slipway.soaking()
        await world.target.abort(PRODUCTION, "root", "odd \udcff bytes \0 here" + "x" * 50_000)
        done = await slipway.reaches(rollout, Phase.ROLLED_BACK)
        assert len(done.outcome) < 2000
        await slipway.quiet()
        world.target.crash(STAGING, V140.digest, "last words: \0 \udcff")
        world.target.looks_to_start = 10**6

        async def drifted() -> Any:
            return (await slipway.engine.status(GUILD, "checkout", "staging"))[0].drift

        assert "last words" in await until(drifted)


async def test_one_lane_that_cannot_be_looked_at_keeps_no_other_from_being_looked_after(dsn: str) -> None:
    class BrokenTarget(FakeTarget):
        async def observe(self, lane: Lane) -> Observed:
            if lane == PRODUCTION:
                raise RuntimeError("a bug of the adapter")
            return await super().observe(lane)

    world = World(dsn, target=BrokenTarget())
    await world.serve(lanes=(STAGING,))
    async with world.open() as slipway:
        await until(slipway.store.lanes.lanes)
        world.target.crash(STAGING, V140.digest, "gone")
        world.target.looks_to_start = 10**6

        async def drifted() -> Any:
            return await slipway.audit("drift")

        await until(drifted)


async def test_an_effect_with_an_error_that_cannot_be_stored_is_given_up_like_any_other(dsn: str) -> None:
    world = World(dsn)
    await world.serve()

    async def odd(text: str, *_: Any) -> None:
        raise ValueError("refused: \0 \udcff")

    async with world.open() as slipway:
        world.announcer.log_line = odd  # type: ignore[method-assign,assignment]
        await slipway.reaches(await slipway.deploy(), Phase.SUCCEEDED)
        await slipway.quiet()
        assert await slipway.audit("effect_given_up")


# ---- who hears of it -----------------------------------------------------------------------------------------


async def test_people_are_called_once_when_a_lane_drifts_and_hear_when_it_is_over(dsn: str) -> None:
    world = World(dsn)
    await world.serve()
    async with world.open() as slipway:
        await until(slipway.store.lanes.lanes)
        world.target.crash(STAGING, V140.digest, "gone")
        world.target.looks_to_start = 10**6

        async def drifted() -> Any:
            return await slipway.audit("drift")

        await until(drifted)
        world.target.looks_to_start = 1

        async def over() -> Any:
            return await slipway.audit("drift_over")

        await until(over)
        await slipway.quiet()
    told = [(alert.title, alert.mention_roles, alert.over) for alert in world.announcer.alerts.values()]
    assert told == [
        ("checkout/staging: not in the desired state", ("on-call",), False),
        ("checkout/staging: back in the desired state", (), True),
    ]


async def test_people_are_called_once_for_a_log_of_which_no_line_can_be_written(dsn: str) -> None:
    world = World(dsn)
    await world.serve()

    async def refused(*_: Any) -> None:
        raise ValueError("Discord refuses this text")

    async with world.open() as slipway:
        world.announcer.log_line = refused  # type: ignore[method-assign,assignment]
        rollout = await slipway.reaches(await slipway.deploy(), Phase.SUCCEEDED)
        await slipway.quiet()
        assert len(await slipway.audit("effect_given_up")) > 3
    (alert,) = world.announcer.alerts.values()
    assert alert.title == f"checkout/staging: Slipway gave up a log line of rollout #{rollout.id}"


async def test_who_must_act_hears_of_it_before_a_crowd_of_cards_is_redrawn(dsn: str) -> None:
    world = World(dsn)
    await world.serve()
    async with world.open(working=False) as slipway:
        async with slipway.database.connection() as connection:
            await connection.execute(
                "INSERT INTO effects (key, rollout_id, service, environment, kind, payload) SELECT 'r' || n, -n, 's', "
                "'e', 'draw_card', '{\"kind\": \"draw_card\"}' FROM generate_series(1, 500) n"
            )
        await slipway.deploy(lane=STAGING)
        assert await slipway.engine.panic(GUILD, ONCALL, "fire", True) == 1
        first, *_ = await slipway.store.effects.claim(["draw_card", "log_line", "notify"], 1, 60.0, [])
        assert first.effect.kind == "notify"


async def test_all_that_is_logged_of_a_rollout_has_its_trace_id_and_of_one_effect_one_span_id(
    dsn: str,
) -> None:
    world = World(dsn)
    await world.serve()
    seen: dict[str, set[tuple[str | None, object, object]]] = defaultdict(set)

    async def probe(when: str, what: str) -> None:
        known = fields()
        seen[what].add((trace_id(), known["span_id"], known["guild_id"]))

    async with world.open(probe=probe) as slipway:
        done = await slipway.reaches(await slipway.deploy(), Phase.SUCCEEDED)
        await slipway.quiet()
    lines = [line for lines in seen.values() for line in lines]
    assert {(trace, guild) for trace, _, guild in lines} == {(trace_id_of(done.identity), GUILD)}
    assert len({span for _, span, _ in lines}) == len(lines) == len(seen)


# ---- housekeeping --------------------------------------------------------------------------------------------


async def test_a_mountain_of_old_samples_is_carried_away_bit_by_bit(dsn: str) -> None:
    world = World(dsn)
    async with world.open(working=False) as slipway:
        async with slipway.database.connection() as connection:
            await connection.execute(
                "INSERT INTO samples SELECT 1, now() - interval '40 days', 0, 'x', '{}' FROM generate_series(1, 25000)"
            )
            await connection.execute("INSERT INTO samples VALUES (1, now(), 0, 'x', '{}')")
        rounds = 1
        while await slipway.worker._tidy():
            rounds += 1
        assert rounds > 2
        async with slipway.database.connection() as connection:
            assert await connection.fetchval("SELECT count(*) FROM samples") == 1


async def test_a_storm_of_long_ago_and_an_alert_with_very_many_lines_go_bit_by_bit(dsn: str) -> None:
    """So many rows at most with each statement, whether alerts are many or their lines are."""
    world = World(dsn)
    async with world.open(working=False) as slipway, slipway.database.connection() as connection:
        await _fill(connection, alerts=6000, lines=4, incidents=5500)
        await connection.execute(
            "INSERT INTO alert_entries (alert_id, at, what, who, said) "
            "SELECT (SELECT min(id) FROM alerts WHERE over), now(), 'note', '', '' FROM generate_series(1, 12000)",
            timeout=60,
        )
        tables = ("alerts", "alert_entries", "incidents", "incident_entries")

        async def left() -> list[int]:
            return [await connection.fetchval(f"SELECT count(*) FROM {table}") for table in tables]

        rounds, more = [await left()], True
        while more:
            more = await slipway.worker._tidy()
            rounds.append(await left())
        assert len(rounds) > 5
        for one, after in pairwise(rounds):
            assert all(0 <= b - a <= 5000 for a, b in zip(after, one, strict=True)), rounds
        year = "over AND ended_at < now() - interval '400 days'"
        assert await connection.fetchval(f"SELECT count(*) FROM alerts WHERE {year}") == 0
        alerts, lines, incidents, said = rounds[-1]
        assert (lines, said) == (4 * alerts, incidents)
        assert 6000 * 0.5 < alerts < 6000 * 0.6 and 5500 * 0.5 < incidents < 5500 * 0.6


async def test_no_statement_reads_a_whole_table_that_grows(dsn: str) -> None:
    """With a long past behind it, every statement that is sent all day finds its rows by an index."""
    world = World(dsn)
    async with world.open(working=False) as slipway, slipway.database.connection() as connection:
        await _fill(connection, alerts=30_000, lines=2, incidents=20_000)
        await connection.execute(
            "INSERT INTO audit (rollout_id, service, environment, actor_id, actor, via, at, what, why) "
            "SELECT n / 20, 's' || n % 50, 'e', 0, 'a', 'system', now(), 'w', 'y' FROM generate_series(1, 60000) n",
            timeout=60,
        )
        await connection.execute(
            "INSERT INTO effects (key, rollout_id, service, environment, kind, payload, state, done_at) "
            "SELECT 'k' || n, n / 20, 's' || n % 50, 'e', 'log_line', '{}', 'done', now() "
            "FROM generate_series(1, 60000) n",
            timeout=60,
        )
        await connection.execute(
            "INSERT INTO samples SELECT n / 500, now(), 0, 'd', '{}' FROM generate_series(1, 60000) n",
            timeout=60,
        )
        await connection.execute(
            "INSERT INTO rollouts (guild_id, service, environment, phase, final, version, schema, charter, state, "
            "requester, to_version, to_digest, to_base, reason, created_at, ended_at) SELECT $1, 's' || n % 50, 'e', "
            "'succeeded', true, 2, 1, '{}', '{}', 'ada', '1', 'd' || n, 'd' || n, '', at, at FROM (SELECT n, now() - "
            "n * interval '35 minutes' AS at FROM generate_series(1, 30000) n) AS made",
            GUILD,
            timeout=60,
        )
        await connection.execute(
            "INSERT INTO served_days SELECT 's' || n % 50, 'e', date '2026-01-01' - n / 50, 1, 1, 0, now() "
            "FROM generate_series(1, 20000) n",
            timeout=60,
        )
        await connection.execute(
            "INSERT INTO notes SELECT 'notice', n, '{}', now() - n * interval '1 minute' "
            "FROM generate_series(1, 60000) n",
            timeout=60,
        )
        await connection.execute("ANALYZE", timeout=60)
        now = world.clock.now()
        month, guilds = now - timedelta(days=30), [GUILD]
        past: tuple[tuple[str, tuple[Any, ...]], ...] = (
            ("transitions", (7,)),
            ("series", (7, 600)),
            ("claim", (["log_line"], 50, 1.0, [])),
            ("queue", ()),
            ("due_ticks", (now, 250, [])),
            ("due_timers", (now, 100)),
            ("tidy_samples", (now, 100)),
            ("tidy_effects", (now, 100)),
            (
                "tidy_notes",
                (month, 5000, now - timedelta(days=400), ["notice"], ["card"], ["a"], ["r"], ["panic"]),
            ),
            ("history", (["s1"], ["e"], None, 10)),
            ("active", ()),
            ("succeeded_at", ("s1", "e", "d")),
            ("last_successes", (["s1"], ["e"])),
            ("phases", ()),
            ("happened", ("s1", "e", month, now, 200)),
            ("first_rollouts", (["s1"], ["e"])),
            ("report_rollouts", (["s1"], ["e"], month, now, 50_000)),
            ("report_served", (["s1"], ["e"], [date(2025, 11, 1), date(2025, 12, 1)], date(2026, 1, 1))),
            ("forget_served_days", (date(2024, 12, 1), 1000)),
            ("alert", (7,)),
            ("newest_alerts", (["g7"],)),
            ("due_alerts", (now, 100)),
            ("open_alerts", (GUILD, 200)),
            ("silenced_alerts", (200,)),
            ("lane_alerts", ("s1", "e", month, 50)),
            ("count_open_alerts", ()),
            ("alert_timeline", (7, 12, 38)),
            ("thin_alert_entries", (100, 400, 100, 5000, ["trouble", "left_out"])),
            ("undrawn_alerts", (100, [7, 8], [1, 2])),
            ("report_alerts", (["s1"], ["e"], guilds, True, month, now, 50_000)),
            ("tidy_alert_entries", (now - timedelta(days=400), 5000)),
            ("tidy_alerts", (now - timedelta(days=400), 5000)),
            ("incident", (7,)),
            ("due_incidents", (now, 100)),
            ("open_incidents", (GUILD, 200)),
            ("newest_incidents", (GUILD, 20)),
            ("incident_of_origin", (GUILD, "alert-7")),
            ("incident_of_thread", (7,)),
            ("incident_timeline", (7, 50, 150)),
            ("undrawn_incidents", (100,)),
            ("report_incidents", (["s1"], ["e"], guilds, month, now)),
            ("tidy_incident_entries", (now - timedelta(days=400), 5000)),
            ("tidy_incidents", (now - timedelta(days=400), 5000)),
        )
        for name, arguments in past:
            plan = await connection.fetch(f"EXPLAIN {SQL[name]}", *arguments)
            said = "\n".join(row[0] for row in plan)
            read_whole = set(re.findall(r"Seq Scan on (\w+)", said)) - {
                "locks"
            }  # one row for each lane at most
            assert not read_whole, f"{name}:\n{said}"
        (plan,) = await connection.fetchrow(
            f"EXPLAIN (ANALYZE, FORMAT json) {SQL['lane_alerts']}", "s1", "e", now - timedelta(hours=6), 50
        )
        # 15,000 alerts of the lane, of which 50 are open and none else is as new.
        assert most_rows(json.loads(plan)[0]["Plan"]) < 150, plan


def most_rows(plan: Mapping[str, Any]) -> int:
    """The most rows that a part of the plan read, given on or not."""
    own = plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)
    return max([int(own * plan["Actual Loops"]), *(most_rows(part) for part in plan.get("Plans", ()))])


async def _fill(connection: Any, *, alerts: int, lines: int, incidents: int) -> None:
    """Two years of alerts, half of them in one lane, of which the newest 101 are open; and of closed incidents."""
    await connection.execute(
        "INSERT INTO alerts (grp, service, environment, guilds, severity, over, version, drawn, alert, opened_at, "
        "ended_at) SELECT 'g' || n, 's' || CASE WHEN n % 2 = 0 THEN 1 ELSE n % 50 END, 'e', ARRAY[$1::bigint], "
        "'high', n < $2 - 100, 2, 2, '{}', at, "
        "CASE WHEN n < $2 - 100 THEN at + interval '1 hour' END FROM (SELECT n, now() - ($2 - n) * interval "
        "'730 days' / $2 AS at FROM generate_series(1, $2::int) n) AS made",
        GUILD,
        alerts,
        timeout=60,
    )
    await connection.execute(
        "INSERT INTO alert_entries (alert_id, at, what, who, said) "
        "SELECT id, opened_at, 'opened', '', '' FROM alerts, generate_series(1, $1::int)",
        lines,
        timeout=60,
    )
    await connection.execute(
        "INSERT INTO incidents (guild_id, origin, severity, over, version, drawn, incident, opened_at, closed_at) "
        "SELECT $1, 'alert-' || n, 'high', true, 2, 2, '{\"alerts\": []}', at, at + interval '1 day' FROM (SELECT n, "
        "now() - ($2 - n) * interval '730 days' / $2 AS at FROM generate_series(1, $2::int) n) AS made",
        GUILD,
        incidents,
        timeout=60,
    )
    await connection.execute(
        "INSERT INTO incident_entries (incident_id, at, what, who, said, key) "
        "SELECT id, opened_at, 'opened', '', '', '' FROM incidents",
        timeout=60,
    )


async def test_a_clock_that_is_set_back_blinds_no_one(dsn: str) -> None:
    world = World(dsn, catalog(LONG))
    await world.serve()
    world.clock.forward(7200.0)
    async with world.open() as slipway:
        rollout = await slipway.soaking()
        world.clock.forward(-7200.0)
        before = (await slipway.now(rollout)).judge_state
        assert before is not None

        async def measured() -> bool:
            state = (await slipway.now(rollout)).judge_state
            return state is not None and state.soak.measured_s > before.soak.measured_s + 0.2

        await until(measured)
        world.metrics.bad[V150.digest] = 0.5
        await slipway.reaches(rollout, Phase.ROLLED_BACK)


@pytest.mark.parametrize("in_rollout", [True, False])
async def test_an_order_that_is_given_up_is_recorded_as_given_up_and_people_are_called(
    dsn: str, in_rollout: bool
) -> None:
    """The end of the claim, the audit line and the call to people are one transaction, whatever waits for it."""
    world = World(dsn)
    await world.serve()

    async def broken(*_: Any) -> None:
        raise RuntimeError("a bug in the target")

    async with world.open() as slipway:
        if in_rollout:
            world.target.apply = broken  # type: ignore[method-assign]
            rollout = await slipway.reaches(await slipway.deploy(), Phase.FAILED)
            assert "a bug in the target" in rollout.outcome
        else:
            await slipway.reaches(await slipway.deploy(), Phase.SUCCEEDED)
            world.target.apply = broken  # type: ignore[method-assign]
            row = next(r for r in await slipway.store.lanes.lanes() if r.lane == STAGING)
            await _repair(slipway, row)

        async def given_up() -> bool:
            return bool(await slipway.audit("effect_given_up"))

        await until(given_up)
        async with slipway.database.connection() as connection:
            states = await connection.fetch(
                "SELECT state, last_error FROM effects WHERE kind = 'set_desired'"
            )
        assert ("poisoned", "a bug in the target") in [tuple(row) for row in states]
        (line, *_) = await slipway.audit("effect_given_up")
        assert "a bug in the target" in line["why"]

        async def called() -> bool:
            return any("gave up a set desired" in a.title for a in world.announcer.alerts.values())

        await until(called)


class CountingTarget(FakeTarget):
    """Counts how often each lane was looked at."""

    def __init__(self) -> None:
        super().__init__()
        self.watched: Counter[Lane] = Counter()

    async def observe(self, lane: Lane) -> Observed:
        self.watched[lane] += 1
        return await super().observe(lane)


async def test_last_words_that_change_at_every_crash_are_one_drift_and_few_repairs(dsn: str) -> None:
    """A release that cannot start says something else each time; people hear of it once."""
    target = CountingTarget()
    world = World(dsn, catalog(drift="repair"), target)
    await world.serve()
    async with world.open() as slipway:
        await until(slipway.store.lanes.lanes)
        world.target.looks_to_start = 10**6
        before = target.watched[PRODUCTION]
        crashes = 0
        while target.watched[PRODUCTION] < before + 40:
            crashes += 1
            world.target.crash(PRODUCTION, V140.digest, f"last words {crashes}")
            await asyncio.sleep(0.05)
        drifts, repairs = await slipway.audit("drift"), await slipway.audit("drift_repaired")
        (row,) = [row for row in await slipway.store.lanes.lanes() if row.lane == PRODUCTION]
    assert len(drifts) == 1
    assert len(repairs) == row.drift.repairs == 1
    assert len(world.announcer.alerts) == 1


async def test_a_release_that_crashes_and_comes_back_again_and_again_is_told_of_twice(dsn: str) -> None:
    target = CountingTarget()
    world = World(dsn, catalog(drift="report"), target)
    await world.serve()
    async with world.open(intervals=replace(QUICK, settled_s=600.0)) as slipway:

        async def looked() -> bool:
            return target.watched[PRODUCTION] > looks + 2

        await until(slipway.store.lanes.lanes)
        for crash in range(4):
            # A start that takes many looks, so that the crash is seen, and then a few looks at what serves.
            world.target.looks_to_start = 10**6
            world.target.crash(PRODUCTION, V140.digest, f"last words {crash}")
            looks = target.watched[PRODUCTION]
            await until(looked)
            world.target.looks_to_start = 1
            looks = target.watched[PRODUCTION]
            await until(looked)
        drifts, over = await slipway.audit("drift"), await slipway.audit("drift_over")
    assert (len(drifts), len(over)) == (2, 1)


async def test_when_repairs_do_not_help_people_are_called_and_repairs_end(dsn: str) -> None:
    target = CountingTarget()
    world = World(dsn, catalog(drift="repair"), target)
    await world.serve()
    async with world.open() as slipway:

        async def given_up() -> Any:
            world.clock.forward(600.0)
            world.target.crash(PRODUCTION, V140.digest, "again")
            return await slipway.audit("repairs_given_up")

        await until(slipway.store.lanes.lanes)
        world.target.looks_to_start = 10**6
        world.target.crash(PRODUCTION, V140.digest, "gone")
        (entry,) = await until(given_up)
        repairs = len(await slipway.audit("drift_repaired"))
        world.clock.forward(86_400.0)
        looks = target.watched[PRODUCTION]

        async def looked() -> bool:
            return target.watched[PRODUCTION] > looks + 3

        await until(looked)
        assert len(await slipway.audit("drift_repaired")) == repairs == MOST_REPAIRS

        async def called() -> bool:
            titles = [alert.title for alert in world.announcer.alerts.values()]
            return "checkout/production: manual action required" in titles

        await until(called)
    assert "8 repairs did not help" in entry["why"]
