"""The host as the separate program that it is: found again, killed, stopped."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import stat
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TypeVar

import aiohttp
import psutil
import pytest

from bot.adapters.metrics.router import RouterMetrics
from bot.adapters.targets.hosted.host import sockets
from bot.adapters.targets.hosted.host.client import HostClient
from bot.adapters.targets.hosted.host.sockets import control_path
from bot.adapters.targets.hosted.host.watchdog import is_locked, lock
from bot.adapters.targets.hosted.settings import HostedLaneSettings
from bot.adapters.targets.hosted.target import HostedTarget, abort_lane
from bot.composition.host import main as host_main
from bot.domain.rollout.model import Desired, Lane, RunState
from bot.ports.errors import StaleGeneration, TargetRefused, Unreachable
from tests.support.host import LANE, Users, gone, process_target, release, settled
from tests.support.waiting import PATIENCE_S, until

pytestmark = pytest.mark.real

ONE, TWO = release("1"), release("2")
T = TypeVar("T")
SETTINGS = {LANE: HostedLaneSettings(listen_port=0)}


@pytest.fixture
async def target(tmp_path: Path) -> AsyncIterator[HostedTarget]:
    target = process_target(tmp_path / "host", SETTINGS)
    yield target
    try:
        await target.stop_host()
    except Unreachable:
        # A test that stopped it already, or killed it for good.
        await _stop_everything(tmp_path / "host")


async def _stop_everything(data_dir: Path) -> None:
    target = process_target(data_dir, {})
    await target.host.ensure()
    await target.stop_host()


def pids(target: HostedTarget) -> dict[str, int]:
    found: dict[str, int] = json.loads((target.host.data_dir / "host.pid").read_text())
    return found


def services(target: HostedTarget) -> dict[str, int]:
    """Pids of all processes of the test service that this host started, by version."""
    host_id = (target.host.data_dir / "host.id").read_text()
    found = {}
    for process in psutil.process_iter():
        try:
            if process.environ().get("SLIPWAY_HOST") == host_id and process.status() != psutil.STATUS_ZOMBIE:
                command = process.cmdline()
                found[command[command.index("--version") + 1]] = process.pid
        except (psutil.Error, ValueError):  # it ends, and has no command any more
            continue
    return found


async def test_killed_host_comes_back_with_the_same_processes_and_weights(
    target: HostedTarget, users: Users
) -> None:
    await target.apply(LANE, Desired(1, ONE, TWO, 25))
    await settled(target, {"1": 75, "2": 25})
    await users.ask(40)
    before, counted = services(target), users.got["2"]
    stop = asyncio.Event()
    crowd = [asyncio.create_task(users.ask_until(stop)) for _ in range(4)]
    await until(lambda: _now(users.got.total()), lambda n: n > 100)

    old = pids(target)
    os.kill(old["host"], signal.SIGKILL)
    served = users.got.total()
    await until(lambda: _now(users.got.total()), lambda n: n > served + 100)
    await settled(target, {"1": 75, "2": 25})
    stop.set()
    await asyncio.gather(*crowd)

    assert set(users.got) == {"1", "2"}, users.got
    assert services(target) == before
    assert pids(target)["host"] != old["host"] and pids(target)["watchdog"] == old["watchdog"]
    (sample,) = await RouterMetrics(target).sample(LANE, [TWO.digest])
    assert sample.readings[0].total >= counted  # the counts are older than this host


async def test_killed_host_with_a_dead_candidate_brings_stable_back_unaided(
    target: HostedTarget, users: Users
) -> None:
    await target.apply(LANE, Desired(1, ONE, TWO, 50))
    await settled(target, {"1": 50, "2": 50})
    running = services(target)

    # Neither this host nor the next one sees a release end.
    host = pids(target)["host"]
    os.kill(host, signal.SIGSTOP)
    for pid in running.values():
        os.kill(pid, signal.SIGKILL)
    os.kill(host, signal.SIGKILL)
    observed = await settled(target, {"1": 100})
    await users.ask(20)

    assert users.got == {"1": 20}
    found = observed.of(TWO.digest)
    assert found is not None and found.state is RunState.CRASHED and found.weight == 0
    assert "no longer running" in found.detail


async def test_killed_host_accepts_no_older_generation_afterwards(target: HostedTarget) -> None:
    await target.apply(LANE, Desired(7, ONE))
    await settled(target, {"1": 100})
    os.kill(pids(target)["host"], signal.SIGKILL)
    with pytest.raises(StaleGeneration):
        await target.apply(LANE, Desired(6, ONE, TWO, 50))


async def test_killed_watchdog_is_replaced_and_watches_again(target: HostedTarget, users: Users) -> None:
    await target.apply(LANE, Desired(1, ONE))
    await settled(target, {"1": 100})
    old = pids(target)

    os.kill(old["watchdog"], signal.SIGKILL)
    new = await until(lambda: _now(pids(target)), lambda found: found["watchdog"] != old["watchdog"])
    assert new["host"] == old["host"]
    await until(lambda: _now(_holds_sockets(new["watchdog"])), bool)
    os.kill(new["host"], signal.SIGKILL)
    await users.ask(10)

    assert users.got == {"1": 10}


async def test_when_both_are_killed_releases_go_on_and_the_next_call_finds_them(
    target: HostedTarget, users: Users
) -> None:
    await target.apply(LANE, Desired(1, ONE))
    await settled(target, {"1": 100})
    before = services(target)
    found = pids(target)
    os.kill(found["watchdog"], signal.SIGKILL)
    os.kill(found["host"], signal.SIGKILL)
    await until(lambda: gone(found["host"]))
    assert services(target) == before

    await settled(target, {"1": 100})
    await users.ask(5)

    assert services(target) == before and users.got == {"1": 5}


async def test_bot_that_is_killed_interrupts_no_request(tmp_path: Path) -> None:
    """The host is started by another program, a bot as it were, which is then killed with its whole session."""
    program = textwrap.dedent(f"""
        import asyncio, sys
        from pathlib import Path
        from bot.adapters.targets.hosted.settings import HostedLaneSettings
        from bot.domain.rollout.model import Desired
        from tests.support.host import LANE, process_target, release, settled

        settings = {{LANE: HostedLaneSettings(listen_port=0)}}

        async def bot():
            target = process_target(Path({str(tmp_path / "host")!r}), settings)
            await target.apply(LANE, Desired(1, release("1"), release("2"), 50))
            await settled(target, {{"1": 50, "2": 50}})
            print(await target.router_address(LANE), flush=True)
            await asyncio.sleep(600)

        asyncio.run(bot())
    """)
    started = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", program), stdout=subprocess.PIPE, start_new_session=True
    )
    assert started.stdout is not None
    address = (await asyncio.wait_for(started.stdout.readline(), PATIENCE_S)).decode().strip()
    async with aiohttp.ClientSession() as session:
        users = Users(session, address)
        stop = asyncio.Event()
        crowd = [asyncio.create_task(users.ask_until(stop)) for _ in range(3)]
        await until(lambda: _now(users.got.total()), lambda n: n > 50)

        os.killpg(started.pid, signal.SIGKILL)
        await started.wait()
        served = users.got.total()
        await until(lambda: _now(users.got.total()), lambda n: n > served + 100)
        stop.set()
        await asyncio.gather(*crowd)

    assert set(users.got) == {"1", "2"}, users.got
    again = process_target(tmp_path / "host", SETTINGS)
    assert (await again.observe(LANE)).generation == 1
    await again.stop_host()


async def test_abort_needs_nothing_but_the_folder(target: HostedTarget, users: Users) -> None:
    await target.apply(LANE, Desired(3, ONE, TWO, 50))
    await settled(target, {"1": 50, "2": 50})

    observed = await abort_lane(target.host.data_dir, LANE, "root", "the database is away")
    await users.ask(20)

    assert users.got == {"1": 20}
    assert observed.abort is not None and observed.generation == 4
    with pytest.raises(StaleGeneration):
        await target.apply(LANE, Desired(4, ONE, TWO, 100))


async def test_abort_survives_a_kill_of_the_host(target: HostedTarget) -> None:
    await target.apply(LANE, Desired(3, ONE, TWO, 50))
    await settled(target, {"1": 50, "2": 50})
    told = await target.abort(LANE, "root", "because")
    os.kill(pids(target)["host"], signal.SIGKILL)
    observed = await settled(target, {"1": 100})
    assert observed.abort == told.abort and observed.generation == 4


async def test_abort_of_an_unknown_lane_names_those_there_are(target: HostedTarget) -> None:
    await target.configure()
    with pytest.raises(TargetRefused, match="checkout/production"):
        await target.abort(Lane("chekout", "production"), "root", "")


async def test_orderly_stop_leaves_no_process_and_the_next_start_brings_both_releases_back(
    target: HostedTarget, users: Users, tmp_path: Path
) -> None:
    await target.apply(LANE, Desired(1, ONE, TWO, 50))
    await settled(target, {"1": 50, "2": 50})
    found, over = pids(target), tmp_path / "over"
    slow = asyncio.create_task(users.ask(1, f"/held?until={over}"))
    await until(lambda: _in_flight(target), bool)

    stopping = asyncio.create_task(target.stop_host())
    await asyncio.sleep(0.3)
    over.touch()
    await stopping
    await slow

    assert services(target) == {}
    await until(lambda: _now([p for p in found.values() if psutil.pid_exists(p)]), lambda left: not left)
    assert users.got.total() == 1 and not {"500", "502", "503"} & set(users.got), users.got
    await settled(target, {"1": 50, "2": 50})


async def test_stop_by_signal_to_the_watchdog_is_orderly_too(target: HostedTarget) -> None:
    await target.apply(LANE, Desired(1, ONE))
    await settled(target, {"1": 100})
    os.kill(pids(target)["watchdog"], signal.SIGTERM)
    await until(lambda: _now(services(target)), lambda left: not left)
    await until(lambda: _now(target.host.path.exists()), lambda there: not there)


async def test_host_starts_also_while_another_one_of_its_folder_is_not_quite_gone(
    target: HostedTarget, tmp_path: Path
) -> None:
    going = lock(tmp_path / "host")
    starting = asyncio.create_task(target.configure())
    await asyncio.sleep(0.5)
    assert not starting.done()
    os.close(going)
    await starting
    await target.stop_host()
    assert not is_locked(tmp_path / "host")


async def test_only_one_host_runs_for_a_folder(
    target: HostedTarget, capfd: pytest.CaptureFixture[str]
) -> None:
    await target.configure()
    assert host_main(["--data-dir", str(target.host.data_dir)]) == 3
    assert "is running" in capfd.readouterr().err


async def test_many_clients_at_once_start_one_host(tmp_path: Path) -> None:
    targets = [process_target(tmp_path / "host", SETTINGS) for _ in range(4)]
    try:
        answers = await asyncio.gather(*(target.describe() for target in targets))
        assert len({answer["pid"] for answer in answers}) == 1
    finally:
        await targets[0].stop_host()


async def test_socket_and_state_are_for_their_owner_only(target: HostedTarget) -> None:
    await target.apply(LANE, Desired(1, ONE))
    folder = target.host.data_dir
    assert stat.S_IMODE(target.host.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    routers = folder / "platforms" / "process" / "router"
    assert stat.S_IMODE(routers.stat().st_mode) == 0o700
    own = [path for path in folder.rglob("*.json") if not path.is_relative_to(routers)]
    assert {stat.S_IMODE(path.stat().st_mode) for path in own} == {0o600}


async def test_host_keeps_none_of_the_bots_secrets(
    target: HostedTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISCORD_TOKEN", "do-not-tell")
    await target.configure()
    for pid in pids(target).values():
        assert "DISCORD_TOKEN" not in psutil.Process(pid).environ()


async def test_without_a_host_and_not_allowed_to_start_one_it_is_unreachable(tmp_path: Path) -> None:
    target = process_target(tmp_path / "host", SETTINGS, start_host=False)
    with pytest.raises(Unreachable):
        await target.observe(LANE)
    (sample,) = await RouterMetrics(target).sample(LANE, ["sha256:1"])
    assert sample.error is not None and "could not be read" in sample.error


async def test_commands_that_no_one_understands_are_refused(target: HostedTarget) -> None:
    await target.configure()
    with pytest.raises(TargetRefused):
        await target.host.call({"do": "dance"})
    reader, writer = await asyncio.open_unix_connection(str(target.host.path))
    writer.write(b"this is not JSON\n")
    assert b"refused" in await reader.readline()
    writer.close()


async def test_process_of_another_user_commands_nothing(target: HostedTarget) -> None:
    await target.configure()
    for path in (target.host.path, *target.host.path.parents):
        if path.is_relative_to(target.host.data_dir) or path.stat().st_mode & 0o005 != 0o005:
            path.chmod(0o777)  # as wide as a careless administrator could make it
    program = (
        "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); "
        's.sendall(b\'{"do": "ping"}\\n\'); print(s.recv(100))'
    )
    # Only root can become another user; anyone else asks as the user that may.
    other = {"user": 65534, "group": 65534, "extra_groups": []} if os.getuid() == 0 else {}
    asked = await asyncio.create_subprocess_exec(
        *("/usr/bin/python3", "-c", program, str(target.host.path)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **other,  # type: ignore[arg-type]
    )
    said, trouble = await asked.communicate()
    if other:
        assert b"pid" not in said and (said == b"b''\n" or b"reset" in trouble or b"Broken" in trouble), (
            trouble
        )
    else:
        assert b"pid" in said


async def test_stopping_without_a_host_says_so(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code = await asyncio.to_thread(host_main, ["stop", "--data-dir", str(tmp_path / "nothing")])
    assert code == 1 and "No host answers" in capfd.readouterr().err


def test_path_too_long_for_a_socket_gets_a_private_short_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "_SHORT", tmp_path)
    data_dir = tmp_path / ("x" * 120)
    path = control_path(data_dir)
    for name in ("XDG_RUNTIME_DIR", "TMPDIR"):
        monkeypatch.setenv(name, str(tmp_path / "elsewhere"))
        assert control_path(data_dir) == path
    assert path.parent.parent == tmp_path and stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    path.parent.chmod(0o755)
    with pytest.raises(PermissionError):
        control_path(data_dir)


@pytest.mark.parametrize("folder", ["short", "x" * 100])
async def test_clients_of_every_session_find_the_same_host(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each session has its own XDG_RUNTIME_DIR, and perhaps TMPDIR; a service has none."""
    found = set()
    target = process_target(tmp_path / folder, SETTINGS)
    try:
        for session in ("one", "two", None):
            for name in ("XDG_RUNTIME_DIR", "TMPDIR"):
                if session is None:
                    monkeypatch.delenv(name, raising=False)
                else:
                    (tmp_path / session).mkdir(exist_ok=True)
                    monkeypatch.setenv(name, str(tmp_path / session))
            target = process_target(tmp_path / folder, SETTINGS)
            found.add((target.host.path, (await target.describe())["pid"]))
        assert len(found) == 1
    finally:
        await target.stop_host()


async def test_state_of_another_version_stops_the_host_with_a_sentence(tmp_path: Path) -> None:
    lanes = tmp_path / "host" / "lanes"
    lanes.mkdir(parents=True)
    (lanes / "checkout@production.json").write_text('{"version": 99}')
    ran = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot.composition.host", "--data-dir", str(tmp_path / "host")),
        stderr=subprocess.PIPE,
    )
    try:
        assert ran.stderr is not None
        said = await asyncio.wait_for(ran.stderr.readline(), PATIENCE_S)
        assert b"version 99" in said
    finally:
        ran.terminate()
        await ran.communicate()


def test_client_finds_the_socket_in_its_folder(tmp_path: Path) -> None:
    assert HostClient(tmp_path).path.name.endswith(".sock")


def _holds_sockets(pid: int) -> bool:
    """The listening socket for commands, besides the channel to the host."""
    links = []
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # it starts, and closes what it reads
            links.append(str(fd.readlink()))
    return len([link for link in links if link.startswith("socket:")]) >= 2


async def _now(value: T) -> T:
    return value


async def _in_flight(target: HostedTarget) -> int:
    return sum(found["in_flight"] for found in (await target.counts(LANE))["releases"].values())


async def test_host_killed_again_and_again_in_the_middle_of_changes_ends_right(
    target: HostedTarget, tmp_path: Path
) -> None:
    """At six moments of six changes; an exclusive lane, where one process too many would show."""
    lane = Lane("herald", "production")
    await target.configure({lane: HostedLaneSettings(exclusive=True)})
    lock = tmp_path / "lock"
    old, new = (release(version, "--only-one", str(lock)) for version in ("1", "2"))

    async def apply(desired: Desired) -> None:
        while True:
            try:
                return await target.apply(lane, desired)
            except Unreachable:  # perhaps applied: asking again is safe
                await asyncio.sleep(0.05)

    await apply(Desired(1, old))
    await settled(target, {"1": 100}, lane)
    for round_ in range(6):
        await apply(Desired(2 + round_, old, new, 100 if round_ % 2 == 0 else 0))
        await asyncio.sleep(0.03 * round_)
        os.kill(pids(target)["host"], signal.SIGKILL)
    await apply(Desired(20, old))
    await settled(target, {"1": 100}, lane)

    assert not lock.with_suffix(".violated").exists()
    host_id = (target.host.data_dir / "host.id").read_text()
    assert len([1 for process in psutil.process_iter() if _host_of(process) == host_id]) == 1


def _host_of(process: psutil.Process) -> str | None:
    try:
        alive = process.status() != psutil.STATUS_ZOMBIE
        return process.environ().get("SLIPWAY_HOST") if alive else None
    except psutil.Error:
        return None
