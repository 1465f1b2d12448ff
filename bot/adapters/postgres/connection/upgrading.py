"""Upgrade of the schema by a process of its own: Alembic's 30 MiB end with it."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import suppress
from pathlib import Path

from bot.domain import phrasebook
from bot.ports.errors import Unreachable

PROGRAM = "bot.adapters.postgres.connection.migrate"
# Exit code of the program for a database that does not answer.
EXIT_UNREACHABLE = 5
_ROOT = str(Path(__file__).parents[4])


async def upgraded(dsn: str) -> None:
    """Run all missing migrations, as `migrate.upgrade` does.

    Raises `Unreachable`, and `UserError` for what fails otherwise; its traceback is on standard error.
    """
    program = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", PROGRAM),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=_environment(),
        start_new_session=True,  # Ctrl-C reaches the bot, which ends it
    )
    try:
        said, _ = await program.communicate(dsn.encode())
    finally:
        if program.returncode is None:
            with suppress(ProcessLookupError):
                program.kill()
            await program.wait()
    why = said.decode(errors="replace").strip()
    if program.returncode == EXIT_UNREACHABLE:
        raise Unreachable(why)
    if program.returncode:
        raise phrasebook.schema_not_upgraded(why or f"the process ended with {program.returncode}")


def _environment() -> dict[str, str]:
    """The bot's own: libpq's variables and files say how to connect. This Slipway is found first."""
    path = os.pathsep.join([_ROOT, *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**os.environ, "PYTHONPATH": path}
