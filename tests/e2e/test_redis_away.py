"""Redis is configured and away: for a whole story, and from the middle of another. Slipway works on and says so."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from tests.support.e2e.heard import said_once
from tests.support.e2e.stack import Stack, lanes, marks, opened
from tests.support.postgres import PostgresServer
from tests.support.redis import RedisServer, redis_server

pytestmark = [*marks("redis"), pytest.mark.real]
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
async def redis_stack(redis: RedisServer, postgres: PostgresServer) -> AsyncIterator[Stack]:
    name = await postgres.fresh()
    environment = {"SLIPWAY_REDIS_URL": redis.url, "SLIPWAY_VAR_SOAK": "10m"}
    async with opened(LANES, postgres.dsn(name), environment=environment) as it:
        yield it
    await postgres.drop(name)


async def redis_is(stack: Stack, word: str) -> None:
    """Waits until `/health` has this to say of Redis, and is well all the same."""

    async def look() -> bool | None:
        health = await stack.health()
        return True if word in str(health.get("redis")) and health["ok"] else None

    await stack.until(f"redis to be {word}", look)


async def test_away_for_the_whole_story_everything_works_and_health_says_so(redis_stack: Stack) -> None:
    stack = redis_stack
    await redis_is(stack, "degraded")
    id_ = await stack.deploy("checkout", "1.6.0", "production")
    await stack.approved(id_)
    await stack.phase(id_, "succeeded")
    await stack.served_by("checkout", "production", "1.6.0")
    await said_once(stack, id_)
    await redis_is(stack, "degraded")


async def test_gone_in_the_middle_of_a_soak_no_one_notices_but_health(
    redis_stack: Stack, redis: RedisServer
) -> None:
    stack = redis_stack
    redis.start()
    await redis_is(stack, "ok")
    id_ = await stack.deploy("search", "1.6.0", "endurance")
    await stack.phase(id_, "soaking")
    redis.stop()
    await redis_is(stack, "degraded")
    answer = await stack.press("oncall", id_, "Roll back")
    assert answer["ack_ms"] < 3000
    await stack.phase(id_, "rolled_back")
    await said_once(stack, id_)
    redis.start()
    await redis_is(stack, "ok")
