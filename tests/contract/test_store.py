"""What every `Store` promises, on the one in memory and on PostgreSQL, with a clock that the test moves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, get_args

import pytest

from bot.adapters.postgres.appcommands.history import PostgresAppCommandHistory
from bot.adapters.postgres.store import PostgresStore
from bot.domain.drift import Drift
from bot.domain.judge.evidence.counters import Counts, Signal
from bot.domain.judge.evidence.histogram import Histogram
from bot.domain.judge.evidence.ticks import Tick, begin_evidence
from bot.domain.judge.history.replay import JudgedTick
from bot.domain.judge.history.served import Edges, ServedTick
from bot.domain.records import (
    AuditEntry,
    Claimed,
    GivenUp,
    Judged,
    LaneRow,
    Loaded,
    Lock,
    RolloutChange,
    SeriesPoint,
    effect_key,
)
from bot.domain.rollout.events import (
    Acted,
    Applied,
    ApplyFailed,
    CallPeople,
    Crashed,
    Event,
    LogLine,
    Measured,
    Reported,
)
from bot.domain.rollout.machine import machine
from bot.domain.rollout.model import SYSTEM, Action, Desired, Lane, Phase, Plan, Release, Rollout
from bot.domain.rollout.steps import Gate, Observe, Shift, Soak, Verify
from bot.engine.stepper import MESSAGE_KINDS, change_of, order_kinds, stamped
from bot.engine.watch.incidents.regressions import key_of
from bot.ports.errors import AlreadyAnswered, LaneTaken
from bot.ports.retention import RETENTION, NoteKind, Retention
from bot.ports.store import CardRef
from tests.fakes.store import MemoryDatabase, Tables
from tests.fakes.store.commands import MemoryCommandHistory
from tests.support.actors import LEAD, ONCALL
from tests.support.catalogs import GUILD, PRODUCTION, STAGING, V140, V150, begin_rollout
from tests.support.postgres import PostgresServer
from tests.support.stores import BOTH, StoreWorld, opened_store

ORDERS, MESSAGES = sorted(order_kinds()), sorted(MESSAGE_KINDS)
GONE = Drift("absent", "it is gone")
PLAN = Plan("plan", (Verify(), Gate("go", "release-manager"), Shift(10), Soak(5), Shift(100), Observe(5)))


class RolloutStoreWorld(StoreWorld):
    """A store with an adopted lane, and the steps of rollouts on it."""

    @property
    def commands(self) -> Any:
        """Its `AppCommandHistory`."""
        if isinstance(self.database, MemoryDatabase):
            return MemoryCommandHistory(self.database)
        return PostgresAppCommandHistory(self.database)

    async def lose(self) -> None:
        """Every row and every number that was given, as by a failover to an empty replica."""
        if isinstance(self.database, MemoryDatabase):
            self.database.tables = Tables()
            return
        async with self.database.connection() as connection:
            await connection.execute("ALTER TABLE audit DISABLE TRIGGER ALL")
            await connection.execute(
                "TRUNCATE rollouts, effects, lanes, releases, timers, audit, interactions, samples, served"
                " RESTART IDENTITY"
            )

    @property
    def now(self) -> datetime:
        return self.clock.now()

    async def adopted(self, lane: Lane = PRODUCTION, release: Release | None = V140) -> LaneRow:
        row = LaneRow(lane, 3, Desired(3, release), None, self.now)
        assert await self.store.lanes.adopt(row, AuditEntry(lane, SYSTEM, self.now, "adopted", "It ran."))
        return await self.row(lane)

    async def row(self, lane: Lane = PRODUCTION) -> LaneRow:
        return next(row for row in await self.store.lanes.lanes() if row.lane == lane)

    async def begin(self, lane: Lane = PRODUCTION, *, interaction: str = "", **more: Any) -> Rollout:
        change = await self.beginning(lane, **more)
        if interaction:
            change = replace(change, answers={interaction: "begun"})
        assert await self.store.rollouts.save(change)
        return change.rollout

    async def beginning(
        self, lane: Lane = PRODUCTION, *, generation: int = 3, plan: Plan = PLAN
    ) -> RolloutChange:
        stepped = begin_rollout(
            id=await self.store.rollouts.next_id(), lane=lane, plan=plan, at=self.now, generation=generation
        )
        return change_of(None, stepped, self.now)

    async def tell(self, rollout: Rollout, event: Event, **more: Any) -> bool:
        """Step it as it is stored, and save."""
        return await self.store.rollouts.save(await self.step(rollout, event, **more))

    async def step(self, rollout: Rollout, event: Event, **more: Any) -> RolloutChange:
        loaded = await self.loaded(rollout)
        return replace(change_of(loaded, machine.step(loaded.rollout, event), self.now), **more)

    async def stored(self, rollout: Rollout) -> Rollout:
        return (await self.loaded(rollout)).rollout

    async def loaded(self, rollout: Rollout) -> Loaded:
        found = await self.store.rollouts.load(rollout.id)
        assert found is not None
        return found

    async def claim(self, kinds: list[str] = ORDERS, lease_s: float = 10.0, limit: int = 50) -> list[Claimed]:
        return list(await self.store.effects.claim(kinds, limit, lease_s, ()))

    async def soaking(self, lane: Lane = PRODUCTION) -> Rollout:
        plan = Plan("quick", (Shift(10), Soak(5), Shift(100)))
        rollout = await self.begin(lane, plan=plan)
        (claim,) = [c for c in await self.claim() if c.rollout_id == rollout.id]
        assert await self.tell(rollout, Applied(rollout.generation, self.now, 10), claim=claim)
        return await self.stored(rollout)

    async def audited(self, rollout: Rollout) -> list[str]:
        return [line.what for line in await self.store.history.transitions(rollout.id)]


@pytest.fixture(params=BOTH)
async def world(request: pytest.FixtureRequest, postgres: PostgresServer) -> AsyncIterator[RolloutStoreWorld]:
    async with opened_store(request.param, postgres, RolloutStoreWorld) as world:
        yield world


# ---- rollouts -------------------------------------------------------------------------------------------------------


async def test_a_rollout_is_loaded_as_it_was_saved(world: RolloutStoreWorld) -> None:
    await world.adopted()
    rollout = await world.begin()
    assert await world.stored(rollout) == rollout
    assert await world.store.rollouts.load(rollout.id + 1) is None


async def test_a_change_is_saved_on_the_version_it_was_computed_from_and_on_no_other(
    world: RolloutStoreWorld,
) -> None:
    await world.adopted()
    rollout = await world.begin()
    press = await world.step(rollout, Acted(Action.PAUSE, LEAD, world.now))
    other = await world.step(rollout, Acted(Action.CANCEL, LEAD, world.now))
    assert await world.store.rollouts.save(press)
    assert not await world.store.rollouts.save(other)
    assert (await world.stored(rollout)).phase is Phase.VERIFYING
    assert "cancelled" not in await world.audited(rollout)


async def test_of_many_saves_at_once_one_wins(world: RolloutStoreWorld) -> None:
    await world.adopted()
    rollout = await world.begin()
    changes = [await world.step(rollout, Acted(Action.PAUSE, LEAD, world.now)) for _ in range(6)]
    saved = await asyncio.gather(*(world.store.rollouts.save(change) for change in changes))
    assert sorted(saved) == [False] * 5 + [True]
    assert (await world.audited(rollout)).count("paused") == 1


async def test_a_lane_has_one_active_rollout(world: RolloutStoreWorld) -> None:
    await world.adopted()
    await world.adopted(STAGING)
    first = await world.begin()
    with pytest.raises(LaneTaken):
        await world.store.rollouts.save(await world.beginning(generation=first.generation))
    await world.begin(STAGING)
    assert [active.lane for active in await world.store.rollouts.active()] == [PRODUCTION, STAGING]
    assert await world.tell(first, Acted(Action.CANCEL, LEAD, world.now))
    ended = await world.stored(first)
    await world.begin(generation=ended.generation)


async def test_a_rollout_does_not_begin_in_a_lane_that_moved_on(world: RolloutStoreWorld) -> None:
    row = await world.adopted()
    change = await world.beginning()
    await world.store.lanes.newest(PRODUCTION, row.generation + 4)
    assert not await world.store.rollouts.save(change)
    assert await world.store.rollouts.active() == []


async def test_a_panic_stop_keeps_rollouts_from_starting_unless_they_go_back(
    world: RolloutStoreWorld,
) -> None:
    await world.adopted()
    await world.store.rollouts.panic(GUILD, {"on": True})
    change = await world.beginning()
    assert not await world.store.rollouts.save(replace(change, unless_stopped=(GUILD,)))
    await world.store.rollouts.panic(GUILD, {"on": False})
    assert await world.store.rollouts.save(replace(change, unless_stopped=(GUILD,)))


async def test_what_is_told_of_a_panic_stop_is_stored_with_it_and_once(world: RolloutStoreWorld) -> None:
    said = CallPeople("panic-1", GUILD, "Panic stop is on", "oncall switched it on.", channel="deploys")
    for _ in range(2):
        await world.store.rollouts.panic(GUILD, {"on": True}, [said])
    (claim,) = await world.claim(MESSAGES)
    assert (claim.effect, claim.rollout_id) == (said, None)
    await world.store.effects.close([claim])
    assert await world.claim(MESSAGES) == []


async def test_an_interaction_is_answered_once(world: RolloutStoreWorld) -> None:
    await world.adopted()
    rollout = await world.begin(interaction="i1")
    assert (await world.store.rollouts.answers(["i1", "i2"])).keys() == {"i1"}
    press = await world.step(rollout, Acted(Action.PAUSE, LEAD, world.now), answers={"i1": "paused"})
    with pytest.raises(AlreadyAnswered):
        await world.store.rollouts.save(press)
    assert (await world.stored(rollout)).pause is None


async def test_a_step_replaces_the_timers_of_its_rollout(world: RolloutStoreWorld) -> None:
    await world.adopted()
    rollout = await world.begin()
    (claim,) = await world.claim()
    assert await world.tell(rollout, Applied(rollout.generation, world.now, 0), claim=claim)
    (claim,) = await world.claim()
    assert await world.tell(rollout, Reported("run_checks", 0, world.now, True), claim=claim)
    gated = await world.stored(rollout)
    assert gated.deadline is not None
    assert await world.store.timers.due(gated.deadline - timedelta(seconds=1), 10) == []
    (due,) = await world.store.timers.due(gated.deadline, 10)
    assert (due.rollout_id, due.name, due.step, due.at) == (rollout.id, "gate", 1, gated.deadline)
    await world.store.timers.drop(replace(due, step=2))
    assert await world.store.timers.due(gated.deadline, 10) == [due]
    assert await world.tell(rollout, Acted(Action.CANCEL, LEAD, world.now))
    assert await world.store.timers.due(gated.deadline, 10) == []


async def test_timers_stay_with_a_step_that_leaves_them_and_move_with_one_that_moves_them(
    world: RolloutStoreWorld,
) -> None:
    await world.adopted()
    rollout = await world.begin(plan=Plan("asked", (Gate("go", "release-manager", quorum=2), Shift(100))))
    ends = (await world.stored(rollout)).deadline
    assert ends is not None

    async def due_at() -> list[datetime]:
        return [due.at for due in await world.store.timers.due(ends + timedelta(days=1), 10)]

    assert await due_at() == [ends]
    assert await world.tell(rollout, Acted(Action.APPROVE, LEAD, world.now))
    assert await due_at() == [ends]
    assert await world.tell(rollout, Acted(Action.EXTEND, LEAD, world.now, seconds=60))
    assert await due_at() == [ends + timedelta(seconds=60)]
    assert await world.tell(rollout, Acted(Action.PAUSE, LEAD, world.now))
    assert await due_at() == []
    assert await world.tell(rollout, Acted(Action.RESUME, LEAD, world.now))
    assert await due_at() == [ends + timedelta(seconds=60)]


# ---- effects --------------------------------------------------------------------------------------------------------


async def test_an_effect_is_claimed_once_until_its_lease_ends_and_then_under_another_fence(
    world: RolloutStoreWorld,
) -> None:
    await world.adopted()
    rollout = await world.begin()
    (first,) = await world.claim(lease_s=5.0)
    assert (first.key, first.effect.kind) == (effect_key(rollout, 1), "set_desired")
    assert (first.requested_at, first.guild_id) == (rollout.created_at, rollout.guild_id)
    assert await world.claim() == []
    world.clock.forward(5.0)
    (second,) = await world.claim(lease_s=5.0)
    assert second.id == first.id
    assert second.fence != first.fence
    assert await world.store.effects.renew([first], 9.0) == set()
    assert await world.store.effects.renew([second], 9.0) == {second.id}
    world.clock.forward(5.0)
    assert await world.claim() == []


async def test_many_claims_at_once_share_out_what_is_due(world: RolloutStoreWorld) -> None:
    for lane in (PRODUCTION, STAGING, Lane("mail", "production"), Lane("mail", "staging")):
        await world.adopted(lane)
        await world.begin(lane)
    found = await asyncio.gather(*(world.claim(limit=2) for _ in range(4)))
    ids = [claim.id for claims in found for claim in claims]
    assert len(ids) == len(set(ids))
    rest = [claim.id for claim in await world.claim()]
    assert len({*ids, *rest}) == 4


async def test_what_a_process_holds_is_left_out_and_others_do_not_wait_for_it(
    world: RolloutStoreWorld,
) -> None:
    await world.adopted()
    await world.begin()
    (claim,) = await world.claim(lease_s=1.0)
    world.clock.forward(2.0)
    assert await world.store.effects.claim(ORDERS, 10, 1.0, [claim.id]) == []
    assert await world.store.effects.claim(MESSAGES, 10, 1.0, []) != []


async def test_an_outcome_is_saved_only_by_who_holds_the_claim(world: RolloutStoreWorld) -> None:
    await world.adopted()
    rollout = await world.begin()
    (stale,) = await world.claim(lease_s=1.0)
    world.clock.forward(2.0)
    (claim,) = await world.claim(lease_s=10.0)
    applied = Applied(rollout.generation, world.now, 0)
    assert not await world.tell(rollout, applied, claim=stale)
    assert await world.tell(rollout, applied, claim=claim)
    assert not await world.tell(rollout, Acted(Action.PAUSE, LEAD, world.now), claim=claim)


async def test_a_newer_order_supersedes_an_older_one_that_is_under_way(world: RolloutStoreWorld) -> None:
    await world.adopted()
    rollout = await world.soaking()
    assert await world.tell(rollout, Acted(Action.ROLL_BACK, ONCALL, world.now))
    (back,) = await world.claim()
    await world.store.effects.watch(back, 0.0, 1.0)
    assert await world.tell(
        rollout, ApplyFailed(back.effect.desired.generation, world.now, "gone", newest=40)
    )  # type: ignore[union-attr]
    (again,) = await world.claim()
    assert again.effect.desired.generation == 41  # type: ignore[union-attr]
    assert await world.store.effects.renew([back], 5.0) == set()


async def test_checks_are_superseded_when_the_rollout_does_not_wait_for_them(
    world: RolloutStoreWorld,
) -> None:
    await world.adopted()
    rollout = await world.begin()
    (claim,) = await world.claim()
    assert await world.tell(rollout, Applied(rollout.generation, world.now, 0), claim=claim)
    (checks,) = await world.claim()
    assert checks.effect.kind == "run_checks"
    assert await world.tell(rollout, Acted(Action.CANCEL, LEAD, world.now))
    assert await world.store.effects.renew([checks], 5.0) == set()


async def test_what_is_watched_keeps_its_time_and_comes_due_again(world: RolloutStoreWorld) -> None:
    await world.adopted()
    await world.begin()
    (claim,) = await world.claim()
    await world.store.effects.watch(claim, 2.0, 1.5)
    assert await world.claim() == []
    world.clock.forward(2.0)
    (again,) = await world.claim()
    assert (again.watched_s, again.attempts) == (1.5, 0)
    assert again.fence != claim.fence


async def test_a_retry_counts_failures_and_not_absences(world: RolloutStoreWorld) -> None:
    await world.adopted()
    await world.begin()
    for failed, attempts in ((True, 1), (False, 1), (True, 2)):
        (claim,) = await world.claim()
        await world.store.effects.retry(claim, 1.0, "no", failed=failed)
        assert await world.claim() == []
        world.clock.forward(1.0)
        (claim,) = await world.claim(lease_s=0.0)
        assert claim.attempts == attempts


async def test_lines_of_a_log_are_claimed_in_order_and_of_redraws_one_is_pending(
    world: RolloutStoreWorld,
) -> None:
    await world.adopted()
    rollout = await world.begin()
    assert await world.tell(rollout, Acted(Action.PAUSE, LEAD, world.now))
    first = await world.claim(MESSAGES)
    assert sorted(claim.effect.kind for claim in first) == ["draw_card", "log_line"]
    assert await world.claim(MESSAGES) == []
    await world.store.effects.close(first)
    second = await world.claim(MESSAGES)
    assert [claim.effect.kind for claim in second] == ["log_line"]


async def test_calls_of_a_queue_are_claimed_one_after_the_other_in_their_order(
    world: RolloutStoreWorld,
) -> None:
    await world.adopted()
    rollout = await world.begin()
    (claim,) = await world.claim(lease_s=1.0)
    calls = [
        CallPeople(f"call-{n}", GUILD, "title", "text", queue=queue)
        for n, queue in enumerate(("alert/1", "alert/1", "alert/2", "", "", "alert/1"))
    ]
    entry = AuditEntry(PRODUCTION, SYSTEM, world.now, "effect_given_up", "no", rollout_id=rollout.id)
    await world.store.effects.poison(claim, GivenUp("no", entry, calls))

    async def claimed() -> dict[str, Claimed]:
        found = await world.claim(["call_people"], lease_s=600.0)
        return {each.key: each for each in found}

    first = await claimed()
    assert sorted(first) == ["call-0", "call-2", "call-3", "call-4"]
    # While the first is retried, or held by another process, those after it wait, however long they are due.
    await world.store.effects.retry(first["call-0"], 60.0, "Discord is away", failed=False)
    await world.store.effects.close([first["call-2"]])
    assert await claimed() == {}
    world.clock.forward(60.0)
    again = await claimed()
    assert sorted(again) == ["call-0"]
    await world.store.effects.close([again["call-0"]])
    second = await claimed()
    assert sorted(second) == ["call-1"]
    # One that is given up holds up none.
    await world.store.effects.poison(second["call-1"], GivenUp("no", entry, ()))
    assert sorted(await claimed()) == ["call-5"]


async def test_a_line_that_is_said_twice_under_one_key_is_one_line(world: RolloutStoreWorld) -> None:
    await world.adopted()
    await world.begin()
    (claim,) = await world.claim(ORDERS)
    for text in ("first", "again"):
        await world.store.effects.say(claim, "1.output.0", text)
    said = []
    while lines := [line for line in await world.claim(MESSAGES) if line.effect.kind == "log_line"]:
        said += [(line.rollout_id, line.effect) for line in lines if line.key == "1.output.0"]
        await world.store.effects.close(lines)
    assert said == [(claim.rollout_id, LogLine("first"))]


async def test_giving_up_is_audited_and_calls_people_in_one(world: RolloutStoreWorld) -> None:
    await world.adopted()
    rollout = await world.begin()
    (claim,) = await world.claim(lease_s=1.0)
    entry = AuditEntry(PRODUCTION, SYSTEM, world.now, "effect_given_up", "no", rollout_id=rollout.id)
    given_up = GivenUp("no", entry, (CallPeople("call-1", GUILD, "title", "text"),))
    await world.store.effects.poison(replace(claim, fence=7), given_up)
    assert "effect_given_up" not in await world.audited(rollout)
    await world.store.effects.poison(claim, given_up)
    assert (await world.audited(rollout))[-1] == "effect_given_up"
    calls = [c for c in await world.claim(MESSAGES) if isinstance(c.effect, CallPeople)]
    assert [c.key for c in calls] == ["call-1"]
    world.clock.forward(60.0)
    assert await world.claim() == []


async def test_giving_up_with_the_step_that_follows_is_one_change(world: RolloutStoreWorld) -> None:
    await world.adopted()
    rollout = await world.begin()
    (claim,) = await world.claim()
    entry = AuditEntry(PRODUCTION, SYSTEM, world.now, "effect_given_up", "no", rollout_id=rollout.id)
    given_up = GivenUp("no", entry, (CallPeople("call-2", GUILD, "title", "text"),))
    failed = ApplyFailed(rollout.generation, world.now, "no")
    assert await world.tell(rollout, failed, claim=claim, given_up=given_up)
    assert (await world.stored(rollout)).phase is Phase.FAILED
    assert "effect_given_up" in await world.audited(rollout)
    assert "call-2" in {c.key for c in await world.claim(MESSAGES)}


async def test_a_repair_is_ordered_only_while_no_rollout_is_active(world: RolloutStoreWorld) -> None:
    row = await world.adopted()
    entry = AuditEntry(PRODUCTION, SYSTEM, world.now, "drift_repaired", "it drifted")
    again = replace(row, generation=4, desired=replace(row.desired, generation=4))
    await world.store.effects.order(again, "lane.1", 60.0, entry)
    (claim,) = await world.claim()
    assert (claim.key, claim.rollout_id) == ("lane.1", None)
    await world.begin(generation=4)
    later = replace(row, generation=9, desired=replace(row.desired, generation=9))
    await world.store.effects.order(later, "lane.2", 60.0, entry)
    assert "lane.2" not in {c.key for c in await world.claim()}
    assert await world.store.effects.renew([claim], 5.0) == set()


async def test_the_queue_counts_what_is_due(world: RolloutStoreWorld) -> None:
    await world.adopted()
    assert await world.store.housekeeping.queue() == (0, 0.0)
    await world.begin()
    world.clock.forward(3.0)
    depth, oldest_s = await world.store.housekeeping.queue()
    assert (depth > 1, oldest_s) == (True, 3.0)


# ---- ticks ----------------------------------------------------------------------------------------------------------


def tick(rollout: Rollout, at: datetime, before: Rollout | None = None) -> Judged:
    stepped = machine.step(rollout, Measured(at, _empty(at))).rollout
    point = SeriesPoint(at, 10, {"errors": (5, 0)}, {})
    next_at = at + timedelta(seconds=1)
    return Judged(stamped(stepped), before or rollout, begin_evidence(), next_at, point)


def _empty(at: datetime) -> Any:
    return Tick(at.timestamp(), 1.0, {})


async def test_what_has_traffic_is_judged_at_once_and_then_when_planned(world: RolloutStoreWorld) -> None:
    await world.adopted()
    rollout = await world.soaking()
    ((loaded, planned),) = await world.store.ticks.due_ticks(world.now, 10)
    assert (loaded.rollout.id, planned) == (rollout.id, world.now)
    assert await world.store.ticks.due_ticks(world.now, 10, [rollout.id]) == []
    assert await world.store.ticks.due_ticks(world.now, 10, (), {rollout.id: loaded}.get) == [
        (loaded, planned)
    ]
    assert await world.store.ticks.save_ticks([tick(rollout, world.now)]) == {rollout.id}
    assert await world.store.ticks.due_ticks(world.now, 10) == []
    world.clock.forward(1.0)
    assert len(await world.store.ticks.due_ticks(world.now, 10)) == 1
    assert [point.candidate for point in await world.store.history.series(rollout.id, 10)] == [
        {"errors": (5, 0)}
    ]


async def test_what_a_step_measured_is_saved_with_it_or_not_at_all(world: RolloutStoreWorld) -> None:
    await world.adopted()
    rollout = await world.soaking()
    point = SeriesPoint(world.now, 10, {"errors": (40, 20)}, {"errors": (99, 0)}, 0.5, 0.25)
    change = await world.step(rollout, Measured(world.now, _empty(world.now)), point=point)
    assert await world.store.rollouts.save(change)
    assert not await world.store.rollouts.save(change)
    assert list(await world.store.history.series(rollout.id, 10)) == [point]


async def test_the_whole_tick_is_kept_apart_from_what_the_chart_shows(world: RolloutStoreWorld) -> None:
    await world.adopted()
    rollout = await world.soaking()
    signals = {"health": Signal(True, "starting")}
    beside = {"errors": Counts(99, 1), "a < b": Counts(99, 0)}
    whole = Tick(world.now.timestamp(), 4.9, {"errors": Counts(40, 20), "a < b": Counts(40, 3)}, beside)
    odd = replace(
        whole, at=whole.at + 1e-7, stable=None, errors=("away",), signals=signals, paired={}, unread_s=3.0
    )
    mine, other = Histogram((0.5, 2.0), (30, 39), 40), Histogram((0.5,), (90,), 99)
    told = replace(whole, instances={"b": Counts(30, 20), "a": Counts(10, 0)}, latency=(mine, mine))
    looks = [
        whole,
        replace(whole, stable={}, settling=True),
        odd,
        told,
        replace(whole, latency=(mine, other)),
    ]
    for number, seen in enumerate(looks):
        point = SeriesPoint(world.now, 10, {n: (c.total, c.bad) for n, c in seen.candidate.items()}, {})
        stable = {n: (c.total, c.bad) for n, c in (seen.stable or {}).items()}
        kept = JudgedTick(seen, 1.5 if number else None, 60.0 if number else None)
        change = await world.step(rollout, Measured(world.now, _empty(world.now)), point=None)
        change = replace(change, point=replace(point, stable=stable, judged=kept))
        assert await world.store.rollouts.save(change)
        rollout = change.rollout
        assert list(await world.store.history.judged(rollout.id, 1)) == [kept]
        assert (await world.store.history.series(rollout.id, 1))[0].judged is None
        world.clock.forward(1.0)
    found = await world.store.history.judged(rollout.id, 10)
    assert len(found) == len(looks)
    assert list(found[3].tick.instances) == ["b", "a"]


async def test_a_tick_on_an_older_version_is_not_saved(world: RolloutStoreWorld) -> None:
    await world.adopted()
    rollout = await world.soaking()
    assert await world.tell(rollout, Acted(Action.PAUSE, LEAD, world.now))
    assert await world.store.ticks.save_ticks([tick(rollout, world.now)]) == set()
    assert (await world.stored(rollout)).pause is not None


async def test_ticks_planned_by_a_clock_ahead_are_hastened_and_others_postponed(
    world: RolloutStoreWorld,
) -> None:
    await world.adopted()
    rollout = await world.soaking()
    far = world.now + timedelta(minutes=10)
    await world.store.ticks.postpone(replace(rollout, version=rollout.version + 1), far)
    assert len(await world.store.ticks.due_ticks(world.now, 10)) == 1
    await world.store.ticks.postpone(rollout, far)
    assert await world.store.ticks.due_ticks(world.now, 10) == []
    await world.store.ticks.hasten(world.now)
    assert len(await world.store.ticks.due_ticks(world.now, 10)) == 1


async def test_what_is_over_is_not_judged(world: RolloutStoreWorld) -> None:
    await world.adopted()
    rollout = await world.soaking()
    assert await world.tell(rollout, Acted(Action.ROLL_BACK, ONCALL, world.now))
    assert await world.store.ticks.due_ticks(world.now + timedelta(hours=1), 10) == []
    (active,) = await world.store.rollouts.active()
    assert (active.phase, active.judged) == (Phase.ROLLING_BACK, False)


# ---- lanes ----------------------------------------------------------------------------------------------------------


async def test_a_lane_is_adopted_once_and_what_ran_is_known_good(world: RolloutStoreWorld) -> None:
    row = await world.adopted()
    entry = AuditEntry(PRODUCTION, SYSTEM, world.now, "adopted", "again")
    assert not await world.store.lanes.adopt(row, entry)
    found = await world.store.lanes.situation(PRODUCTION, world.now)
    assert found.row == row
    assert [(k.release, k.known_good) for k in found.releases] == [(V140, True)]


async def test_the_lane_has_what_its_newest_rollout_ordered(world: RolloutStoreWorld) -> None:
    await world.adopted()
    rollout = await world.begin()
    found = await world.store.lanes.situation(PRODUCTION, world.now)
    assert found.active == rollout
    assert found.row is not None
    assert (found.row.generation, found.row.rollout_id) == (rollout.generation, rollout.id)
    assert found.row.desired.candidate == V150
    await world.store.lanes.newest(PRODUCTION, 2)
    assert (await world.store.lanes.situation(PRODUCTION, world.now)).row == found.row


async def test_drift_is_heard_only_of_the_lane_as_it_was_looked_at(world: RolloutStoreWorld) -> None:
    row = await world.adopted()
    entry = AuditEntry(PRODUCTION, SYSTEM, world.now, "drift", "gone")
    assert not await world.store.lanes.heard(replace(row, generation=2), GONE, entry)
    calls = (CallPeople("call-3", GUILD, "title", "text"),)
    assert await world.store.lanes.heard(row, GONE, entry, calls)
    assert await world.store.lanes.heard(row, GONE, entry, calls)
    assert [c.key for c in await world.claim(MESSAGES)] == ["call-3"]
    assert [found.drift for found in await world.store.lanes.lanes()] == [GONE]
    await world.begin()
    assert not await world.store.lanes.heard(row, Drift(), entry)


async def test_commands_that_are_taken_over_end_the_drift_of_a_lane_that_has_not_changed(
    world: RolloutStoreWorld,
) -> None:
    row = await world.adopted()
    entry = AuditEntry(PRODUCTION, SYSTEM, world.now, "commands_taken_over", "found")
    assert await world.store.lanes.heard(row, GONE, entry)
    held = replace(row, generation=4, desired=Desired(4, V150))
    assert not await world.commands.took_over(held, replace(row, generation=2), entry)
    assert not await world.commands.took_over(held, replace(row, stamp="of a lost row"), entry)
    assert await world.commands.took_over(held, row, entry)
    (found,) = await world.store.lanes.lanes()
    assert (found.generation, found.desired.stable, bool(found.drift)) == (4, V150, False)


async def test_locks_expire_and_are_lifted_once(world: RolloutStoreWorld) -> None:
    await world.adopted()
    ends = world.now + timedelta(seconds=10)
    lock = Lock(PRODUCTION, LEAD.id, LEAD.name, "holidays", world.now, ends)
    entry = AuditEntry(PRODUCTION, LEAD, world.now, "locked", "holidays")
    await world.store.lanes.lock(lock, entry)
    assert await world.store.lanes.locks(world.now) == {PRODUCTION: lock}
    assert (await world.store.lanes.situation(PRODUCTION, ends)).lock is None
    assert await world.store.lanes.unlock(PRODUCTION, entry)
    assert not await world.store.lanes.unlock(PRODUCTION, entry)


async def test_an_automatic_rollback_locks_and_keeps_a_persons_lock(world: RolloutStoreWorld) -> None:
    await world.adopted()
    await world.adopted(STAGING)
    lock = Lock(STAGING, LEAD.id, LEAD.name, "holidays", world.now, world.now + timedelta(hours=1))
    await world.store.lanes.lock(lock, AuditEntry(STAGING, LEAD, world.now, "locked", "holidays"))
    for lane, owner in ((PRODUCTION, SYSTEM.name), (STAGING, LEAD.name)):
        rollout = await world.soaking(lane)
        crashed = await world.step(rollout, _crash(world.now))
        assert await world.store.rollouts.save(crashed)
        held = (await world.store.lanes.locks(world.now))[lane]
        assert (held.owner, held.digest, held.expires) == (owner, V150.digest, None)
        assert held.quarantined_at == crashed.at
        assert await world.store.lanes.situation(lane, world.now) is not None
        # The end of another quarantine, such as the one before, is not the end of this one.
        line = AuditEntry(lane, SYSTEM, world.now, "unlocked", "the issue was closed")
        before = replace(held, quarantined_at=world.now - timedelta(days=1))
        for other in (before, replace(held, digest=V140.digest)):
            assert not await world.store.lanes.lift(other, line)
        assert await world.store.lanes.lift(held, line)
        assert not await world.store.lanes.lift(held, line)
        left = (await world.store.lanes.locks(world.now)).get(lane)
        assert left == (replace(held, digest="", quarantined_at=None) if owner == LEAD.name else None)


def _crash(at: datetime) -> Event:
    return Crashed(at, "exit code 1")


async def test_what_succeeds_is_known_good_until_it_is_rolled_back(world: RolloutStoreWorld) -> None:
    await world.adopted()
    rollout = await world.begin(plan=Plan("straight", (Shift(100),)))
    assert await world.store.history.last_successes([PRODUCTION, STAGING]) == {}
    for weight in (100, 100):
        (claim,) = await world.claim()
        now = await world.stored(rollout)
        assert await world.tell(rollout, Applied(now.generation, world.now, weight), claim=claim)
    assert (await world.stored(rollout)).phase is Phase.SUCCEEDED
    assert await world.store.history.succeeded_at(PRODUCTION, V150.digest) == world.now
    known = {
        k.release.version: k for k in (await world.store.lanes.situation(PRODUCTION, world.now)).releases
    }
    assert known["1.5.0"].known_good
    (summary,) = await world.store.history.history([PRODUCTION], None, 10)
    assert (summary.to_version, summary.phase) == ("1.5.0", "succeeded")
    assert await world.store.history.last_successes([PRODUCTION, STAGING]) == {PRODUCTION: summary}


# ---- a database that lost commits -----------------------------------------------------------------------------------


async def lost(world: RolloutStoreWorld) -> tuple[Rollout, Rollout]:
    """A soaking rollout that the database loses, and one in another lane that it gives the same number and version."""
    await world.adopted()
    gone = await world.soaking()
    await world.store.ticks.due_ticks(world.now, 10)
    await world.lose()
    world.clock.forward(1.0)
    await world.adopted(STAGING)
    here = await world.soaking(STAGING)
    assert (here.id, here.version) == (gone.id, gone.version)
    return gone, here


async def test_what_is_due_is_read_unless_it_is_known_as_it_was_last_saved(world: RolloutStoreWorld) -> None:
    await world.adopted()
    old = await world.loaded(await world.soaking())
    assert await world.store.ticks.save_ticks([tick(old.rollout, world.now)]) == {old.rollout.id}
    world.clock.forward(1.0)
    ((read, _),) = await world.store.ticks.due_ticks(world.now, 10, (), {old.rollout.id: old}.get)
    assert read == await world.loaded(old.rollout) != old
    ((taken, _),) = await world.store.ticks.due_ticks(world.now, 10, (), {old.rollout.id: read}.get)
    assert taken is read


async def test_a_rollout_that_is_known_as_it_was_last_saved_is_not_read_again(
    world: RolloutStoreWorld,
) -> None:
    await world.adopted()
    old = await world.loaded(await world.soaking())
    assert await world.store.rollouts.load(old.rollout.id, old) is old
    assert await world.store.ticks.save_ticks([tick(old.rollout, world.now)]) == {old.rollout.id}
    new = await world.store.rollouts.load(old.rollout.id, old)
    assert new is not None and new == await world.loaded(old.rollout) != old
    assert await world.store.rollouts.load(old.rollout.id + 1, old) is None


async def test_what_is_known_of_a_lost_rollout_is_not_taken_for_the_one_with_its_number(
    world: RolloutStoreWorld,
) -> None:
    gone, here = await lost(world)
    known = replace(await world.loaded(here), rollout=replace(gone, stamp=here.stamp))
    ((loaded, _),) = await world.store.ticks.due_ticks(world.now, 10, (), {here.id: known}.get)
    assert loaded == await world.store.rollouts.load(here.id, known) == await world.loaded(here)
    assert loaded.rollout == here


async def test_a_number_that_a_lost_rollout_had_is_read_as_the_rollout_that_has_it_now(
    world: RolloutStoreWorld,
) -> None:
    _, here = await lost(world)
    assert here.lane == STAGING
    ((loaded, _),) = await world.store.ticks.due_ticks(world.now, 10)
    assert loaded.rollout == here
    assert (await world.store.lanes.situation(STAGING, world.now)).active == here
    (active,) = await world.store.rollouts.active()
    assert (active.identity, active.stamp) == (here.identity, here.stamp)


async def test_what_was_decided_on_a_lost_rollout_is_not_saved_on_the_one_with_its_number(
    world: RolloutStoreWorld,
) -> None:
    gone, here = await lost(world)
    paused = machine.step(gone, Acted(Action.PAUSE, LEAD, world.now))
    known = replace(await world.loaded(here), rollout=gone)
    assert not await world.store.rollouts.save(change_of(known, paused, world.now))
    assert await world.store.ticks.save_ticks([tick(gone, world.now)]) == set()
    await world.store.ticks.postpone(gone, world.now + timedelta(hours=1))
    assert len(await world.store.ticks.due_ticks(world.now, 10)) == 1
    assert await world.stored(here) == here
    assert await world.store.ticks.save_ticks([tick(here, world.now)]) == {here.id}


async def test_a_version_that_was_reached_again_with_other_content_is_not_overwritten(
    world: RolloutStoreWorld,
) -> None:
    """A replica that lagged: the rollout is the same, and its last step was another one."""
    await world.adopted()
    rollout = await world.begin()
    lost_step = await world.step(rollout, Acted(Action.PAUSE, LEAD, world.now))
    assert await world.tell(rollout, Acted(Action.CANCEL, LEAD, world.now))
    ended = await world.stored(rollout)
    assert ended.version == lost_step.rollout.version
    known = replace(await world.loaded(rollout), rollout=lost_step.rollout)
    resumed = machine.step(lost_step.rollout, Acted(Action.RESUME, LEAD, world.now))
    assert not await world.store.rollouts.save(change_of(known, resumed, world.now))
    assert await world.stored(rollout) == ended


async def test_a_claim_of_a_lost_effect_does_nothing_to_the_one_with_its_number(
    world: RolloutStoreWorld,
) -> None:
    await world.adopted()
    await world.begin()
    (gone,) = await world.claim()
    await world.lose()
    await world.adopted(STAGING)
    here = await world.begin(STAGING)
    (claim,) = await world.claim()
    assert claim.id == gone.id
    assert claim.key != gone.key
    assert await world.store.effects.renew([gone], 5.0) == set()
    await world.store.effects.close([gone])
    await world.store.effects.watch(gone, 0.0, 1.0)
    await world.store.effects.retry(gone, 0.0, "no", failed=True)
    assert not await world.tell(here, Applied(here.generation, world.now, 0), claim=gone)
    assert await world.store.effects.renew([claim], 5.0) == {claim.id}


async def test_a_number_that_a_lost_database_gave_is_not_taken_twice(world: RolloutStoreWorld) -> None:
    await world.adopted()
    await world.adopted(STAGING)
    first = await world.begin()
    second = await world.beginning(STAGING)
    again = replace(second, rollout=replace(second.rollout, id=first.id))
    assert not await world.store.rollouts.save(again)
    assert (await world.stored(first)).lane == PRODUCTION


async def test_what_was_decided_on_a_lost_row_of_a_lane_is_not_recorded(world: RolloutStoreWorld) -> None:
    """The same generation stands for another desired state since the failover."""
    gone = await world.adopted(release=V150)
    beginning = replace(await world.beginning(), lane=gone.stamp)
    await world.lose()
    here = await world.adopted()
    assert gone.generation == here.generation
    entry = AuditEntry(PRODUCTION, SYSTEM, world.now, "drift_repaired", "it drifted")
    assert not await world.store.rollouts.save(beginning)
    assert not await world.store.lanes.heard(gone, GONE, entry)
    newer = replace(gone, generation=4, desired=replace(gone.desired, generation=4))
    await world.store.effects.order(newer, "lane.1", 60.0, entry)
    assert not await world.commands.took_over(newer, gone, entry)
    assert await world.row() == here
    assert await world.store.rollouts.save(replace(beginning, lane=here.stamp))


# ---- housekeeping ---------------------------------------------------------------------------------------------------


async def test_a_lease_has_one_owner_until_it_ends_or_is_given_back(world: RolloutStoreWorld) -> None:
    keeping = world.store.housekeeping
    assert await keeping.lead("controller", "a", 5.0)
    assert not await keeping.lead("controller", "b", 5.0)
    world.clock.forward(5.0)
    assert not await keeping.lead("controller", "b", 5.0)
    assert await keeping.lead("controller", "a", 5.0)
    world.clock.forward(5.1)
    assert await keeping.lead("controller", "b", 5.0)
    await keeping.resign("controller", "a")
    assert not await keeping.lead("controller", "a", 5.0)
    await keeping.resign("controller", "b")
    assert await keeping.lead("controller", "a", 5.0)


async def test_notes_are_replaced_and_phases_counted(world: RolloutStoreWorld) -> None:
    notes = world.store.notes
    assert await notes.note("kind", "key") is None
    await notes.put_note("kind", "key", {"a": 1})
    await notes.put_note("kind", "key", {"b": 2})
    assert await notes.note("kind", "key") == {"b": 2}
    await world.adopted()
    await world.begin()
    assert await world.store.housekeeping.phases() == {"verifying": 1}


async def test_a_card_is_kept_and_what_it_shows_changes_by_itself(world: RolloutStoreWorld) -> None:
    await world.adopted()
    rollout = await world.begin()
    card = CardRef(rollout.id, 11, 22, None, world.now, "first")
    await world.store.notes.put_card(card)
    await world.store.notes.put_card(replace(card, thread_id=33))
    await world.store.notes.redrawn(rollout.id, "second")
    assert await world.store.notes.card(rollout.id) == replace(card, thread_id=33, drawn="second")
    await world.store.notes.redrawn(rollout.id + 1, "second")
    assert await world.store.notes.card(rollout.id + 1) is None


async def test_what_is_old_is_tidied_and_the_audit_stays(world: RolloutStoreWorld) -> None:
    await world.adopted()
    rollout = await world.begin(interaction="i1")
    assert await world.tell(rollout, Acted(Action.CANCEL, LEAD, world.now))
    lines = await world.audited(rollout)
    world.clock.forward(10.0)
    await world.store.housekeeping.tidy(world.now, world.now, world.now)
    assert await world.store.rollouts.answers(["i1"]) == {}
    assert await world.audited(rollout) == lines


async def test_notes_are_kept_as_long_as_their_kind_says(world: RolloutStoreWorld) -> None:
    assert set(RETENTION) == set(get_args(NoteKind))
    await world.adopted()
    active = await world.begin()
    lock = Lock(PRODUCTION, 0, SYSTEM.name, "it failed", world.now, None, V150.digest, world.now)
    await world.store.lanes.lock(lock, AuditEntry(PRODUCTION, SYSTEM, world.now, "locked", "it failed"))
    # Of each kind what is over, and what its retention still keeps.
    over, kept = "0/of-long-ago", {Retention.ROLLOUT: f"{active.id}/bot", Retention.QUARANTINE: key_of(lock)}
    notes, written = world.store.notes, dict[tuple[NoteKind, str], Retention]()
    for kind, retention in RETENTION.items():
        for key in {over, kept.get(retention, over)}:
            written[kind, key] = retention
            await notes.put_note(kind, key, {"at": "then"})
    other_version: Any = "of another version"
    await notes.put_note(other_version, over, {"at": "then"})

    async def left() -> set[tuple[NoteKind, str]]:
        return {each for each in written if await notes.note(*each) == {"at": "then"}}

    if not isinstance(world.store, PostgresStore):
        return  # the store in memory keeps all
    long_after, tidy = world.now + timedelta(days=9999), world.store.housekeeping.tidy
    await tidy(world.now - timedelta(days=1), world.now, world.now)
    assert await left() == set(written)
    await tidy(long_after, world.now, world.now - timedelta(days=1))
    lasting = {
        (kind, key)
        for (kind, key), retention in written.items()
        if retention in (Retention.ALWAYS, Retention.RECORD) or key != over
    }
    assert await left() == lasting
    assert await notes.note(other_version, over) == {"at": "then"}
    await tidy(long_after, world.now, long_after)
    assert await left() == {each for each in lasting if written[each] is not Retention.RECORD}
    assert await notes.note(other_version, over) is None


# ---- what lanes served ----------------------------------------------------------------------------------------------

DAY = 86_400.0
NOON = 1_800_014_400.0  # a multiple of six hours


def served_tick(at: float, total: int = 10, bad: int = 1, seconds: float = 5.0, **more: Counts) -> ServedTick:
    return ServedTick(at, seconds, {"errors": Counts(total, bad), **more})


async def test_strips_sum_up_what_some_lanes_served_by_slots(world: RolloutStoreWorld) -> None:
    slow = {"latency>0.5s": Counts(10, 3)}
    await world.store.served.append(
        [
            (PRODUCTION, served_tick(NOON - 5, 100, 100)),  # before
            (PRODUCTION, served_tick(NOON, 10, 1)),
            (PRODUCTION, served_tick(NOON + 599, 20, 2, **slow)),
            (PRODUCTION, served_tick(NOON + 600, 5, 5, **slow)),
            (PRODUCTION, ServedTick(NOON + 700, 5.0, slow)),  # errors could not be read
            (PRODUCTION, served_tick(NOON + 3600, 7, 0)),
            (STAGING, served_tick(NOON + 60, 1, 1)),
        ]
    )
    found = await world.store.served.strips([PRODUCTION, Lane("web", "x")], "errors", NOON, 600.0)
    assert {lane: dict(slots) for lane, slots in found.items()} == {
        PRODUCTION: {0: Counts(30, 3), 1: Counts(5, 5), 6: Counts(7, 0)}
    }
    found = await world.store.served.strips([PRODUCTION, STAGING], "latency>0.5s", NOON, 600.0)
    assert {lane: dict(slots) for lane, slots in found.items()} == {
        PRODUCTION: {0: Counts(10, 3), 1: Counts(20, 6)}
    }
    assert await world.store.served.strips([], "errors", NOON, 600.0) == {}


async def test_what_a_lane_served_is_read_as_it_was_added_oldest_first(world: RolloutStoreWorld) -> None:
    slow = {"latency>0.3s": Counts(12, 3)}
    ticks = [
        served_tick(NOON + 4.567, **slow),
        served_tick(NOON + 9.568, 0, 0, 5.001, **slow),
        served_tick(NOON + 600, **slow),
    ]
    await world.store.served.append(
        [(PRODUCTION, ticks[2]), (STAGING, served_tick(NOON)), (PRODUCTION, ticks[0])]
    )
    await world.store.served.append([(PRODUCTION, ticks[1])])
    assert await world.store.served.read(PRODUCTION) == ticks
    assert await world.store.served.read(PRODUCTION, NOON + 9.568) == ticks[1:]
    assert await world.store.served.read(Lane("web", "production")) == []


async def test_ticks_that_counted_different_things_keep_what_each_counted(world: RolloutStoreWorld) -> None:
    ticks = [served_tick(NOON + 5), served_tick(NOON + 10, cache=Counts(4, 1)), served_tick(NOON + 15)]
    await world.store.served.append([(PRODUCTION, one) for one in ticks])
    assert await world.store.served.read(PRODUCTION) == ticks


async def test_a_tick_that_is_added_again_counts_once_also_when_it_is_thinned(
    world: RolloutStoreWorld,
) -> None:
    first, second = served_tick(NOON + 5), served_tick(NOON + 10)
    await world.store.served.append([(PRODUCTION, first)])
    await world.store.served.append([(PRODUCTION, first), (PRODUCTION, second)])
    assert await world.store.served.read(PRODUCTION) == [first, second]
    await world.store.served.thin(PRODUCTION, Edges(NOON + 600, 0.0))
    assert await world.store.served.read(PRODUCTION) == [served_tick(NOON + 10, 20, 2, 10.0)]


async def test_full_ticks_before_the_edge_become_minutes_and_those_after_it_stay(
    world: RolloutStoreWorld,
) -> None:
    before = [served_tick(NOON - 1 - 5 * number) for number in range(240)]
    after = [served_tick(NOON + 5 * number) for number in range(12)]
    await world.store.served.append([(lane, one) for lane in (PRODUCTION, STAGING) for one in before + after])
    assert not await world.store.served.thin(PRODUCTION, Edges(NOON, NOON - 14 * DAY))
    minutes = [served_tick(NOON - 1 - 60 * number, 120, 12, 60.0) for number in reversed(range(20))]
    assert await world.store.served.read(PRODUCTION) == minutes + after
    assert await world.store.served.read(STAGING) == [*reversed(before), *after]
    for since in (minutes[0].at, minutes[7].at, minutes[-1].at, NOON, after[-1].at, after[-1].at + 1):
        found = await world.store.served.read(PRODUCTION, since)
        assert found == [one for one in minutes + after if one.at >= since]
    await world.store.served.thin(PRODUCTION, Edges(NOON, NOON - 14 * DAY))
    assert await world.store.served.read(PRODUCTION) == minutes + after


async def test_a_day_of_full_ticks_is_thinned_bit_by_bit(world: RolloutStoreWorld) -> None:
    ticks = [served_tick(NOON + 300 * number) for number in range(288)]
    await world.store.served.append([(PRODUCTION, one) for one in ticks])
    rounds = 1
    while await world.store.served.thin(PRODUCTION, Edges(NOON + DAY, 0.0)):
        rounds += 1
        assert rounds < 10
    assert await world.store.served.read(PRODUCTION) == ticks


async def test_what_a_lane_served_is_forgotten_in_time_whatever_the_catalog_has(
    world: RolloutStoreWorld,
) -> None:
    old, new = served_tick(NOON - 7 * 3600), served_tick(NOON)
    gone = Lane("retired", "production")
    await world.store.served.append([(lane, one) for lane in (PRODUCTION, gone) for one in (old, new)])
    await world.store.served.thin(PRODUCTION, Edges(NOON, 0.0))
    assert not await world.store.served.forget(NOON)
    assert await world.store.served.read(PRODUCTION) == [new]
    assert await world.store.served.read(gone) == [new]
