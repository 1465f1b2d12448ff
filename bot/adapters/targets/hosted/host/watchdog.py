"""Watchdog: the host's parent, which restarts it when it dies and holds its listening sockets meanwhile.

It knows nothing of lanes or releases and imports next to nothing, so that little can fail here. Host and watchdog
share the lock on the pid file by descriptor, so that it lasts while one of them lives.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType

PROGRAM = "bot.composition.host"

_QUICK_DEATH_S = 3.0
_FIRST_PAUSE_S = 0.05
_LONGEST_PAUSE_S = 2.0


class AlreadyRunning(Exception):
    """Another host uses this data folder."""


def lock(data_dir: Path) -> int:
    """Take the lock on the pid file. Raises `AlreadyRunning`."""
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    fd = os.open(data_dir / "host.pid", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        raise AlreadyRunning(f"a host for {data_dir} is running") from None
    return fd


def is_locked(data_dir: Path) -> bool:
    """Whether a host has the folder: one that runs, starts, or has not quite stopped."""
    try:
        os.close(lock(data_dir))
    except AlreadyRunning:
        return True
    return False


def write_pids(fd: int, host: int, watchdog: int) -> None:
    """Write both pids at once and at a fixed length, so that a reader never sees a part."""
    os.pwrite(fd, f"{json.dumps({'host': host, 'watchdog': watchdog}):<63}\n".encode(), 0)


class Watchdog:
    """Runs until the host stops in order, or until it is stopped itself."""

    def __init__(self, data_dir: Path, lock_fd: int) -> None:
        self._data_dir = data_dir
        self._lock_fd = lock_fd
        self._held: dict[str, int] = {}
        self._pid = 0
        self._child: subprocess.Popen[bytes] | None = None
        self._stopping = False

    def run(self, channel: socket.socket | None = None, pid: int = 0) -> int:
        """Run. `channel`, `pid`: given when a running host started this watchdog to replace a dead one."""
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, self._on_signal)
        pause = _FIRST_PAUSE_S
        while True:
            began = time.monotonic()
            if channel is None:
                channel = self._start()
            else:
                self._pid = pid
            write_pids(self._lock_fd, self._pid, os.getpid())
            done = self._serve(channel)
            channel.close()
            channel = None
            if self._child is not None:
                self._child.wait()
            if done or self._stopping:
                return 0
            pause = _FIRST_PAUSE_S if time.monotonic() - began > _QUICK_DEATH_S else pause * 2
            time.sleep(min(pause, _LONGEST_PAUSE_S) if pause > _FIRST_PAUSE_S * 2 else 0)

    def _start(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        inherited = {name: fd for name, fd in self._held.items() if fd >= 0}
        self._child = subprocess.Popen(  # noqa: S603 - Slipway's own program
            [
                *(sys.executable, "-m", PROGRAM, "--data-dir", str(self._data_dir), "--serve"),
                *("--lock-fd", str(self._lock_fd), "--channel", str(theirs.fileno())),
                *("--held", json.dumps(inherited)),
            ],
            pass_fds=[self._lock_fd, theirs.fileno(), *inherited.values()],
            stdin=subprocess.DEVNULL,
        )
        theirs.close()
        self._pid = self._child.pid
        return ours

    def _serve(self, channel: socket.socket) -> bool:
        """Hold the host's sockets until it is gone; True when it stopped in order."""
        done = False
        while True:
            try:
                line, fds, _, _ = socket.recv_fds(channel, 1 << 16, 1)
            except OSError:
                return done
            if not line:
                return done
            message = json.loads(line)
            if "hold" in message and fds:
                self._drop(message["hold"])
                self._held[message["hold"]] = fds[0]
            elif "drop" in message:
                self._drop(message["drop"])
            done = done or "done" in message
            with contextlib.suppress(OSError):
                channel.sendall(b".")

    def _drop(self, name: str) -> None:
        fd = self._held.pop(name, -1)
        if fd >= 0:
            os.close(fd)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._stopping = True
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGTERM)
