"""One HAProxy of Slipway's own: started, found again, replaced without a gap, stopped."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import secrets
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import psutil
import structlog

from bot.adapters.routers.haproxy.config import FILE, SOCKET
from bot.adapters.routers.haproxy.runtime import RuntimeApi, value
from bot.adapters.routers.programs import ProgramLog, Running, end, launch, left_running, runs, write_pid
from bot.ports.errors import Unreachable

_log = structlog.get_logger(__name__)

OLDEST = (2, 6)
# Distinguishes starts, and so counters that began at zero.
START = "SLIPWAY_START"

_LOOK_S = 0.01
_START_S = 20.0
INSTALL = "install it (Debian: apt-get install haproxy), or name it with `program`"
_VERSION = re.compile(r"HAProxy version (\d+)\.(\d+)")
_ALERT = re.compile(r"\[ALERT\]\s+\(\d+\) : (.*)")


class UnfitProgram(OSError):
    """What is there is not HAProxy, or too old."""


def find_program(named: Path | None = None) -> Path:
    """HAProxy of this machine, or the one that is named. Raises FileNotFoundError, `UnfitProgram`."""
    places = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    found = str(named) if named else shutil.which("haproxy", path=places)
    if found is None or not os.access(found, os.X_OK):
        raise FileNotFoundError(f"HAProxy is not installed{f' at {named}' if named else ''}")
    try:
        told = subprocess.run([found, "-v"], capture_output=True, text=True, timeout=10, check=False)  # noqa: S603
    except (OSError, subprocess.SubprocessError) as problem:
        raise UnfitProgram(f"{found} does not tell its version: {problem}") from None
    version = _VERSION.search(told.stdout)
    if version is None:
        raise UnfitProgram(f"{found} is not HAProxy")
    if (int(version[1]), int(version[2])) < OLDEST:
        needed = ".".join(map(str, OLDEST))
        raise UnfitProgram(f"{found} is HAProxy {version[1]}.{version[2]}, and {needed} or later is needed")
    return Path(found).resolve()


class HaproxyProcess:
    """`launch`, then `stop`. folder: its own; only this user can open it, and so the runtime API's socket in it."""

    def __init__(self, folder: Path, program: Path) -> None:
        self.folder = folder
        self.runtime = RuntimeApi(folder / SOCKET)
        self._program = program
        self.log = ProgramLog(folder / "haproxy.log")
        self._pid_file = folder / "haproxy.pid"
        self._child: subprocess.Popen[bytes] | None = None
        self._found: psutil.Process | None = left_running(self._pid_file, folder, FILE)
        self._before: Running | None = None
        # Replaced, and at their last requests.
        self._former: list[Running] = []

    @property
    def pid(self) -> int | None:
        running = self._child or self._found
        return running.pid if running is not None and runs(running) else None

    def is_outdated(self) -> bool:
        """Whether it runs another program than a new start would."""
        try:
            return self._found is not None and Path(self._found.exe()) != self._program
        except (OSError, psutil.Error):
            return True

    def launch(self, environment: Mapping[str, str] | None = None, *, replaces: bool = False) -> str:
        """Start it, with a name that no other start has; the name. Raises OSError.

        environment: variables that it tells (`show env`). replaces: takes over the listening sockets of the one that
        runs, which ends when its requests have. It goes on when the new one cannot start.
        """
        start = secrets.token_hex(8)
        pid = self.pid
        taking_over = ["-x", SOCKET, "-sf", str(pid)] if replaces and pid is not None else []
        command = [str(self._program), "-db", "-f", FILE, *taking_over]
        child = launch(command, self.folder, self.log, {START: start, **(environment or {})})
        self._before = self._child or self._found
        self._child, self._found = child, None
        write_pid(self._pid_file, child.pid)
        return start

    async def started(self, start: str, place: int) -> None:
        """Wait until the last launch answers. Raises `Unreachable` with its own words; then the one before is back.

        place: the log's end before the launch.
        """
        assert self._child is not None
        try:
            async with asyncio.timeout(_START_S):
                while not await self._answers(start):
                    if self._child.poll() is not None:
                        raise Unreachable(self._words(place))
                    await asyncio.sleep(_LOOK_S)
        except (TimeoutError, Unreachable) as problem:
            self._take_back()
            said = str(problem) or f"it was not ready within {_START_S:g} s: {self._words(place)}"
            raise Unreachable(said) from None
        if self._before is not None:
            self._former.append(self._before)

    def reap(self) -> None:
        """Forget replaced ones that have ended."""
        self._former = [process for process in self._former if runs(process)]

    async def stop(self) -> None:
        """End it at once, with those that it has replaced."""
        await end(one for one in (self._child, self._found, *self._former) if one is not None)
        self._pid_file.unlink(missing_ok=True)

    def last_words(self) -> str:
        return self._words(max(0, self.log.end() - 600))

    # ---- helpers ------------------------------------------------------------------------------------------

    async def _answers(self, start: str) -> bool:
        with contextlib.suppress(Unreachable):
            (said,) = await self.runtime.ask(f"show env {START}")
            return value(said, START) == start
        return False

    def _take_back(self) -> None:
        """The launch failed: what ran before it runs."""
        assert self._child is not None
        if runs(self._child):
            self._child.kill()
        self._child.wait()
        before = self._before
        self._child = before if isinstance(before, subprocess.Popen) else None
        self._found = before if isinstance(before, psutil.Process) else None
        if before is not None:
            write_pid(self._pid_file, before.pid)

    def _words(self, place: int) -> str:
        """What it said about its failure since its log's end was `place`, on one line."""
        said = self.log.since(place)
        alerts = [alert.strip() for alert in _ALERT.findall(said)]
        causes = [
            alert
            for alert in alerts
            if "exiting" not in alert.lower() and "fatal errors" not in alert.lower()
        ]
        return " ".join(causes[:3] or said.split()[-40:]).rstrip(".") or "it said nothing"
