"""Rate limits and wake-ups: in memory, on a real Redis, and when that goes away and comes back."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Callable, Iterator
from types import SimpleNamespace

import pytest
from redis import asyncio as aioredis
from redis.exceptions import RedisError

from bot.adapters.redis import limiter as limiting
from bot.adapters.redis.limiter import BUDGETS, BudgetLimiter
from bot.adapters.redis.waker import EventWaker, ping
from bot.ports.coordination import RateLimiter, Waker
from tests.support.redis import RedisServer, redis_server
from tests.support.waiting import PATIENCE_S, until

pytestmark = [
    pytest.mark.skipif(shutil.which("redis-server") is None, reason="redis-server is not installed"),
    pytest.mark.real,
]

DEV, LEAD = 101, 102


@pytest.fixture(scope="module")
def shared_server() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


@pytest.fixture
async def server(shared_server: RedisServer) -> AsyncIterator[RedisServer]:
    client = aioredis.Redis.from_url(shared_server.url)
    await client.flushall()
    await client.aclose()
    yield shared_server


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Redis that is slow because the machine is busy is not away."""
    monkeypatch.setattr(limiting, "_TIMEOUT_S", PATIENCE_S)


@pytest.fixture(params=["memory", "redis"])
async def limiter(
    request: pytest.FixtureRequest, server: RedisServer, patient: None
) -> AsyncIterator[BudgetLimiter]:
    limiter = BudgetLimiter(server.url if request.param == "redis" else None)
    yield limiter
    await limiter.close()


def state(limiter: BudgetLimiter) -> str:
    return limiter.state


async def taken(limiter: RateLimiter, category: str, person: int, most: int = 50) -> int:
    """How many are allowed one after the other."""
    for count in range(most):
        if await limiter.hit(category, person) > 0:
            return count
    return most


@pytest.mark.parametrize(("category", "amount"), [(c, a) for c, (a, _) in BUDGETS.items()])
async def test_each_category_has_its_budget(limiter: BudgetLimiter, category: str, amount: int) -> None:
    assert await taken(limiter, category, DEV, most=amount + 10) == amount


def test_the_budgets_are_those_that_the_documents_promise() -> None:
    assert BUDGETS == {
        "read": (20, 60),
        "deploy": (10, 10),
        "admin": (5, 60),
        "api_read": (240, 60),
        "api_change": (20, 60),
    }


async def test_people_and_categories_share_nothing(limiter: BudgetLimiter) -> None:
    assert await taken(limiter, "admin", DEV) == 5
    assert await taken(limiter, "admin", LEAD) == 5
    assert await taken(limiter, "read", DEV) == 20


async def test_a_refusal_says_how_long_to_wait_and_then_it_is_so(server: RedisServer, patient: None) -> None:
    for url in (None, server.url):
        limiter = BudgetLimiter(url, {"quick": (2, 1)})
        assert [await limiter.hit("quick", DEV) for _ in range(2)] == [0.0, 0.0]
        while not (wait_s := await limiter.hit("quick", DEV)):
            pass  # a second has passed since the first one
        assert wait_s <= 1.1
        await asyncio.sleep(wait_s + 0.05)
        assert await limiter.hit("quick", DEV) == 0.0
        await limiter.close()


async def test_refusals_do_not_lengthen_the_wait(limiter: BudgetLimiter) -> None:
    await taken(limiter, "admin", DEV)
    first = await limiter.hit("admin", DEV)
    for _ in range(10):
        await limiter.hit("admin", DEV)
    assert await limiter.hit("admin", DEV) <= first


async def test_every_refusal_is_told_to_who_counts_them() -> None:
    refusals: list[str] = []
    limiter = BudgetLimiter(refused=refusals.append)
    await taken(limiter, "admin", DEV)
    await limiter.hit("admin", DEV)
    assert refusals == ["admin", "admin"]


@pytest.mark.parametrize("where", ["memory", "redis"])
async def test_many_at_once_get_no_more_than_the_budget(
    server: RedisServer, where: str, patient: None
) -> None:
    # A budget of a day: one of seconds may end in the middle of the test.
    limiter = BudgetLimiter(server.url if where == "redis" else None, {"deploy": (10, 86_400)})
    waits = await asyncio.gather(*(limiter.hit("deploy", DEV) for _ in range(40)))
    assert waits.count(0.0) == 10
    await limiter.close()


async def test_an_unknown_category_is_a_mistake_of_ours(limiter: BudgetLimiter) -> None:
    with pytest.raises(KeyError):
        await limiter.hit("nonsense", DEV)


async def test_processes_share_a_budget_through_redis(server: RedisServer, patient: None) -> None:
    one, two = BudgetLimiter(server.url), BudgetLimiter(server.url)
    assert await taken(one, "admin", DEV) == 5
    assert await two.hit("admin", DEV) > 0
    assert (one.state, two.state) == ("redis", "redis")
    await one.close()
    await two.close()


async def test_the_memory_forgets_who_was_there(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(limiting, "_TIDY_EVERY_S", 0.0)
    monkeypatch.setattr(limiting, "time", SimpleNamespace(monotonic=lambda: now))
    limiter = BudgetLimiter(None, {"quick": (2, 1)})
    for person in range(50):
        await limiter.hit("quick", person)
    assert limiter.remembered == 50
    now += 1.1
    await limiter.hit("quick", 1)
    assert limiter.remembered == 1


async def test_without_redis_the_state_says_memory() -> None:
    assert state(BudgetLimiter()) == "memory"


@pytest.mark.parametrize("trouble", ["stop", "freeze"])
async def test_limits_go_on_in_memory_while_redis_is_away_and_return_to_it(
    monkeypatch: pytest.MonkeyPatch, trouble: str, patient: None
) -> None:
    monkeypatch.setattr(limiting, "_TRY_AGAIN_S", 0.3)
    with redis_server() as server:
        limiter = BudgetLimiter(server.url)
        assert await limiter.hit("admin", DEV) == 0.0
        server.stop() if trouble == "stop" else server.freeze()
        monkeypatch.setattr(limiting, "_TIMEOUT_S", 0.25)
        async with asyncio.timeout(PATIENCE_S / 2):
            assert await taken(limiter, "admin", DEV) == 5
        assert state(limiter) == "degraded"
        monkeypatch.setattr(limiting, "_TIMEOUT_S", PATIENCE_S)
        server.start() if trouble == "stop" else server.thaw()
        await asyncio.sleep(0.35)
        await limiter.hit("read", DEV)
        assert state(limiter) == "redis"
        await limiter.close()


async def test_a_redis_that_was_never_there_is_degraded_from_the_first_hit() -> None:
    limiter = BudgetLimiter("redis://127.0.0.1:1/0")
    assert await taken(limiter, "admin", DEV) == 5
    assert state(limiter) == "degraded"
    await limiter.close()


async def eventually(what: Callable[[], bool]) -> None:
    async def now() -> bool:
        return what()

    await until(now)


async def woken(waker: Waker, topic: str, timeout_s: float = PATIENCE_S) -> bool:
    """Whether someone wakes us before the time is over."""
    started = time.monotonic()
    await waker.wait(topic, timeout_s)
    return time.monotonic() - started < timeout_s


async def test_a_wake_reaches_who_waits_and_waits_for_who_comes() -> None:
    async with EventWaker() as waker:
        waiting = asyncio.create_task(woken(waker, "effects"))
        await asyncio.sleep(0)
        await waker.wake("effects")
        assert await waiting
        await waker.wake("effects")
        await waker.wake("effects")
        assert await woken(waker, "effects")
        assert not await woken(waker, "effects", 0.05)


async def test_topics_are_apart() -> None:
    async with EventWaker() as waker:
        await waker.wake("effects")
        assert not await woken(waker, "ticks", 0.05)


async def test_a_wake_reaches_other_processes_through_redis(server: RedisServer) -> None:
    async with EventWaker(server.url) as here, EventWaker(server.url) as there:
        await eventually(lambda: here.connected and there.connected)
        await here.wake("effects")
        assert await woken(there, "effects")
        assert await woken(here, "effects")
        # Its own message comes back over Redis and is no second wake.
        assert not await woken(here, "effects", 0.2)


async def test_wakes_go_on_in_the_process_when_redis_goes_and_return_when_it_does() -> None:
    with redis_server() as server:
        async with EventWaker(server.url) as here, EventWaker(server.url) as there:
            await eventually(lambda: here.connected and there.connected)
            server.stop()
            await here.wake("effects")
            assert await woken(here, "effects")
            await eventually(lambda: not there.connected)
            server.start()
            await eventually(lambda: here.connected and there.connected)
            await here.wake("effects")
            assert await woken(there, "effects")


async def test_a_wake_never_waits_for_redis() -> None:
    with redis_server() as server:
        async with EventWaker(server.url) as waker:
            await eventually(lambda: waker.connected)
            server.freeze()
            try:
                async with asyncio.timeout(PATIENCE_S):
                    for _ in range(1000):
                        await waker.wake("effects")
            finally:
                server.thaw()


async def test_ping_says_whether_redis_answers(server: RedisServer) -> None:
    assert await ping(server.url) == "ok"
    with pytest.raises((RedisError, OSError)):
        await ping("redis://127.0.0.1:1/0")
