"""How a process is kept apart: its user, and its limits by systemd or by the kernel's limits of processes."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.adapters.runtimes.limits import Limits
from bot.adapters.runtimes.process.users import LaneUser

_LISTENS = "0A"
# How the kernel writes 127.0.0.1 and the addresses that include it.
_LOOPBACK = {"0100007F", "00000000", "0" * 32, "0000000000000000FFFF00000100007F"}


@dataclass(frozen=True, slots=True)
class Start:
    """What is executed: the command line, and what `subprocess.Popen` is told besides."""

    argv: list[str]
    options: dict[str, Any]


def systemd_runs() -> bool:
    """Whether this is a machine of systemd, and this program may ask it for scopes."""
    return os.geteuid() == 0 and Path("/run/systemd/system").is_dir()


def confined(
    argv: Sequence[str], user: LaneUser | None, limits: Limits, scope: str, *, systemd: bool
) -> Start:
    """`argv` as `user`, None for the host's own, within `limits`.

    With systemd in a scope, with limits of memory, processes and processor time for all processes of the instance
    together. Elsewhere memory is limited for each process, the number of processes for all of the lane's user, and
    processor time is not. scope: a name that no other start has.
    """
    if systemd:
        return Start([*_scope(scope, limits), *(_becoming(user) if user else ()), *argv], {})
    options = {"user": user.id, "group": user.id, "extra_groups": []} if user else {}
    return Start([*_limited(limits, own_user=user is not None), *argv], options)


def _scope(name: str, limits: Limits) -> list[str]:
    properties = {
        "MemoryMax": limits.memory_bytes or None,
        "MemorySwapMax": 0 if limits.memory else None,
        "TasksMax": limits.pids,
        "CPUQuota": f"{limits.cpus * 100:g}%" if limits.cpus else None,
    }
    given = [f"--property={key}={value}" for key, value in properties.items() if value is not None]
    return [_program("systemd-run"), "--scope", "--quiet", "--collect", f"--unit={name}", *given, "--"]


def _becoming(user: LaneUser) -> list[str]:
    # Scopes are made by root; systemd-run itself knows no users without an account.
    return [
        _program("setpriv"),
        *(f"--reuid={user.id}", f"--regid={user.id}", "--clear-groups"),
        *("--inh-caps=-all", "--no-new-privs", "--"),
    ]


def _limited(limits: Limits, *, own_user: bool) -> list[str]:
    found = []
    if limits.memory_bytes:
        found.append(f"--data={limits.memory_bytes}")
    if limits.pids and own_user:
        found.append(f"--nproc={limits.pids}")
    return [_program("prlimit"), *found, "--"] if found else []


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise FileNotFoundError(f"{name} is needed for limits, and is not installed")
    return found


def listens_as(port: int) -> set[int]:
    """The users that listen on this TCP port of 127.0.0.1; empty also where the system does not say."""
    users = set()
    for table in ("tcp", "tcp6"):
        with contextlib.suppress(OSError), Path(f"/proc/net/{table}").open() as lines:
            next(lines, "")
            for line in lines:
                _, local, _, state, _, _, _, user, *_ = line.split()
                address, _, at = local.partition(":")
                if state == _LISTENS and address in _LOOPBACK and int(at, 16) == port:
                    users.add(int(user))
    return users
