"""Writer of releases' logs: a program that drains their pipes into files of bounded size.

It outlives the host, so that releases go on printing while no host runs; and a release that prints more than `RATE`
waits for it, alone. A release keeps its pipe open by itself: one that prints while this program is being started again
loses nothing, and waits once its pipe is full. Where the disk is nearly full, output is dropped.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import bot
from bot.adapters.base_environment import base_environment
from bot.adapters.disk_reserve import is_scarce
from bot.protection import close_process

LARGEST = 5 * 1024 * 1024  # bytes of a log, and as many of the one before it
RATE, BURST = 2 * 1024 * 1024, 8 * 1024 * 1024  # bytes a second of one release, and at once
_CHUNK = 64 * 1024
_LOOK_S = 0.1
_ALONE_S = 30.0
_STOP_S = 3.0


def pipe_of(log: Path) -> Path:
    return log.with_suffix(".pipe")


class Drain:
    """One pipe and its log. `silent`: no program has it open for writing."""

    def __init__(self, pipe: Path) -> None:
        self.fd = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        self.silent = False
        self._log = pipe.with_suffix(".log")
        self._out: int | None = None
        self._may = float(BURST)
        self._at = time.monotonic()

    def close(self) -> None:
        os.close(self.fd)
        if self._out is not None:
            os.close(self._out)

    def may_read(self) -> bool:
        """Whether the release has not printed too much of late."""
        now = time.monotonic()
        self._may = min(BURST, self._may + RATE * (now - self._at))
        self._at = now
        return self._may >= _CHUNK

    def move(self) -> bool:
        """Move a part of what was printed into the log; whether there was any."""
        try:
            printed = os.read(self.fd, _CHUNK)
        except BlockingIOError:
            self.silent = False
            return False
        self.silent = not printed
        if printed:
            self._may -= len(printed)
            with contextlib.suppress(OSError):
                self._write(printed)
        return bool(printed)

    def _write(self, printed: bytes) -> None:
        if is_scarce(self._log.parent):
            return
        if self._out is None:
            self._out = os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.write(self._out, printed)
        if os.fstat(self._out).st_size >= LARGEST:
            self._log.replace(self._log.with_suffix(".log.1"))
            os.close(self._out)
            self._out = None


class Writer:
    """All pipes of a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._drains: dict[Path, Drain] = {}
        self._ending = False

    def run(self) -> None:
        """Until it is told to end, its folder is gone, or all releases have been for a while."""
        heard = time.monotonic()
        while not self._ending and self._folder.is_dir() and time.monotonic() - heard < _ALONE_S:
            self._look()
            if any(not drain.silent for drain in self._drains.values()):
                heard = time.monotonic()
            until = time.monotonic() + _LOOK_S
            while not self._ending and (left := until - time.monotonic()) > 0:
                for drain in self._readable(left):
                    drain.move()
        for drain in self._drains.values():
            _empty(drain)

    def _readable(self, within_s: float) -> Iterator[Drain]:
        ready = {drain.fd: drain for drain in self._drains.values() if not drain.silent and drain.may_read()}
        poll = select.poll()
        for fd in ready:
            poll.register(fd, select.POLLIN)
        # Those that must wait are looked at again soon.
        pause_s = within_s if len(ready) == len(self._drains) else min(within_s, 0.02)
        yield from (ready[fd] for fd, _ in poll.poll(pause_s * 1000))

    def _look(self) -> None:
        """Find pipes that came and went, and programs that opened one."""
        there = set(self._folder.glob("*/*.pipe"))
        for pipe in there - set(self._drains):
            with contextlib.suppress(OSError):
                self._drains[pipe] = Drain(pipe)
        for pipe in set(self._drains) - there:
            drain = self._drains.pop(pipe)
            _empty(drain)
            drain.close()
        for drain in self._drains.values():
            if drain.silent:
                drain.move()

    def end(self, *_: object) -> None:
        """Write what was printed, and end `run`. A handler of signals."""
        self._ending = True


def _empty(drain: Drain) -> None:
    """A pipe holds little; a release that goes on printing is not waited for."""
    for _ in range(32):
        if not drain.move():
            return


# ---- for the host ------------------------------------------------------------------------------------------------


class WriterProgram:
    """The writer of a folder as the host starts, finds and stops it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = folder / ".writer"
        self._child: subprocess.Popen[bytes] | None = None

    def ensure(self) -> None:
        """Start it unless it runs. Raises OSError."""
        if (self._child is not None and self._child.poll() is None) or self._pid() is not None:
            return
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._child = subprocess.Popen(  # noqa: S603 - Slipway's own program
            [sys.executable, "-m", __name__, "--data-dir", str(self._folder)],
            env={**base_environment(), "PYTHONPATH": str(Path(bot.__file__).resolve().parent.parent)},
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def stop(self) -> None:
        """End it, once it has written what was printed; returns when it is gone."""
        deadline = time.monotonic() + _STOP_S
        while (pid := self._child.pid if self._starts() and self._child else self._pid()) is not None:
            late = time.monotonic() > deadline
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL if late else signal.SIGTERM)
            time.sleep(_LOOK_S / 5)

    def _starts(self) -> bool:
        return self._child is not None and self._child.poll() is None

    def _pid(self) -> int | None:
        """Pid of the one that runs."""
        with contextlib.suppress(FileNotFoundError, ValueError), self._lock.open() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return int(lock.read())
        return None


def main(folder: Path) -> None:
    close_process()
    with (folder / ".writer").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        writer = Writer(folder)
        signal.signal(signal.SIGTERM, writer.end)  # before anyone can know its pid
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        writer.run()


if __name__ == "__main__":
    main(Path(sys.argv[2]))
