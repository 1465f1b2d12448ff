"""Sinks are told what alerts become: at once, again until it works, and where it stopped after a restart."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from bot.domain.config import SinkConfig
from bot.domain.watch.alerts.alert import AlertAction, AlertState
from bot.domain.watch.alerts.findings import Severity
from bot.engine.watch.alerts.sink_dispatcher import SinkDispatcher
from bot.engine.watch.alerts.sinks import Sinks
from bot.engine.watch.alerts.suspects import Suspects
from bot.ports.errors import RateLimited, SinkRefused, Unreachable
from bot.ports.watch.alerts import AlertCard
from tests.fakes.outside import FakeSink
from tests.fakes.settings import KindOnly
from tests.support.alerts import AlertWorld, errors
from tests.support.catalogs import GUILD, PRODUCTION, STAGING
from tests.support.waiting import until

FIRING, ACKNOWLEDGED, RESOLVED = AlertState.FIRING, AlertState.ACKNOWLEDGED, AlertState.RESOLVED


class SinkWorld(AlertWorld):
    """One process with alerts and sinks. config: of all sinks."""

    def __init__(self, made: Mapping[str, FakeSink], **config: object) -> None:
        super().__init__()
        self.made = made
        settings = {"enabled": True, **config}
        self.configured = {
            name: SinkConfig(KindOnly("fake"), **settings)  # type: ignore[arg-type]
            for name in made
        }
        self.teller = self.new_teller()

    def new_teller(self) -> SinkDispatcher:
        """Of a process that was started again."""
        return self.teller_of(meter=self.counts)

    def teller_of(self, **more: Any) -> SinkDispatcher:
        sinks = Sinks(lambda: self.configured, self.made)
        last_deploy = Suspects(self.store, lambda: self.catalog).last_deploy
        return SinkDispatcher(sinks, self.store.alerts, self.store.notes, last_deploy, self.clock, **more)

    async def begin(self, **more: object) -> int:
        await self.alerts.hear([errors(at=self.clock.now(), **more)])  # type: ignore[arg-type]
        self.clock.forward(3)  # no message in Discord is waited for any more
        return (await self.one()).id

    async def end(self) -> None:
        await self.alerts.hear([errors(firing=False, at=self.clock.now())])
        await self.pass_s(600)

    async def rounds(self, count: int = 3) -> None:
        for _ in range(count):
            self.teller._look_at = 0.0
            await self.teller.once()
            await asyncio.sleep(0)


async def test_a_sink_hears_beginning_acknowledgement_and_end_once_each() -> None:
    sink = FakeSink()
    world = SinkWorld({"it": sink})
    await world.begin()
    await world.rounds()
    await world.press(await world.one(), AlertAction.ACKNOWLEDGE)
    await world.rounds()
    await world.end()
    await world.rounds()
    assert sink.states == [FIRING, ACKNOWLEDGED, RESOLVED]
    assert len({alert.key for alert in sink.told}) == 1
    assert await world.store.notes.note("sink", "it") == {"alerts": {}}


async def test_what_was_told_is_known_after_a_restart_and_the_rest_is_told() -> None:
    sink = FakeSink()
    world = SinkWorld({"it": sink})
    await world.begin()
    await world.rounds()
    world.teller = world.new_teller()
    await world.rounds()
    assert sink.states == [FIRING]
    await world.end()
    world.teller = world.new_teller()
    await world.rounds()
    assert sink.states == [FIRING, RESOLVED]


async def test_a_sink_that_is_away_is_tried_less_and_less_often_until_it_is_told_what_is_newest() -> None:
    sink = FakeSink(error=Unreachable("PagerDuty answered 503"))
    world = SinkWorld({"it": sink})
    await world.begin()
    await world.rounds()
    assert sink.tries == 1 and world.teller.failing == {"it": "PagerDuty answered 503 (1 alert)"}
    for seconds, tries in ((1.9, 1), (0.1, 2), (3.9, 2), (0.1, 3)):
        world.clock.forward(seconds)
        await world.rounds()
        assert sink.tries == tries
    await world.press(await world.one(), AlertAction.ACKNOWLEDGE)
    world.teller = world.new_teller()  # the pause holds after a restart too
    await world.rounds()
    assert sink.tries == 3
    sink.error = None
    world.clock.forward(8)
    await world.rounds()
    assert sink.states == [ACKNOWLEDGED] and world.teller.failing == {}


async def test_a_sink_that_wants_to_be_left_alone_is() -> None:
    sink = FakeSink(error=RateLimited("full", 120))
    world = SinkWorld({"it": sink})
    await world.begin()
    await world.rounds()
    world.clock.forward(119)
    await world.rounds()
    assert sink.tries == 1
    world.clock.forward(1)
    await world.rounds()
    assert sink.tries == 2


async def test_a_sink_that_hangs_or_breaks_delays_no_other() -> None:
    hanging = FakeSink(hangs=asyncio.Event())
    broken, well = FakeSink(error=ZeroDivisionError()), FakeSink()
    world = SinkWorld({"hanging": hanging, "broken": broken, "well": well}, timeout_s=60.0)
    await world.begin()
    await world.rounds()
    assert "ZeroDivisionError" in world.teller.failing["broken"]
    await world.end()
    await world.rounds()
    assert hanging.tries == 1 and hanging.told == []
    assert well.states == [FIRING, RESOLVED]
    assert hanging.hangs is not None
    hanging.hangs.set()

    async def end_is_told() -> bool:
        await world.rounds(1)
        return hanging.states == [FIRING, RESOLVED]

    await until(end_is_told)
    await world.teller.stop()


async def test_what_a_sink_refuses_is_not_tried_again_until_the_alert_changes() -> None:
    sink = FakeSink(error=SinkRefused("no such channel"))
    world = SinkWorld({"it": sink})
    await world.begin()
    await world.rounds(5)
    assert sink.tries == 1 and world.teller.failing == {"it": "it: no such channel (1 alert)"}
    sink.error = None
    await world.press(await world.one(), AlertAction.ACKNOWLEDGE)
    await world.rounds()
    assert sink.states == [ACKNOWLEDGED] and world.teller.failing == {}


async def test_an_alert_that_ended_before_it_could_be_told_is_not_told() -> None:
    sink = FakeSink(error=Unreachable("away"))
    world = SinkWorld({"it": sink})
    await world.begin()
    await world.rounds()
    await world.end()
    sink.error = None
    await world.rounds()
    assert sink.told == [] and world.teller.failing == {}


async def test_the_end_that_a_sink_missed_is_told_later_and_given_up_after_a_day() -> None:
    sink = FakeSink()
    world = SinkWorld({"it": sink})
    await world.begin()
    await world.rounds()
    sink.error = Unreachable("away")
    await world.end()
    await world.rounds()
    world.clock.forward(86_400)
    await world.rounds()
    assert world.teller.failing == {} and sink.states == [FIRING]
    assert await world.store.notes.note("sink", "it") == {"alerts": {}}


async def test_a_dry_run_is_said_once_and_tells_nothing() -> None:
    sink = FakeSink()
    world = SinkWorld({"it": sink}, enabled=False)
    await world.begin()
    await world.rounds(5)
    await world.end()
    await world.rounds()
    assert sink.tries == 0 and world.teller.failing == {}


@pytest.mark.parametrize("posted", [True, False])
async def test_the_message_in_discord_is_linked_and_not_waited_for_when_discord_is_away(posted: bool) -> None:
    sink = FakeSink()
    world = SinkWorld({"it": sink})
    await world.alerts.hear([errors(at=world.clock.now())])
    await world.rounds()
    assert sink.told == []
    if posted:
        alert = await world.one()
        await world.store.alerts.put_card(AlertCard(alert.id, GUILD, 7, 9))
    else:
        world.clock.forward(2)
    await world.rounds()
    assert [alert.url for alert in sink.told] == [
        f"https://discord.com/channels/{GUILD}/7/9" if posted else ""
    ]


async def test_without_sinks_the_database_is_asked_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    world = SinkWorld({})
    await world.begin()
    monkeypatch.setattr(world.store.alerts, "open", None)
    await world.rounds()


async def test_only_the_severities_of_a_sink_are_told() -> None:
    sink = FakeSink()
    world = SinkWorld({"it": sink}, severities=frozenset({Severity.CRITICAL}))
    await world.begin(severity=Severity.LOW)
    await world.rounds()
    assert sink.told == []


async def test_a_database_that_lost_commits_gives_a_number_again_and_the_new_alert_is_told() -> None:
    sink = FakeSink()
    world = SinkWorld({"it": sink})
    alert_id = await world.begin()
    await world.rounds()
    alerts = world.database.tables.alerts
    alerts.clear()
    world.clock.forward(60)
    row = alerts.pop(await world.begin())
    alerts[alert_id] = replace(row, alert=replace(row.alert, id=alert_id))
    await world.rounds()
    assert sink.states == [FIRING, FIRING]
    assert len({alert.key for alert in sink.told}) == 2


async def test_another_controller_goes_on_where_the_former_one_stopped() -> None:
    sink, term = FakeSink(), [1]
    world = SinkWorld({"it": sink})
    world.teller = world.teller_of(term=lambda: term[0])
    await world.begin()
    await world.rounds()
    elsewhere = world.new_teller()
    await world.press(await world.one(), AlertAction.ACKNOWLEDGE)
    await elsewhere.once()
    await elsewhere.once()
    term[0] = 3
    await world.rounds()
    assert sink.states == [FIRING, ACKNOWLEDGED]


async def test_a_sink_is_told_the_last_deploy_and_whether_it_is_suspected() -> None:
    sink = FakeSink()
    world = SinkWorld({"it": sink})
    world.deployed(300)
    world.deployed(5, "rolled_back", lane=STAGING)
    lanes = (PRODUCTION, STAGING, None)
    await world.alerts.hear([errors(lane=lane, fingerprint=str(lane)) for lane in lanes])
    world.clock.forward(3)
    await world.rounds()
    told = {alert.lane: (alert.last_deploy, alert.suspected) for alert in sink.told}
    assert told == {
        PRODUCTION: ("1.4.0 to 1.5.0 by dev, 2026-07-01 04:00 UTC", False),
        STAGING: ("1.4.0 to 1.5.0 by dev, 2026-07-01 08:55 UTC, rolled back", False),
        None: ("", False),
    }


async def test_deliveries_and_what_waits_are_counted_for_each_sink() -> None:
    world = SinkWorld({"it": FakeSink(), "away": FakeSink(error=Unreachable("no"))})
    await world.begin()
    await world.rounds()
    counted = {each for each in world.counts.seen if each[0] in world.made}
    assert counted == {("it", "told"), ("away", "away")}
    assert world.counts.waiting == {"it": 0, "away": 1}


async def test_a_clock_that_is_set_back_keeps_no_sink_waiting() -> None:
    sink = FakeSink(error=Unreachable("no answer"))
    world = SinkWorld({"it": sink})
    await world.begin()
    await world.rounds()
    assert sink.tries == 1
    world.clock.forward(-7200)
    sink.error = None
    await world.rounds()
    assert sink.states == [FIRING]
