"""What a host finds when it starts: processes without a record, records without a process, leftovers."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from bot.adapters.base_environment import base_environment
from bot.adapters.free_ports import free_port
from bot.adapters.lane_files import LaneFiles, release_to_json
from bot.adapters.runtimes.context import RuntimeContext
from bot.adapters.runtimes.process import processes
from bot.adapters.runtimes.process.runtime import ProcessRuntime
from bot.adapters.targets.hosted import wire
from bot.adapters.targets.hosted.host.store import StateStore
from bot.adapters.targets.hosted.settings import HostedLaneSettings
from bot.adapters.targets.hosted.target import HostedTarget
from bot.domain.rollout.model import Desired, Lane, Release, RunState
from bot.ports.errors import TargetRefused
from tests.support.host import LANE, PROCESSES, SERVICE, host_of_processes, process_target, release, settled
from tests.support.waiting import PATIENCE_S, until

pytestmark = pytest.mark.real

ONE = release("1")


@pytest.fixture
def born() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Processes that an earlier host had started."""
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for process in started:
        process.kill()
        process.wait()


def start(folder: Path, token: str, port: int) -> subprocess.Popen[bytes]:
    environment = {
        **base_environment(),
        processes.TOKEN: token,
        processes.HOST_ID: StateStore(folder).host_id(),
    }
    command = [sys.executable, SERVICE, "--port", str(port), "--version", "1"]
    return subprocess.Popen(command, env=environment, start_new_session=True)


async def write_state(folder: Path, desired: Desired, *instances: tuple[Release, dict[str, object]]) -> None:
    """The files of a host that was killed, with records of instances."""
    store = StateStore(folder)
    store.keep_platforms([PROCESSES])
    await store.lanes.save(
        LANE,
        {
            "settings": HostedLaneSettings(listen_port=0).model_dump(),
            "port": None,
            "desired": wire.desired_to_json(desired),
            "abort": None,
            "route": {"stable": ONE.digest, "candidate": None, "weight": 0},
        },
    )
    releases = [{"release": release_to_json(release), "instances": [record]} for release, record in instances]
    runtime = LaneFiles(folder / "platforms" / PROCESSES.place / "runtime", 1)
    await runtime.save(LANE, {"releases": releases})


@asynccontextmanager
async def hosted(folder: Path) -> AsyncIterator[HostedTarget]:
    host = host_of_processes(folder)
    await host.start()
    try:
        yield process_target(folder, {LANE: HostedLaneSettings(listen_port=0)}, start_host=False)
    finally:
        await host.stop()


async def test_process_that_was_started_just_before_its_pid_was_written_is_found(
    tmp_path: Path, born: list[subprocess.Popen[bytes]]
) -> None:
    port = free_port("127.0.0.1", ())
    born.append(start(tmp_path, "token-1", port))
    await write_state(tmp_path, Desired(3, ONE), (ONE, {"index": 0, "token": "token-1", "port": port}))

    async with hosted(tmp_path) as target:
        observed = await settled(target, {"1": 100})
        assert observed.running[0].address == f"http://127.0.0.1:{port}"
        assert observed.running[0].restarts == 0
        assert born[0].poll() is None


async def test_instance_that_was_never_started_is_started_also_as_a_candidate(tmp_path: Path) -> None:
    two = release("2")
    planned = {"index": 0, "token": "never", "port": 20001}
    await write_state(tmp_path, Desired(3, ONE, two, 50), (two, planned))
    async with hosted(tmp_path) as target:
        await settled(target, {"1": 50, "2": 50})


async def test_leftovers_that_no_one_wants_are_stopped_before_anything_starts(
    tmp_path: Path, born: list[subprocess.Popen[bytes]]
) -> None:
    await write_state(tmp_path, Desired(3, None))
    born.append(start(tmp_path, "forgotten", free_port("127.0.0.1", ())))
    await until(lambda: _environment(born[0].pid), lambda e: processes.TOKEN in e)
    async with hosted(tmp_path):
        assert born[0].wait(timeout=60) is not None


async def test_another_process_that_got_the_pid_is_left_alone(
    tmp_path: Path, born: list[subprocess.Popen[bytes]]
) -> None:
    stranger = subprocess.Popen(["sleep", "600"], start_new_session=True)
    born.append(stranger)
    record = {"index": 0, "token": "old", "port": 20002, "pid": stranger.pid, "created": 12345.0}
    await write_state(tmp_path, Desired(3, ONE), (ONE, record))

    async with hosted(tmp_path) as target:
        observed = await settled(target, {"1": 100})
        assert observed.running[0].restarts == 1
    assert stranger.poll() is None


async def test_candidate_that_had_crashed_stays_crashed(tmp_path: Path) -> None:
    two = release("2")
    record = {"index": 0, "token": "t", "port": 20003, "crashed": True, "detail": "exited with code 7"}
    await write_state(tmp_path, Desired(3, ONE, two, 5), (two, record))
    async with hosted(tmp_path) as target:
        observed = await settled(target, {"1": 100})
        found = observed.of(two.digest)
        assert found is not None and (found.state, found.detail) == (
            RunState.CRASHED,
            "2.0 exited with code 7",
        )


async def test_lane_opens_when_its_port_that_was_taken_is_free(tmp_path: Path) -> None:
    async with hosted(tmp_path) as target:
        await target.apply(LANE, Desired(1, ONE))
        await settled(target, {"1": 100})
        address = await target.router_address(LANE)
    assert address is not None
    port = int(address.rsplit(":", 1)[1])
    thief = await asyncio.start_server(lambda r, w: w.close(), "127.0.0.1", port)
    async with hosted(tmp_path) as target:
        # Releases run, although no one reaches them.
        await until(
            lambda: target.observe(LANE), lambda o: o.running and o.running[0].state is RunState.READY
        )
        assert await target.router_address(LANE) is None
        thief.close()
        await thief.wait_closed()
        assert await until(lambda: target.router_address(LANE), bool) == address
        await settled(target, {"1": 100})


async def test_state_is_on_disk_before_a_release_runs(tmp_path: Path) -> None:
    bad = Release("checkout", "1", "sha256:1", spec={"command": ["/no/such/program"]})
    async with hosted(tmp_path) as target:
        await target.apply(LANE, Desired(4, bad))
        state = json.loads((tmp_path / "lanes" / "checkout@production.json").read_text())
        assert state["desired"]["generation"] == 4


class SlowDisk(ProcessRuntime):
    """Once a release is ready, a record of it takes until `written`."""

    def __init__(self, folder: Path) -> None:
        super().__init__(RuntimeContext(folder / "runtime", folder / "logs", "one", folder / "releases"))
        self.writing, self.written = asyncio.Event(), asyncio.Event()

    async def save(self, lane: Lane) -> None:
        if any(instance.record.ready for made in self._lanes[lane].values() for instance in made.instances):
            self.writing.set()
            await self.written.wait()
        await super().save(lane)


async def test_a_release_is_told_as_ready_once_that_is_on_disk(tmp_path: Path) -> None:
    """Else a host that is killed in between leaves one that serves to the next host as one that still starts."""
    runtime = SlowDisk(tmp_path)
    await runtime.start(lambda lane: None)
    runtime.run(LANE, ONE, restart=False)
    async with asyncio.timeout(PATIENCE_S):
        await runtime.writing.wait()
    assert await _state(runtime) is RunState.STARTING
    runtime.written.set()
    await until(lambda: _state(runtime), lambda state: state is RunState.READY)
    await runtime.close()


async def _state(runtime: ProcessRuntime) -> RunState:
    (found,) = (await runtime.observe())[LANE].values()
    return found.state


async def _environment(pid: int) -> dict[str, str]:
    try:
        return psutil.Process(pid).environ()
    except psutil.Error:
        return {}


async def test_full_disk_refuses_more_traffic_but_never_a_rollback_or_a_restart(tmp_path: Path) -> None:
    async with hosted(tmp_path) as target:
        two = release("2")
        await target.apply(LANE, Desired(1, ONE, two, 5))
        before = await settled(target, {"1": 95, "2": 5})
        lanes = tmp_path / "lanes"
        lanes.rename(tmp_path / "moved")
        with pytest.raises(TargetRefused, match="cannot be saved"):
            await target.apply(LANE, Desired(2, ONE, two, 25))
        assert await target.observe(LANE) == before
        aborted = await target.abort(LANE, "root", "")
        assert aborted.weight_of(two.digest) == 0

        # A release that dies meanwhile is started again all the same.
        psutil.Process(_pid_of(ONE)).kill()
        await until(lambda: target.observe(LANE), lambda o: o.running[0].restarts == 1)
        await settled(target, {"1": 100})

        # What could not be written is written as soon as it can be.
        (tmp_path / "moved").rename(lanes)
        await until(lambda: _generation_on_disk(tmp_path), lambda generation: generation == 2)


async def _generation_on_disk(folder: Path) -> int:
    state = json.loads((folder / "lanes" / "checkout@production.json").read_text())
    return int(state["desired"]["generation"])


def _pid_of(wanted: Release) -> int:
    mine = (each for each in psutil.process_iter(["ppid", "cmdline"]) if each.info["ppid"] == os.getpid())
    return next(each.pid for each in mine if (each.info["cmdline"] or [])[-1:] == [wanted.version])
