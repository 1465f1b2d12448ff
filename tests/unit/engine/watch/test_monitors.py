"""The loop of monitors on virtual time: who is asked when, and what becomes of the answers whatever else goes wrong."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import pytest
from structlog.testing import capture_logs

from bot.domain.config import Catalog, CheckConfig
from bot.domain.judge.evidence.counters import Signal
from bot.domain.rollout.model import Lane
from bot.domain.watch.checks import CheckResult, Monitor, MonitorRule
from bot.engine.watch.monitors import Monitors
from bot.ports.errors import Unreachable
from bot.ports.watch.monitors import MonitorKey
from tests.fakes.findings import FakeFindings
from tests.fakes.meter import WatchCounts
from tests.fakes.settings import KindOnly
from tests.fakes.store import MemoryStore
from tests.fakes.store.faulty import FaultyDatabase
from tests.support.catalogs import PRODUCTION, STAGING, catalog
from tests.support.virtual_time import SkewedClock

pytestmark = pytest.mark.virtual_time
HEALTH = MonitorKey(PRODUCTION, "health")


def check(lane: Lane, name: str = "health", every_s: float = 60.0, *, watched: bool = True) -> CheckConfig:
    monitor = Monitor(lane, name, every_s=every_s)
    return CheckConfig(name, KindOnly("plain"), 5.0, monitor=monitor if watched else None)


def with_checks(*checks: tuple[Lane, CheckConfig]) -> Catalog:
    found = catalog()
    lanes = dict(found.lanes)
    for lane in {lane for lane, _ in checks}:
        config = lanes.get(lane) or replace(lanes[PRODUCTION], lane=lane)
        lanes[lane] = replace(config, checks=tuple(each for of, each in checks if of == lane))
    return replace(found, lanes=lanes)


@dataclass
class Services:
    """What answers checks. down: those that fail; hangs: for how long; away: lanes of which the target says nothing."""

    down: set[str] = field(default_factory=set)
    hangs: dict[str, float] = field(default_factory=dict)
    away: set[Lane] = field(default_factory=set)
    broken: set[str] = field(default_factory=set)
    asked: list[tuple[float, MonitorKey]] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0

    async def ask(self, check: CheckConfig, lane: Lane, at: float) -> CheckResult:
        self.asked.append((at, MonitorKey(lane, check.name)))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            took_s = min(self.hangs.get(check.name, 0.0), check.timeout_s)
            await asyncio.sleep(took_s)
        finally:
            self.at_once -= 1
        if lane in self.away:
            raise Unreachable("the host does not answer")
        if check.name in self.broken:
            raise ZeroDivisionError("a bug")
        return CheckResult(at, took_s or 0.01, "It answered 503." if check.name in self.down else "")

    async def ask_candidate(self, check: CheckConfig, lane: Lane, address: str, at: float) -> CheckResult:
        raise NotImplementedError

    def times(self, key: MonitorKey) -> list[float]:
        return [at for at, asked in self.asked if asked == key]


class MonitorFindings(FakeFindings):
    def of(self, rule: MonitorRule, name: str = "health") -> list[bool]:
        """Whether it fired, in order."""
        return [f.firing for f in self.heard if f.labels == {"check": name, "rule": str(rule)}]


class MonitorWorld:
    def __init__(self, *checks: tuple[Lane, CheckConfig]) -> None:
        self.clock = SkewedClock()
        self.services, self.findings = Services(), MonitorFindings()
        self.database = FaultyDatabase(self.clock.now)
        self.store = MemoryStore(self.database)
        self.catalog = with_checks(*checks)
        self.term = 0
        self.monitors = self.process()

    def process(self, **more: Any) -> Monitors:
        return Monitors(
            self.store.monitors,
            lambda: self.catalog,
            self.services,
            self.findings,
            self.clock,
            term=lambda: self.term,
            **more,
        )

    async def run(self, seconds: float, monitors: Monitors | None = None) -> None:
        """Rounds of a loop for so long, as `Loop` runs them."""
        monitors, until = monitors or self.monitors, asyncio.get_running_loop().time() + seconds
        while asyncio.get_running_loop().time() < until:
            try:
                await monitors.once()
            except Unreachable:
                await asyncio.sleep(1.0)
            await asyncio.sleep(0.25)

    async def stored(self) -> dict[MonitorKey, Any]:
        return dict(await self.store.monitors.read())


@pytest.fixture(autouse=True)
def logged() -> Iterator[list[Any]]:
    with capture_logs() as entries:
        yield entries


async def test_every_check_is_asked_at_its_pace_and_smoke_tests_are_not() -> None:
    world = MonitorWorld(
        (PRODUCTION, check(PRODUCTION)),
        (PRODUCTION, check(PRODUCTION, "often", 10.0)),
        (PRODUCTION, check(PRODUCTION, "smoke", watched=False)),
        (STAGING, check(STAGING)),
    )
    await world.run(600)
    counts = Counter(key for _, key in world.services.asked)
    assert counts == {HEALTH: 10, MonitorKey(PRODUCTION, "often"): 60, MonitorKey(STAGING, "health"): 10}
    for key, every_s in ((HEALTH, 60.0), (MonitorKey(PRODUCTION, "often"), 10.0)):
        assert all(b - a == pytest.approx(every_s, abs=0.6) for a, b in pairwise(world.services.times(key)))


async def test_a_thousand_checks_are_spread_over_their_minute() -> None:
    lanes = [Lane(f"s{n}", "production") for n in range(1_000)]
    world = MonitorWorld(*((lane, check(lane)) for lane in lanes))
    await world.run(120)
    begun = min(at for at, _ in world.services.asked)
    by_second = Counter(int(at - begun) for at, _ in world.services.asked)
    assert sum(by_second.values()) in range(1_960, 2_041)
    assert max(by_second.values()) < 60  # 17 on average


async def test_three_failures_are_told_once_and_so_is_their_end() -> None:
    world = MonitorWorld((PRODUCTION, check(PRODUCTION)), (STAGING, check(STAGING, "other")))
    await world.run(300)
    world.services.down = {"health"}
    await world.run(500)
    assert world.findings.of(MonitorRule.FAILING) == [False, True]
    finding = world.findings.heard[-1]
    assert (finding.lane, finding.text) == (PRODUCTION, "It answered 503.")
    world.services.down = set()
    await world.run(120)
    assert world.findings.of(MonitorRule.FAILING) == [False, True, False]
    assert world.findings.of(MonitorRule.FAILING, "other") == [False]


async def test_what_goes_on_failing_is_told_again_for_an_alert_that_a_person_resolved() -> None:
    """As the same finding, since the same time; what waits to be told is told as it is, and availability once."""
    world = MonitorWorld((PRODUCTION, check(PRODUCTION)))
    world.services.down = {"health"}
    await world.run(3_000)
    failing = [each for each in world.findings.heard if each.labels["rule"] == "failing"]
    assert len(failing) == 4
    assert {(each.firing, each.at, each.text) for each in failing} == {
        (True, failing[0].at, "It answered 503.")
    }
    world.services.down = set()
    await world.run(2_000)
    assert world.findings.of(MonitorRule.FAILING) == [True, True, True, True, False]


async def test_a_check_that_hangs_delays_no_other_and_is_not_asked_twice_at_a_time() -> None:
    world = MonitorWorld(
        (PRODUCTION, check(PRODUCTION, "slow", 5.0)), (PRODUCTION, check(PRODUCTION, "fast", 5.0))
    )
    world.services.hangs["slow"] = 4.9
    await world.run(300)
    fast, slow = (world.services.times(MonitorKey(PRODUCTION, name)) for name in ("fast", "slow"))
    assert len(fast) in (59, 60)
    assert len(slow) >= 29
    assert world.services.most_at_once <= 2


async def test_a_bounded_number_is_asked_at_once_and_none_is_left_out() -> None:
    lanes = [Lane(f"s{n}", "production") for n in range(300)]
    world = MonitorWorld(*((lane, check(lane)) for lane in lanes))
    world.services.hangs["health"] = 5.0
    await world.run(600, world.process(at_once=10))
    assert world.services.most_at_once == 10
    counts = Counter(key for _, key in world.services.asked)
    assert len(counts) == 300  # ten at a time, five seconds each: 150 s for all
    assert max(counts.values()) - min(counts.values()) <= 1


async def test_what_cannot_be_asked_is_a_gap_and_no_failure(logged: list[Any]) -> None:
    world = MonitorWorld((PRODUCTION, check(PRODUCTION)))
    await world.run(600)
    world.services.away.add(PRODUCTION)
    await world.run(1_800)
    world.services.away.clear()
    await world.run(600)
    assert world.findings.of(MonitorRule.FAILING) == [False]
    hours = (await world.stored())[HEALTH].hours
    assert sum(hour.up_s for hour in hours) == pytest.approx(1_080, abs=130)
    assert sum(hour.down_s for hour in hours) == 0
    assert [entry["event"] for entry in logged] == ["monitor_gap", "monitor_resumed"]


async def test_a_bug_in_one_check_is_a_gap_of_its_own() -> None:
    world = MonitorWorld((PRODUCTION, check(PRODUCTION, "buggy")), (PRODUCTION, check(PRODUCTION)))
    world.services.broken = {"buggy"}
    await world.run(300)
    assert len(world.services.times(HEALTH)) == 5
    assert len(world.services.times(MonitorKey(PRODUCTION, "buggy"))) == 5
    assert list(await world.stored()) == [HEALTH]


async def test_another_process_goes_on_with_what_was_saved() -> None:
    world = MonitorWorld((PRODUCTION, check(PRODUCTION)))
    world.services.down = {"health"}
    await world.run(400)
    await world.monitors.stop()
    heard_before = len(world.findings.heard)
    world.term = 1
    other = world.process()
    await world.run(120, other)
    assert world.findings.of(MonitorRule.FAILING) == [True, True]  # told again: it says nothing new
    world.services.down = set()
    await world.run(70, other)
    assert world.findings.of(MonitorRule.FAILING) == [True, True, False]
    assert len(world.findings.heard) > heard_before
    hours = (await world.stored())[HEALTH].hours
    assert sum(hour.down_s for hour in hours) > 400


async def test_an_end_that_was_not_saved_is_told_by_the_next_process() -> None:
    """The first process tells of three failures and dies before it saves; the service recovers meanwhile."""
    world = MonitorWorld((PRODUCTION, check(PRODUCTION)))
    world.services.down = {"health"}
    dies = world.process(save_s=10_000.0)
    await world.run(250, dies)
    assert world.findings.of(MonitorRule.FAILING) == [True]
    world.services.down = set()
    world.term = 1
    await world.run(90, world.process())
    assert world.findings.of(MonitorRule.FAILING) == [True, False]


async def test_findings_wait_for_who_hears_them() -> None:
    world = MonitorWorld((PRODUCTION, check(PRODUCTION)))
    await world.run(120)
    world.services.down, world.findings.away = {"health"}, True
    await world.run(600)
    assert world.findings.of(MonitorRule.FAILING) == [False]
    assert len(world.services.times(HEALTH)) >= 11  # it goes on asking
    world.findings.away = False
    await world.run(30)
    assert world.findings.of(MonitorRule.FAILING) == [False, True]


async def test_of_one_trouble_the_newest_finding_is_told() -> None:
    world = MonitorWorld((PRODUCTION, check(PRODUCTION)))
    await world.run(120)
    world.services.down, world.findings.away = {"health"}, True
    await world.run(400)
    world.services.down = set()
    await world.run(100)
    world.findings.away = False
    await world.run(30)
    assert world.findings.of(MonitorRule.FAILING) == [False, False]


async def test_a_database_that_is_away_loses_nothing_but_time() -> None:
    world = MonitorWorld((PRODUCTION, check(PRODUCTION)))
    await world.run(120)

    world.database.away = True
    await world.run(600)
    world.database.away = False
    await world.run(60)
    (hour,) = (await world.stored())[HEALTH].hours
    assert hour.up_s == pytest.approx(720, abs=70)


async def test_what_cannot_be_saved_is_logged_and_keeps_no_other_from_it(logged: list[Any]) -> None:
    world = MonitorWorld((PRODUCTION, check(PRODUCTION)))
    world.database.refuses = frozenset({"monitors.save"})
    await world.run(120)
    world.database.refuses = frozenset()
    await world.run(120)
    assert list(await world.stored()) == [HEALTH]
    assert {entry["event"] for entry in logged} == {"monitors_not_saved"}


async def test_a_check_that_leaves_the_catalog_ends_what_it_fired_and_is_forgotten() -> None:
    world = MonitorWorld((PRODUCTION, check(PRODUCTION)), (STAGING, check(STAGING)))
    world.services.down = {"health"}
    await world.run(400)
    assert world.findings.of(MonitorRule.FAILING) == [True, True]
    world.catalog = with_checks((STAGING, check(STAGING)))
    world.findings.away = True
    await world.run(30)
    assert HEALTH in await world.stored()  # its end was not told yet
    world.findings.away = False
    await world.run(60)
    ends = [f for f in world.findings.heard if not f.firing and f.labels["rule"] == "failing"]
    assert [end.lane for end in ends] == [PRODUCTION]
    assert list(await world.stored()) == [MonitorKey(STAGING, "health")]
    asked = len(world.services.times(HEALTH))
    await world.run(300)
    assert len(world.services.times(HEALTH)) == asked


async def test_a_check_that_is_new_is_asked_within_its_time_and_others_keep_theirs() -> None:
    world = MonitorWorld((PRODUCTION, check(PRODUCTION)))
    await world.run(90)
    world.catalog = with_checks((PRODUCTION, check(PRODUCTION)), (PRODUCTION, check(PRODUCTION, "new")))
    await world.run(60)
    assert len(world.services.times(MonitorKey(PRODUCTION, "new"))) == 1
    await world.run(120)
    assert all(b - a == pytest.approx(60, abs=0.6) for a, b in pairwise(world.services.times(HEALTH)))


async def test_a_clock_that_jumps_stops_no_monitor() -> None:
    world = MonitorWorld((PRODUCTION, check(PRODUCTION)))
    await world.run(300)
    for seconds in (-7_200.0, 7_200.0, 86_400.0):
        world.clock.ahead_s += seconds
        before = len(world.services.asked)
        await world.run(180)
        assert len(world.services.asked) - before in (3, 4)
    assert world.findings.of(MonitorRule.FAILING) == [False]


async def test_old_hours_are_tidied_up() -> None:
    world = MonitorWorld((PRODUCTION, check(PRODUCTION)))
    await world.run(7_300)
    tidied = [statement for statement in world.database.seen if statement.name == "tidy"]
    assert len(tidied) == 3
    now = world.clock.now().timestamp()
    assert now - tidied[-1].args[0] == pytest.approx(8 * 86_400, abs=4_000)


async def test_each_answer_says_how_the_signals_of_its_check_stand() -> None:
    heard: list[tuple[str, bool | None]] = []
    probed = check(PRODUCTION, every_s=10.0)
    assert probed.monitor is not None
    probed = replace(probed, monitor=replace(probed.monitor, signals=frozenset({"health"})))
    world = MonitorWorld((PRODUCTION, probed), (PRODUCTION, check(PRODUCTION, "other", 10.0)))

    def says(lane: Lane, origin: str, said: Mapping[str, Signal], at: float) -> None:
        heard.append((origin, said["health"].bad))

    monitors = world.process(says=says)
    await world.run(21, monitors)
    world.services.down = {"health", "other"}
    await world.run(20, monitors)
    assert heard == [("health", False)] * 2 + [("health", True)] * 2


async def test_answers_are_counted_by_kind_and_gaps_apart() -> None:
    world = MonitorWorld((PRODUCTION, check(PRODUCTION)), (STAGING, check(STAGING, "other")))
    world.services.down.add("health")
    world.services.away.add(STAGING)
    counts = WatchCounts()
    await world.run(60, world.process(meter=counts))
    assert sorted(counts.seen) == [("plain", "failed", 0.01), ("plain", "gap", 0.0)]
