"""Whether the schema is the newest, asked without the migration tool: that is 30 MiB and half a second of a start."""

from __future__ import annotations

from importlib.resources import files

import asyncpg

from bot.adapters.postgres.database import translated

# As the migrations name it (migrate.py).
_REVISION = "SELECT version_num FROM schema_revision"


async def is_newest(dsn: str) -> bool:
    """False when there is something to migrate, or nothing yet. Raises `Unreachable`."""
    with translated():
        connection = await asyncpg.connect(dsn, timeout=5)
        try:
            return bool(await connection.fetchval(_REVISION) == newest())
        except asyncpg.UndefinedTableError:
            return False
        finally:
            await connection.close()


def newest() -> str:
    """The newest revision, by the names of its files: `r0002_commands.py` is revision 0002."""
    names = (file.name for file in files("migrations.versions").iterdir())
    return max(name[1:5] for name in names if name.startswith("r") and name.endswith(".py"))
