"""The host with each router: killed on either side, and ended in order."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import psutil
import pytest
from aiohttp import WSMsgType

from bot.adapters.metrics.router import RouterMetrics
from bot.adapters.targets.hosted.settings import HostedLaneSettings
from bot.adapters.targets.hosted.target import HostedTarget, abort_lane
from bot.domain.rollout.model import Desired, Lane, RunState
from bot.ports.errors import Unreachable
from tests.support.host import LANE, Users, gone, process_target, release, settled
from tests.support.routers.client import Connection
from tests.support.routers.subjects import need_envoy, need_haproxy
from tests.support.waiting import PATIENCE_S, until

pytestmark = pytest.mark.real

ONE, TWO = release("1"), release("2")
LANES = {LANE: HostedLaneSettings(listen_port=0, latency_limits_s=(0.3,))}


@pytest.fixture(params=["envoy", "haproxy"])
async def target(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[HostedTarget]:
    (need_envoy if request.param == "envoy" else need_haproxy)()
    target = process_target(tmp_path / "host", LANES, router=request.param)
    yield target
    try:
        await target.stop_host()
    except Unreachable:
        await target.host.ensure()
        await target.stop_host()


def host_pid(target: HostedTarget) -> int:
    return int(json.loads((target.host.data_dir / "host.pid").read_text())["host"])


def router_pid(target: HostedTarget) -> int:
    """Of the router's program, for the lane."""
    folder = target.host.data_dir / "platforms" / "process" / "router"
    one_of_a_lane = folder / "lanes" / "checkout@production" / "haproxy.pid"
    return int((one_of_a_lane if one_of_a_lane.exists() else folder / "envoy.pid").read_text())


async def slipway(*words: str) -> str:
    """What the command prints, run as the program that it is."""
    command = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", *words), stdout=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(PATIENCE_S):
        said, _ = await command.communicate()
    assert command.returncode == 0
    return said.decode()


async def test_killed_host_interrupts_no_request_and_finds_its_router_again(
    target: HostedTarget, users: Users
) -> None:
    await target.apply(LANE, Desired(1, ONE, TWO, 25))
    await settled(target, {"1": 75, "2": 25})
    stop = asyncio.Event()
    crowd = [asyncio.create_task(users.ask_until(stop)) for _ in range(3)]
    await until(lambda: _now(users.got["2"]), lambda n: n > 10)
    router, host = router_pid(target), host_pid(target)

    os.kill(host, signal.SIGKILL)
    await until(lambda: _now(host_pid(target)), lambda pid: pid != host)
    await settled(target, {"1": 75, "2": 25})
    stop.set()
    await asyncio.gather(*crowd)

    assert set(users.got) == {"1", "2"}, users.got
    assert router_pid(target) == router

    async def counted() -> int:
        (sample,) = await RouterMetrics(target).sample(LANE, [TWO.digest])
        return sample.readings[0].total if sample.readings else 0

    await until(counted, lambda n: n == users.got["2"])


async def test_instances_of_a_release_are_told_apart_by_where_they_are(
    target: HostedTarget, users: Users
) -> None:
    twins = release("3", instances=2)
    await target.apply(LANE, Desired(1, twins))
    await settled(target, {"3": 100})
    addresses = await target.addresses(LANE, twins.digest)
    await users.ask(20)

    async def parts() -> dict[str, tuple[int, int]]:
        (sample,) = await RouterMetrics(target).sample(LANE, [twins.digest])
        return {name: (total, bad) for r in sample.readings for name, total, bad in r.parts}

    found = await until(parts, lambda each: sum(total for total, _ in each.values()) == 20)
    assert {f"http://{name}" for name in found} == set(addresses.values())
    assert min(total for total, _ in found.values()) > 0
    assert {bad for _, bad in found.values()} == {0}


async def test_killed_router_is_back_with_the_right_weights(target: HostedTarget, users: Users) -> None:
    """How soon is measured by the benchmarks."""
    await target.apply(LANE, Desired(1, ONE, TWO, 100))
    await settled(target, {"2": 100})
    await users.ask(3)
    before = router_pid(target)

    os.kill(before, signal.SIGKILL)
    users.got.clear()

    async def served() -> int:
        await users.ask()
        return users.got["2"]

    await until(served)

    assert "1" not in users.got
    assert (await settled(target, {"2": 100})).generation == 1
    assert await until(lambda: _now(router_pid(target)), lambda pid: pid != before)


async def test_restarted_routers_lose_no_request_and_keep_the_weights(
    target: HostedTarget, users: Users
) -> None:
    await target.apply(LANE, Desired(1, ONE, TWO, 25))
    await settled(target, {"1": 75, "2": 25})
    stop, before = asyncio.Event(), router_pid(target)
    crowd = [asyncio.create_task(users.ask_until(stop)) for _ in range(3)]
    await until(lambda: _now(users.got["2"]), lambda n: n > 10)

    said = await slipway("host", "--data-dir", str(target.host.data_dir.parent), "restart-routers")
    asked = users.got.total()
    await until(lambda: _now(users.got.total()), lambda n: n > asked + 100)
    stop.set()
    await asyncio.gather(*crowd)

    assert said == "✓ routers of process are restarted\n"
    assert set(users.got) == {"1", "2"}, users.got
    assert router_pid(target) != before
    await settled(target, {"1": 75, "2": 25})


async def test_restarted_counters_are_a_reset_and_no_crash_of_the_candidate(
    target: HostedTarget, users: Users
) -> None:
    await target.apply(LANE, Desired(1, ONE))
    await settled(target, {"1": 100})
    source = RouterMetrics(target)

    async def epoch() -> tuple[str, str]:
        (sample,) = await source.sample(LANE, [ONE.digest])
        return (sample.readings[0].instance, sample.readings[0].epoch) if sample.readings else ("", "")

    before = await until(epoch, lambda found: found[1])
    os.kill(router_pid(target), signal.SIGKILL)
    after = await until(epoch, lambda found: found[1] not in ("", before[1]))
    assert after[0] == before[0]


async def test_abort_while_a_candidate_serves(target: HostedTarget, users: Users) -> None:
    await target.apply(LANE, Desired(3, ONE, TWO, 50))
    await settled(target, {"1": 50, "2": 50})

    observed = await abort_lane(target.host.data_dir, LANE, "root", "the database is away")
    await users.ask(20)

    assert observed.generation == 4 and observed.weight_of(ONE.digest) == 100
    assert users.got == {"1": 20}


async def test_abort_while_unfinished_heads_flood_staging_of_a_host_with_1024_descriptors(
    target: HostedTarget,
) -> None:
    """The router gets no more of them than its host has, and production none fewer for what clients do to staging."""
    staging = Lane("checkout", "staging")
    await target.host.ensure()
    psutil.Process(host_pid(target)).rlimit(psutil.RLIMIT_NOFILE, (1024, 1024))
    await target.configure({**LANES, staging: LANES[LANE]})
    await target.apply(LANE, Desired(3, ONE, TWO, 50))
    await settled(target, {"1": 50, "2": 50})
    assert psutil.Process(router_pid(target)).rlimit(psutil.RLIMIT_NOFILE)[0] <= 1024
    production, flooded = await target.router_address(LANE), await target.router_address(staging)
    assert production is not None and flooded is not None
    url = urlsplit(flooded)
    clients = await asyncio.gather(
        *(Connection.open((str(url.hostname), url.port or 0)) for _ in range(1100))
    )
    for client in clients:
        client.writer.write(b"GET / HTTP/1.1\r\nX-Slow: ")

    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as session:
        users = Users(session, production)
        await users.ask(40)
        assert set(users.got) <= {"1", "2"}
        reason, folder = (
            ("--reason", "the database is away"),
            ("--data-dir", str(target.host.data_dir.parent)),
        )
        said = await slipway("abort", LANE.service, LANE.environment, *reason, *folder)
        users.got.clear()
        await users.ask(20)

    assert said.splitlines()[0] == f"✓ {LANE}: all traffic goes to stable (generation 4)"
    assert (await target.observe(LANE)).weight_of(ONE.digest) == 100
    assert users.got == {"1": 20}
    for client in clients:
        client.abort()


async def test_dead_stable_comes_back_and_its_users_with_it(target: HostedTarget, users: Users) -> None:
    await target.apply(LANE, Desired(1, ONE))
    await settled(target, {"1": 100})
    async with users.session.get(users.address + "/") as answer:
        victim = int((await answer.json())["pid"])

    os.kill(victim, signal.SIGKILL)
    await until(lambda: _restarts(target), lambda n: n == 1)
    await settled(target, {"1": 100})
    users.got.clear()
    await users.ask(20)

    assert users.got == {"1": 20}


async def test_release_that_leaves_ends_its_requests_first(
    target: HostedTarget, users: Users, tmp_path: Path
) -> None:
    over = tmp_path / "over"
    await target.apply(LANE, Desired(1, ONE, TWO, 100))
    await settled(target, {"2": 100})
    slow = asyncio.create_task(users.ask(1, f"/held?until={over}"))
    await until(lambda: _in_flight(target, TWO.digest), lambda n: n == 1)

    await target.apply(LANE, Desired(2, ONE))
    await until(lambda: _state(target, TWO.digest), lambda state: state is RunState.DRAINING)
    over.touch()
    await slow
    await until(lambda: _state(target, TWO.digest), lambda state: state is None)

    assert users.got == {"2": 1}


async def test_websocket_of_a_release_that_leaves_is_drained_until_it_ends(
    target: HostedTarget, users: Users
) -> None:
    leaves = release("2", drain_s=3600.0)
    await target.apply(LANE, Desired(1, ONE, leaves, 100))
    await settled(target, {"2": 100})
    async with users.session.ws_connect(f"{users.address}/ws") as websocket:
        await until(lambda: _in_flight(target, leaves.digest), lambda n: n == 1)
        await target.apply(LANE, Desired(2, ONE))
        await until(lambda: _state(target, leaves.digest), lambda state: state is RunState.DRAINING)
        await users.ask(5)
        await websocket.send_str("still there")
        assert await websocket.receive_str() == "2:still there"
        assert await _state(target, leaves.digest) is RunState.DRAINING
    await until(lambda: _state(target, leaves.digest), lambda state: state is None)
    assert users.got == {"1": 5}


async def test_websocket_is_closed_at_the_drain_limit_and_not_before(
    target: HostedTarget, users: Users
) -> None:
    limit_s, loop = 2.0, asyncio.get_running_loop()
    leaves = release("2", drain_s=limit_s)
    await target.apply(LANE, Desired(1, ONE, leaves, 100))
    await settled(target, {"2": 100})
    async with users.session.ws_connect(f"{users.address}/ws") as websocket:
        await until(lambda: _in_flight(target, leaves.digest), lambda n: n == 1)
        began = loop.time()
        await target.apply(LANE, Desired(2, ONE))
        async with asyncio.timeout(PATIENCE_S):
            ended = await websocket.receive()
        # The host counts from the order on, by a clock of milliseconds.
        assert loop.time() - began > limit_s - 0.1
        assert ended.type in (WSMsgType.CLOSE, WSMsgType.CLOSED, WSMsgType.ERROR)
    await until(lambda: _state(target, leaves.digest), lambda state: state is None)


async def test_orderly_stop_leaves_no_process(target: HostedTarget, users: Users) -> None:
    await target.apply(LANE, Desired(1, ONE))
    await settled(target, {"1": 100})
    router = router_pid(target)
    await target.stop_host()
    assert await gone(router)


async def _now(value: int) -> int:
    return value


async def _restarts(target: HostedTarget) -> int:
    found = (await target.observe(LANE)).of(ONE.digest)
    return found.restarts if found else 0


async def _state(target: HostedTarget, digest: str) -> RunState | None:
    found = (await target.observe(LANE)).of(digest)
    return found.state if found else None


async def _in_flight(target: HostedTarget, digest: str) -> int:
    found = (await target.counts(LANE))["releases"].get(digest)
    return int(found["in_flight"]) if found else 0
