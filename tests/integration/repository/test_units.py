"""The shipped systemd units: systemd accepts them, and the very command lines in them work."""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tests.support.repository import EXAMPLES, unit
from tests.support.waiting import PATIENCE_S

SYSTEMD = EXAMPLES / "systemd"
UNITS = sorted(SYSTEMD.glob("*.service"))
INSTALLED = "/opt/slipway/.venv/bin/slipway"
DATA = "/var/lib/slipway"


@pytest.fixture
def slipway(tmp_path: Path) -> Path:
    """The program as the Makefile installs it, for this tree."""
    program = tmp_path / "slipway"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m bot "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    return program


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_systemd_accepts_the_unit(path: Path, slipway: Path, tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        if os.environ.get("CI"):
            pytest.fail("systemd-analyze is not installed")
        pytest.skip("systemd-analyze is not installed")
    folder = tmp_path / "units"
    folder.mkdir()
    for each in UNITS:  # they refer to each other
        text = each.read_text(encoding="utf-8").replace(INSTALLED, str(slipway))
        (folder / each.name).write_text(text, encoding="utf-8")
    said = subprocess.run(
        [analyze, "verify", "--man=no", str(folder / path.name)],
        env={**os.environ, "SYSTEMD_UNIT_PATH": f"{folder}:"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    ours = [line for line in said.stderr.splitlines() if path.name in line]
    assert (said.returncode, ours) == (0, []), said.stderr


async def test_the_unit_of_the_host_runs_the_host(slipway: Path, tmp_path: Path) -> None:
    command = _command("slipway-host.service", slipway, tmp_path / "data")
    status = [word if word != "run" else "status" for word in command]
    async with _started(command, tmp_path) as host:
        for _ in range(200):
            code, said = await _run(status, tmp_path)
            if code == 0:
                break
            await asyncio.sleep(0.1)
        assert said.endswith("the host answers, 0 lanes\n"), said
        again, _ = await _run(command, tmp_path)
        assert str(again) in unit(SYSTEMD / "slipway-host.service")["RestartPreventExitStatus"]
        host.terminate()
        assert await asyncio.wait_for(host.wait(), PATIENCE_S) == 0


async def test_the_unit_of_the_bot_finds_its_catalog_and_says_what_it_lacks(
    slipway: Path, tmp_path: Path
) -> None:
    keys = unit(SYSTEMD / "slipway.service")
    environment = dict(pair.split("=", 1) for pair in keys["Environment"])
    assert environment["SLIPWAY_DATA_DIR"] == DATA
    assert f"StateDirectory={Path(DATA).name}" in (SYSTEMD / "slipway.service").read_text(encoding="utf-8")
    code, said = await _run(_command("slipway.service", slipway, tmp_path), tmp_path, **environment)
    assert (
        said == "SLIPWAY_DISCORD_TOKEN is not set. Copy it from the Developer Portal (Bot → Reset Token).\n"
    )
    assert str(code) in keys["RestartPreventExitStatus"][0].split()


def test_what_the_environment_file_is_made_from_leaves_the_folders_to_the_unit() -> None:
    example = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    assert not [line for line in example if line.startswith(("SLIPWAY_DATA_DIR=", "SLIPWAY_CONFIG_DIR="))]


def _command(name: str, slipway: Path, data: Path) -> list[str]:
    (line,) = unit(SYSTEMD / name)["ExecStart"]
    assert line.startswith(f"{INSTALLED} ")
    return shlex.split(line.replace(INSTALLED, str(slipway)).replace(DATA, str(data)))


def _environment(more: dict[str, str]) -> dict[str, str]:
    outside = {
        name: value for name, value in os.environ.items() if not name.startswith(("SLIPWAY_", "DISCORD_"))
    }
    return {**outside, "PYTHONPATH": str(ROOT), **more}


async def _run(command: list[str], folder: Path, **environment: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env=_environment(environment),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode or 0, said.decode()


@asynccontextmanager
async def _started(command: list[str], folder: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(*command, cwd=folder, env=_environment({}))
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
            await asyncio.wait_for(process.wait(), PATIENCE_S)
