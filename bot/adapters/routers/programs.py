"""What routers share that are programs of Slipway's own: log, launch, finding them again, and their end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import psutil

Running = subprocess.Popen[bytes] | psutil.Process

_LOG_BYTES = 5 * 1024 * 1024
_STOP_S = 5.0
_LOOK_S = 0.01


class ProgramLog:
    """What a program says. From 5 MB on, its next launch begins another file and keeps this one beside it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def end(self) -> int:
        try:
            return self.path.stat().st_size
        except OSError:
            return 0

    def since(self, place: int) -> str:
        """What was written since `end` was `place`."""
        try:
            with self.path.open("rb") as file:
                file.seek(place)
                return file.read().decode(errors="replace")
        except OSError:
            return ""

    def rotate(self) -> None:
        if self.end() > _LOG_BYTES:
            self.path.replace(self.path.with_suffix(".log.1"))


def launch(
    command: Sequence[str], folder: Path, log: ProgramLog, environment: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    """Start `command` in `folder`, detached, with `PATH` and `environment` alone. Raises OSError."""
    log.rotate()
    with log.path.open("ab") as output:
        return subprocess.Popen(  # noqa: S603 - the program of the wheel or this machine, or of the settings
            command,
            cwd=folder,
            env={"PATH": os.environ.get("PATH", ""), **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


# Waits until its parent is gone and was reaped, and becomes the command then.
_ORPHAN = """
parent=$$
(while kill -0 $parent 2>/dev/null; do sleep 0.01; done; exec "$@") >&2 &
echo $!
"""


def launch_orphan(command: Sequence[str], folder: Path, log: ProgramLog) -> psutil.Process:
    """Start `command` as `launch` does, but as no child of this process: some programs end with their parent.

    Raises OSError.
    """
    log.rotate()
    with log.path.open("ab") as output:
        told = subprocess.run(  # noqa: S603 - as above
            ["/bin/sh", "-c", _ORPHAN, "sh", *command],
            cwd=folder,
            env={"PATH": os.environ.get("PATH", "")},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=output,
            start_new_session=True,
            check=False,
        )
    try:
        return psutil.Process(int(told.stdout))
    except (ValueError, psutil.Error):
        raise OSError(f"{command[0]} could not be started") from None


def all_running(folder: Path, word: str) -> list[psutil.Process]:
    """Programs that were started in `folder` with this `word` in their command."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if word in process.cmdline() and Path(process.cwd()) == folder.resolve() and runs(process):
                found.append(process)
    return found


def runs(process: Running) -> bool:
    if isinstance(process, subprocess.Popen):
        return process.poll() is None
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def write_pid(file: Path, pid: int) -> None:
    """Replace `file` at once: a reader that found it empty would take the program for one that does not run."""
    aside = file.with_name(f"{file.name}.new")
    aside.write_text(str(pid))
    aside.replace(file)


def left_running(pid_file: Path, folder: Path, word: str) -> psutil.Process | None:
    """The program of an earlier host, confirmed by its folder and a `word` of its command: pids are reused."""
    try:
        found = psutil.Process(int(pid_file.read_text()))
        ours = Path(found.cwd()) == folder.resolve() and word in found.cmdline()
    except (OSError, ValueError, psutil.Error):
        return None
    return found if ours and runs(found) else None


async def end(these: Iterable[Running]) -> None:
    """Terminate them, and kill those that stay for five seconds."""
    running = list(these)
    for number in (signal.SIGTERM, signal.SIGKILL):
        for process in running:
            with contextlib.suppress(ProcessLookupError, psutil.Error):
                if runs(process):
                    os.kill(process.pid, number)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_STOP_S):
                while any(map(runs, running)):  # noqa: ASYNC110 - there is no event for it
                    await asyncio.sleep(_LOOK_S)
