"""The programs of one demo: started in sessions of their own, listed in `processes.json`, and stopped."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import functools
import json
import os
import random
import socket
import sys
import tempfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from demo.processes import VARIABLE, Descendants

_LIST_EVERY_S = 1.0
_READY_S = 120.0  # on a machine that is busy with other things
# Beside the range from which the process host takes ports of releases.
_PORTS = (12_000, 20_000)


class LaunchError(Exception):
    """Something did not start: a sentence, then the last lines of its log."""


@dataclass
class Child:
    """A started program. Its output goes to `log`; `ready` is the JSON line that it printed when it was up."""

    name: str
    process: asyncio.subprocess.Process
    log: Path
    health: str = ""
    data: str = ""
    ready: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, object]:
        started = 0.0
        with contextlib.suppress(psutil.Error):
            started = psutil.Process(self.process.pid).create_time()
        return {
            "name": self.name,
            "pid": self.process.pid,
            "health": self.health,
            "data": self.data,
            "started": started,
        }

    def tail(self, lines: int = 12) -> str:
        """The last lines of the log."""
        with contextlib.suppress(OSError):
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        return ""

    async def stop(self, timeout_s: float = 15.0) -> None:
        if self.process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            self.process.terminate()
        try:
            async with asyncio.timeout(timeout_s):
                await self.process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()
            await self.process.wait()


class Children:
    """The launcher's children by name. `file` lists them, and what they started in turn."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "processes.json"
        self._all: dict[str, Child] = {}
        self._descendants = Descendants(folder)
        self._listed: list[dict[str, Any]] = []
        self._lister: asyncio.Task[None] | None = None

    def __getitem__(self, name: str) -> Child:
        return self._all[name]

    async def spawn(
        self, name: str, command: tuple[str, ...], env: Mapping[str, str], *, wait_for_line: bool = False
    ) -> Child:
        """Start `python` with these arguments; `wait_for_line` until it prints its JSON line. Raises LaunchError."""
        log = self.folder / f"{name}.log"
        with log.open("ab") as sink:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *command,
                env={**os.environ, VARIABLE: str(self.folder), **env},
                cwd=self.folder,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE if wait_for_line else sink,
                stderr=sink,
                start_new_session=True,
            )
        child = self._all[name] = Child(name, process, log)
        if wait_for_line and process.stdout:
            try:
                async with asyncio.timeout(_READY_S):
                    line = await process.stdout.readline()
                child.ready = json.loads(line)
            except (TimeoutError, ValueError):
                raise LaunchError(f"{name} did not start:\n{child.tail()}") from None
        self.write()
        return child

    def start_listing(self) -> None:
        """Renew the list every second: the host, releases and PostgreSQL come and go."""
        self._lister = asyncio.create_task(self._keep_listing())

    async def _keep_listing(self) -> None:
        while True:
            ours = {child.process.pid for child in self._all.values()}
            self._listed = await asyncio.to_thread(self._descendants.listed, ours)
            self.write()
            await asyncio.sleep(_LIST_EVERY_S)

    def write(self) -> None:
        """Write the list, replacing the file as a whole."""
        if not self.folder.exists():
            return
        others = [{"health": "", "data": "", **other} for other in self._listed]
        scratch = self.file.with_suffix(".new")
        scratch.write_text(json.dumps([*(child.as_json() for child in self._all.values()), *others]))
        scratch.replace(self.file)

    async def stop(self, *names: str) -> None:
        """Stop these children, in this order."""
        for name in names:
            if child := self._all.pop(name, None):
                await child.stop()

    async def end(self) -> None:
        """Stop the children that are left and everything that they started, and empty the list."""
        if self._lister:
            self._lister.cancel()
            await asyncio.gather(self._lister, return_exceptions=True)
            self._lister = None
        await self.stop(*list(self._all))
        await asyncio.to_thread(self._descendants.end)
        self._listed = []
        self.write()


def free_port(wanted: int = 0, taken: Collection[int] = ()) -> int:
    """`wanted` if it is free, else another free port that is not in `taken`. Raises LaunchError.

    Random, and below the range of outgoing connections, since the port is bound only later. Until this process ends, no
    other process gets it from here.
    """
    for port in (wanted, *(random.randrange(*_PORTS) for _ in range(200))):
        if port == 0 or port in taken or (port != wanted and port in _given) or not _reserved(port):
            continue
        with socket.socket() as s, contextlib.suppress(OSError):
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind(("127.0.0.1", port))
            _given.add(port)
            return port
    raise LaunchError("no free port on 127.0.0.1")


_given: set[int] = set()


def _reserved(port: int) -> bool:
    """Whether this process has the port's byte of a shared file: each byte is locked by one process at most."""
    try:
        fcntl.lockf(_reservations(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except OSError:
        return False
    return True


@functools.cache
def _reservations() -> int:
    path = Path(tempfile.gettempdir()) / f"slipway-ports-{os.getuid()}"
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
