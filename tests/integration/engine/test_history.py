"""What lanes serve is counted by one process of several, through rollouts, on a real database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from bot.domain.config import Catalog
from bot.domain.judge.history.served import ServedTick
from bot.domain.rollout.model import Phase
from tests.support.catalogs import LONG, PRODUCTION, STAGING, catalog, policy
from tests.support.harness import QUICK, Slipway, World
from tests.support.waiting import until

# A machine that is busy for longer than `lead_s` would have another process count.
PACE = replace(QUICK, lead_s=6.0, history_s=0.1, history_saved_s=0.3, history_lanes_s=0.3)


def by_the_second() -> Catalog:
    usual, slow = catalog(production=LONG), policy(tick_s=1.0)
    slow = replace(slow, judge=replace(slow.judge, tick_s=1.0))
    lanes = {lane: replace(config, policy=slow) for lane, config in usual.lanes.items()}
    return replace(usual, lanes=lanes)


async def read(slipway: Slipway) -> Sequence[ServedTick]:
    return await slipway.store.served.read(PRODUCTION)


async def counted(slipway: Slipway, more: int = 3) -> None:
    """Wait for `more` ticks than there are."""
    before = len(await read(slipway))

    async def enough() -> bool:
        return len(await read(slipway)) >= before + more

    await until(enough)


def apart(ticks: Sequence[ServedTick]) -> bool:
    return all(after.at - after.seconds >= before.at - 0.001 for before, after in pairwise(ticks))


async def test_of_two_processes_one_counts_and_the_other_goes_on_when_it_is_gone(dsn: str) -> None:
    world = World(dsn, by_the_second())
    await world.serve()
    async with world.open(intervals=PACE) as second:
        async with world.open(intervals=PACE):
            await counted(second)
        await counted(second)
        ticks = await read(second)
        assert await second.store.served.read(STAGING)
    assert apart(ticks)
    # Its counters grow by 100 a look, so a look by both within a tick would be seen.
    assert {tick.counts["errors"].total for tick in ticks} == {100}
    assert all(list(tick.counts) == ["errors", "latency>1s"] for tick in ticks)


async def test_stable_is_counted_through_a_rollout(dsn: str) -> None:
    world = World(dsn, by_the_second())
    await world.serve()
    async with world.open(intervals=PACE) as slipway:
        await counted(slipway)
        rollout = await slipway.deploy(lane=PRODUCTION)
        soaking = await slipway.reaches(rollout, Phase.SOAKING)
        await counted(slipway, 5)
        ticks = await read(slipway)
        assert (await slipway.now(rollout)).phase is Phase.SOAKING
    during = [tick for tick in ticks if tick.at - tick.seconds >= soaking.created_at.timestamp()]
    assert len(during) >= 3
    assert apart(ticks)
    assert all(tick.counts["errors"].total <= 300 for tick in ticks)
