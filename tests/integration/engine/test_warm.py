"""The former stable release, after a rollout: warm for as long as its lane says, then stopped, by any process."""

from __future__ import annotations

from bot.domain.rollout.model import Phase, Plan
from bot.domain.rollout.steps import Observe, Shift
from bot.engine.api import RollbackRequest
from tests.support.actors import ONCALL
from tests.support.catalogs import PRODUCTION, V140, V150, VERIFY, catalog
from tests.support.harness import Slipway, World
from tests.support.waiting import until

SHORT = Plan("short", (VERIFY, Shift(100, 5.0), Observe(0.1)))
KEEP_S = 1800.0


async def served(dsn: str, keep_s: float | None) -> World:
    world = World(dsn, catalog(SHORT, keep_warm_s=keep_s))
    await world.serve()
    async with world.open() as slipway:
        await slipway.reaches(await slipway.deploy(lane=PRODUCTION), Phase.SUCCEEDED)
    return world


async def looked(world: World) -> None:
    """Until the reconciler has been through all lanes, twice."""
    before = world.target.calls["observe"]

    async def looks() -> int:
        return world.target.calls["observe"] - before

    await until(looks, lambda found: found >= 2 * len(world.catalog.lanes) + 2)


async def back(slipway: Slipway) -> None:
    request = RollbackRequest(slipway.world.guild, ONCALL, PRODUCTION.service, PRODUCTION.environment)
    await slipway.reaches(await slipway.engine.roll_back(request), Phase.SUCCEEDED)
    assert (await slipway.world.target.observe(PRODUCTION)).weight_of(V140.digest) == 100


async def test_within_the_time_a_rollback_starts_nothing(dsn: str) -> None:
    world = await served(dsn, KEEP_S)
    world.clock.forward(KEEP_S - 300.0)
    async with world.open() as slipway:
        await looked(world)
        assert await slipway.audit("warm_over") == []
        started = world.target.starts[V140.digest]
        await back(slipway)
        assert world.target.starts[V140.digest] == started


async def test_after_the_time_it_is_stopped_once_and_a_rollback_starts_it(dsn: str) -> None:
    """By another process than the one that saw the rollout succeed: it goes by what is stored."""
    world = await served(dsn, KEEP_S)
    world.clock.forward(KEEP_S)
    async with world.open() as slipway:

        async def running() -> set[str]:
            return world.target.running(PRODUCTION)

        await until(running, lambda found: found == {V150.digest})
        await slipway.quiet()
        orders = len(world.target.applied)
        await looked(world)
        assert len(world.target.applied) == orders
        (line,) = await slipway.audit("warm_over")
        assert line["actor"] == "Slipway" and line["why"].startswith("1.4.0 was kept warm for 30 min")
        assert (await world.target.observe(PRODUCTION)).weight_of(V150.digest) == 100
        assert await slipway.audit("drift") == []
        started = world.target.starts[V140.digest]
        await back(slipway)
        assert world.target.starts[V140.digest] == started + 1


async def test_without_a_time_it_is_warm_until_the_next_rollout(dsn: str) -> None:
    world = await served(dsn, None)
    world.clock.forward(14 * 86_400.0)
    async with world.open() as slipway:
        await looked(world)
        assert world.target.running(PRODUCTION) == {V140.digest, V150.digest}
        await back(slipway)
