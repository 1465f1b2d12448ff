"""Routers while instances of a release are dead: users are served by the others, and the counts say what users saw."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from bot.ports.data_plane.routers import Backend, LaneRoute
from demo.children import free_port
from tests.support.routers.client import Address, ask, ask_many
from tests.support.routers.crowd import crowd
from tests.support.routers.release import TestRelease
from tests.support.routers.subjects import KINDS, LANE, OTHER, RouterSubject, running
from tests.support.routers.subjects import subject as router_subject
from tests.support.waiting import until

pytestmark = pytest.mark.real

DIGEST = "sha256:1"
# Clients at once.
SIZE = 8
ROUTE = LaneRoute(latency_limits_s=(0.25,), request_timeout_s=2.0)


@pytest.fixture(params=KINDS)
async def subject(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[RouterSubject]:
    async with running(router_subject(request.param, tmp_path), {LANE: ROUTE, OTHER: LaneRoute()}) as found:
        yield found


@pytest.fixture
async def instances() -> AsyncIterator[list[TestRelease]]:
    """Two instances of one release, at ports that nothing else gets while they are dead."""
    first, second = (TestRelease(DIGEST, port=free_port()) for _ in range(2))
    async with first, second:
        yield [first, second]


async def split(subject: RouterSubject, instances: list[TestRelease]) -> Address:
    return await subject.split(instances[0].share(100, *(one.backend for one in instances)))


async def test_instance_that_dies_under_traffic_fails_only_what_it_was_working_on(
    subject: RouterSubject, instances: list[TestRelease]
) -> None:
    address = await split(subject, instances)
    async with crowd(address, keeping=SIZE) as clients:
        await until(clients.count, lambda number: number > 200)
        await instances[1].stop()
        died = time.monotonic()
        before = await clients.count()
        await until(clients.count, lambda number: number > before + 500)
    failed = sum(status != 200 for _, status in clients.asked)
    assert failed <= SIZE
    assert clients.statuses(since=died) == {200}
    counts = await subject.counts(DIGEST, lambda counts: counts.total == len(clients.asked))
    assert counts.bad == failed


async def test_errors_of_a_release_count_while_one_of_its_instances_is_dead(
    subject: RouterSubject, instances: list[TestRelease]
) -> None:
    address = await split(subject, instances)
    await instances[1].stop()
    assert {response.status for response in await ask_many(address, 40)} == {200}
    assert {response.status for response in await ask_many(address, 40, "/status/500")} == {500}
    counts = await subject.counts(DIGEST, lambda counts: counts.total == 80)
    assert counts.bad == 40
    assert len(instances[0].heads) == 80


async def test_large_uploads_are_sent_to_an_instance_that_lives(
    subject: RouterSubject, instances: list[TestRelease]
) -> None:
    address = await split(subject, instances)
    await instances[1].stop()
    body = bytes(range(256)) * 2000
    for _ in range(10):
        response = await ask(address, "/echo", "POST", body)
        assert (response.status, response.body == body) == (200, True)


async def test_release_is_bad_while_all_its_instances_are_dead(
    subject: RouterSubject, instances: list[TestRelease]
) -> None:
    """At once, and when the router has noticed."""
    address = await split(subject, instances)
    for instance in instances:
        await instance.stop()
    for asked in (24, 48):
        assert {response.status for response in await ask_many(address, 24)} == {503}
        counts = await subject.counts(DIGEST, lambda counts: counts.total == asked)  # noqa: B023
        assert counts.bad == asked
        await asyncio.sleep(3.0)


async def test_instance_that_comes_back_where_it_was_is_asked_again(
    subject: RouterSubject, instances: list[TestRelease]
) -> None:
    address = await split(subject, instances)
    await instances[1].stop()
    async with crowd(address, keeping=SIZE) as clients:
        await asyncio.sleep(3.0)
        await instances[1].listen()

        async def asked() -> int:
            return len(instances[1].heads)

        await until(asked, lambda number: number > 10)
    assert clients.statuses(since=0.0) == {200}


async def test_request_that_may_have_reached_an_instance_is_not_sent_to_another(
    subject: RouterSubject, instances: list[TestRelease]
) -> None:
    address = await split(subject, instances)
    for method in ("GET", "POST", "DELETE"):
        for path in ("/reset", "/garbage", "/status/503"):
            assert (await ask(address, path, method)).status >= 500
    assert (await ask(address, "/hang")).status == 504
    heads = [head.lower() for instance in instances for head in instance.heads]
    assert len(heads) == 10 and b"x-envoy" not in b"".join(heads)
    counts = await subject.counts(DIGEST, lambda counts: counts.total == 10)
    assert counts.bad == 10


@pytest.fixture
def silent() -> Iterator[Backend]:
    """An instance on a machine that is gone: nothing answers connections to it."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server, contextlib.ExitStack() as taken:
        address = server.getsockname()
        for _ in range(2):
            connection = taken.enter_context(socket.socket())
            connection.setblocking(False)
            connection.connect_ex(address)
        yield Backend("gone", *address)


async def test_instance_that_does_not_answer_is_left_out_soon(
    subject: RouterSubject, instances: list[TestRelease], silent: Backend
) -> None:
    """Requests that wait for a connection to it in vain are answered by the other one, and then none waits."""
    address = await subject.split(instances[0].share(100, instances[0].backend, silent))
    async with crowd(address, keeping=SIZE) as clients:
        await asyncio.sleep(6.0)
        await until(clients.count, lambda number: number > 50 * SIZE)
    assert clients.statuses(since=0.0) == {200}
    counts = await subject.counts(DIGEST, lambda counts: counts.total == len(clients.asked))
    assert counts.bad == 0
    # Each client waited for it once or twice. Else every second request would; a busy machine makes a few more slow.
    slow = counts.total - dict(counts.buckets)[0.25]
    assert 0 < slow <= counts.total / 4
