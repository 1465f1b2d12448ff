"""The embedded PostgreSQL: started with us, stopped with us, taken over from a process that was killed."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import asyncpg
import psutil
import pytest

from bot.adapters.embedded_postgres import EmbeddedError, EmbeddedPostgres
from tests.support.paths import ROOT
from tests.support.waiting import PATIENCE_S

HOLDER = """
import asyncio, sys
from pathlib import Path
from bot.adapters.embedded_postgres import EmbeddedPostgres

async def main():
    async with EmbeddedPostgres(Path(sys.argv[1])) as server:
        print(server.pid, flush=True)
        await asyncio.sleep(60)

asyncio.run(main())
"""


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    """A data folder, with its server stopped afterwards, whatever the test did."""
    yield tmp_path / "data"
    server = EmbeddedPostgres(tmp_path / "data")
    if (pid := server.pid) is not None:
        process = psutil.Process(pid)
        process.send_signal(signal.SIGQUIT)
        with suppress(psutil.TimeoutExpired):
            process.wait(10)


def alive(pid: int) -> bool:
    """Whether it runs; where no one reaps orphans, a dead one keeps its pid."""
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


async def gone(pid: int) -> None:
    """Returns when it is; it removes its pid file a moment before it ends."""
    async with asyncio.timeout(PATIENCE_S):
        while alive(pid):
            await asyncio.sleep(0.02)


async def answer(server: EmbeddedPostgres, query: str) -> object:
    connection = await asyncpg.connect(server.dsn)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def hold(data_dir: Path) -> tuple[asyncio.subprocess.Process, int]:
    """Another process that owns the server; returns it and the server's pid."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOLDER, str(data_dir), stdout=asyncio.subprocess.PIPE, cwd=ROOT
    )
    assert process.stdout is not None
    return process, int(await asyncio.wait_for(process.stdout.readline(), PATIENCE_S))


async def test_it_serves_while_we_are_here_and_keeps_what_was_written(data_dir: Path) -> None:
    async with EmbeddedPostgres(data_dir) as server:
        assert server.owner
        await answer(server, "CREATE TABLE kept AS SELECT 42 AS it")
        pid = server.pid
        assert pid is not None
    assert server.pid is None
    await gone(pid)
    async with EmbeddedPostgres(data_dir) as server:
        assert await answer(server, "SELECT it FROM kept") == 42
        assert await answer(server, "SHOW listen_addresses") == ""
        assert await answer(server, "SHOW synchronous_commit") == "on"


async def test_what_a_killed_process_left_is_taken_over_and_stopped(data_dir: Path) -> None:
    process, pid = await hold(data_dir)
    process.kill()
    await process.wait()
    assert alive(pid)
    async with EmbeddedPostgres(data_dir) as server:
        assert (server.owner, server.pid) == (True, pid)
        assert await answer(server, "SELECT 1") == 1
    await gone(pid)


async def test_a_stale_pid_file_of_a_pid_that_lives_again_stops_no_one(data_dir: Path) -> None:
    async with EmbeddedPostgres(data_dir):
        pass
    ours = os.getpid()
    (data_dir / "postgres" / "postmaster.pid").write_text(
        f"{ours}\n{data_dir}/postgres\n0\n5432\n\n\n\nready\n"
    )
    async with EmbeddedPostgres(data_dir) as server:
        assert server.pid not in (None, ours)
        assert await answer(server, "SELECT 1") == 1


async def test_a_server_that_dies_is_started_again(data_dir: Path) -> None:
    async with EmbeddedPostgres(data_dir) as server:
        first = server.pid
        assert first is not None
        psutil.Process(first).kill()
        async with asyncio.timeout(PATIENCE_S):
            while server.pid in (None, first):
                await asyncio.sleep(0.05)
            while True:
                with suppress(OSError, asyncpg.PostgresError):
                    assert await answer(server, "SELECT 1") == 1
                    break
                await asyncio.sleep(0.05)


async def test_who_comes_second_uses_the_server_and_does_not_stop_it(data_dir: Path) -> None:
    async with EmbeddedPostgres(data_dir) as first:
        async with EmbeddedPostgres(data_dir) as second:
            assert (first.owner, second.owner) == (True, False)
            assert await answer(second, "SELECT 1") == 1
        assert await answer(first, "SELECT 1") == 1


async def test_it_can_be_stopped_and_started_as_by_someone_else(data_dir: Path) -> None:
    async with EmbeddedPostgres(data_dir) as server:
        await server.stop_server()
        assert server.pid is None
        with pytest.raises(OSError):
            await answer(server, "SELECT 1")
        await server.start_server()
        assert await answer(server, "SELECT 1") == 1


async def test_a_data_folder_with_a_long_name_has_its_socket_elsewhere(tmp_path: Path) -> None:
    async with EmbeddedPostgres(tmp_path / ("long" * 30)) as server:
        assert await answer(server, "SELECT 1") == 1
        assert "long" not in server.dsn


@pytest.mark.parametrize("name", ["my slipway", "it's, here", "größe & (co)"])
async def test_a_data_folder_may_be_called_anything(tmp_path: Path, name: str) -> None:
    async with EmbeddedPostgres(tmp_path / name) as server:
        assert await answer(server, "SELECT 1") == 1
        assert await answer(server, "SHOW listen_addresses") == ""
    async with EmbeddedPostgres(tmp_path / name) as server:
        assert await answer(server, "SELECT 1") == 1


async def test_a_folder_that_a_shell_would_misread_is_refused_with_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedError, match="cannot use"):
        await EmbeddedPostgres(tmp_path / "$(touch never)").__aenter__()
    assert list(tmp_path.iterdir()) == []


async def test_data_of_another_major_version_is_left_alone(data_dir: Path) -> None:
    cluster = data_dir / "postgres"
    cluster.mkdir(parents=True)
    (cluster / "PG_VERSION").write_text("13\n")
    with pytest.raises(EmbeddedError, match="written by PostgreSQL 13"):
        await EmbeddedPostgres(data_dir).__aenter__()
    assert [f.name for f in cluster.iterdir()] == ["PG_VERSION"]


async def test_a_beginning_that_was_cut_short_is_begun_again(data_dir: Path) -> None:
    half = data_dir / "postgres.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    async with EmbeddedPostgres(data_dir) as server:
        assert await answer(server, "SELECT 1") == 1


async def test_a_server_that_cannot_start_says_why(data_dir: Path) -> None:
    async with EmbeddedPostgres(data_dir):
        pass
    with (data_dir / "postgres" / "postgresql.conf").open("a") as conf:
        conf.write("nonsense = 1\n")
    with pytest.raises(EmbeddedError, match="pg_ctl failed"):
        await EmbeddedPostgres(data_dir).__aenter__()


async def test_without_the_wheel_a_sentence_says_what_to_do(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(EmbeddedError, match="SLIPWAY_DATABASE_URL"):
        await EmbeddedPostgres(data_dir).__aenter__()
