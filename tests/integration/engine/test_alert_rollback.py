"""A rollback that an alert asks for, with the real engine on PostgreSQL: started once, whatever is lost on the way."""

from __future__ import annotations

from dataclasses import replace

from bot.adapters.redis.waker import EventWaker
from bot.domain.rollout.model import Phase, Rollout
from bot.domain.watch.alerts.findings import Finding, Severity
from bot.domain.watch.default_rules import default_rules
from bot.domain.watch.lane import LaneWatch
from bot.engine.api import RollbackRequest
from bot.engine.watch.alerts.service import Alerts
from bot.ports.errors import Unreachable
from tests.support.catalogs import STAGING, V140, V150
from tests.support.clocks import ShiftedClock
from tests.support.harness import World


async def test_it_is_started_once_when_the_engine_is_away_and_then_its_answer_is_lost(dsn: str) -> None:
    world, clock = World(dsn), ShiftedClock()
    config = world.catalog.lanes[STAGING]
    watch = LaneWatch(default_rules(config.policy.judge), rolls_back=True)
    lanes = {**world.catalog.lanes, STAGING: replace(config, watch=watch)}
    world.catalog = replace(world.catalog, lanes=lanes)
    await world.serve()
    async with world.open() as slipway:
        deployed = await slipway.reaches(await slipway.deploy(), Phase.SUCCEEDED)
        asked: list[RollbackRequest] = []
        begun: list[Rollout] = []

        async def roll_back(request: RollbackRequest) -> Rollout:
            if not asked:
                asked.append(request)
                raise Unreachable("no answer within 2 s")
            begun.append(await slipway.engine.roll_back(request))
            raise Unreachable("the answer is lost")

        def process() -> Alerts:
            """One that has just started."""
            return Alerts(
                slipway.store, lambda: world.catalog, clock=clock, waker=EventWaker(), roll_back=roll_back
            )

        finding = Finding(
            "errors", "rule", "Requests fail", clock.now(), True, Severity.CRITICAL, STAGING, rollback=True
        )
        await process().hear([finding])
        (alert,) = await slipway.store.alerts.open()
        assert (begun, alert.wanted is not None) == ([], True)
        for _ in range(3):
            clock.forward(60)
            await process().once()
        (alert,) = await slipway.store.alerts.open()
        back = await slipway.reaches(begun[0], Phase.SUCCEEDED)
        assert (back.candidate, alert.wanted, alert.undone_by) == (V140, None, back.id)
        history = await slipway.store.history.history([STAGING], None, 5)
        assert [each.id for each in history] == [back.id, deployed.id]
        told = [
            each.text for each in await slipway.store.alerts.timeline(alert.id, 20) if each.what == "rollback"
        ]
        assert told == [
            "The rollback could not be started yet. Slipway tries again until it is.",
            f"A rollback was started: rollout {back.id}.",
        ]
        # As if the judge had rolled it back.
        assert (await slipway.store.lanes.locks(world.clock.now()))[STAGING].digest == V150.digest
