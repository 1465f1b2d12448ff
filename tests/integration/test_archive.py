"""`slipway archive`: old audit lines leave the database for a file, and nothing else does."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import asyncpg
import pytest

from tests.support.cli import Cli

OLD, NEW = "2025-12-31T23:59:59Z", "2026-01-01T00:00:00Z"
LINE = (
    "INSERT INTO audit (rollout_id, service, environment, actor_id, actor, via, at, what, why) "
    "VALUES ($1, 'checkout', 'staging', 11, 'dev', 'discord', $2::text::timestamptz, 'began', $3)"
)


@pytest.fixture
def cli(tmp_path: Path, dsn: str) -> Cli:
    return Cli(tmp_path, DATABASE_URL=dsn)


async def written(dsn: str, *lines: tuple[int | None, str, str]) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.executemany(LINE, lines)
    finally:
        await connection.close()


async def left(dsn: str) -> list[str]:
    connection = await asyncpg.connect(dsn)
    try:
        return [row["why"] for row in await connection.fetch("SELECT why FROM audit ORDER BY id")]
    finally:
        await connection.close()


async def test_old_lines_are_in_the_file_and_new_ones_in_the_database(cli: Cli, dsn: str) -> None:
    await written(
        dsn,
        (None, OLD, "old, with a “quote” and a \\"),
        (7, OLD, "a rollout that is gone"),
        (None, NEW, "new"),
    )
    said = await cli("archive", "audit.gz", "--before", "2026-01-01")
    assert (said.code, said.out) == (0, "✓ 2 lines in audit.gz\n"), said.err
    file = cli.folder / "audit.gz"
    lines = [json.loads(line) for line in gzip.decompress(file.read_bytes()).splitlines()]
    assert [line["why"] for line in lines] == ["old, with a “quote” and a \\", "a rollout that is gone"]
    assert (lines[0]["actor"], lines[0]["what"], lines[1]["rollout_id"]) == ("dev", "began", 7)
    assert file.stat().st_mode & 0o077 == 0
    assert [f.name for f in cli.folder.glob(".audit*")] == []
    kept = await left(dsn)
    assert kept[0] == "new"
    assert kept[1].startswith("2 lines from before 2026-01-01 moved to ")
    assert len(kept) == 2


async def test_nothing_to_archive_writes_no_file_and_an_existing_one_is_kept(cli: Cli, dsn: str) -> None:
    await written(dsn, (None, NEW, "new"))
    assert (
        await cli("archive", "audit.gz", "--before", "2026-01-01")
    ).out == "There is nothing to archive.\n"
    file = cli.folder / "audit.gz"
    assert not file.exists()
    file.write_text("an older archive")
    said = await cli("archive", "audit.gz", "--before", "2027-01-01")
    assert said.code == 1
    assert "exists" in said.err
    assert file.read_text() == "an older archive"
    assert await left(dsn) == ["new"]


async def test_the_audit_log_cannot_be_changed_otherwise(dsn: str) -> None:
    await written(dsn, (None, OLD, "old"))
    connection = await asyncpg.connect(dsn)
    try:
        for statement in ("DELETE FROM audit", "UPDATE audit SET why = ''", "TRUNCATE audit"):
            with pytest.raises(asyncpg.RaiseError, match="append-only"):
                await connection.execute(statement)
        async with connection.transaction():
            await connection.execute("SELECT set_config('slipway.archiving', 'on', true)")
            with pytest.raises(asyncpg.RaiseError, match="append-only"):
                async with connection.transaction():
                    await connection.execute("UPDATE audit SET why = ''")
        with pytest.raises(asyncpg.RaiseError, match="append-only"):
            await connection.execute("DELETE FROM audit")
    finally:
        await connection.close()
