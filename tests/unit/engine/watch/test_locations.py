"""Checks from several locations on virtual time: processes of locations, and the controller that gathers answers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import pytest
from structlog.testing import capture_logs

from bot.domain.config import Catalog, CheckConfig
from bot.domain.rollout.model import Lane
from bot.domain.watch.checks import CheckResult, Monitor
from bot.engine.watch.locations.prober import LocationProber
from bot.engine.watch.monitors import Monitors
from bot.ports.errors import Unreachable
from bot.ports.watch.monitors import MonitorKey, MonitorStore
from tests.fakes.findings import FakeFindings
from tests.fakes.settings import KindOnly
from tests.fakes.store import MemoryStore
from tests.fakes.store.faulty import FaultyDatabase
from tests.support.catalogs import PRODUCTION, STAGING, catalog
from tests.support.virtual_time import SkewedClock, VirtualClock

pytestmark = pytest.mark.virtual_time
HERE, THERE = "frankfurt", "virginia"
HEALTH = MonitorKey(PRODUCTION, "health")


def check(
    *locations: str, name: str = "health", every_s: float = 60.0, lane: Lane = PRODUCTION
) -> CheckConfig:
    fails_in = len(locations) // 2 + 1
    monitor = Monitor(lane, name, every_s=every_s, locations=locations, fails_in=fails_in)
    return CheckConfig(name, KindOnly("plain"), 5.0, monitor=monitor)


def with_checks(*checks: CheckConfig) -> Catalog:
    found = catalog()
    lanes = {
        lane: replace(config, checks=tuple(c for c in checks if c.monitor and c.monitor.lane == lane))
        for lane, config in found.lanes.items()
    }
    return replace(found, lanes=lanes)


@dataclass
class Network:
    """What one location reaches. said: of its checks; away: their target says nothing; hangs: until the limit."""

    said: str = ""
    away: bool = False
    hangs: bool = False
    asked: list[tuple[float, MonitorKey]] = field(default_factory=list)

    async def ask(self, check: CheckConfig, lane: Lane, at: float) -> CheckResult:
        self.asked.append((at, MonitorKey(lane, check.name)))
        if self.hangs:
            await asyncio.sleep(check.timeout_s)
            return CheckResult(at, check.timeout_s, "It took longer than 5 s.")
        if self.away:
            raise Unreachable("no route")
        return CheckResult(at, 0.01, self.said)

    async def ask_candidate(self, check: CheckConfig, lane: Lane, address: str, at: float) -> CheckResult:
        raise NotImplementedError


class LocationFindings(FakeFindings):
    def of(self, begin: str) -> list[bool]:
        """Of findings with this title, whether they fired, in order; what only says that nothing was is left out."""
        found = [finding.firing for finding in self.heard if finding.title.startswith(begin)]
        return found[found.index(True) :] if True in found else []


class LocationWorld:
    """A controller and a process in each location, on one database."""

    def __init__(self, *checks: CheckConfig) -> None:
        self.clock, self.findings = VirtualClock(), LocationFindings()
        self.database = FaultyDatabase(self.clock.now)
        self.store: MonitorStore = MemoryStore(self.database).monitors  # type: ignore[assignment]
        self.catalog = with_checks(*(checks or (check(HERE, THERE),)))
        self.networks = {name: Network() for name in (HERE, THERE, "sydney", "controller")}
        self.dead: set[str] = set()
        self.term = 0
        self.controller = self.monitors()
        self.looking = {name: self.looks(name) for name in (HERE, THERE, "sydney")}

    def monitors(self) -> Monitors:
        return Monitors(
            self.store,
            lambda: self.catalog,
            self.networks["controller"],
            self.findings,
            self.clock,
            term=lambda: self.term,
            save_s=5.0,
        )

    def looks(self, name: str, ahead_s: float = 0.0) -> LocationProber:
        return LocationProber(
            self.store, lambda: self.catalog, self.networks[name], SkewedClock(ahead_s), name
        )

    async def run(self, seconds: float) -> None:
        loops = [self._looping("controller", seconds)]
        loops += [self._looping(name, seconds) for name in self.looking]
        await asyncio.gather(*loops)

    async def _looping(self, name: str, seconds: float) -> None:
        time = asyncio.get_running_loop().time
        until = time() + seconds
        while time() < until:
            if name not in self.dead:
                try:
                    await (self.controller if name == "controller" else self.looking[name]).once()
                except Unreachable:
                    await asyncio.sleep(1.0)
            await asyncio.sleep(0.25)

    async def places(self) -> list[str | None]:
        """What each location saw the last time."""
        seen = (await self.store.read())[HEALTH].seen
        return [each.result.said if each.result else None for each in seen]


@pytest.fixture(autouse=True)
def logged() -> Iterator[list[Any]]:
    with capture_logs() as entries:
        yield entries


async def test_each_location_asks_what_names_it_at_the_same_moments_and_the_controller_does_not() -> None:
    world = LocationWorld(
        check(HERE, THERE), check(THERE, name="feed", every_s=10.0), check(name="own", lane=STAGING)
    )
    await world.run(600)
    here, there = world.networks[HERE].asked, world.networks[THERE].asked
    assert {key.name for _, key in here} == {"health"}
    assert {key.name for _, key in there} == {"health", "feed"}
    assert {key.name for _, key in world.networks["controller"].asked} == {"own"}
    assert world.networks["sydney"].asked == []
    mine, theirs = ([at for at, key in asked if key == HEALTH] for asked in (here, there))
    assert len(mine) == 10
    assert mine == pytest.approx(theirs, abs=0.3)
    assert all(b - a == pytest.approx(60.0, abs=0.6) for a, b in pairwise(mine))
    state = (await world.store.read())[HEALTH]
    assert state.last is not None and state.last.passed
    # Nine rounds of a minute each, with no gap between them.
    assert sum(hour.up_s for hour in state.hours) == pytest.approx(540.0, abs=1.0)


async def test_one_locations_own_trouble_raises_no_alert_and_is_seen() -> None:
    world = LocationWorld()
    world.networks[THERE].said = "No route to host."
    await world.run(1200)
    assert world.findings.of("Check") == []
    assert world.findings.of("Location") == []
    assert await world.places() == ["", "No route to host."]
    state = (await world.store.read())[HEALTH]
    assert sum(hour.down_s for hour in state.hours) == 0


async def test_what_fails_in_all_of_them_is_told_once_and_ends() -> None:
    world = LocationWorld()
    await world.run(300)
    for name in (HERE, THERE):
        world.networks[name].said = "It answered 503."
    await world.run(125)
    assert world.findings.of("Check") == []
    await world.run(120)
    assert world.findings.of("Check") == [True]
    (finding,) = [each for each in world.findings.heard if each.firing]
    assert finding.text == "It answered 503. Failed from `frankfurt`, `virginia`, 2 of 2 locations."
    world.networks[HERE].said = ""
    await world.run(62)
    assert world.findings.of("Check") == [True, False]


@pytest.mark.parametrize("third", ["", "It answered 503."])
async def test_two_of_three_decide(third: str) -> None:
    world = LocationWorld(check(HERE, THERE, "sydney"))
    world.networks[HERE].said, world.networks[THERE].said = "It answered 503.", third
    await world.run(600)
    assert world.findings.of("Check") == ([True] if third else [])


async def test_a_location_that_falls_silent_is_a_finding_at_three_minutes_and_ends_when_it_is_back() -> None:
    world = LocationWorld()
    await world.run(300)
    world.dead.add(THERE)
    last = world.networks[THERE].asked[-1][0]
    await world.run(last + 179.5 - world.clock.now().timestamp())
    assert world.findings.of("Location") == []
    await world.run(1.5)
    assert world.findings.of("Location") == [True]
    (finding,) = [each for each in world.findings.heard if each.firing]
    assert (finding.labels["location"], finding.limit) == (THERE, "3 min")
    assert finding.guilds == world.catalog.lanes[PRODUCTION].guilds
    assert await world.places() == ["", None]
    # The other one is enough to find an outage, and says that it is alone.
    world.networks[HERE].said = "It answered 503."
    await world.run(200)
    assert world.findings.of("Check") == [True]
    assert "checked from 1 of 2 locations" in world.findings.heard[-1].text
    world.dead.clear()
    await world.run(70)
    assert world.findings.of("Location") == [True, False]
    assert world.findings.of("Check") == [True, False]


async def test_a_location_that_was_never_heard_is_silent_too_and_one_that_left_the_catalog_is_not() -> None:
    world = LocationWorld()
    world.dead.add(THERE)
    await world.run(178)
    assert world.findings.of("Location") == []
    await world.run(4)
    assert world.findings.of("Location") == [True]
    world.catalog = with_checks(check(HERE))
    await world.run(2)
    assert world.findings.of("Location") == [True, False]
    await world.run(62)
    assert await world.places() == [""]
    world.catalog = with_checks(check())
    await world.run(130)
    assert await world.store.looks(0.0) == []
    assert {key.name for _, key in world.networks["controller"].asked} == {"health"}
    assert (await world.store.read())[HEALTH].seen == ()


async def test_nothing_is_known_while_no_location_can_ask() -> None:
    world = LocationWorld()
    await world.run(300)
    for name in (HERE, THERE):
        world.networks[name].away = True
    await world.run(600)
    # They speak, so they are not silent; the check has a gap, and neither passes nor fails.
    assert world.findings.of("Location") == world.findings.of("Check") == []
    assert await world.places() == [None, None]
    state = (await world.store.read())[HEALTH]
    assert sum(hour.up_s + hour.down_s for hour in state.hours) < 310


async def test_a_check_that_hangs_in_one_location_delays_no_round_and_is_a_failure_there() -> None:
    world = LocationWorld(check(HERE, THERE, every_s=10.0))
    world.networks[THERE].hangs = True
    await world.run(300)
    assert await world.places() == ["", "It took longer than 5 s."]
    assert world.findings.of("Check") == []
    state = (await world.store.read())[HEALTH]
    assert sum(hour.up_s for hour in state.hours) == pytest.approx(280.0, abs=11.0)


async def test_controllers_may_change_at_any_time_and_tell_nothing_twice() -> None:
    world = LocationWorld()
    for name in (HERE, THERE):
        world.networks[name].said = "It answered 503."
    for _ in range(60):
        world.term += 1
        world.controller = world.monitors()
        await world.run(11)
    found = [finding for finding in world.findings.heard if finding.title.startswith("Check “health” fails")]
    assert {finding.firing for finding in found} == {True}
    assert len({finding.at for finding in found}) == 1
    state = (await world.store.read())[HEALTH]
    assert len(state.failed) == 3


async def test_a_database_that_was_away_makes_no_location_silent_and_looks_wait_for_it() -> None:
    world = LocationWorld()
    await world.run(300)
    world.database.away = True
    await world.run(900)
    world.database.away = False
    await world.run(5)
    assert max(look.look.at for look in await world.store.looks(0.0)) > world.clock.now().timestamp() - 65
    await world.run(300)
    assert world.findings.of("Location") == []
    assert await world.places() == ["", ""]


async def test_clocks_of_locations_may_differ_a_little_and_two_processes_of_one_are_one() -> None:
    world = LocationWorld()
    world.looking[HERE], world.looking[THERE] = world.looks(HERE, 1.5), world.looks(THERE, -1.5)
    world.looking["sydney"] = world.looks(THERE)
    world.networks["sydney"] = world.networks[THERE]
    await world.run(600)
    assert await world.places() == ["", ""]
    state = (await world.store.read())[HEALTH]
    assert sum(hour.up_s for hour in state.hours) == pytest.approx(540.0, abs=4.0)
    assert len(await world.store.looks(0.0)) == 2
