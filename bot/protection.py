"""Protection of this process from other processes of its user, and of what it starts from set-user-ID programs.

Linux only: elsewhere both do nothing.
"""

from __future__ import annotations

import ctypes
import sys

_PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 4, 38


def close_process() -> None:
    """Close memory, environment, descriptors and ptrace of this process to all but root; no core dumps.

    What it forks is closed too, what it executes is not: every program does this itself, at its start.
    """
    _prctl(_PR_SET_DUMPABLE, 0)


def forbid_new_privileges() -> None:
    """From now on, neither this process nor what it starts gains rights by executing a program. Irrevocable."""
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        prctl = ctypes.CDLL(None, use_errno=True).prctl
        if prctl(option, *map(ctypes.c_ulong, (value, 0, 0, 0))) != 0:
            raise OSError(ctypes.get_errno(), f"prctl {option} is refused")
