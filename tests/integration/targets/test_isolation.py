"""What a hostile release can reach, with a host that is root, and with one that is not."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest

from bot.adapters.free_ports import free_port
from bot.adapters.runtimes.context import RuntimeContext
from bot.adapters.runtimes.process import instance
from bot.adapters.runtimes.process.runtime import ProcessRuntime
from bot.adapters.runtimes.process.users import LaneUsers
from bot.adapters.targets.hosted.settings import HostedLaneSettings, platform_settings
from bot.adapters.targets.hosted.target import HostedTarget
from bot.composition import registry
from bot.domain.rollout.model import Desired, Lane, Release, RunState
from bot.ports.data_plane.runtimes import RunningRelease
from tests.support.host import LANE, settled
from tests.support.paths import TESTS
from tests.support.routers.subjects import need_envoy
from tests.support.users import AS_PLAIN, PLAIN, as_root, plain_environment, plain_folder, plain_python
from tests.support.waiting import until

VICTIM = Lane("payments", "production")
SECRET = "hunter22"


@pytest.fixture
async def folder() -> AsyncIterator[Path]:
    need_envoy()
    with plain_folder() as found:
        yield found


def target_of(folder: Path, **settings: Any) -> HostedTarget:
    made = registry.KINDS.targets["process"].settings(kind="process", **settings)
    lanes = {LANE: HostedLaneSettings(listen_port=0), VICTIM: HostedLaneSettings(listen_port=0)}
    return HostedTarget(folder / "host", platform_settings(made), lanes, start_host=False)


def hostile(folder: Path, version: str = "1", **spec: object) -> Release:
    """Release of the hostile program, which the user without rights can read."""
    program = shutil.copy(TESTS / "fakes" / "hostile.py", folder)
    place = folder / "world.json"
    if not place.exists():
        place.write_text("{}")
    return Release(
        "checkout",
        version,
        f"sha256:{version}",
        spec={
            "command": [plain_python(), program, "{port}", str(folder / "world.json")],
            "ready": {"path": "/"},
            **spec,
        },
    )


async def host_of(folder: Path, *, root: bool) -> asyncio.subprocess.Process:
    """The host as a program: as root with all of the machine, else as the user without rights."""
    python, environment = (sys.executable, {**os.environ}) if root else (plain_python(), plain_environment())
    host = await asyncio.create_subprocess_exec(
        *(python, "-m", "bot.composition.host", "--data-dir", str(folder / "host")),
        env=environment,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        **({} if root else AS_PLAIN),
    )
    await until(lambda: _now((folder / "host" / "host.sock").exists()), bool)
    return host


async def stopped(host: asyncio.subprocess.Process) -> None:
    host.terminate()
    await asyncio.wait_for(host.communicate(), 60)


def world(folder: Path, target: HostedTarget, victim: int) -> dict[str, Mapping[str, object]]:
    """Everything that a hostile release may want."""
    data = folder / "host"
    pids = json.loads((data / "host.pid").read_text())
    envoy = data / "platforms" / "process" / "router"
    admin = next(envoy.rglob("admin.sock"))
    logs = data / "logs" / "payments@production"
    return {
        "pids": {
            **pids,
            "envoy": int(next(envoy.rglob("envoy.pid")).read_text()),
            "victim": victim,
            "bot": os.getpid(),
        },
        "sockets": {"control": str(target.host.path), "envoy": str(admin)},
        "files": {
            "state": str(data / "lanes" / "payments@production.json"),
            "records": str(data / "platforms" / "process" / "runtime" / "payments@production.json"),
            "host id": str(data / "host.id"),
            "host log": str(data / "host.log"),
            "victim's log": str(next(logs.glob("*.log"))),
            "victim's env_file": str(folder / "payments.env"),
            "bootstrap": str(next(envoy.rglob("bootstrap.json"))),
        },
        "pipes": {"victim's pipe": str(next(logs.glob("*.pipe")))},
        "folders": {
            "host": str(data),
            "lanes": str(data / "lanes"),
            "discovery": str(next(envoy.rglob("discovery"))),
            "victim's home": str(folder / "host-releases" / "homes" / "payments@production"),
            "releases": str(folder / "host-releases"),
        },
    }


async def answer(target: HostedTarget, lane: Lane) -> dict[str, Any]:
    address = await target.router_address(lane)
    assert address is not None
    async with aiohttp.ClientSession() as session, session.get(address) as response:
        found: dict[str, Any] = json.loads(await response.text())
        return found


async def attacked(folder: Path, target: HostedTarget) -> dict[str, Any]:
    """What a hostile release answers that runs beside a victim's."""
    (folder / "payments.env").write_text(f"API_TOKEN={SECRET}\n")
    (folder / "payments.env").chmod(0o600)
    os.chown(folder / "payments.env", (folder / "host").stat().st_uid, -1)
    victim = hostile(folder, "victim", env_file=str(folder / "payments.env"))
    await target.apply(VICTIM, Desired(1, victim))
    await settled(target, {"victim": 100}, VICTIM)
    (pid,) = [p.pid for p in psutil.process_iter() if _environ(p).get("API_TOKEN") == SECRET]
    logs = folder / "host" / "logs"
    await until(lambda: _now(any(logs.rglob("*.log"))), bool)
    (folder / "world.json").write_text(json.dumps(world(folder, target, pid)))
    await target.apply(LANE, Desired(1, hostile(folder)))
    await settled(target, {"1": 100})
    return await answer(target, LANE)


@as_root
async def test_hostile_release_of_a_root_host_reaches_nothing(folder: Path) -> None:
    host = await host_of(folder, root=True)
    try:
        target = target_of(folder)
        found = await attacked(folder, target)
        users = {(await answer(target, lane))["uid"] for lane in (LANE, VICTIM)}
        home = folder / "host-releases" / "homes" / "checkout@production"
    finally:
        await stopped(host)
    assert found["managed"] == {}
    assert found["inherited"] == [] and found["groups"] == []
    assert found["environ"]["HOME"] == str(home) and "USER" not in found["environ"]
    assert len(users) == 2 and all(70_000 <= user < 80_000 for user in users)
    assert (home.stat().st_uid, stat.S_IMODE(home.stat().st_mode)) == (found["uid"], 0o700)
    assert stat.S_IMODE((folder / "host").stat().st_mode) == 0o700


async def test_release_of_a_host_without_root_is_trusted_but_host_and_bot_stay_closed(folder: Path) -> None:
    """What docs/security.md calls trusted code only, and what is closed even then."""
    host = await host_of(folder, root=False)
    try:
        found = await attacked(folder, target_of(folder))
    finally:
        await stopped(host)
    managed = found["managed"]
    # The same user: it commands the host, and reads files and processes of other lanes.
    assert managed["connect to control"].startswith('{"ok"')
    assert SECRET in managed["read victim's env_file"] and SECRET in managed["environ of victim"]
    assert found["uid"] == PLAIN
    # Closed even so: what host and watchdog hold in memory, and their descriptors.
    theirs = {name for name in managed if name.endswith((" host", " watchdog")) and " of " in name}
    assert theirs == set()
    assert found["inherited"] == []


@as_root
async def test_lane_keeps_its_user_and_nothing_of_it_outlives_its_releases(folder: Path) -> None:
    """Also a process that left its group and forgot where it came from."""
    host = await host_of(folder, root=True)
    try:
        target = target_of(folder, users="71000-71009")
        program = hostile(folder)
        command = program.spec["command"]
        assert isinstance(command, list)
        await target.apply(LANE, Desired(1, hostile(folder, "2", command=[*command, "escape"])))
        await settled(target, {"2": 100})
        user = (await answer(target, LANE))["uid"]
        assert user in range(71000, 71010)
        assert len(_of(user)) == 2
        await target.apply(LANE, Desired(2, program))
        await settled(target, {"1": 100})
        assert (await answer(target, LANE))["uid"] == user
    finally:
        await stopped(host)
    assert _of(user) == []


@as_root
async def test_program_that_the_lanes_user_cannot_reach_says_which_folder_is_closed(folder: Path) -> None:
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    program = Path(shutil.copy("/bin/true", closed))
    host = await host_of(folder, root=True)
    try:
        target = target_of(folder)
        release = hostile(folder, command=[str(program)])
        await target.apply(LANE, Desired(1, None, release, 0))
        observed = await until(
            lambda: target.observe(LANE), lambda o: any(r.state is RunState.CRASHED for r in o.running)
        )
    finally:
        await stopped(host)
    (running,) = observed.running
    assert f"may not enter {closed}, which {program} needs" in running.detail


@as_root
async def test_program_of_another_user_does_not_pass_for_a_release_by_taking_its_port(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port("127.0.0.1", ())
    thief = await asyncio.create_subprocess_exec(
        *(plain_python(), "-m", "http.server", "--bind", "127.0.0.1", str(port)),
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        **AS_PLAIN,
    )
    monkeypatch.setattr(instance, "free_port", lambda *_: port)
    context = RuntimeContext(folder / "runtime", folder / "logs", "one", folder / "releases")
    waits = [plain_python(), "-c", "import time; time.sleep(600)"]
    release = hostile(folder, command=waits, ready={"path": "/", "timeout_s": 2}, drain_s=0)

    def decided(observed: Mapping[Lane, Mapping[str, RunningRelease]]) -> bool:
        return observed[LANE][release.digest].state is not RunState.STARTING

    for users in (None, LaneUsers(folder / "users", folder / "homes", "one")):
        runtime = ProcessRuntime(context, users)
        await runtime.start(lambda lane: None)
        try:
            async with aiohttp.ClientSession() as session:
                await until(lambda: _answers(session, f"http://127.0.0.1:{port}/"), bool)
            runtime.run(LANE, release, restart=False)
            seen = await until(runtime.observe, decided)
        finally:
            await runtime.close()
        # Without users of their own, one cannot be told from the other.
        expected = RunState.CRASHED if users else RunState.READY
        assert seen[LANE][release.digest].state is expected
    thief.kill()
    await thief.communicate()


async def test_users_of_lanes_need_root(folder: Path) -> None:
    host = await host_of(folder, root=False)
    try:
        target = target_of(folder, users="70000-70009")
        with pytest.raises(Exception, match="users: 70000-70009 needs a host that runs as root"):
            await target.configure()
    finally:
        await stopped(host)


def _of(user: int) -> list[int]:
    """The living processes of a user. Asked for like this, psutil leaves out those that end while it looks."""
    every = psutil.process_iter(["uids", "status"])
    return [
        p.pid for p in every if user in (p.info["uids"] or ()) and p.info["status"] != psutil.STATUS_ZOMBIE
    ]


def _environ(process: psutil.Process) -> dict[str, str]:
    try:
        return process.environ()
    except psutil.Error:
        return {}


async def _answers(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(url) as response:
            return response.status < 400
    except aiohttp.ClientError:
        return False


async def _now(value: bool) -> bool:
    return value
