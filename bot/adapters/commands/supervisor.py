"""Supervisor of one command: outlives the bot, and records output and exit code in the command's folder.

It is started by file name, outside of the package, and imports next to nothing, so that little can fail here. What to
run arrives as one JSON document on standard input: neither arguments nor environment are ever on disk.

    lock     held by the supervisor for as long as it lives
    begun    its process id, before the command is started
    output   what the command printed: the beginning, and at the end the last of it
    result   how the command ended; written once, as the last thing
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any

TOKEN = "SLIPWAY_JOB"  # noqa: S105 - a name, not a secret
HEAD_BYTES, TAIL_BYTES = 256 * 1024, 64 * 1024
# Pauses between attempts of a command that asks to be tried again.
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 30.0
_POLL_S = 0.05
_LOCK_S = 2.0
# What a former supervisor may take beyond the grace time of its command.
_MARGIN_S = 5.0
# After a command has ended, what it left running may hold its output open: read what is there, and no longer.
_LAST_WORDS_S = 0.2
_DISK_FULL_S = 120.0


class KeptOutput:
    """The command's output on disk: the first `HEAD_BYTES`, and at the end the last `TAIL_BYTES`.

    Only whole lines are written while it runs: in half a line, a secret would not be recognized.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._room = HEAD_BYTES
        self._partial = b""
        self._tail = b""
        self._left_out = 0

    def add(self, data: bytes) -> None:
        data = self._partial + data
        whole = data.rfind(b"\n") + 1
        if not whole and len(data) >= TAIL_BYTES:
            whole = len(data)
        lines, self._partial = data[:whole], data[whole:]
        self._add_lines(lines)

    def close(self) -> None:
        self._add_lines(self._partial)
        if self._left_out:
            # What is left of the first line is only its end.
            self._tail = self._tail.partition(b"\n")[2] or self._tail
            self._write(f"[{self._left_out} bytes left out]\n".encode())
        self._write(self._tail)
        os.close(self._file)

    def _add_lines(self, lines: bytes) -> None:
        if len(lines) <= self._room:
            self._room -= len(lines)
            self._write(lines)
            return
        self._room = -1
        rest = self._tail + lines
        self._left_out += max(len(rest) - TAIL_BYTES, 0)
        self._tail = rest[-TAIL_BYTES:]

    def _write(self, data: bytes) -> None:
        # A full disk must not end the command.
        with contextlib.suppress(OSError):
            while data:
                data = data[os.write(self._file, data) :]


class Supervisor:
    """Runs one job, as described by the fields of `bot.adapters.commands.jobs.Command`."""

    def __init__(self, folder: Path, job: dict[str, Any]) -> None:
        self._folder = folder
        self._job = job
        self._asked = False
        signal.signal(signal.SIGTERM, self._stop)
        for ignored in (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
            signal.signal(ignored, signal.SIG_IGN)

    def run(self) -> None:
        result: dict[str, Any] = {"ended": "stopped", "code": None, "attempts": 0}
        if self._job["after"] and not self._stopping():
            end_former(Path(self._job["after"]))
        if not self._stopping() and self._is_newest():
            output = KeptOutput(self._folder / "output")
            try:
                result = self._attempts(output)
            finally:
                output.close()
        self._record(result)

    def _is_newest(self) -> bool:
        """Whether no newer order came in while the former command was being ended."""
        newest = self._job["newest"]
        return newest is None or Path(newest).read_text() == self._folder.name

    def _attempts(self, output: KeptOutput) -> dict[str, Any]:
        ends, attempts = time.monotonic() + self._job["timeout_s"], 0
        pause = _FIRST_PAUSE_S
        while True:
            attempts += 1
            try:
                ended, code = self._attempt(output, ends)
            except OSError as problem:
                why = problem.strerror or type(problem).__name__
                return {"ended": "not_started", "code": None, "attempts": attempts, "why": why}
            again = ended == "exited" and code in self._job["temporary"]
            if not again or self._stopping() or time.monotonic() + pause >= ends:
                return {"ended": ended, "code": code, "attempts": attempts}
            output.add(f"[exit code {code}: trying again in {pause:g} s]\n".encode())
            wakes = time.monotonic() + pause
            while time.monotonic() < wakes and not self._stopping():
                time.sleep(_POLL_S)
            if self._stopping():
                return {"ended": "stopped", "code": code, "attempts": attempts}
            pause = min(pause * 2, _LONGEST_PAUSE_S)

    def _attempt(self, output: KeptOutput, ends: float) -> tuple[str, int]:
        job = self._job
        child = subprocess.Popen(  # noqa: S603 - a command of the catalog
            job["argv"],
            env=job["env"],
            cwd=job["cwd"],
            stdin=subprocess.PIPE if job["input"] is not None else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        assert child.stdout is not None
        os.set_blocking(child.stdout.fileno(), False)
        if child.stdin is not None:
            with contextlib.suppress(OSError):
                child.stdin.write(job["input"].encode())
                child.stdin.flush()
        ended, stages = "exited", None
        while child.poll() is None:
            _read(child, output, _POLL_S)
            if stages is None and (self._stopping() or time.monotonic() >= ends):
                ended = "stopped" if self._stopping() else "timeout"
                stages = self._stages(child)
            if stages is not None and stages and time.monotonic() >= stages[0][0]:
                stages.pop(0)[1]()
        _read(child, output, _LAST_WORDS_S)
        if ended != "exited":
            _signal(child.pid, signal.SIGKILL)  # what is left of its group
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        return ended, child.returncode

    def _stages(self, child: subprocess.Popen[bytes]) -> list[tuple[float, Any]]:
        """What is done when, to end the command. Over SSH the end of the input is the signal for the other side."""
        now, grace = time.monotonic(), float(self._job["grace_s"])
        asks = [(now, lambda: _signal(child.pid, signal.SIGTERM))]
        if child.stdin is not None:
            pipe = child.stdin
            asks = [(now, pipe.close), (now + grace + 2.0, lambda: _signal(child.pid, signal.SIGTERM))]
        return [*asks, (asks[-1][0] + grace, lambda: _signal(child.pid, signal.SIGKILL))]

    def _record(self, result: dict[str, Any]) -> None:
        """Write the result; a disk that is full may have room again soon."""
        ends = time.monotonic() + _DISK_FULL_S
        while True:
            try:
                write(self._folder / "result", {**result, "at": time.time()})
                return
            except OSError:
                if time.monotonic() >= ends:
                    raise
                time.sleep(1.0)

    def _stopping(self) -> bool:
        return self._asked

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._asked = True


def end_former(folder: Path) -> None:
    """End the command of another folder: ask its supervisor, wait for it, and kill what ignores that."""
    begun = _read_json(folder / "begun")
    if begun is None:
        return
    ends = time.monotonic() + 2 * float(begun["grace_s"]) + _MARGIN_S
    asked = 0.0
    while (fd := lock(folder, 0.0)) is None:
        if time.monotonic() >= ends:
            _signal_one(begun["pid"], signal.SIGKILL)
        elif time.monotonic() - asked >= 1.0:
            asked = time.monotonic()
            _signal_one(begun["pid"], signal.SIGTERM)
        time.sleep(_POLL_S / 2)
    os.close(fd)
    if _read_json(folder / "result") is None:
        sweep(begun["token"])


def sweep(token: str) -> None:
    """Kill what a supervisor that was killed itself has left running."""
    import psutil  # seldom needed

    for found in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if found.pid != os.getpid() and found.environ().get(TOKEN) == token:
                found.kill()


def lock(folder: Path, patience_s: float) -> int | None:
    """The folder's lock as a descriptor; None while another process has it."""
    fd = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    ends = time.monotonic() + patience_s
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return fd
        except OSError:
            if time.monotonic() >= ends:
                os.close(fd)
                return None
            time.sleep(_POLL_S / 5)


def write(path: Path, value: dict[str, Any]) -> None:
    """Replace a file as a whole."""
    beside = path.with_name(f".{path.name}.new")
    fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(fd, json.dumps(value).encode())
        os.fsync(fd)
    finally:
        os.close(fd)
    beside.replace(path)


def main() -> int:
    """Take the job, leave the bot's process tree, and run it. Returns in the bot's child once the lock is held."""
    folder = Path(sys.argv[1])
    try:
        job = json.loads(sys.stdin.buffer.read())
    except ValueError:
        return 1  # the bot died while it wrote: nothing was begun
    if lock(folder, _LOCK_S) is None or (folder / "begun").exists():
        return 0  # another supervisor has it, or had it
    ready, told = os.pipe()
    if os.fork():
        os.close(told)
        return 0 if os.read(ready, 1) else 1
    os.setsid()
    supervisor = Supervisor(folder, job)
    begun = {"pid": os.getpid(), "token": job["token"], "grace_s": job["grace_s"]}
    write(folder / "begun", begun)
    os.write(told, b".")
    for fd in (ready, told):
        os.close(fd)
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    supervisor.run()
    return 0


def _read(child: subprocess.Popen[bytes], output: KeptOutput, wait_s: float) -> None:
    """Read what the command prints, until it pauses for `wait_s` or has ended."""
    assert child.stdout is not None
    fd, ends = child.stdout.fileno(), time.monotonic() + wait_s
    while (left := ends - time.monotonic()) > 0:
        if not select.select([fd], [], [], left)[0]:
            return
        data = os.read(fd, 1 << 16)
        if not data:
            time.sleep(min(left, _POLL_S / 10))  # it closed its output, and may run on
            return
        output.add(data)


def _signal(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _signal_one(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    return found


if __name__ == "__main__":
    sys.exit(main())
