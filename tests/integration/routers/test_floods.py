"""One lane's flood starves neither another lane nor the admin interface, with 1,024 descriptors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.ports.data_plane.routers import LaneRoute
from tests.support.routers.client import Connection, ask, request
from tests.support.routers.release import TestRelease
from tests.support.routers.subjects import KINDS, LANE, OTHER, RouterSubject, running, subject

pytestmark = pytest.mark.real


@pytest.fixture(params=KINDS)
async def router(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[RouterSubject]:
    """With as many descriptors as systems commonly give, and two seconds for a request's head."""
    lanes = {LANE: LaneRoute(latency_limits_s=(2.0,)), OTHER: LaneRoute()}
    async with running(subject(request.param, tmp_path, open_files=1024, head_s=2), lanes) as found:
        yield found


@pytest.mark.parametrize(
    "sent",
    [b"GET / HTTP/1.1\r\nX-Slow: ", request("/hang"), request("/echo", "POST", b"x" * 100)[:-1], b""],
    ids=["unfinished heads", "hung requests", "unfinished bodies", "silence"],
)
async def test_flood_of_one_lane_leaves_the_others_alone(
    router: RouterSubject, release: TestRelease, sent: bytes
) -> None:
    async with TestRelease("sha256:2") as candidate:
        address = await router.split(release.share(100), candidate.share(0))
        flooded = await router.split(release.share(100), lane=OTHER)
        clients = await asyncio.gather(*(Connection.open(flooded) for _ in range(1100)))
        for client in clients:
            client.writer.write(sent)
        for _ in range(20):
            assert (await ask(address)).status == 200
        counts = (await router.router.counts())[LANE][release.digest]
        assert counts.bad == 0
        await router.split(release.share(0), candidate.share(100), revision=2)
        assert (await ask(address)).body.decode() == candidate.digest
        assert (await router.counts(release.digest)).bad == 0
        for client in clients:
            client.abort()


async def test_connections_with_unfinished_heads_are_closed_in_time(
    router: RouterSubject, release: TestRelease
) -> None:
    address = await router.split(release.share(100))
    clients = await asyncio.gather(*(Connection.open(address) for _ in range(1100)))
    for client in clients:
        client.writer.write(b"GET / HTTP/1.1\r\nX-Slow: ")
    # Two seconds by the limit, and what this machine needs for it.
    await asyncio.gather(*(client.ended() for client in clients))
    assert (await ask(address)).status == 200
    counts = await router.counts(release.digest, lambda counts: counts.total == 1)
    assert counts.bad == 0
    for client in clients:
        client.close()
