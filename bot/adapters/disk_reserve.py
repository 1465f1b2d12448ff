"""Reserve of disk space, given up when the disk is full, so that small files that matter can still be written."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

SIZE = 1024 * 1024
# Free space below which nothing is written that can wait, and no reserve is made.
SCARCE = 8 * SIZE
_NAME = "reserve"


def keep(folder: Path) -> None:
    """Make the reserve of a folder where it has none and there is room."""
    place = folder / _NAME
    with contextlib.suppress(OSError):
        if place.exists() or is_scarce(folder):
            return
        try:
            place.write_bytes(bytes(SIZE))
        except OSError:
            place.unlink()


def is_scarce(folder: Path) -> bool:
    """Whether the disk of a folder is nearly full. Raises OSError."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize < SCARCE


def with_reserve(path: Path, write: Callable[[], T]) -> T:
    """`write()`, which writes at `path`; again without the reserve of a folder above it when the disk is full."""
    try:
        return write()
    except OSError as problem:
        if problem.errno not in (errno.ENOSPC, errno.EDQUOT) or not _give_up(path):
            raise
        return write()


def _give_up(path: Path) -> bool:
    for folder in path.parents:
        with contextlib.suppress(OSError):
            (folder / _NAME).unlink()
            return True
    return False
