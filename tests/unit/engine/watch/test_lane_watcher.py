"""The lane watcher: ticks become findings, over restarts, away databases and changes of controller."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from math import inf

import pytest

from bot.domain.judge.evidence.counters import Counts, Signal
from bot.domain.judge.history.served import ServedTick
from bot.domain.records import RolloutSummary
from bot.domain.rollout.model import Lane
from bot.domain.watch.alerts.escalation import AlertPolicy
from bot.domain.watch.alerts.findings import Severity
from bot.domain.watch.alerts.lifecycle import begin
from bot.domain.watch.default_rules import default_rules
from bot.domain.watch.lane import LaneWatch
from bot.domain.watch.rules import WatchState
from bot.engine.watch.lane_watcher import LaneWatcher
from bot.ports.errors import Unreachable
from bot.ports.watch.alerts import AlertChange
from tests.fakes.findings import FakeFindings
from tests.fakes.store import MemoryDatabase, MemoryStore
from tests.support.catalogs import GUILD, PRODUCTION, STAGING, catalog
from tests.support.clocks import FrozenClock
from tests.support.virtual_time import EPOCH


class LaneWatchWorld:
    def __init__(self) -> None:
        self.clock = FrozenClock(EPOCH)
        self.store = MemoryStore(MemoryDatabase(self.clock.now))
        self.findings = FakeFindings()
        self.term = 1
        self.past: list[RolloutSummary] = []
        known = catalog()
        self.catalog = replace(
            known,
            lanes={
                lane: replace(config, watch=LaneWatch(default_rules(config.policy.judge)))
                for lane, config in known.lanes.items()
            },
        )
        self.store.history.history = self._history  # type: ignore[method-assign]
        self.watcher = self.process()

    def process(self) -> LaneWatcher:
        return LaneWatcher(
            self.store, lambda: self.catalog, self.findings, self.clock, term=lambda: self.term
        )

    async def _history(
        self, lanes: Sequence[Lane], before: int | None, limit: int
    ) -> Sequence[RolloutSummary]:
        return self.past[:limit]

    async def serve(self, seconds: int, bad: float, lane: Lane = PRODUCTION, release: str = "a") -> None:
        """Ticks of 5 s with twenty requests a second, each judged in a round."""
        for _ in range(seconds // 5):
            self.clock.forward(5)
            tick = ServedTick(self.clock.now().timestamp(), 5.0, {"errors": Counts(100, round(bad * 100))})
            self.watcher.take(lane, tick, release)
            await self.watcher.once()


async def test_an_outage_is_told_with_its_figures_and_its_end() -> None:
    world = LaneWatchWorld()
    await world.serve(60, 0.0)
    await world.serve(10, 0.5)
    finding = world.findings.heard[0]
    assert (finding.title, finding.severity, finding.lane) == (
        "Many requests fail",
        Severity.CRITICAL,
        PRODUCTION,
    )
    assert (finding.value, finding.limit) == ("25%", "20%")
    assert finding.text == "error_rate > 20% over 10s with at least 100 requests"
    await world.serve(180, 0.0)
    assert ("Many requests fail", False) in world.findings.told()


async def test_how_long_requests_took_lately_is_kept_of_the_release_that_serves() -> None:
    world = LaneWatchWorld()

    async def took(at_most: float, release: str = "a") -> dict[float, tuple[float, float | None]]:
        """A tick in which all requests took so long; where the quantiles lie in what is stored then."""
        world.clock.forward(15)
        histogram = tuple((bound, 100 if bound >= at_most else 0) for bound in (0.1, 0.5, 1.0, inf))
        tick = ServedTick(world.clock.now().timestamp(), 5.0, {"errors": Counts(100, 0)}, histogram)
        world.watcher.take(PRODUCTION, tick, release)
        await world.watcher.once()
        found = (await world.store.watched.read())[PRODUCTION].quantiles
        return {each.quantile: (each.above_s, each.upto_s) for each in found}

    assert await took(0.1) == {0.95: (0.0, 0.1), 0.99: (0.0, 0.1)}
    for _ in range(10):
        await took(0.1)
    assert await took(1.0) == {0.95: (0.5, 1.0), 0.99: (0.5, 1.0)}
    # Another release is another matter; and so is another process, which has not seen the ones before.
    assert await took(0.5, "b") == {0.95: (0.1, 0.5), 0.99: (0.1, 0.5)}
    world.watcher = world.process()
    assert await took(inf, "b") == {0.95: (1.0, None), 0.99: (1.0, None)}
    # What a source without a histogram serves changes nothing of it.
    await world.serve(15, 0.0, release="b")
    assert (await world.store.watched.read())[PRODUCTION].quantiles[0].above_s == 1.0


async def test_a_rule_with_a_runbook_says_where_it_is() -> None:
    world = LaneWatchWorld()
    config = world.catalog.lanes[PRODUCTION]
    rules = tuple(
        replace(rule, runbook=f"https://runbooks.example.com/{n}")
        for n, rule in enumerate(config.watch.rules)
    )
    lanes = {PRODUCTION: replace(config, watch=replace(config.watch, rules=rules))}
    world.catalog = replace(world.catalog, lanes=lanes)
    await world.serve(20, 0.5)
    (outage,) = [each for each in rules if each.name == "outage"]
    assert {each.runbook for each in world.findings.heard if each.labels["rule"] == "outage"} == {
        outage.runbook
    }


async def test_how_it_stands_is_told_from_time_to_time_since_when_it_began() -> None:
    world = LaneWatchWorld()
    await world.serve(120, 0.5)
    outage = [finding for finding in world.findings.heard if finding.title == "Many requests fail"]
    assert 3 <= len(outage) <= 6
    assert len({finding.at for finding in outage}) == 1
    assert outage[-1].value == "50%"


async def test_where_no_one_decides_no_one_is_woken() -> None:
    world = LaneWatchWorld()
    await world.serve(30, 0.5, STAGING)
    assert {finding.severity for finding in world.findings.heard} == {Severity.MEDIUM}


async def test_rules_for_the_time_after_a_deploy_need_one() -> None:
    world = LaneWatchWorld()
    await world.serve(120, 0.1)
    assert world.findings.heard == []
    at = world.clock.now() - timedelta(minutes=10)
    world.past = [RolloutSummary(1, PRODUCTION, "1.4.0", "1.5.0", "succeeded", "dev", "", "", at, at)]
    await world.serve(60, 0.1)
    finding = world.findings.heard[-1]
    assert (finding.title, finding.rollback) == ("Requests fail since the deploy", True)
    world.findings.heard.clear()
    world.clock.forward(1800)
    await world.serve(60, 0.1)
    assert not any(found.rollback and found.firing for found in world.findings.heard)


@pytest.mark.parametrize(
    ("since_s", "for_s", "told"),
    [
        (0, 119, False),
        (0, 120, True),
        (-30, 200, True),  # while it was rolled out
        (-30, 150, True),
        (-30, 149, False),
        (-700, 1000, False),  # before it was
    ],
)
async def test_a_gateway_that_is_away_since_the_deploy_rolls_back(
    since_s: int, for_s: int, told: bool
) -> None:
    world = LaneWatchWorld()
    start = world.clock.now()
    ended = start + timedelta(seconds=1000)
    began = ended - timedelta(seconds=300)
    world.past = [RolloutSummary(1, PRODUCTION, "1.4.0", "1.5.0", "succeeded", "dev", "", "", began, ended)]
    world.clock.forward(1000 + since_s)
    for at in range(for_s + 1):
        if at % 10 == 0 or at == for_s:
            world.watcher.listen(
                PRODUCTION, "parts", {"gateway": Signal(True)}, world.clock.now().timestamp()
            )
            await world.watcher.once()
        world.clock.forward(1)
    found = [one for one in world.findings.heard if one.rollback and one.firing]
    assert bool(found) == told
    if told:
        assert found[0].title == "The bot is not connected since the deploy"
        assert found[0].limit == "2 min"


async def test_signals_that_no_rule_listens_to_are_not_kept() -> None:
    world = LaneWatchWorld()
    world.watcher.listen(PRODUCTION, "parts", {"weather": Signal(True)}, world.clock.now().timestamp())
    await world.watcher.once()
    assert await world.store.watched.read() == {}


async def test_findings_wait_for_a_database_that_is_away() -> None:
    world = LaneWatchWorld()
    await world.serve(30, 0.0)
    world.findings.away = True
    for bad in (0.5, 0.5, 0.5):
        try:
            await world.serve(5, bad)
        except Unreachable:
            continue
    assert world.findings.heard == []
    world.findings.away = False
    await world.watcher.once()
    assert world.findings.told()[0] == ("Many requests fail", True)


async def test_another_process_goes_on_where_the_former_one_stopped() -> None:
    world = LaneWatchWorld()
    await world.serve(60, 0.5)
    world.watcher, world.term = world.process(), 2
    world.findings.heard.clear()
    await world.serve(300, 0.0)
    assert ("Many requests fail", False) in world.findings.told()


async def test_what_began_is_saved_before_it_is_told_so_that_a_crash_in_between_loses_nothing() -> None:
    world = LaneWatchWorld()
    await world.serve(30, 0.0)
    world.findings.away = True
    for _ in range(3):
        with contextlib.suppress(Unreachable):
            await world.serve(5, 0.5)
    assert "outage" in (await world.store.watched.read())[PRODUCTION].firing
    world.watcher, world.term, world.findings.away = world.process(), 2, False
    await world.watcher.once()
    assert ("Many requests fail", True) in world.findings.told()


async def _left_open(world: LaneWatchWorld) -> None:
    """An alert of an outage, which is over although its end was never told: its process died."""
    await world.serve(30, 0.5)
    (outage,) = [each for each in world.findings.heard if each.title == "Many requests fail"][:1]
    opened = begin(1, outage, (GUILD,), world.clock.now(), AlertPolicy())
    assert await world.store.alerts.save(AlertChange(opened.alert, 0, None))


async def _it_does_not_fire(world: LaneWatchWorld) -> None:
    await world.store.watched.save({PRODUCTION: WatchState()}, world.clock.now())
    world.watcher, world.term = world.process(), 2


async def _the_rule_left_the_catalog(world: LaneWatchWorld) -> None:
    lanes = {lane: replace(config, watch=LaneWatch()) for lane, config in world.catalog.lanes.items()}
    world.catalog = replace(world.catalog, lanes=lanes)


async def _the_lane_left_the_catalog(world: LaneWatchWorld) -> None:
    world.catalog = replace(world.catalog, lanes={})


@pytest.mark.parametrize(
    "happens", [_it_does_not_fire, _the_rule_left_the_catalog, _the_lane_left_the_catalog]
)
async def test_what_alerts_still_say_of_a_rule_that_fires_no_more_is_ended(
    happens: Callable[[LaneWatchWorld], Awaitable[None]],
) -> None:
    world = LaneWatchWorld()
    await _left_open(world)
    world.findings.heard.clear()
    world.clock.forward(1)
    await world.watcher.once()
    assert ("Many requests fail", False) not in world.findings.told()
    await happens(world)
    await world.watcher.once()
    assert world.findings.told() == [("Many requests fail", False)]
    assert world.findings.heard[0].at == world.clock.now()


async def test_after_the_clock_was_set_back_lanes_are_watched_and_saved_on() -> None:
    world = LaneWatchWorld()
    await world.serve(60, 0.0)
    world.clock.forward(-7200)
    await world.serve(30, 0.5)
    assert ("Many requests fail", True) in world.findings.told()
    saved = (await world.store.watched.read())[PRODUCTION]
    assert world.clock.now().timestamp() - saved.at <= 10


async def test_while_the_database_is_away_what_waits_does_not_grow() -> None:
    world = LaneWatchWorld()
    await world.serve(60, 0.5)
    world.findings.away = True
    for _ in range(200):
        with contextlib.suppress(Unreachable):
            await world.serve(30, 0.5)
    world.findings.away = False
    world.findings.heard.clear()
    await world.watcher.once()
    assert len(world.findings.told()) == len(set(world.findings.told()))


async def test_a_lane_that_left_the_catalog_is_watched_no_more() -> None:
    world = LaneWatchWorld()
    world.catalog = replace(world.catalog, lanes={})
    await world.serve(60, 0.5)
    assert world.findings.heard == []


async def test_figures_of_lanes_are_those_that_were_judged() -> None:
    world = LaneWatchWorld()
    await world.serve(300, 0.02)
    (found,) = world.watcher.health()
    assert (found.lane, found.errors) == (PRODUCTION, pytest.approx(0.02))
    world.catalog = replace(world.catalog, lanes={})
    assert world.watcher.health() == []
