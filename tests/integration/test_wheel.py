"""Slipway's wheel: what it installs, and that the installed program finds its revisions."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import asyncpg
import pytest

from bot.adapters.postgres.connection.migrate import head, revisions
from tests.support.paths import ROOT
from tests.support.postgres import PostgresServer


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = ("-m", "hatchling", "build", "-t", "wheel", "-d", str(folder))
    subprocess.run([sys.executable, *command], cwd=ROOT, check=True, capture_output=True)
    return next(folder.glob("slipway-*.whl"))


def test_the_wheel_installs_bot_and_cogs_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        installed = {name.split("/")[0] for name in names if not name.split("/")[0].endswith(".dist-info")}
        scripts = next(name for name in names if name.endswith("/entry_points.txt"))
        assert "slipway = bot.__main__:main" in archive.read(scripts).decode()
    assert installed == {"bot", "cogs"}
    wanted = {f"bot/{name}" if name.startswith("migrations/") else name for name in source_files()}
    assert {name for name in names if name.startswith(("bot/", "cogs/"))} == wanted


async def test_the_installed_program_migrates_an_empty_database(
    wheel: Path, postgres: PostgresServer, tmp_path: Path
) -> None:
    program = installed(wheel, tmp_path / "venv")
    admin = await asyncpg.connect(postgres.dsn())
    await admin.execute("CREATE DATABASE from_the_wheel")
    dsn = postgres.dsn("from_the_wheel")
    try:
        environment = {"PATH": os.environ["PATH"], "DATABASE_URL": dsn, "SLIPWAY_DATA_DIR": str(tmp_path)}
        done = subprocess.run(
            [program, "migrate"], cwd=tmp_path, env=environment, check=False, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        assert await revisions(dsn) == (head(), head())
    finally:
        await admin.execute("DROP DATABASE from_the_wheel WITH (FORCE)")
        await admin.close()


def source_files() -> list[str]:
    """Everything under bot/, cogs/ and migrations/, relative to the repository."""
    found = (file for folder in ("bot", "cogs", "migrations") for file in (ROOT / folder).rglob("*"))
    return [str(f.relative_to(ROOT)) for f in found if f.is_file() and "__pycache__" not in f.parts]


def installed(wheel: Path, folder: Path) -> Path:
    """The command `slipway` in a new environment: the wheel, with this environment's dependencies behind it."""
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-deps", "--no-index", "-q"]
    subprocess.run([*pip, "--disable-pip-version-check", str(wheel)], check=True)
    inside = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        check=True,
        capture_output=True,
        text=True,
    )
    # A .pth file within that folder, such as the checkout's, is not read.
    Path(inside.stdout.strip(), "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    where = [python, "-c", "import bot; print(bot.__file__)"]
    found = subprocess.run(where, cwd=folder, check=True, capture_output=True, text=True).stdout
    assert found.startswith(str(folder)), "the checkout is on the path"
    return folder / "bin" / "slipway"
