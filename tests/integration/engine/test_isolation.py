"""Trouble with one lane's source stays with that lane, and a new controller judges at once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from bot.domain.judge.evidence.counters import Sample
from bot.domain.rollout.model import Lane, Phase, Plan, Rollout
from bot.domain.rollout.steps import Observe, Shift
from tests.fakes.outside import FakeMetrics
from tests.support.catalogs import PRODUCTION, STAGING, V150, VERIFY, catalog
from tests.support.harness import Slipway, World
from tests.support.waiting import PATIENCE_S, until

WATCHED = Plan("watched", (VERIFY, Shift(100, 5.0), Observe(60.0)))


class OneSick(FakeMetrics):
    """Well for every lane but one, for which it raises or hangs."""

    def __init__(self, sick: Lane, *, hangs: bool) -> None:
        super().__init__()
        self.sick, self.hangs = sick, hangs
        self.asked = 0
        if hangs:
            self.limit_s = 2 * PATIENCE_S  # what hangs is not given up within the test

    async def sample(self, lane: Lane, digests: Sequence[str]) -> Sequence[Sample]:
        if lane != self.sick:
            return await super().sample(lane, digests)
        self.asked += len(digests) > 1  # by the judge; between rollouts, what serves is looked at alone
        if self.hangs:
            await asyncio.Event().wait()
        raise KeyError("errors")


async def both_watched(slipway: Slipway) -> tuple[Rollout, Rollout]:
    """A rollout of each lane, where its candidate serves and is judged."""
    well = await slipway.deploy(lane=STAGING)
    sick = await slipway.deploy(lane=PRODUCTION)
    await slipway.reaches(well, Phase.OBSERVING)
    await slipway.reaches(sick, Phase.OBSERVING, Phase.HELD)
    return well, sick


async def ticks(slipway: Slipway, rollout: Rollout) -> int:
    return len(await slipway.store.history.series(rollout.id, 10_000))


def world(dsn: str, metrics: FakeMetrics) -> World:
    both = catalog(WATCHED)
    both = replace(both, lanes={**both.lanes, STAGING: replace(both.lanes[PRODUCTION], lane=STAGING)})
    made = World(dsn, both)
    made.metrics = metrics
    return made


async def test_a_source_that_raises_for_one_lane_leaves_the_others_judged(dsn: str) -> None:
    metrics = OneSick(PRODUCTION, hangs=False)
    here = world(dsn, metrics)
    await here.serve()
    async with here.open() as slipway:
        well, sick = await both_watched(slipway)
        before, asked = await ticks(slipway, well), metrics.asked

        async def both_went_on() -> bool:
            return await ticks(slipway, well) > before + 5 and metrics.asked > asked + 5

        await until(both_went_on)
        assert (await slipway.now(well)).phase is Phase.OBSERVING
        held = await slipway.reaches(sick, Phase.HELD)
        assert held.hold is not None
        assert "router failed: KeyError" in held.hold.why
        metrics.bad[V150.digest] = 0.5
        await slipway.reaches(well, Phase.ROLLED_BACK)


async def test_a_source_that_hangs_for_one_lane_slows_no_other(dsn: str) -> None:
    metrics = OneSick(PRODUCTION, hangs=True)
    here = world(dsn, metrics)
    await here.serve()
    async with here.open() as slipway:
        well, _ = await both_watched(slipway)

        async def hangs() -> bool:
            return metrics.asked > 0

        await until(hangs)
        before = await ticks(slipway, well)

        async def went_on() -> bool:
            return await ticks(slipway, well) > before + 15

        # All the while one question hangs.
        await until(went_on)
        metrics.bad[V150.digest] = 0.5
        await slipway.reaches(well, Phase.ROLLED_BACK)


async def test_what_a_controller_ahead_of_time_planned_is_judged_by_the_next_one_at_once(dsn: str) -> None:
    here = world(dsn, FakeMetrics())
    await here.serve()
    async with here.open() as slipway:
        rollout = await slipway.deploy(lane=STAGING)
        await slipway.reaches(rollout, Phase.OBSERVING)
    here.clock.forward(600.0)
    async with here.open() as slipway:
        before = await ticks(slipway, rollout)

        async def planned_ahead() -> bool:
            return await ticks(slipway, rollout) > before

        await until(planned_ahead)
    here.clock.forward(-600.0)
    async with here.open() as slipway:
        before = await ticks(slipway, rollout)

        async def judged() -> bool:
            return await ticks(slipway, rollout) > before + 2

        await until(judged)
        here.metrics.bad[V150.digest] = 0.5
        await slipway.reaches(rollout, Phase.ROLLED_BACK)
