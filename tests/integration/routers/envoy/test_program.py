"""The real Envoy: its admin interface, its configuration, and what happens when it or its host dies."""

from __future__ import annotations

import asyncio
import json
import signal
import stat
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import psutil
import pytest

from bot.adapters.routers.envoy.admin import EnvoyAdmin
from bot.adapters.routers.envoy.config import EnvoyLimits
from bot.adapters.routers.envoy.files import DiscoveryFiles, place
from bot.adapters.routers.envoy.process import EnvoyProcess, find_program
from bot.adapters.routers.envoy.router import EnvoyRouter
from bot.domain.rollout.model import Lane
from bot.ports.data_plane.routers import Backend, LaneRoute, Share, Split, Stickiness
from bot.ports.errors import TargetRefused, Unreachable
from tests.support.repository import EXAMPLES
from tests.support.routers.client import Address, Connection, ask
from tests.support.routers.crowd import crowd
from tests.support.routers.release import TestRelease
from tests.support.routers.subjects import (
    LANE,
    RouterSubject,
    envoy_process,
    envoy_router,
    need_envoy,
    running,
)
from tests.support.waiting import until

pytestmark = pytest.mark.real


@pytest.fixture
async def process(tmp_path: Path) -> AsyncIterator[EnvoyProcess]:
    """A test that fails leaves no Envoy behind."""
    process = envoy_process(tmp_path)
    yield process
    await process.close()


# ---- admin interface --------------------------------------------------------------------------------------


async def test_admin_interface_is_a_socket_of_this_user_and_changes_nothing(
    envoy: RouterSubject, tmp_path: Path
) -> None:
    socket = tmp_path / "envoy" / "admin.sock"
    assert stat.S_IMODE(socket.stat().st_mode) == 0o600
    assert stat.S_IMODE(socket.parent.stat().st_mode) == 0o700
    pid = envoy.pid()
    async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(socket))) as session:
        for path in (
            "/quitquitquit",
            "/drain_listeners",
            "/runtime_modify?a=b",
            "/reset_counters",
            "/logging?level=trace",
        ):
            async with session.post(f"http://admin{path}") as answer:
                assert answer.status == 403
    assert envoy.pid() == pid


async def test_admin_interface_is_reached_in_a_folder_with_a_long_name(tmp_path: Path) -> None:
    process = envoy_process(tmp_path / ("long" * 30))
    router = envoy_router(process)
    try:
        await router.start()
        assert await router.observe() == {}
    finally:
        await router.close()


async def test_envoy_that_is_away_is_unreachable(tmp_path: Path) -> None:
    files = DiscoveryFiles(tmp_path / "discovery")
    router = EnvoyRouter(EnvoyAdmin(tmp_path / "nothing.sock"), files, None)
    with pytest.raises(Unreachable, match=r"nothing\.sock"):
        await router.start()
    with pytest.raises(Unreachable):
        await router.counts()
    await router.close()


# ---- configuration ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("sticky", [None, Stickiness("cookie", "us.er"), Stickiness("header", "X-User")])
async def test_envoy_finds_no_fault_with_any_kind_of_lane(
    process: EnvoyProcess, sticky: Stickiness | None
) -> None:
    """Fields that it does not know are faults, too."""
    router = envoy_router(process)
    await router.start()
    split = Split(
        1,
        1,
        (
            Share("sha256:a", "1", 40, (Backend("a#0", "127.0.0.1", 81), Backend("a#1", "::1", 81))),
            Share("sha256:b", "2", 60, (Backend("b#0", "b.invalid", 82),)),
            Share("sha256:c", "3", 0),
        ),
    )
    route = LaneRoute(sticky=sticky, latency_limits_s=(0.05, 12.34), request_timeout_s=600.5)
    odd = Lane("Mail Ω/1", "staging:eu%")
    await router.configure({LANE: route, odd: route})
    for lane in (LANE, odd):
        await router.apply(lane, split)
    observed = await router.observe()
    assert observed[odd].weights == observed[LANE].weights == {"sha256:a": 40, "sha256:b": 60, "sha256:c": 0}
    assert {0.05: 0, 12.34: 0}.items() <= dict((await router.counts())[odd]["sha256:c"].buckets).items()
    await router.close()
    assert process.pid is None


async def test_parts_of_a_refused_configuration_are_taken_back(
    process: EnvoyProcess, release: TestRelease
) -> None:
    """Envoy applies the good clusters of a refused file; what runs is then what ran before."""
    router = envoy_router(process)
    await router.start()
    await router.configure({LANE: LaneRoute()})
    await router.apply(LANE, Split(1, 1, (release.share(100),)))
    good, bad = (
        Share("sha256:good", "2", 50, (release.backend,)),
        Share("sha256:bad", "3", 50, (Backend("b", "127.0.0.1", 99999),)),
    )
    before = place(process.discovery, "clusters").read_text()
    with pytest.raises(TargetRefused, match=r"checkout/production: .*PortValue: value must be less"):
        await router.apply(LANE, Split(2, 1, (good, bad)))
    after = place(process.discovery, "clusters").read_text()
    assert json.loads(after)["resources"] == json.loads(before)["resources"]
    admin = EnvoyAdmin(process.socket)

    async def left() -> list[str]:
        """Statistics of a cluster go with it, once each of Envoy's threads has forgotten it."""
        stats = await admin.counts("none")
        return [stat["name"] for stat in stats["stats"] if "good" in stat.get("name", "")]

    await until(left, lambda found: not found)
    await admin.close()
    await router.close()


async def test_another_weight_makes_envoy_read_its_routes_alone(
    process: EnvoyProcess, release: TestRelease
) -> None:
    """It reads all files of a folder in which one changed, and the listeners of many lanes are large."""
    router = envoy_router(process)
    await router.start()
    await router.configure({LANE: LaneRoute()})
    await router.apply(LANE, Split(1, 1, (release.share(100),)))
    admin = EnvoyAdmin(process.socket)

    async def attempts() -> tuple[str, str]:
        listeners = await admin.get("/stats?filter=lds.update_attempt")
        return listeners + await admin.get("/stats?filter=cds.update_attempt"), await admin.get(
            "/stats?filter=rds.*update_attempt"
        )

    before = await attempts()
    await router.apply(LANE, Split(1, 2, (release.share(0),)))
    after = await attempts()
    assert after[0] == before[0]
    assert after[1] != before[1]
    await admin.close()
    await router.close()


async def test_200_lanes_need_one_watch_and_are_read_at_once(
    process: EnvoyProcess, release: TestRelease
) -> None:
    router = envoy_router(process)
    await router.start()
    lanes = {
        Lane(f"service-{number}", "production"): LaneRoute(latency_limits_s=(0.3,)) for number in range(200)
    }
    await router.configure(lanes)
    for number, lane in enumerate(list(lanes)[:10]):
        await router.apply(lane, Split(number + 1, 1, (release.share(100),)))
    observed = await router.observe()
    assert len(observed) == 200
    assert len({found.address for found in observed.values()}) == 200
    assert observed[Lane("service-9", "production")].generation == 10
    address = observed[Lane("service-9", "production")].address
    assert address is not None
    assert (await ask(address)).status == 200
    assert len(await router.counts()) == 10
    assert psutil.Process(process.pid).memory_info().rss < 400e6
    await router.close()


# ---- what dies --------------------------------------------------------------------------------------------


async def test_envoy_outlives_its_host_and_is_found_again(
    process: EnvoyProcess, release: TestRelease
) -> None:
    first = envoy_router(process)
    await first.start()
    await first.configure({LANE: LaneRoute()})
    await first.apply(LANE, Split(4, 2, (release.share(100),)))
    before = await first.observe()
    pid = process.pid
    # What is left of a host after `kill -9`: nothing of it runs on, and Envoy is no child of the next one.
    assert process._keeper is not None
    process._keeper.cancel()

    found = EnvoyProcess(process.folder)
    second = envoy_router(found)
    await second.start()
    assert found.pid == pid
    assert await second.observe() == before
    await second.apply(LANE, Split(5, 1, (release.share(100),)))
    assert (await second.observe())[LANE].generation == 5
    assert pid is not None
    psutil.Process(pid).send_signal(signal.SIGKILL)

    async def generation() -> int:
        """Of another Envoy, once that is ready."""
        if found.pid in (None, pid) or not await _is_ready(found.socket):
            return 0
        return (await second.observe())[LANE].generation

    await until(generation, lambda number: number == 5)
    await second.close()
    await first._admin.close()


async def test_envoy_with_another_configuration_of_its_own_is_replaced_by_the_next_host(
    process: EnvoyProcess, release: TestRelease
) -> None:
    """Without a failed request, as it would be with another version of its program."""
    first = envoy_router(process)
    await first.start()
    await first.configure({LANE: LaneRoute()})
    await first.apply(LANE, Split(4, 2, (release.share(100),)))
    before = await first.observe()
    assert process._keeper is not None
    process._keeper.cancel()
    written = process.folder / "bootstrap.json"
    written.write_text(json.dumps(json.loads(written.read_text()) | {"stats_flush_interval": "7s"}))

    found = EnvoyProcess(process.folder)
    second = envoy_router(found)
    address, pid = before[LANE].address, process.pid
    assert address is not None
    async with crowd(address, keeping=2, leaving=2) as clients:
        await second.start()
        asked = await clients.count()
        await until(clients.count, lambda number: number > asked + 100)
    assert clients.statuses() == {200}
    assert found.pid not in (None, pid)
    assert await second.observe() == before
    await second.close()
    await first._admin.close()


async def test_envoy_that_lost_the_one_before_it_is_started_again(
    process: EnvoyProcess, release: TestRelease
) -> None:
    """It could not hand over: there is a gap, and then the same weights."""
    router = envoy_router(process)
    await router.start()
    await router.configure({LANE: LaneRoute()})
    await router.apply(LANE, Split(4, 2, (release.share(100),)))
    before, former = await router.observe(), process.pid
    await router.restart()
    assert former is not None
    psutil.Process(former).kill()
    await router.restart()
    assert await router.observe() == before
    address = before[LANE].address
    assert address is not None and (await ask(address)).status == 200
    await router.close()


async def test_envoy_that_cannot_start_says_why(process: EnvoyProcess) -> None:
    process.folder.mkdir(parents=True)
    process.socket.mkdir()  # where its socket should be
    router = envoy_router(process)
    with pytest.raises((OSError, Unreachable)):
        await router.start()
    await router.close()


async def test_program_that_is_not_installed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    process = EnvoyProcess(tmp_path / "envoy")
    with pytest.raises(FileNotFoundError, match=r"slipway\[envoy\]"):
        await process.start(EnvoyAdmin(process.socket))


async def _is_ready(socket: Path) -> bool:
    admin = EnvoyAdmin(socket)
    try:
        return await admin.ready()
    except Unreachable:
        return False
    finally:
        await admin.close()


async def _refuses(address: Address) -> bool:
    try:
        await ask(address)
    except ConnectionRefusedError:
        return True
    except (OSError, asyncio.IncompleteReadError):
        pass
    return False


# ---- an Envoy that others run -----------------------------------------------------------------------------


async def test_example_of_an_own_envoy_is_routed_by_files_and_left_running(
    tmp_path: Path, release: TestRelease
) -> None:
    need_envoy()
    discovery, socket = tmp_path / "config", tmp_path / "admin.sock"
    example = (EXAMPLES / "compose/envoy.json").read_text()
    example = example.replace("/var/lib/slipway-envoy", str(discovery))
    file = tmp_path / "envoy.json"
    file.write_text(example.replace("/run/slipway-envoy/admin.sock", str(socket)))
    for kind in ("listeners", "clusters", "routes"):
        DiscoveryFiles(discovery).write(kind, [])
    program = subprocess.Popen(
        [str(find_program()), "--config-path", str(file), "--disable-hot-restart", "--log-level", "error"],
        stderr=subprocess.DEVNULL,
    )
    try:
        router = EnvoyRouter(EnvoyAdmin(socket), DiscoveryFiles(discovery), None)
        await until(lambda: _is_ready(socket))
        await router.start()
        await router.configure({LANE: LaneRoute(latency_limits_s=(0.25,))})
        subject = RouterSubject(router, lambda: program.pid)
        address = await subject.split(release.share(100), generation=4)
        assert (await ask(address)).body.decode() == release.digest
        counts = await subject.counts(release.digest, lambda counts: counts.total == 1)
        assert (await subject.counts(release.digest)).epoch == counts.epoch
        with pytest.raises(TargetRefused, match="its log says why"):
            await subject.split(release.share(100, Backend("x", "127.0.0.1", 99999)), revision=2)
        assert (await router.observe())[LANE].generation == 4

        after_a_restart = EnvoyRouter(EnvoyAdmin(socket), DiscoveryFiles(discovery), None)
        await after_a_restart.start()
        assert await after_a_restart.observe() == await router.observe()
        assert (await after_a_restart.counts())[LANE][release.digest].epoch == counts.epoch
        await after_a_restart.close()
        assert program.poll() is None
        await until(lambda: _refuses(address))
        await router._admin.close()
    finally:
        program.terminate()
        program.wait()


# ---- proxies in front ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hops", "client", "scheme"),
    [(0, "127.0.0.1", "http"), (1, "3.3.3.3", "https"), (2, "2.2.2.2", "https"), (4, "127.0.0.1", "https")],
)
async def test_as_many_proxies_are_believed_as_there_are_in_front(
    process: EnvoyProcess, release: TestRelease, hops: int, client: str, scheme: str
) -> None:
    """Where the addresses are fewer than the proxies, none is believed."""
    router = envoy_router(process, EnvoyLimits(trusted_hops=hops))
    async with running(RouterSubject(router, lambda: process.pid), {LANE: LaneRoute()}) as found:
        connection = await Connection.open(await found.split(release.share(100)))
        await connection.send(
            b"GET /head HTTP/1.1\r\nHost: shop.example\r\nX-Forwarded-For: 1.1.1.1\r\nX-Forwarded-Proto: https\r\n"
            b"X-Forwarded-For: 2.2.2.2, 3.3.3.3\r\nX-Envoy-External-Address: 9.9.9.9\r\n\r\n"
        )
        head = (await connection.receive()).body.decode().lower()
        connection.close()
    lines = [line.split(": ", 1) for line in head.split("\r\n") if ": " in line]

    def told(header: str) -> list[str]:
        values = [value for name, value in lines if name == header]
        return ",".join(values).replace(" ", "").split(",")

    *kept, own = told("x-forwarded-for")
    assert kept == ["1.1.1.1", "2.2.2.2", "3.3.3.3"] and own not in kept
    assert (told("x-envoy-external-address"), told("x-forwarded-proto")) == ([client], [scheme])
