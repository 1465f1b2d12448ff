"""Slipway's own programs are closed to other processes of their user, and have no secrets where they need none."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.paths import TESTS
from tests.support.users import AS_PLAIN, plain_environment, plain_folder, plain_python
from tests.support.waiting import until

SECRET = "hunter22"
LOOKS = ("environ", "memory", "descriptors", "folder", "ptrace", "descriptor out")


@pytest.fixture
async def folder() -> AsyncIterator[Path]:
    with plain_folder() as found:
        yield found


async def started(*words: str, folder: Path, **more: str) -> asyncio.subprocess.Process:
    """A program of the user without rights, with a secret in its environment."""
    return await asyncio.create_subprocess_exec(
        *(plain_python(), *words),
        env={**plain_environment(), "SLIPWAY_DISCORD_TOKEN": SECRET, **more},
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        **AS_PLAIN,
    )


async def managed(folder: Path, **pids: int) -> dict[str, object]:
    """What another process of the same user manages with these processes."""
    world = folder / "world.json"
    world.write_text(json.dumps({"pids": pids}))
    world.chmod(0o644)
    program = shutil.copy(TESTS / "fakes" / "hostile.py", folder)
    asked = await started(program, "0", str(world), folder=folder)
    answer, _ = await asked.communicate()
    found: dict[str, object] = json.loads(answer)["managed"]
    return {name: got for name, got in found.items() if name != "become root" or os.getuid() != 0}


async def test_bot_is_closed_to_other_processes_of_its_user(folder: Path) -> None:
    (folder / "backup").touch()
    # Any command will do, and this one asks a question first.
    bot = await started("-m", "bot", "restore", "backup", folder=folder)
    open_one = await started("-c", "print('up', flush=True); input()", folder=folder)
    try:
        assert bot.stdout is not None and open_one.stdout is not None
        assert b"replaces the whole database" in await asyncio.wait_for(bot.stdout.readuntil(b"?"), 30)
        assert await asyncio.wait_for(open_one.stdout.readline(), 30) == b"up\n"
        found = await managed(folder, bot=bot.pid, open=open_one.pid)
    finally:
        for each in (bot, open_one):
            each.kill()
            await each.communicate()
    assert SECRET in str(found["environ of open"])
    assert {f"{look} of open" for look in LOOKS[:5]} <= set(found)
    # A user may always signal their own processes.
    assert [name for name in found if name.endswith("bot")] == ["signal to bot"]


async def test_host_and_watchdog_are_closed_and_gain_no_rights(folder: Path) -> None:
    program = await started("-m", "bot.composition.host", "--data-dir", "host", folder=folder)
    try:
        socket = folder / "host" / "host.sock"
        await until(lambda: _now(socket.exists()), bool)
        pids = json.loads((folder / "host" / "host.pid").read_text())
        found = await managed(folder, **pids)
        for pid in pids.values():
            assert "NoNewPrivs:\t1" in Path(f"/proc/{pid}/status").read_text()
    finally:
        program.send_signal(signal.SIGTERM)
        await program.communicate()
    assert set(found) == {"signal to host", "signal to watchdog"}


async def test_host_started_with_secrets_in_its_environment_drops_them(tmp_path: Path) -> None:
    """As by a unit file or a container that gives host and bot the same variables."""
    program = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", "host", "--data-dir", str(tmp_path), "run"),
        env={**os.environ, "SLIPWAY_DISCORD_TOKEN": SECRET},
        cwd=tmp_path,
    )
    try:
        where = tmp_path / "host"
        await until(lambda: _now((where / "host.sock").exists()), bool)
        pids = json.loads((where / "host.pid").read_text())
        found = {name: environ(pid) for name, pid in pids.items()}
    finally:
        program.send_signal(signal.SIGTERM)
        await program.communicate()
    assert set(found) == {"host", "watchdog"} and SECRET.encode() not in b"".join(found.values())


def environ(pid: int) -> bytes:
    """As root sees it; to everyone else it is closed."""
    with contextlib.suppress(PermissionError):
        return Path(f"/proc/{pid}/environ").read_bytes()
    return b""


async def _now(value: bool) -> bool:
    return value
