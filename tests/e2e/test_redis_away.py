"""Redis is configured and away: for a whole story, and from the middle of another. Slipway works on and says so."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from demo.stories.stage import Json
from tests.e2e.heard import said_once
from tests.e2e.world import World, lanes, marks, opened
from tests.support.postgres import PostgresServer
from tests.support.redis import RedisServer, redis_server

pytestmark = marks("redis")
LANES = lanes("checkout/production", "search/endurance")


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    """Stopped at first."""
    try:
        with redis_server() as server:
            server.stop()
            yield server
    except LookupError as missing:
        pytest.skip(str(missing))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def redis_world(redis: RedisServer, postgres: PostgresServer) -> AsyncIterator[World]:
    name = await postgres.fresh()
    async with opened(LANES, postgres.dsn(name), environment={"SLIPWAY_REDIS_URL": redis.url}) as it:
        yield it
    await postgres.drop(name)


async def redis_is(world: World, word: str) -> Json:
    """Waits until `/health` has this to say of Redis; all of it."""

    async def look() -> Json | None:
        health = await world.health()
        return health if word in str(health.get("redis")) else None

    return await world.until(f"redis to be {word}", look)


async def test_away_for_the_whole_story_everything_works_and_health_says_so(redis_world: World) -> None:
    world = redis_world
    assert (await redis_is(world, "degraded"))["ok"]
    id_ = await world.deploy("checkout", "1.6.0", "production")
    await world.approved(id_)
    await world.phase(id_, "succeeded")
    await world.served_by("checkout", "production", "1.6.0")
    await said_once(world, id_)
    assert (await redis_is(world, "degraded"))["ok"]


async def test_gone_in_the_middle_of_a_soak_nobody_notices_but_health(
    redis_world: World, redis: RedisServer
) -> None:
    world = redis_world
    redis.start()
    await redis_is(world, "ok")
    id_ = await world.deploy("search", "1.6.0", "endurance")
    await world.phase(id_, "soaking")
    redis.stop()
    assert (await redis_is(world, "degraded"))["ok"]
    answer = await world.press("oncall", id_, "Roll back")
    assert answer["ack_ms"] < 3000
    await world.phase(id_, "rolled_back")
    await said_once(world, id_)
    redis.start()
    await redis_is(world, "ok")
