"""Schema migrations: upgrade to the newest revision, report the current one.

As a program it upgrades the database that standard input names: see `upgrading.py`.
"""

from __future__ import annotations

from bot.protection import close_process

if __name__ == "__main__":
    close_process()  # before the imports below, which take a while: it is told the database's password

import asyncio
import sys
import traceback

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from bot.adapters.postgres.connection.database import translated
from bot.adapters.postgres.connection.schema import migrations
from bot.adapters.postgres.connection.upgrading import EXIT_UNREACHABLE
from bot.ports.errors import Unreachable

# Any constant: two processes that start at once take turns.
LOCK = 7_512_009


async def upgrade(dsn: str) -> None:
    """Run all missing migrations in one transaction; a second process waits and finds nothing to do.

    Raises `Unreachable`.
    """
    await _on(dsn, _upgrade)


async def revisions(dsn: str) -> tuple[str | None, str]:
    """The revision of the database (None: empty) and the one that this Slipway needs. Raises `Unreachable`."""
    found: list[str | None] = []
    await _on(dsn, lambda connection: found.append(_current(connection)))
    return found[0], head()


def head() -> str:
    """The newest revision. Raises alembic's `CommandError` when there are several heads."""
    newest = ScriptDirectory.from_config(_config()).get_current_head()
    assert newest is not None
    return newest


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(migrations()))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _upgrade(connection: Connection) -> None:
    connection.execute(text(f"SELECT pg_advisory_xact_lock({LOCK})"))
    command.upgrade(_config(connection), "head")


def _current(connection: Connection) -> str | None:
    context = MigrationContext.configure(connection, opts={"version_table": "schema_revision"})
    return context.get_current_revision()


async def _on(dsn: str, work: object) -> None:
    engine = _engine(dsn)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(work)  # type: ignore[arg-type]
    except (OSError, DBAPIError) as error:
        if isinstance(error, DBAPIError) and not error.connection_invalidated:
            raise
        raise Unreachable(f"the database does not answer ({error})") from error
    finally:
        await engine.dispose()


def _engine(dsn: str) -> AsyncEngine:
    # asyncpg reads the URL itself: SQLAlchemy's reading of a socket directory differs.

    async def connect() -> asyncpg.Connection:
        # A server that is just starting up refuses, which SQLAlchemy does not take for a lost connection.
        with translated():
            return await asyncpg.connect(dsn, timeout=5)

    return create_async_engine("postgresql+asyncpg://", async_creator=connect, poolclass=NullPool)


def main() -> int:
    """Say in one line what went wrong; the exit code tells a database that is away from the rest."""
    try:
        asyncio.run(upgrade(sys.stdin.read()))
    except Unreachable as error:
        print(error)
        return EXIT_UNREACHABLE
    except Exception as error:
        traceback.print_exc()
        print(str(error).partition("\n")[0])
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
