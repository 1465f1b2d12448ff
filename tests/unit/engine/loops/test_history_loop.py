"""What the history loop counts: every lane that serves, at its pace, whatever other lanes, sources or the store do."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from math import inf
from typing import Any

import pytest
from structlog.testing import capture_logs

from bot.domain.config import Catalog
from bot.domain.judge.evidence.counters import CounterReading, Counts, Sample
from bot.domain.judge.history.served import ServedTick
from bot.domain.judge.judge import JudgePolicy, Objective, parse_rule
from bot.domain.records import AuditEntry, LaneRow
from bot.domain.rollout.model import SYSTEM, Desired, Lane, Plan, Release
from bot.domain.rollout.steps import Shift, Soak
from bot.engine.lanes import AdaptersByName, Lanes
from bot.engine.loops.history_loop import HistoryLoop
from bot.engine.loops.sampler import Sampler
from bot.engine.stepper import change_of
from bot.ports.coordination import Clock
from bot.ports.errors import Unreachable
from tests.fakes.outside import FakeReleases
from tests.fakes.store import MemoryStore
from tests.fakes.store.faulty import FaultyDatabase
from tests.support.catalogs import GATED, PRODUCTION, STAGING, V140, V150, begin_rollout, catalog, policy
from tests.support.clocks import FrozenClock
from tests.support.virtual_time import EPOCH, VirtualClock

JUDGE = JudgePolicy((Objective("errors", "errors", 0.01),))
LANES = (STAGING, PRODUCTION)
# How long a look takes decides when the next one comes: on real time, what else the machine does would decide it too.
pytestmark = pytest.mark.virtual_time
SOAK = Plan("soak", (Shift(10), Soak(600.0), Shift(100)))


class Router:
    """Counters of stable that grow by `rate` a second, of which one in ten fails."""

    name = "router"
    limit_s = 1.0

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.rate = 20
        self.takes_s = 0.0
        self.since = clock.now()
        self.away: set[Lane] = set()
        self.hangs: set[Lane] = set()
        self.broken: set[Lane] = set()
        self.looks: list[Lane] = []

    async def sample(self, lane: Lane, digests: Sequence[str]) -> Sequence[Sample]:
        self.looks.append(lane)
        await asyncio.sleep(self.takes_s)
        if lane in self.hangs:
            await asyncio.sleep(3600)
        if lane in self.broken:
            raise ZeroDivisionError("a bug")
        if lane in self.away:
            return [Sample(0.0, digest, error="it is away") for digest in digests]
        total = round(self.rate * (self.clock.now() - self.since).total_seconds())
        return [Sample(0.0, d, (CounterReading("router", total, total // 10),)) for d in digests]


class HistoryWorld:
    """A catalog with two lanes that serve 1.4.0, and history loops on one store."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock = FrozenClock(EPOCH)
        self.time = clock or self.clock
        self.router = Router(self.time)
        self.database = FaultyDatabase(self.time.now)
        self.store = MemoryStore(self.database)
        self.term = 1
        usual = catalog()
        slow = policy(judge=JUDGE, tick_s=5.0)
        self.catalog = replace(
            usual, lanes={lane: replace(config, policy=slow) for lane, config in usual.lanes.items()}
        )

    def loop(self, **more: Any) -> HistoryLoop:
        bound = AdaptersByName({}, {"router": self.router})
        lanes = Lanes(self.store, lambda: self.catalog, {}, FakeReleases({}), self.time, bound=bound)
        return HistoryLoop(self.store, lanes, Sampler(lanes), self.time, term=lambda: self.term, **more)

    async def serves(self, lane: Lane, release: Release | None = V140, **desired: Any) -> None:
        row = LaneRow(lane, 1, Desired(1, release, **desired), None, self.time.now())
        self.database.tables.lanes.pop(lane, None)
        entry = AuditEntry(lane, SYSTEM, self.time.now(), "adopted", "It ran.")
        assert await self.store.lanes.adopt(row, entry)

    async def run(self, loop: HistoryLoop, seconds: float) -> None:
        """Rounds every half a second."""
        for _ in range(round(seconds * 2)):
            await loop.once()
            self.clock.forward(0.5)

    async def read(self, lane: Lane = PRODUCTION) -> Sequence[ServedTick]:
        return await self.store.served.read(lane)

    def changed(self, lane: Lane, **changes: Any) -> Catalog:
        return replace(
            self.catalog, lanes={**self.catalog.lanes, lane: replace(self.catalog.lanes[lane], **changes)}
        )


def between(ticks: Sequence[ServedTick]) -> list[float]:
    """Seconds of which nothing is known, from each tick to the next."""
    return [round(after.at - after.seconds - before.at, 3) for before, after in pairwise(ticks)]


@pytest.fixture
async def world() -> HistoryWorld:
    world = HistoryWorld()
    for lane in LANES:
        await world.serves(lane)
    return world


async def test_every_lane_that_serves_is_counted_tick_by_tick_and_saved_together(world: HistoryWorld) -> None:
    loop = world.loop()
    await world.run(loop, 25)
    assert await world.read() == []
    await world.run(loop, 40)
    for lane in LANES:
        ticks = await world.read(lane)
        assert len(ticks) >= 10
        assert {tick.seconds for tick in ticks} == {5.0}
        assert {tuple(tick.counts.items()) for tick in ticks} == {(("errors", Counts(100, 10)),)}
    assert world.router.looks.count(PRODUCTION) <= 14


class TimingRouter(Router):
    """All requests take between 100 and 500 ms."""

    async def sample(self, lane: Lane, digests: Sequence[str]) -> Sequence[Sample]:
        found = await super().sample(lane, digests)
        return [
            replace(each, readings=tuple(replace(r, buckets=_in_time(r.total)) for r in each.readings))
            for each in found
        ]


def _in_time(requests: int) -> tuple[tuple[float, int], ...]:
    return ((0.1, 0), (0.5, requests), (inf, requests))


async def test_how_long_requests_took_is_heard_with_each_tick_and_not_stored(world: HistoryWorld) -> None:
    world.router = TimingRouter(world.time)
    heard: list[ServedTick] = []
    loop = world.loop(heard=lambda lane, tick, release: heard.append(tick))
    await world.run(loop, 65)
    assert len(heard) > 20
    assert all(tick.latencies == _in_time(tick.counts["errors"].total) for tick in heard)
    assert {tick.latencies for tick in await world.read()} == {()}


async def test_what_the_rules_of_a_policy_count_is_counted_with_and_without_objectives(
    world: HistoryWorld,
) -> None:
    world.router = TimingRouter(world.time)
    rules = tuple(map(parse_rule, ("error_rate > 5%", "p99 > 500ms for 2m", "health check failing for 30s")))
    for lane, objectives in ((STAGING, JUDGE.objectives), (PRODUCTION, ())):
        judge = replace(JUDGE, objectives=objectives, rules=rules)
        world.catalog = world.changed(lane, policy=policy(judge=judge, tick_s=5.0))
    await world.run(world.loop(), 65)
    for lane in LANES:
        ticks = await world.read(lane)
        assert len(ticks) >= 10
        assert {tuple(tick.counts) for tick in ticks} == {("errors", "latency>0.5s")}


async def test_lanes_are_not_all_read_at_once(world: HistoryWorld) -> None:
    config = world.catalog.lanes[PRODUCTION]
    many = [Lane(f"service-{number}", "production") for number in range(40)]
    world.catalog = replace(world.catalog, lanes={lane: replace(config, lane=lane) for lane in many})
    for lane in many:
        await world.serves(lane)
    loop, most = world.loop(), 0
    for _ in range(20):
        before = len(world.router.looks)
        await world.run(loop, 0.5)
        most = max(most, len(world.router.looks) - before)
    assert most < 20 < len(world.router.looks)


async def test_a_restart_is_a_gap_and_nothing_is_counted_twice(world: HistoryWorld) -> None:
    await world.run(world.loop(), 42)
    world.router.rate = 0
    world.router.since = EPOCH  # the counters start over while no one looks
    await world.run(world.loop(), 42)
    ticks = await world.read()
    assert {tick.seconds for tick in ticks} == {5.0}
    assert {tick.counts["errors"].total for tick in ticks} == {100, 0}
    assert min(between(ticks)) == 0 and max(between(ticks)) > 5


async def test_a_source_that_is_away_for_a_while_makes_a_gap_and_two_lines_of_the_log(
    world: HistoryWorld,
) -> None:
    loop = world.loop()
    await world.run(loop, 60)
    world.router.away = {PRODUCTION}
    world.router.looks.clear()
    with capture_logs() as logs:
        await world.run(loop, 3600)
        looks = world.router.looks.count(PRODUCTION)
        world.router.away = set()
        await world.run(loop, 360)
    assert looks < 25
    assert [(line["event"], line.get("why")) for line in logs] == [
        ("history_gap", "it is away"),
        ("history_resumed", None),
    ]
    ticks, others = await world.read(), await world.read(STAGING)
    assert {tick.seconds for tick in (*ticks, *others)} == {5.0}
    assert max(between(ticks)) > 3500
    assert len(others) > 780


async def test_one_look_that_fails_makes_a_longer_tick_and_no_pause(world: HistoryWorld) -> None:
    loop = world.loop()
    await world.run(loop, 31)
    world.router.away = {PRODUCTION}
    await world.run(loop, 5)
    world.router.away = set()
    await world.run(loop, 60)
    ticks = await world.read()
    assert sorted({tick.seconds for tick in ticks}) == [5.0, 10.0]
    assert sum(tick.counts["errors"].total for tick in ticks) == 20 * sum(tick.seconds for tick in ticks)


@pytest.mark.parametrize("trouble", ["hangs", "broken"])
async def test_a_source_that_hangs_or_raises_costs_its_own_lane_only(
    world: HistoryWorld, trouble: str
) -> None:
    setattr(world.router, trouble, {STAGING})
    loop = world.loop()
    await asyncio.gather(world.run(loop, 65))
    await loop.stop()
    assert len(await world.read()) >= 10
    assert await world.read(STAGING) == []


async def test_what_was_counted_while_the_database_is_away_is_saved_later(world: HistoryWorld) -> None:
    loop = world.loop()
    await world.run(loop, 28)
    world.database.away = True
    refused = 0
    for _ in range(80):
        try:
            await world.run(loop, 0.5)
        except Unreachable:
            refused += 1
            world.clock.forward(0.5)
    world.database.away = False
    await world.run(loop, 60)
    ticks = await world.read()
    assert 3 <= refused <= 8
    assert ticks[0].at < EPOCH.timestamp() + 20
    assert ticks[-1].at > EPOCH.timestamp() + 90
    assert set(between(ticks)) == {0.0}


async def test_no_tick_is_lost_to_how_times_are_rounded(world: HistoryWorld) -> None:
    loop = world.loop()
    start = 1_795_335_760.213
    for number in range(2000):
        at, before = round(start + 1.0187 * (number + 1), 3), round(start + 1.0187 * number, 3)
        loop.add(PRODUCTION, ServedTick(at, round(at - before, 3), {"errors": Counts(1, 0)}))
        loop.add(PRODUCTION, ServedTick(at - 0.5, 1.0, {"errors": Counts(1, 0)}))  # counted already, in part
    await world.run(loop, 31)
    assert len([tick for tick in await world.read() if tick.at > start]) == 2000


@pytest.mark.parametrize(("takes_s", "every_s"), [(0.4, 5.0), (1.0, 10.0)])
async def test_a_source_that_takes_long_is_asked_less_often(takes_s: float, every_s: float) -> None:
    world = HistoryWorld(VirtualClock())
    await world.serves(PRODUCTION)
    world.router.takes_s = takes_s
    loop = world.loop()
    for _ in range(720):
        await loop.once()
        await asyncio.sleep(0.25)
    await loop.stop()
    ticks = await world.read()
    assert set(between(ticks)) == {0.0}
    assert {round(tick.seconds) for tick in ticks[1:]} == {every_s}


async def test_ticks_of_less_than_half_a_second_are_not_kept(world: HistoryWorld) -> None:
    loop, start = world.loop(), EPOCH.timestamp()
    for number in range(100):
        loop.add(PRODUCTION, ServedTick(start + number / 10, 0.1, {"errors": Counts(1, 0)}))
    await world.run(loop, 65)
    assert {tick.seconds for tick in await world.read()} == {5.0}


@pytest.mark.parametrize(("plan", "read"), [(GATED, {STAGING, PRODUCTION}), (SOAK, {STAGING})])
async def test_a_lane_in_which_a_rollout_is_judged_is_left_to_the_judge(
    world: HistoryWorld, plan: Plan, read: set[Lane]
) -> None:
    stepped = begin_rollout(id=1, lane=PRODUCTION, plan=plan, at=world.clock.now(), generation=3)
    assert await world.store.rollouts.save(change_of(None, stepped, world.clock.now()))
    await world.run(world.loop(), 20)
    assert set(world.router.looks) == read


async def test_what_cannot_be_saved_is_not_tried_for_ever(world: HistoryWorld) -> None:
    loop = world.loop()
    world.database.refuses = frozenset({"served.append"})
    with capture_logs() as logs:
        await world.run(loop, 65)
    assert [line["event"] for line in logs] == ["history_not_saved", "history_not_saved"]
    world.database.refuses = frozenset()
    await world.run(loop, 60)
    assert (await world.read())[0].at > EPOCH.timestamp() + 60


async def test_a_process_that_becomes_the_controller_again_does_not_count_what_another_did(
    world: HistoryWorld,
) -> None:
    loop, other = world.loop(), world.loop()
    await world.run(loop, 35)
    await world.run(other, 10)
    world.term = 2
    await world.run(loop, 65)
    ticks = await world.read()
    assert {tick.seconds for tick in ticks} == {5.0}
    assert min(between(ticks)) == 0


async def test_another_stable_release_and_other_objectives_are_counted_from_then_on(
    world: HistoryWorld,
) -> None:
    loop = world.loop()
    await world.run(loop, 31)
    await world.serves(PRODUCTION, V150)
    await world.run(loop, 31)
    slow = replace(JUDGE, objectives=(*JUDGE.objectives, Objective("cache", "proportion", 0.5)))
    world.catalog = world.changed(PRODUCTION, policy=policy(judge=slow, tick_s=5.0))
    await world.run(loop, 65)
    ticks = await world.read()
    assert len([gap for gap in between(ticks) if gap > 0]) == 2
    assert {tuple(tick.counts) for tick in ticks} == {("errors",), ("errors", "proportion:cache")}


async def test_a_catalog_that_changed_elsewhere_interrupts_nothing(world: HistoryWorld) -> None:
    loop = world.loop()
    await world.run(loop, 33)
    world.catalog = world.changed(PRODUCTION, description="a shop")
    await world.run(loop, 65)
    assert set(between(await world.read())) == {0.0}


async def test_a_lane_that_left_the_catalog_is_not_read_and_its_history_stays_for_two_weeks(
    world: HistoryWorld,
) -> None:
    loop = world.loop()
    await world.run(loop, 35)
    world.catalog = replace(world.catalog, lanes={STAGING: world.catalog.lanes[STAGING]})
    await world.run(loop, 10)
    looks = world.router.looks.count(PRODUCTION)
    await world.run(loop, 60)
    assert world.router.looks.count(PRODUCTION) == looks
    assert await world.read() != []
    world.clock.forward(14 * 86_400)
    await world.run(loop, 400)
    assert await world.read() == []


async def test_lanes_that_serve_nothing_or_are_not_judged_are_not_read(world: HistoryWorld) -> None:
    await world.serves(STAGING, None)
    await world.serves(PRODUCTION, V140, candidate=V150, weight=100)
    await world.run(world.loop(), 20)
    world.catalog = world.changed(PRODUCTION, metrics=())
    await world.serves(PRODUCTION)
    await world.run(world.loop(), 20)
    world.catalog = world.changed(PRODUCTION, metrics=("router",), policy=policy(judge=JudgePolicy()))
    await world.run(world.loop(), 20)
    assert world.router.looks == []


async def test_ticks_of_a_day_ago_become_minutes(world: HistoryWorld) -> None:
    old = EPOCH.timestamp() - 90_000
    ticks = [ServedTick(old // 60 * 60 + 5 * number, 5.0, {"errors": Counts(10, 1)}) for number in range(12)]
    await world.store.served.append([(PRODUCTION, tick) for tick in ticks])
    await world.run(world.loop(), 400)
    assert (await world.read())[0] == ServedTick(old // 60 * 60 + 55, 60.0, {"errors": Counts(120, 12)})
