"""The real HAProxy: its files and its runtime API, and what happens when it or its host dies."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from bot.adapters.routers.haproxy.config import SLOTS, HaproxyLimits
from bot.adapters.routers.haproxy.process import UnfitProgram, find_program
from bot.adapters.routers.haproxy.router import HaproxyRouter
from bot.adapters.routers.haproxy.runtime import RuntimeApi
from bot.adapters.routers.haproxy.settings import HaproxySettings
from bot.adapters.targets.hosted.settings import HostedLaneSettings, platform_settings
from bot.adapters.targets.hosted.target import HostedTarget
from bot.composition import registry
from bot.domain.rollout.model import Lane
from bot.ports.data_plane.routers import Backend, LaneRoute, Share, Split, Stickiness
from bot.ports.errors import TargetRefused, Unreachable
from tests.support.host import host_of_processes
from tests.support.routers.client import WEBSOCKET, Connection, ask, ask_many, request
from tests.support.routers.release import TestRelease
from tests.support.routers.subjects import LANE, OTHER, RouterSubject, haproxy_router, running, subject
from tests.support.waiting import until

pytestmark = pytest.mark.real

ROUTE = LaneRoute(latency_limits_s=(2.0,))


@pytest.fixture
async def haproxy(tmp_path: Path) -> AsyncIterator[RouterSubject]:
    async with running(subject("haproxy", tmp_path), {LANE: ROUTE, OTHER: LaneRoute()}) as found:
        yield found


@pytest.fixture
async def release() -> AsyncIterator[TestRelease]:
    async with TestRelease("sha256:1") as found:
        yield found


def folder(tmp_path: Path) -> Path:
    return tmp_path / "haproxy" / "checkout@production"


# ---- the program ------------------------------------------------------------------------------------------


def script(place: Path, says: str) -> Path:
    place.write_text(f"#!/bin/sh\necho '{says}'\n")
    place.chmod(0o755)
    return place


def test_program_that_is_too_old_is_a_mistake_of_the_catalog(tmp_path: Path) -> None:
    old = script(tmp_path / "haproxy", "HAProxy version 2.4.22-1 2023/02/14 - https://haproxy.org/")
    (problem,) = HaproxySettings(program=old).examine()
    assert problem.path == ("program",)
    assert problem.sentence == f"{old} is HAProxy 2.4, and 2.6 or later is needed"
    assert "apt-get install haproxy" in problem.hint
    with pytest.raises(UnfitProgram, match="is not HAProxy"):
        find_program(script(tmp_path / "other", "nginx version: nginx/1.22.1"))
    # Another machine may have it: whether the host's has, the host tells.
    assert list(HaproxySettings(program=tmp_path / "missing").examine()) == []


def test_program_of_this_machine_is_found_without_sbin_in_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    haproxy_router(Path("/nonexistent"))  # skips where there is none
    monkeypatch.setenv("PATH", "/bin")
    assert find_program().name == "haproxy"
    assert list(HaproxySettings().examine()) == []


async def test_host_without_the_program_says_what_to_install(tmp_path: Path) -> None:
    written = {"kind": "process", "router": {"kind": "haproxy", "program": "/nowhere/haproxy"}}
    platform = platform_settings(registry.KINDS.targets["process"].settings.model_validate(written))
    host = host_of_processes(tmp_path)
    await host.start()
    try:
        target = HostedTarget(
            host.data_dir, platform, {LANE: HostedLaneSettings(listen_port=0)}, start_host=False
        )
        with pytest.raises(
            TargetRefused, match=r"HAProxy is not installed at /nowhere/haproxy: install it \("
        ):
            await target.configure()
    finally:
        await host.stop()


async def test_runtime_api_is_a_socket_of_this_user(haproxy: RouterSubject, tmp_path: Path) -> None:
    socket = folder(tmp_path) / "runtime.sock"
    assert stat.S_IMODE(socket.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "haproxy").stat().st_mode) == 0o700
    assert stat.S_IMODE(socket.parent.stat().st_mode) == 0o700


async def test_runtime_api_is_reached_in_a_folder_with_a_long_name(tmp_path: Path) -> None:
    async with running(subject("haproxy", tmp_path / ("long" * 30)), {LANE: ROUTE}) as found:
        assert (await found.router.observe())[LANE].address is not None


async def test_router_of_which_no_lane_answers_is_unreachable(haproxy: RouterSubject, tmp_path: Path) -> None:
    await haproxy.router.configure({LANE: ROUTE})
    socket = folder(tmp_path) / "runtime.sock"
    socket.rename(socket.with_suffix(".away"))
    with pytest.raises(Unreachable, match=r"runtime\.sock"):
        await haproxy.router.observe()
    with pytest.raises(Unreachable):
        await haproxy.router.counts()


# ---- lanes and splits -------------------------------------------------------------------------------------


@pytest.mark.parametrize("sticky", [None, Stickiness("cookie", "us.er"), Stickiness("header", "X-User")])
async def test_haproxy_runs_any_kind_of_lane(tmp_path: Path, sticky: Stickiness | None) -> None:
    split = Split(
        1,
        1,
        (
            Share("sha256:a", "1", 40, (Backend("a#0", "127.0.0.1", 81), Backend("a#1", "::1", 81))),
            Share("sha256:b", "2 Ω; \\", 60, (Backend("b#0", "localhost", 82),)),
            Share("sha256:c", "3", 0),
        ),
    )
    route = LaneRoute(sticky=sticky, latency_limits_s=(0.05, 12.34), request_timeout_s=600.5)
    odd = Lane("Mail Ω/1", "staging:eu%")
    async with running(subject("haproxy", tmp_path), {LANE: route, odd: route}) as found:
        for lane in (LANE, odd):
            await found.router.apply(lane, split)
        observed = await found.router.observe()
        weights = {"sha256:a": 40, "sha256:b": 60, "sha256:c": 0}
        assert observed[odd].weights == observed[LANE].weights == weights
        counts = await found.router.counts()
        assert {0.05: 0, 12.34: 0}.items() <= dict(counts[odd]["sha256:c"].buckets).items()
        log = (folder(tmp_path) / "haproxy.log").read_text()
        assert [
            line for line in log.splitlines() if "ALERT" in line and "no server available" not in line
        ] == []


async def test_names_without_an_address_are_refused(haproxy: RouterSubject, release: TestRelease) -> None:
    await haproxy.split(release.share(100))
    with pytest.raises(TargetRefused, match=r"b\.invalid of b#0 has no address"):
        await haproxy.split(release.share(100, Backend("b#0", "b.invalid", 80)), revision=2)
    assert (await haproxy.router.observe())[LANE].revision == 1


async def test_another_weight_starts_no_process_and_ends_no_connection(
    haproxy: RouterSubject, release: TestRelease
) -> None:
    async with TestRelease("sha256:2") as candidate:
        address = await haproxy.split(release.share(100), candidate.share(0))
        pid = haproxy.pid()
        connection = await Connection.open(address)
        for revision, weight in enumerate((0, 100, 30, 0), 2):
            await haproxy.split(release.share(100 - weight), candidate.share(weight), revision=revision)
            await connection.send(request())
            assert (await connection.receive()).values("connection") == []
        connection.close()
        assert haproxy.pid() == pid


async def test_connections_that_waited_leave_with_their_server(
    haproxy: RouterSubject, release: TestRelease, tmp_path: Path
) -> None:
    """HAProxy deletes no server that has one."""
    address = await haproxy.split(release.share(100))
    runtime = RuntimeApi(folder(tmp_path) / "runtime.sock")
    async with TestRelease(release.digest) as other:
        for revision, left, serving in ((2, release, other), (3, other, release), (4, release, other)):
            await ask_many(address, 40)
            await haproxy.split(release.share(100, serving.backend), revision=revision)
            (shown,) = await runtime.ask("show servers state")
            assert f" {serving.port} " in shown
            assert f" {left.port} " not in shown


async def test_releases_that_close_without_a_word_get_a_connection_for_each_request(
    tmp_path: Path, release: TestRelease
) -> None:
    haproxy_router(tmp_path)  # skips where there is none
    router = HaproxyRouter(tmp_path / "haproxy", HaproxyLimits(keep_connections=False, open_files=20_000))
    async with running(RouterSubject(router, lambda: router.pid(LANE)), {LANE: ROUTE}) as found:
        address = await found.split(release.share(100))
        assert {response.status for response in await ask_many(address, 40)} == {200}
        assert release.connections == 40
        assert (await found.counts(release.digest, lambda counts: counts.total == 40)).bad == 0


async def test_instances_that_restart_elsewhere_take_over(
    haproxy: RouterSubject, release: TestRelease
) -> None:
    """The former server is gone, also from what HAProxy would start with."""
    await haproxy.split(release.share(100))
    async with TestRelease(release.digest) as other:
        address = await haproxy.split(release.share(100, other.backend), revision=2)
        await release.stop()
        assert {response.status for response in await ask_many(address, 20)} == {200}
        assert (await haproxy.counts(release.digest, lambda counts: counts.total == 20)).bad == 0


async def test_releases_come_and_go_and_keep_their_counts(
    haproxy: RouterSubject, release: TestRelease
) -> None:
    """More of them than slots; the first comes back with the faults that only its slot had counted."""
    address = await haproxy.split(release.share(100))
    for _ in range(3):
        connection = await Connection.open(address)
        await connection.send(request())
        await connection.receive()
        await connection.send(request("/reset"))
        with contextlib.suppress(asyncio.IncompleteReadError):
            await connection.receive()
        connection.close()
    before = await haproxy.counts(release.digest, lambda counts: counts.total == 6)
    assert before.bad == 3
    for number in range(SLOTS + 2):
        async with TestRelease(f"sha256:other{number}") as other:
            await haproxy.split(other.share(100), revision=number + 2)
            assert (await ask(address)).body.decode() == other.digest
            assert (await haproxy.counts(other.digest, lambda counts: counts.total)).bad == 0
    await haproxy.split(release.share(100), generation=2)
    after = await haproxy.counts(release.digest)
    assert (after.epoch, after.total, after.bad) == (before.epoch, 6, 3)


async def test_slots_with_requests_in_flight_are_not_taken(haproxy: RouterSubject) -> None:
    async with contextlib.AsyncExitStack() as stack:
        busy = []
        for number in range(SLOTS):
            other = await stack.enter_async_context(TestRelease(f"sha256:{number}"))
            address = await haproxy.split(other.share(100), revision=number + 1)
            connection = await Connection.open(address)
            await connection.send(request("/hang"))
            await haproxy.counts(other.digest, lambda counts: counts.in_flight == 1)
            busy.append(connection)
        with pytest.raises(TargetRefused, match="12 slots"):
            await haproxy.split(other.share(0), Share("sha256:new", "9", 100), generation=2)
        assert (await haproxy.router.observe())[LANE].generation == 1
        busy[0].abort()

        async def taken() -> bool:
            with contextlib.suppress(TargetRefused):
                await haproxy.split(other.share(0), Share("sha256:new", "9", 100), generation=2)
                return True
            return False

        await until(taken)
        for connection in busy:
            connection.abort()


async def test_crash_of_one_lane_concerns_no_other(haproxy: RouterSubject, release: TestRelease) -> None:
    await haproxy.split(release.share(100))
    address = await haproxy.split(release.share(100), lane=OTHER)
    connection = await Connection.open(address)
    haproxy.kill()
    for _ in range(10):
        await connection.send(request())
        assert (await connection.receive()).values("connection") == []
    connection.close()


# ---- counts -----------------------------------------------------------------------------------------------


async def test_broken_responses_are_counted_once_however_often_they_are_read(
    haproxy: RouterSubject, release: TestRelease
) -> None:
    address = await haproxy.split(release.share(100))
    for fault in ("/die", "/cut"):
        with contextlib.suppress(asyncio.IncompleteReadError):
            await ask(address, fault)
    await haproxy.counts(release.digest, lambda counts: counts.bad == 2)
    for _ in range(3):
        counts = await haproxy.counts(release.digest)
        assert (counts.total, counts.bad) == (2, 2)


async def test_large_uploads_are_no_evidence_and_in_flight(
    haproxy: RouterSubject, release: TestRelease
) -> None:
    """HAProxy cannot tell when the last byte of a request came that does not fit into its buffer."""
    address = await haproxy.split(release.share(100))
    assert (await ask(address, "/status/500", "POST", b"x" * 200_000)).status == 500
    connection = await Connection.open(address)
    await connection.send(request("/echo", "POST", b"x" * 200_000)[:-1])
    counts = await haproxy.counts(release.digest, lambda counts: counts.in_flight == 1)
    assert (counts.total, counts.bad) == (0, 0)
    connection.abort()


async def test_streams_of_events_may_be_silent_for_longer_than_an_answer_may_take(
    haproxy: RouterSubject, release: TestRelease
) -> None:
    await haproxy.router.configure({LANE: LaneRoute(request_timeout_s=0.5)})
    address = await haproxy.split(release.share(100))
    assert (await ask(address, "/slow/1.5")).status == 504
    assert (await ask(address, "/slow/1.5", Accept="text/event-stream")).status == 200


@pytest.mark.parametrize(("hops", "told"), [(0, b"http"), (1, b"https")])
async def test_proxies_in_front_are_believed_where_there_are_some(
    tmp_path: Path, release: TestRelease, hops: int, told: bytes
) -> None:
    haproxy_router(tmp_path)  # skips where there is none
    router = HaproxyRouter(tmp_path / "haproxy", HaproxyLimits(trusted_hops=hops))
    async with running(RouterSubject(router, lambda: router.pid(LANE)), {LANE: ROUTE}) as found:
        address = await found.split(release.share(100))
        await ask(address, X_Forwarded_Proto="https")
        assert b"x-forwarded-proto: " + told + b"\r\n" in release.heads[-1]


async def test_requests_that_no_release_sees_do_not_fill_the_ring(
    haproxy: RouterSubject, release: TestRelease, tmp_path: Path
) -> None:
    """Otherwise a flood of them could push out the lines that tell of broken responses."""
    address = await haproxy.split(release.share(100))
    assert (await ask(address, "*", "OPTIONS")).status == 400
    await ask(address, "/status/500", "POST", b"x" * 100_000)
    with contextlib.suppress(asyncio.IncompleteReadError):
        await ask(address, "/die")
    await haproxy.counts(release.digest, lambda counts: counts.bad == 1)
    (told,) = await RuntimeApi(folder(tmp_path) / "runtime.sock").ask("show events ends")
    assert [line.split()[5:7] for line in told.splitlines()] == [["SD", "200"]]


# ---- what dies, and what is replaced ----------------------------------------------------------------------


@contextlib.asynccontextmanager
async def next_host(
    router: HaproxyRouter, tmp_path: Path, limits: HaproxyLimits
) -> AsyncIterator[HaproxyRouter]:
    """A router in the folder of one of which nothing runs on, as after `kill -9` of its host."""
    assert router._keeper is not None
    router._keeper.cancel()
    found = HaproxyRouter(tmp_path / "haproxy", limits)
    await found.start()
    yield found
    await found.close()


async def test_haproxy_outlives_its_host_and_is_found_again(tmp_path: Path, release: TestRelease) -> None:
    async with running(subject("haproxy", tmp_path), {LANE: ROUTE}) as first:
        assert isinstance(first.router, HaproxyRouter)
        address = await first.split(release.share(100), generation=4, revision=2)
        with contextlib.suppress(asyncio.IncompleteReadError):
            await ask(address, "/die")
        before = await first.counts(release.digest, lambda counts: counts.bad == 1)
        pid = first.pid()
        async with next_host(first.router, tmp_path, HaproxyLimits(open_files=20_000)) as router:
            second = RouterSubject(router, lambda: router.pid(LANE))
            assert second.pid() == pid
            assert await router.observe() == await first.router.observe()
            after = await second.counts(release.digest)
            assert after == before
            await second.split(release.share(100), generation=5)
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            await until(lambda: _now(second.pid()), lambda found: found not in (None, pid))
            await until(lambda: _generation(router), lambda generation: generation == 5)


async def test_haproxy_that_died_with_its_host_comes_back_with_its_split(
    tmp_path: Path, release: TestRelease
) -> None:
    async with running(subject("haproxy", tmp_path), {LANE: ROUTE}) as first:
        assert isinstance(first.router, HaproxyRouter) and first.router._keeper is not None
        address = await first.split(release.share(100), generation=4)
        first.router._keeper.cancel()
        first.kill()
        async with next_host(first.router, tmp_path, HaproxyLimits(open_files=20_000)) as router:
            assert await until(lambda: _generation(router), lambda generation: generation == 4)
            assert (await ask(address)).body.decode() == release.digest


async def test_other_settings_replace_haproxy_without_a_failed_request(
    tmp_path: Path, release: TestRelease
) -> None:
    """A WebSocket stays with the one before, and the counts go on."""
    async with running(subject("haproxy", tmp_path), {LANE: ROUTE}) as first:
        assert isinstance(first.router, HaproxyRouter)
        address = await first.split(release.share(100))
        socket = await Connection.open(address)
        await socket.send(request("/ws", **WEBSOCKET))
        assert (await socket.receive()).status == 101
        before, pid = await first.counts(release.digest, lambda counts: counts.total == 1), first.pid()
        stop = asyncio.Event()
        asking = asyncio.create_task(_ask_until(stop, address))
        async with next_host(
            first.router, tmp_path, HaproxyLimits(connections=77, open_files=20_000)
        ) as router:
            second = RouterSubject(router, lambda: router.pid(LANE))
            assert second.pid() not in (None, pid)
            await asyncio.sleep(0.2)
            stop.set()
            assert set(await asking) == {200}
            await socket.send(b"still there")
            assert await socket.reader.readexactly(11) == b"still there"
            assert "maxconn 77" in (folder(tmp_path) / "haproxy.cfg").read_text()
            after = await second.counts(release.digest, lambda counts: counts.total > before.total)
            assert after.epoch == before.epoch
            assert pid is not None and psutil.pid_exists(pid)
            socket.close()


async def test_configuration_that_cannot_run_leaves_what_ran(
    haproxy: RouterSubject, release: TestRelease, tmp_path: Path
) -> None:
    address = await haproxy.split(release.share(100))
    before, pid = (folder(tmp_path) / "haproxy.cfg").read_text(), haproxy.pid()
    with pytest.raises(TargetRefused, match=r"cannot listen at .* for checkout/production: .*timer overflow"):
        await haproxy.router.configure({LANE: LaneRoute(request_timeout_s=1e9)})
    with pytest.raises(TargetRefused, match=r"cannot listen at 192\.0\.2\.1:8080 for .*assign"):
        await haproxy.router.configure({LANE: LaneRoute("192.0.2.1", 8080)})
    assert (folder(tmp_path) / "haproxy.cfg").read_text() == before
    assert haproxy.pid() == pid
    assert (await ask(address)).body.decode() == release.digest
    assert (await haproxy.router.observe())[LANE].address == address
    with pytest.raises(TargetRefused, match="name of a cookie"):
        await haproxy.router.configure({LANE: LaneRoute(sticky=Stickiness("cookie", "a b"))})
    assert (await ask(address)).status == 200


async def _ask_until(stop: asyncio.Event, address: tuple[str, int]) -> list[int]:
    found = []
    while not stop.is_set():
        found.append((await ask(address)).status)
    return found


async def _now(value: int | None) -> int | None:
    return value


async def _generation(router: HaproxyRouter) -> int:
    with contextlib.suppress(Unreachable):
        return (await router.observe())[LANE].generation
    return 0
