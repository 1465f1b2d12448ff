"""`slipway archive`: old lines of the audit log, moved from the database to a file."""

from __future__ import annotations

import asyncio
import gzip
import os
import tempfile
from datetime import UTC, datetime
from getpass import getuser
from pathlib import Path
from typing import BinaryIO

import asyncpg
import click

from bot.adapters.embedded_postgres import database
from bot.adapters.postgres.connection.queries import SQL
from bot.cli.exits import settings, tell
from bot.domain import phrasebook


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--before",
    type=click.DateTime(["%Y-%m-%d"]),
    required=True,
    help="Lines from before this day (UTC). Lines of rollouts that are still active stay.",
)
def archive(file: Path, before: datetime) -> None:
    """Move old lines of the audit log to FILE: one JSON object per line, compressed with gzip.

    The bot can keep running. The lines are deleted from the database once FILE is complete and on disk; that they were
    archived, by whom and where to, is a new line of the audit log. Only you can read FILE.
    """
    if file.exists():
        raise phrasebook.file_exists(str(file))
    lines = asyncio.run(_archive(file.absolute(), before.replace(tzinfo=UTC)))
    tell(f"✓ {lines:,} lines in {file}" if lines else "There is nothing to archive.")


async def _archive(file: Path, before: datetime) -> int:
    given = settings()
    async with database(given.database.dsn, given.data_dir) as dsn:
        connection = await asyncpg.connect(dsn, timeout=5)
        handle, scratch = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
        try:
            # One snapshot: exactly the lines that were written are deleted.
            async with connection.transaction(isolation="repeatable_read"):
                with os.fdopen(handle, "wb") as raw:
                    lines = await _written(connection, raw, before)
                if lines:
                    await connection.execute(SQL["allow_archiving"])
                    await connection.execute(SQL["drop_archived"], before)
                    why = f"{lines} lines from before {before:%Y-%m-%d} moved to {file}"
                    await connection.execute(SQL["archived"], getuser(), why)
                    # Before the commit: if this program dies in between, the lines are in both places, not in none.
                    Path(scratch).rename(file)  # noqa: ASYNC240
        finally:
            Path(scratch).unlink(missing_ok=True)  # noqa: ASYNC240
            await connection.close()
    return lines


async def _written(connection: asyncpg.Connection[asyncpg.Record], raw: BinaryIO, before: datetime) -> int:
    """Write the lines and wait until they are on disk. Returns how many there are."""
    lines = 0
    with gzip.GzipFile(fileobj=raw, mode="wb", mtime=0) as file:
        async for row in connection.cursor(SQL["archivable"], before):
            file.write(f"{row['line']}\n".encode())
            lines += 1
    raw.flush()
    os.fsync(raw.fileno())
    return lines
