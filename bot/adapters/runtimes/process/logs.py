"""Logs of releases: readable when the host is down, and limited in size by their writer."""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import termios
import time
from collections.abc import Callable
from pathlib import Path

from bot.adapters.runtimes.process.writer import pipe_of

KEPT_LOGS = 40
_READ_BYTES = 16 * 1024
_TAIL_CHARS = 4096
_TAIL_LINES = 5
_WRITTEN_S, _WRITTEN_LOOK_S = 3.0, 0.03


def size(log: Path) -> int:
    try:
        return log.stat().st_size
    except FileNotFoundError:
        return 0


def last_words(log: Path, since: int, redact: Callable[[str], str]) -> str:
    """The last lines written after offset `since`, joined by ` | `.

    Redacted before anything is cut, since no redactor recognises half a secret.
    """
    try:
        with log.open("rb") as file:
            end = file.seek(0, 2)
            since = since if since <= end else 0  # the file may have been rotated
            start = max(since, end - _READ_BYTES)
            file.seek(start)
            text = redact(file.read().decode(errors="replace"))
    except FileNotFoundError:
        return ""
    if start > since:
        # It may begin within a line, and within a secret.
        text = text.partition("\n")[2] or text[_READ_BYTES // 2 :]
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    return " | ".join(lines[-_TAIL_LINES:])[-_TAIL_CHARS:]


class LoggedOutput:
    """Pipe of one start of a release. `child`: what it prints to; to be closed here once it runs.

    The end that is kept here holds what was printed until the writer has come to it.
    """

    def __init__(self, log: Path) -> None:
        """Raises OSError."""
        log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._log = log
        pipe = pipe_of(log)
        with contextlib.suppress(FileExistsError):
            os.mkfifo(pipe, 0o600)
        self._kept = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        # For reading too: its program must not end because the writer does.
        self.child = os.open(pipe, os.O_RDWR)

    def close(self) -> None:
        if self._kept >= 0:
            os.close(self._kept)
            self._kept = -1

    def wait_written(self) -> None:
        """Until all that was printed is in the log, for a bounded time."""
        deadline, seen = time.monotonic() + _WRITTEN_S, -1
        while self._kept >= 0 and time.monotonic() < deadline:
            left = struct.unpack("i", fcntl.ioctl(self._kept, termios.FIONREAD, bytes(4)))[0]
            now = size(self._log)
            if not left and now == seen:
                return
            seen = now
            time.sleep(_WRITTEN_LOOK_S)


def tidy(folder: Path) -> None:
    """Keep the newest logs of a lane."""
    with contextlib.suppress(FileNotFoundError):
        logs = sorted(folder.glob("*.log*"), key=lambda path: path.stat().st_mtime, reverse=True)
        for old in logs[KEPT_LOGS:]:
            old.unlink()
