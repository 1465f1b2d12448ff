"""Trouble of Slipway itself becomes alerts, and goes to sinks directly while the database is away."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from bot.domain.config import SinkConfig
from bot.domain.watch.alerts.alert import AlertState
from bot.domain.watch.alerts.findings import Finding, Severity
from bot.domain.watch.self_monitoring.vitals import Vitals
from bot.engine.watch.alerts.sinks import Sinks
from bot.engine.watch.self_monitoring.direct_delivery import DirectDelivery
from bot.engine.watch.self_monitoring.self_watch import SelfWatch
from bot.ports.errors import Unreachable
from tests.fakes.findings import FakeFindings
from tests.fakes.meter import WatchCounts
from tests.fakes.outside import FakeSink
from tests.fakes.settings import KindOnly
from tests.support.alerts import AlertWorld
from tests.support.catalogs import GUILD
from tests.support.virtual_time import EPOCH

FIRING, RESOLVED = AlertState.FIRING, AlertState.RESOLVED
WELL = Vitals(at=EPOCH.timestamp(), gateway=True, redis=True, memory=0.5)


class MeasuredProcess:
    """One process: `vitals` is what it measures, a look takes five seconds."""

    def __init__(self, findings: object, sinks: dict[str, FakeSink] | None = None, name: str = "all") -> None:
        self.vitals = WELL
        made = sinks or {}
        configured = {each: SinkConfig(KindOnly("fake"), enabled=True) for each in made}
        self.counts = WatchCounts()
        self.watch = SelfWatch(
            self,
            findings,  # type: ignore[arg-type]
            name,
            directly=DirectDelivery(Sinks(lambda: configured, made)),
            meter=self.counts,
        )

    async def read(self) -> Vitals:
        return self.vitals

    async def live(self, seconds: float = 5.0, **change: object) -> None:
        for _ in range(round(seconds / 5)):
            self.vitals = replace(self.vitals, **change, at=self.vitals.at + 5)  # type: ignore[arg-type]
            await self.watch.once()
            await asyncio.sleep(0)


async def test_discord_away_is_an_alert_that_calls_people_and_is_over_with_it() -> None:
    world = AlertWorld()
    process = MeasuredProcess(world.alerts)
    await process.live(115, gateway=False)
    assert await world.store.alerts.open() == []
    await process.live(10)
    alert = await world.one()
    assert (alert.group, alert.severity) == (
        "slipway: Slipway is not connected to Discord",
        Severity.CRITICAL,
    )
    assert (alert.lane, alert.guilds) == (None, (GUILD,))
    await process.live(60)
    assert (await world.one()).version == alert.version
    await process.live(5, gateway=True)
    await world.pass_s(600)
    assert await world.store.alerts.open() == []


async def test_a_process_that_starts_ends_what_the_one_before_it_fired() -> None:
    world = AlertWorld()
    await MeasuredProcess(world.alerts).live(15, late={"ticks": 60.0})
    assert (await world.one()).firing
    await MeasuredProcess(world.alerts, name="gateway").live(10)
    assert (await world.one()).firing, "another role says nothing about it"
    await MeasuredProcess(world.alerts).live(10)
    assert not (await world.one()).firing


async def test_what_another_process_of_the_same_name_ended_is_told_again() -> None:
    world = AlertWorld()
    process = MeasuredProcess(world.alerts)
    await process.live(60, late={"ticks": 60.0})
    await MeasuredProcess(world.alerts).live(5)
    await process.live(30)
    assert (await world.one()).firing


async def test_while_the_database_is_away_sinks_are_told_once_and_the_end_when_it_is_back() -> None:
    findings, sink = FakeFindings(away=True), FakeSink()
    process = MeasuredProcess(findings, {"pagerduty": sink})
    await process.live(25, database=False)
    assert sink.told == []
    await process.live(60)
    (said,) = sink.told
    assert (said.title, said.state) == ("The database does not answer Slipway", FIRING)
    assert said.key == "slipway-slipway-all-database"
    findings.away = False
    await process.live(10, database=True)
    assert sink.states == [FIRING, RESOLVED]
    assert [each.firing for each in findings.heard if each.labels["rule"] == "database"] == [False]
    await process.live(60)
    assert len(sink.told) == 2


async def test_what_still_fires_when_the_database_is_back_becomes_an_alert() -> None:
    findings, sink = FakeFindings(away=True), FakeSink()
    process = MeasuredProcess(findings, {"it": sink})
    await process.live(120, memory=0.9)
    assert [each.title for each in sink.told] == ["Slipway is short of memory"]
    findings.away = False
    await process.live(10)
    assert sink.states == [FIRING, RESOLVED]
    heard = [each for each in findings.heard if each.firing]
    assert {each.title for each in heard} == {"Slipway is short of memory"}


async def test_a_sink_that_fails_is_tried_again_and_delays_no_other() -> None:
    findings, sinks = FakeFindings(away=True), {"a": FakeSink(Unreachable("no")), "b": FakeSink()}
    process = MeasuredProcess(findings, sinks)
    await process.live(60, late={"ticks": 60.0})
    assert sinks["b"].states == [FIRING]
    assert 2 <= sinks["a"].tries < 10
    sinks["a"].error = None
    await process.live(300)
    assert sinks["a"].states == [FIRING]
    sinks["b"].error = ValueError("a bug")
    findings.away = False
    await process.live(30, late={})
    assert sinks["a"].states == [FIRING, RESOLVED]
    tried = sinks["b"].tries
    await process.live(60)
    assert sinks["b"].tries == tried, "what a sink refuses is not tried again"


async def test_what_was_over_before_a_sink_could_be_told_is_not_told() -> None:
    findings, sink = FakeFindings(away=True), FakeSink(Unreachable("no"))
    process = MeasuredProcess(findings, {"it": sink})
    await process.live(15, late={"ticks": 60.0})
    await process.live(5, late={})
    sink.error = None
    await process.live(60)
    assert sink.told == []


class Hangs:
    async def hear(self, findings: list[Finding]) -> None:
        await asyncio.Event().wait()


@pytest.mark.virtual_time
async def test_a_database_that_hangs_is_as_one_that_is_away() -> None:
    sink = FakeSink()
    await MeasuredProcess(Hangs(), {"it": sink}).live(30, late={"ticks": 60.0})
    assert sink.states == [FIRING]


async def test_what_is_measured_is_counted() -> None:
    process = MeasuredProcess(FakeFindings())
    await process.live(5, late={"ticks": 20.0}, memory=0.4)
    assert process.counts.seen == [("process", 1, 0.4)]
