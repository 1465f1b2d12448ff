"""Log files of releases: readable when the host is down, and limited in size."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

LARGEST = 5 * 1024 * 1024
KEPT_LOGS = 40
_READ_BYTES = 16 * 1024
_TAIL_CHARS = 4096
_TAIL_LINES = 5


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


def rotate(log: Path) -> None:
    """Copy the end and truncate: the release writes to an inherited descriptor, so the file cannot be swapped.

    However much was printed, at most twice `LARGEST` is copied. Output between copy and truncation is lost.
    """
    if size(log) > LARGEST:
        with log.open("r+b") as file:
            file.seek(max(0, size(log) - 2 * LARGEST))
            log.with_suffix(".log.1").write_bytes(file.read(2 * LARGEST))
            file.truncate(0)


def tidy(folder: Path) -> None:
    """Keep the newest logs of a lane."""
    with contextlib.suppress(FileNotFoundError):
        logs = sorted(folder.glob("*.log*"), key=lambda path: path.stat().st_mtime, reverse=True)
        for old in logs[KEPT_LOGS:]:
            old.unlink()
