"""The schema's revision, read without Alembic, which would cost 30 MiB and half a second at start."""

from __future__ import annotations

from pathlib import Path

import asyncpg

from bot.adapters.postgres.connection.database import translated

# Table and column as set in migrate.py.
_REVISION = "SELECT version_num FROM schema_revision"


async def is_newest(dsn: str) -> bool:
    """Whether the database has every revision; False if it is empty. Raises `Unreachable`."""
    with translated():
        connection = await asyncpg.connect(dsn, timeout=5)
        try:
            return bool(await connection.fetchval(_REVISION) == newest())
        except asyncpg.UndefinedTableError:
            return False
        finally:
            await connection.close()


def newest() -> str:
    """The newest revision, from the file names: `r0002_commands.py` is revision 0002."""
    return max(file.name[1:5] for file in (migrations() / "versions").glob("r*.py"))


def migrations() -> Path:
    """Alembic's folder: `bot/migrations` in a wheel and the container image, `migrations` in a checkout."""
    installed = Path(__file__).parents[3] / "migrations"
    return installed if installed.is_dir() else installed.parents[1] / "migrations"
