"""What releases print: files that stay readable when the host dies, cut before they grow without end."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

LARGEST = 5 * 1024 * 1024
KEPT_LOGS = 40
_TAIL_BYTES = 4096
_TAIL_LINES = 5


def size(log: Path) -> int:
    try:
        return log.stat().st_size
    except FileNotFoundError:
        return 0


def tail(log: Path, since: int) -> str:
    """The last lines written after offset `since`, joined by ` | `."""
    try:
        with log.open("rb") as file:
            end = file.seek(0, 2)
            file.seek(max(0, end - _TAIL_BYTES, since if since <= end else 0))
            lines = file.read().decode(errors="replace").split("\n")
    except FileNotFoundError:
        return ""
    return " | ".join(line.strip() for line in [x for x in lines if x.strip()][-_TAIL_LINES:])


def rotate(log: Path) -> None:
    """Copy and truncate: the release writes to an inherited descriptor, so the file cannot be swapped.

    What is printed between the copy and the cut is lost.
    """
    if size(log) > LARGEST:
        shutil.copyfile(log, log.with_suffix(".log.1"))
        with log.open("r+b") as file:
            file.truncate(0)


def tidy(folder: Path) -> None:
    """Keep the newest logs of a lane."""
    with contextlib.suppress(FileNotFoundError):
        logs = sorted(folder.glob("*.log*"), key=lambda path: path.stat().st_mtime, reverse=True)
        for old in logs[KEPT_LOGS:]:
            old.unlink()
