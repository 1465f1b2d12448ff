"""Orders are sent, then watched: no wait holds up another lane, and what is seen counts before the time does."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from bot.domain.config import Catalog
from bot.domain.rollout.model import Action, Desired, Lane, Phase, Plan, RunState
from bot.domain.rollout.steps import Observe, Shift
from tests.fakes.target import FakeTarget
from tests.support.actors import DEV, ONCALL
from tests.support.catalogs import PRODUCTION, STAGING, V140, V150, V151, VERIFY, catalog, policy
from tests.support.harness import World
from tests.support.waiting import until

LONG = Plan("long", (VERIFY, Shift(100, 5.0), Observe(600.0)))


class OneLaneHangs(FakeTarget):
    """Never answers for the lanes of `hung`."""

    def __init__(self) -> None:
        super().__init__()
        self.hung: set[Lane] = set()

    async def apply(self, lane: Lane, desired: Desired) -> None:
        if lane in self.hung:
            await asyncio.Event().wait()
        await super().apply(lane, desired)

    async def observe(self, lane: Lane) -> Any:
        if lane in self.hung:
            await asyncio.Event().wait()
        return await super().observe(lane)


class Pulls(FakeTarget):
    """A candidate does not start while it `says` something about that."""

    says = ""

    def _look(self, lane: Lane, run: Any) -> None:
        if self.says and run.state is RunState.STARTING:
            run.detail = self.says
        else:
            super()._look(lane, run)


def many(lanes: list[Lane]) -> Catalog:
    has = catalog(Plan("patient", (replace(VERIFY, timeout_s=300.0), *LONG.steps[1:])))
    return replace(
        has, lanes={**has.lanes, **{lane: replace(has.lanes[PRODUCTION], lane=lane) for lane in lanes}}
    )


async def test_orders_to_a_dead_target_keep_no_other_lane_from_its_rollback(dsn: str) -> None:
    dead = [Lane("checkout", f"dead-{n}") for n in range(64)]
    target = OneLaneHangs()
    world = World(dsn, many(dead), target)
    await world.serve(lanes=(PRODUCTION, *dead))
    async with world.open() as slipway:
        well = await slipway.deploy(lane=PRODUCTION)
        await slipway.reaches(well, Phase.OBSERVING)

        async def all_known() -> bool:
            return len(await slipway.store.lanes.lanes()) >= len(dead) + 1

        await until(all_known)
        target.hung = set(dead)
        few = asyncio.Semaphore(
            8
        )  # each waits a second for a target that does not say how a rollback would be

        async def deployed(lane: Lane) -> None:
            async with few:
                await slipway.deploy(lane=lane)

        await asyncio.gather(*(deployed(lane) for lane in dead))
        await slipway.press(well, Action.ROLL_BACK, ONCALL)
        rolled_back = await slipway.reaches(well, Phase.ROLLED_BACK)
        assert (await target.observe(PRODUCTION)).weight_of(V140.digest) == 100
        waiting = [r for r in await slipway.store.rollouts.active() if r.lane in target.hung]
        assert len(waiting) == len(dead), "their time was not over yet"
    assert rolled_back.observed_weight == 0


async def test_how_far_a_slow_start_is_stands_on_the_card_until_it_is_there(dsn: str) -> None:
    target = Pulls()
    world = World(dsn, catalog(LONG), target)
    await world.serve()
    target.says = "pulling 1 of 9 MB of checkout@sha256:12ab34cd5678"
    async with world.open() as slipway:
        rollout = await slipway.deploy(lane=PRODUCTION)
        began = await until(lambda: slipway.now(rollout), lambda found: found.waits_for)
        assert began.waits_for == f"1.5.0 is starting: {target.says}"
        drawn = world.announcer.cards[rollout.id]
        target.says = "pulling 5 of 9 MB of checkout@sha256:12ab34cd5678"
        later = await until(lambda: slipway.now(rollout), lambda found: found.waits_for != began.waits_for)
        assert later.waits_for == f"1.5.0 is starting: {target.says}"
        assert (later.phase, later.outcome) == (began.phase, began.outcome)
        target.says = ""
        assert (await slipway.reaches(rollout, Phase.OBSERVING)).waits_for == ""
        await slipway.quiet()
        assert world.announcer.cards[rollout.id] > drawn


async def test_an_order_that_got_there_while_no_one_could_look_got_there(dsn: str) -> None:
    """However long Slipway or its database was away: a deadline never beats an outcome."""
    world = World(dsn, catalog(LONG, policy=policy(rollback_timeout_s=0.5)))
    await world.serve()
    async with world.open() as slipway:
        rollout = await slipway.deploy(lane=PRODUCTION)
        await slipway.reaches(rollout, Phase.OBSERVING)
    async with world.open(working=False) as slipway:
        await slipway.press(rollout, Action.ROLL_BACK, ONCALL)
        ordered = next(r for r in await slipway.store.lanes.lanes() if r.lane == PRODUCTION).desired
        await world.target.apply(PRODUCTION, ordered)
    world.clock.forward(3 * 3600.0)
    async with world.open() as slipway:
        await slipway.reaches(rollout, Phase.ROLLED_BACK)


async def test_an_order_that_never_gets_there_is_given_up_after_the_time_it_was_watched(dsn: str) -> None:
    world = World(dsn, catalog(LONG, policy=policy(rollback_timeout_s=0.3)))
    await world.serve()
    async with world.open() as slipway:
        rollout = await slipway.deploy(lane=PRODUCTION)
        await slipway.reaches(rollout, Phase.OBSERVING)
        world.target.away = True
        await slipway.press(rollout, Action.ROLL_BACK, ONCALL)
        halted = await slipway.reaches(rollout, Phase.HALTED)
        assert "cannot be reached" in halted.outcome


async def test_after_close_on_a_halted_rollout_the_traffic_stays_where_it_is(dsn: str) -> None:
    """Drift repair would order the rollback again that had failed."""
    world = World(dsn, catalog(LONG, policy=policy(rollback_timeout_s=0.3), drift="repair"))
    await world.serve()
    async with world.open() as slipway:
        rollout = await slipway.deploy(lane=PRODUCTION)
        await slipway.reaches(rollout, Phase.OBSERVING)
        world.target.away = True
        await slipway.press(rollout, Action.ROLL_BACK, ONCALL)
        await slipway.reaches(rollout, Phase.HALTED)
        world.target.away = False
        await slipway.press(rollout, Action.CLOSE, ONCALL)
        await slipway.reaches(rollout, Phase.CANCELLED)

        async def drifted() -> Any:
            return await slipway.audit("drift")

        await until(drifted)
        orders = len(world.target.applied)
        await slipway.quiet()
        await asyncio.sleep(0.5)  # for several more looks
        assert len(world.target.applied) == orders
        assert await slipway.audit("drift_repaired") == []
        assert (await world.target.observe(PRODUCTION)).weight_of(V150.digest) == 100
        (alert,) = [a for a in world.announcer.alerts.values() if "not in the desired state" in a.title]
        assert "nothing is repaired" in alert.text


@pytest.mark.parametrize("by", [1, 40])
async def test_a_target_that_is_ahead_of_a_restored_backup_is_rolled_back_all_the_same(
    dsn: str, by: int
) -> None:
    """Ahead by one, it has another state under the very generation of the rollback."""
    world = World(dsn, catalog(LONG))
    await world.serve()
    async with world.open() as slipway:
        rollout = await slipway.deploy(lane=PRODUCTION)
        observing = await slipway.reaches(rollout, Phase.OBSERVING)
    # What was ordered after the backup was taken: the same state, under generations that the database forgot.
    ahead = Desired(observing.generation + by, V140, V150, 100)
    await world.target.apply(PRODUCTION, ahead)
    async with world.open() as slipway:
        await slipway.press(rollout, Action.ROLL_BACK, ONCALL)
        done = await slipway.reaches(rollout, Phase.ROLLED_BACK)
        assert done.generation > ahead.generation
        assert (await world.target.observe(PRODUCTION)).weight_of(V140.digest) == 100


async def test_a_first_release_that_failed_serves_until_something_better_is_ready(dsn: str) -> None:
    world = World(dsn, catalog(LONG))
    async with world.open() as slipway:
        first = await slipway.deploy(V150, lane=STAGING)
        await slipway.reaches(first, Phase.OBSERVING)
        world.metrics.bad[V150.digest] = 0.5
        await slipway.reaches(first, Phase.HALTED)
        await slipway.press(first, Action.CLOSE, ONCALL)
        await slipway.reaches(first, Phase.CANCELLED)
        seen = []
        apply = world.target.apply

        async def watched(lane: Lane, desired: Desired) -> None:
            await apply(lane, desired)
            observed = await world.target.observe(lane)
            seen.append(sum(running.weight for running in observed.running))

        world.target.apply = watched  # type: ignore[method-assign]
        second = await slipway.deploy(V151, lane=STAGING, actor=DEV)
        assert second.stable == V150
        await slipway.reaches(second, Phase.OBSERVING)
        assert seen
        assert set(seen) == {100}, "what serves keeps serving"
