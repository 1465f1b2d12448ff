"""The upgrade of the schema in a process of its own, and what a start tells where it fails."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import psutil
import pytest

from bot.adapters.postgres.connection.migrate import LOCK, head, revisions
from bot.adapters.postgres.connection.upgrading import PROGRAM, upgraded
from bot.domain.errors import UserError
from bot.ports.errors import Unreachable
from tests.support.catalog_files import SOUND, write
from tests.support.cli import Cli
from tests.support.postgres import PostgresServer
from tests.support.waiting import until

# A start's part in the upgrade, and the modules that it has afterwards.
START = """
import asyncio, sys
from bot.composition import wiring
asyncio.run(wiring._migrated(sys.argv[1]))
print(*sys.modules)
"""


@pytest.fixture
async def empty(postgres: PostgresServer) -> AsyncIterator[str]:
    """A database without any table."""
    connection = await asyncpg.connect(postgres.dsn())
    try:
        await connection.execute("CREATE DATABASE empty_one")
        yield postgres.dsn("empty_one")
        await connection.execute("DROP DATABASE empty_one WITH (FORCE)")
    finally:
        await connection.close()


async def by_a_newer(dsn: str) -> None:
    """Make it the database of a Slipway with a revision that this one does not know."""
    connection = await asyncpg.connect(dsn)
    await connection.execute("UPDATE schema_revision SET version_num = '9999'")
    await connection.close()


async def test_a_start_that_migrates_has_imported_nothing_for_it_afterwards(empty: str) -> None:
    ran = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", START, empty], capture_output=True, text=True, check=True
    )
    assert await revisions(empty) == (head(), head())
    assert not {"alembic", "sqlalchemy"} & set(ran.stdout.split())


async def test_it_finds_this_slipway_from_a_folder_with_a_package_of_the_same_name(
    empty: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bot").mkdir()
    (tmp_path / "bot" / "__init__.py").write_text("raise RuntimeError('another bot')")
    monkeypatch.chdir(tmp_path)
    await upgraded(empty)
    assert await revisions(empty) == (head(), head())


async def test_a_database_that_is_away_is_unreachable() -> None:
    with pytest.raises(Unreachable, match="the database does not answer"):
        await upgraded("postgresql://postgres@127.0.0.1:1/slipway")


async def test_a_failure_says_why_and_prints_its_traceback(
    dsn: str, capfd: pytest.CaptureFixture[str]
) -> None:
    await by_a_newer(dsn)
    with pytest.raises(UserError) as found:
        await upgraded(dsn)
    assert str(found.value).startswith("The database's schema could not be upgraded. Can't locate revision")
    assert "9999" in str(found.value)
    assert "Traceback" in capfd.readouterr().err


async def test_a_start_that_cannot_upgrade_ends_with_a_sentence(dsn: str, tmp_path: Path) -> None:
    await by_a_newer(dsn)
    write(tmp_path / "config", all=SOUND)
    cli = Cli(tmp_path, DATABASE_URL=dsn, SLIPWAY_WEB_PORT="0")
    ran = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", "run", "--role", "worker"),
        env=cli.environment,
        cwd=tmp_path,
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await ran.communicate()
    await cli.stop_host()
    assert ran.returncode == 1
    last = said.decode().rstrip().splitlines()[-1]
    assert last.startswith("The database's schema could not be upgraded. Can't locate revision"), (
        said.decode()
    )


@asynccontextmanager
async def waiting(dsn: str) -> AsyncIterator[tuple[asyncio.Task[None], psutil.Process]]:
    """An upgrade that waits for another one, and its process."""
    other = await asyncpg.connect(dsn)
    upgrading = asyncio.create_task(upgraded(dsn))
    try:
        await other.execute("SELECT pg_advisory_lock($1)", LOCK)
        waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        await until(lambda: other.fetchval(waits))
        (process,) = [p for p in psutil.Process().children() if PROGRAM in p.cmdline()]
        yield upgrading, process
    finally:
        upgrading.cancel()
        await asyncio.gather(upgrading, return_exceptions=True)
        await other.close()


async def test_a_process_that_is_killed_is_told_of(empty: str) -> None:
    async with waiting(empty) as (upgrading, process):
        process.kill()
        with pytest.raises(UserError, match="The process ended with -9"):
            await upgrading


async def test_a_bot_that_stops_meanwhile_leaves_no_process_behind(empty: str) -> None:
    async with waiting(empty) as (upgrading, process):
        upgrading.cancel()
        await asyncio.gather(upgrading, return_exceptions=True)
        assert not process.is_running()


async def test_the_process_does_not_show_the_address_among_its_words(empty: str) -> None:
    async with waiting(empty) as (_, process):
        assert not any(empty in word for word in process.cmdline())
