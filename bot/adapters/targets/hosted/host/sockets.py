"""Listening sockets that outlive the program which accepts on them.

The watchdog holds a copy of each. While the host is being restarted, connections wait in the kernel's queue
instead of being refused.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import socket
import stat
from collections.abc import Mapping
from pathlib import Path

# `sun_path` holds 108 bytes on Linux and 104 on macOS.
_LONGEST_PATH = 100
_BACKLOG = 1024
_SHORT = Path("/tmp")  # noqa: S108 - the folder below it must belong to this user alone


def control_path(data_dir: Path) -> Path:
    """Path of the host's command socket; a short one elsewhere when the data folder's path is too long.

    Nothing in the environment changes it: bot, command line and host must agree in every session.
    """
    return short_path(data_dir.resolve() / "host.sock")


def short_path(path: Path) -> Path:
    """`path`, or another one that is always the same for it when a socket cannot have so long a path."""
    if len(os.fsencode(path)) <= _LONGEST_PATH:
        return path
    name = hashlib.blake2b(os.fsencode(path), digest_size=8).hexdigest()
    folder = _SHORT / f"slipway-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise PermissionError(f"{folder} is not a private folder of this user")
    return folder / f"{name}.sock"


class Sockets:
    """Listening sockets by name; `held`: those that the watchdog already had.

    channel: stream socket to the watchdog, None without one (tests). Each descriptor is sent with one line of JSON,
    and every line is acknowledged so that two never arrive as one.
    """

    def __init__(self, held: Mapping[str, int] | None = None, channel: socket.socket | None = None) -> None:
        self._open = {name: socket.socket(fileno=fd) for name, fd in (held or {}).items()}
        self._channel = channel
        for listening in self._open.values():
            listening.setblocking(False)

    def tcp(self, name: str, host: str, port: int) -> socket.socket:
        """The listening socket `name` at `host` and `port` (0: any). Raises OSError when the port is taken."""
        held = self._open.get(name)
        if held is not None:
            if held.getsockname()[0] == host and port in (0, held.getsockname()[1]):
                return held
            self.drop(name)
        listening = socket.create_server((host, port), backlog=_BACKLOG)
        listening.setblocking(False)
        self._keep(name, listening)
        return listening

    def unix(self, path: Path) -> socket.socket:
        """The control socket, readable and writable by its owner only."""
        held = self._open.get(str(path))
        if held is not None and path.exists():
            return held
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        before = os.umask(0o177)
        try:
            listening.bind(str(path))
        finally:
            os.umask(before)
        listening.listen(128)
        listening.setblocking(False)
        self._keep(str(path), listening)
        return listening

    def drop(self, name: str) -> None:
        """Stop listening on `name`."""
        listening = self._open.pop(name, None)
        if listening is not None:
            self._tell({"drop": name})
            listening.close()

    def connect(self, channel: socket.socket) -> None:
        """Send all sockets to a new watchdog."""
        self._channel = channel
        for name, listening in self._open.items():
            self._tell({"hold": name}, listening)

    def say_done(self) -> None:
        """Tell the watchdog that the host stops in order and must not be restarted."""
        self._tell({"done": True})

    def close(self) -> None:
        for listening in self._open.values():
            listening.close()
        self._open.clear()

    def _keep(self, name: str, listening: socket.socket) -> None:
        self._open[name] = listening
        self._tell({"hold": name}, listening)

    def _tell(self, message: dict[str, object], passed: socket.socket | None = None) -> None:
        if self._channel is None:
            return
        line = json.dumps(message).encode() + b"\n"
        try:
            if passed is None:
                self._channel.sendall(line)
            else:
                socket.send_fds(self._channel, [line], [passed.fileno()])
            self._channel.recv(1)
        except OSError:
            self._channel = None
