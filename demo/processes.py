"""Processes of a demo other than the launcher's children: find, name and end them.

Every program that the launcher starts inherits `SANDBOX_DEMO_DIR` and passes it on, or names a folder in it as its
`--data-dir` (PostgreSQL: `-D`). So scripts can list, kill and watch them, and a new launcher ends what a killed one
left behind. The bot closes its environment to other processes of its user: it is known from the list that its
launcher wrote.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import psutil

VARIABLE = "SANDBOX_DEMO_DIR"
_ASK_S, _LOOK_EVERY_S = 5.0, 0.05
_YOUNG_S = 5.0


class Descendants:
    """The processes of one demo's folder. Looking again is cheap: processes seen before are remembered."""

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)
        self._list = folder / "processes.json"
        self._known: dict[psutil.Process, str] = {}

    def listed(self, without: Collection[int] = ()) -> list[dict[str, Any]]:
        """Name, pid and start (Unix seconds) of each, oldest first, without the pids in `without`."""
        found = []
        for process, name in self._living().items():
            if name and process.pid not in without:
                with contextlib.suppress(psutil.Error):
                    if process.status() != psutil.STATUS_ZOMBIE:
                        started = process.create_time()
                        found.append({"name": name, "pid": process.pid, "started": started})
        return sorted(found, key=lambda entry: (entry["started"], entry["pid"]))

    def end(self) -> None:
        """Terminate all of them, then kill those that stay for five seconds."""
        asked: dict[psutil.Process, float] = {}
        while left := [one for one in map(_process, self.listed()) if one is not None]:
            for process in left:
                with contextlib.suppress(psutil.Error):
                    if process not in asked:
                        asked[process] = time.monotonic()
                        process.terminate()
                    elif time.monotonic() >= asked[process] + _ASK_S:
                        process.kill()
            if time.monotonic() > min(asked.values()) + 2 * _ASK_S:
                return
            time.sleep(_LOOK_EVERY_S)

    def _living(self) -> dict[psutil.Process, str]:
        now = {}
        for process in psutil.process_iter():
            name = self._known.get(process, "")
            if not name and self._may_become_ours(process):
                name = self._name(process)
            now[process] = name
        self._known = now
        return now

    def _may_become_ours(self, process: psutil.Process) -> bool:
        """Whether it is new: a process just forked is not yet the program that it will be."""
        if process not in self._known:
            return True
        with contextlib.suppress(psutil.Error):
            return time.time() - process.create_time() < _YOUNG_S
        return False

    def _name(self, process: psutil.Process) -> str:
        """Its name; empty if it is not one of ours."""
        with contextlib.suppress(psutil.Error, OSError):
            command = process.cmdline()
            ours = self._works_in(command) or self._is_listed(process) or self._inherits(process)
            if process.pid != os.getpid() and ours:
                return name_of(command)
        return ""

    def _is_listed(self, process: psutil.Process) -> bool:
        with contextlib.suppress(OSError, ValueError):
            listed = json.loads(self._list.read_text())
            return any((e["pid"], e["started"]) == (process.pid, process.create_time()) for e in listed)
        return False

    def _works_in(self, command: list[str]) -> bool:
        """Whether it names our folder: process host and PostgreSQL keep nothing of the launcher's environment."""
        words = dict(itertools.pairwise(command))
        return Path(words.get("--data-dir") or words.get("-D", "")).is_relative_to(self._folder)

    def _inherits(self, process: psutil.Process) -> bool:
        return process.environ().get(VARIABLE) == self._folder


def _process(entry: Mapping[str, Any]) -> psutil.Process | None:
    """The process of an entry, while there is one."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(entry["pid"])
    return None


def name_of(command: list[str]) -> str:
    """The name of a program from its command line: `checkout/production 1.5.0`, `host`, `postgres`."""
    words = dict(itertools.pairwise([*command, ""]))
    if "--service" in words:
        return f"{words['--service']}/{words.get('--environment', '')} {words.get('--version', '')}".strip()
    if "-m" in words:
        module = words["-m"].rpartition(".")[2]
        if "--version" in words:
            return f"{module} {words['--version']}"
        return f"{module} watchdog" if "--detach" in words else module
    first = Path(command[0]).name if command else ""
    # The servers behind a postmaster replace their command line by their activity.
    if first.startswith("postgres"):
        return "postgres" if "-D" in words else ""
    script = next((word for word in command[1:] if word.endswith(".py")), "")
    return Path(script).stem if script else first
