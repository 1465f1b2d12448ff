"""Routers that are replaced by another start of their program, under traffic."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.domain.judge.evidence.ticks import CounterReading, EvidenceState, Sample, begin_evidence, difference
from bot.ports.data_plane.routers import LaneRoute, RouterCounts
from tests.support.catalogs import policy
from tests.support.routers.client import WEBSOCKET, Connection, ask, ask_many, request
from tests.support.routers.crowd import crowd
from tests.support.routers.release import TestRelease
from tests.support.routers.subjects import KINDS, LANE, OTHER, RouterSubject, running
from tests.support.routers.subjects import subject as router_subject
from tests.support.waiting import until

pytestmark = pytest.mark.real

LANES = {LANE: LaneRoute(latency_limits_s=(0.25,)), OTHER: LaneRoute()}


@pytest.fixture(params=KINDS)
async def subject(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[RouterSubject]:
    async with running(router_subject(request.param, tmp_path), LANES) as found:
        yield found


@pytest.fixture
async def stable() -> AsyncIterator[TestRelease]:
    async with TestRelease("sha256:stable") as release:
        yield release


@pytest.fixture
async def candidate() -> AsyncIterator[TestRelease]:
    async with TestRelease("sha256:candidate") as release:
        yield release


async def test_no_request_fails_while_the_router_is_replaced_again_and_again(
    subject: RouterSubject, stable: TestRelease, candidate: TestRelease
) -> None:
    address = await subject.split(stable.share(60), candidate.share(40), generation=3)
    before, pids = await subject.router.observe(), {subject.pid()}
    keeping = 0 if subject.closes_idle else 4
    async with crowd(address, keeping=keeping, leaving=8 - keeping) as clients:
        for _ in range(3):
            asked = await clients.count()
            slow = asyncio.create_task(ask(address, "/slow/1"))
            await until(clients.count, lambda number: number > asked + 100)  # noqa: B023
            await subject.router.restart()
            pids.add(subject.pid())
            assert await subject.router.observe() == before
            assert (await slow).status == 200
        asked = await clients.count()
        await until(clients.count, lambda number: number > asked + 100)
    assert clients.statuses() == {200}
    assert len(pids) == 4


async def test_weights_hold_also_for_connections_that_the_former_program_has(
    subject: RouterSubject, stable: TestRelease, candidate: TestRelease
) -> None:
    address = await subject.split(stable.share(0), candidate.share(100))
    kept = [await Connection.open(address) for _ in range(60)]
    for connection in kept:
        await connection.send(request())
        assert (await connection.receive()).body.decode() == candidate.digest
    await subject.router.restart()
    await subject.split(stable.share(100), candidate.share(0), generation=2)

    async def next_one() -> str:
        """The former program reads its routes by itself, and answers once on each connection."""
        connection = kept.pop()
        await connection.send(request())
        body = (await connection.receive()).body.decode()
        connection.close()
        return body

    if not subject.closes_idle:
        await until(next_one, lambda digest: digest == stable.digest, every_s=0.5)
    seen = len(candidate.heads)
    for connection in kept:
        if subject.closes_idle:
            assert await connection.ended() == b""
        else:
            await connection.send(request())
            assert (await connection.receive()).body.decode() == stable.digest
        connection.close()
    assert {response.body.decode() for response in await ask_many(address, 50)} == {stable.digest}
    assert len(candidate.heads) == seen


async def test_websocket_lives_on(subject: RouterSubject, stable: TestRelease) -> None:
    address = await subject.split(stable.share(100))
    websocket = await Connection.open(address)
    await websocket.send(request("/ws", **WEBSOCKET))
    assert (await websocket.receive()).status == 101
    await subject.router.restart()
    await websocket.send(b"still there")
    assert await websocket.reader.readexactly(11) == b"still there"
    websocket.close()


async def test_judge_sees_every_request_once_and_no_crash(
    subject: RouterSubject, stable: TestRelease
) -> None:
    address = await subject.split(stable.share(100))
    judge = Judge()
    judge.look(await subject.counts(stable.digest))
    for round_ in (1, 2):
        await ask_many(address, 40)
        await ask_many(address, 10, "/status/500")
        was = judge.total
        await until(lambda: looked(judge, subject, stable), lambda total: total == was + 50)  # noqa: B023
        assert judge.bad == 10 * round_
        await subject.router.restart()
    judge.look(await subject.counts(stable.digest))
    assert (judge.total, judge.bad, judge.crashed) == (100, 20, [])


async def looked(judge: Judge, subject: RouterSubject, release: TestRelease) -> int:
    judge.look(await subject.counts(release.digest))
    return judge.total


class Judge:
    """What the judge adds up from a router's counts."""

    def __init__(self) -> None:
        self.total = self.bad = 0
        self.crashed: list[str] = []
        self._state: EvidenceState = begin_evidence()
        self._at = 0.0

    def look(self, counts: RouterCounts) -> None:
        self._at += 1.0
        reading = CounterReading("router", counts.total, counts.bad, counts.buckets, epoch=counts.epoch)
        sample = Sample(self._at, "sha256:stable", (reading,))
        self._state, tick = difference(self._state, policy().judge, self._at, sample, None)
        self.total += tick.candidate["errors"].total
        self.bad += tick.candidate["errors"].bad
        self.crashed += [tick.crashed] if tick.crashed else []
