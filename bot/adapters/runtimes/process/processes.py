"""Operating-system process groups: started, found again after a restart of the host, stopped as a whole."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil

from bot.adapters.runtimes.process.confinement import Start

TOKEN = "SLIPWAY_TOKEN"  # noqa: S105 - a name, not a secret
HOST_ID = "SLIPWAY_HOST"

POLL_S = 0.05
_KILLED_GONE_S = 5.0


class Process:
    """Leader of a process group: a child, or found again by pid and time of creation.

    `leads` is False for a process that a release had started and left behind: it is signalled alone.
    """

    def __init__(
        self,
        pid: int,
        created: float,
        child: subprocess.Popen[bytes] | None = None,
        *,
        leads: bool = True,
    ) -> None:
        self.pid = pid
        self.created = created
        self.leads = leads
        self._child = child

    @classmethod
    def start(cls, what: Start, env: Mapping[str, str], cwd: Path | None, output: int) -> Process:
        """Start a process group that prints to `output`, which is closed here. Raises OSError."""
        try:
            child = subprocess.Popen(  # noqa: S603 - a command of the catalog
                what.argv,
                env=env,
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **what.options,
            )
        finally:
            os.close(output)
        with contextlib.suppress(psutil.Error):
            return cls(child.pid, psutil.Process(child.pid).create_time(), child)
        return cls(child.pid, 0.0, child)

    @classmethod
    def find(cls, pid: int, created: float, token: str) -> Process | None:
        """The process that an earlier host started, if it still lives.

        Creation times shift slightly with the system clock, so the token in its environment is compared too.
        """
        try:
            found = psutil.Process(pid)
            same_time = abs(found.create_time() - created) < 0.1
            if found.status() == psutil.STATUS_ZOMBIE or not (same_time or _token_of(found) == token):
                return None
            return cls(pid, found.create_time())
        except psutil.Error:
            return None

    @property
    def alive(self) -> bool:
        if self._child is not None:
            return self._child.poll() is None
        try:
            found = psutil.Process(self.pid)
            return abs(found.create_time() - self.created) < 5 and found.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False

    @property
    def ending(self) -> str:
        """How the process ended, as a phrase."""
        code = self._child.poll() if self._child is not None else None
        if code is None:
            return "is gone"
        if code < 0:
            return f"was killed by {signal.Signals(-code).name}"
        return f"exited with code {code}"

    async def stop(self, first: signal.Signals, patience_s: float) -> None:
        """Ask with `first`, then kill; returns when no process of the group is left."""
        if self.alive:
            self._signal(first)
            await self._gone_within(patience_s)
        if self.group_alive():
            self._signal(signal.SIGKILL)
            await self._gone_within(_KILLED_GONE_S)

    def group_alive(self) -> bool:
        if self.alive or not self.leads:
            return self.alive
        try:
            os.killpg(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return any(_pgid(pid) == self.pid and not _zombie(pid) for pid in psutil.pids())

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            if self.leads:
                os.killpg(self.pid, number)
            else:
                os.kill(self.pid, number)

    async def _gone_within(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.group_alive():  # noqa: ASYNC110 - there is no event for it
                    await asyncio.sleep(POLL_S / 2)


def started_by(host_id: str) -> Iterator[tuple[str, Process]]:
    """Processes that a host of this data folder started, and their descendants: `(token, process)`."""
    for found in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            environment = found.environ()
            ours = environment.get(HOST_ID) == host_id and TOKEN in environment
            if ours and found.status() != psutil.STATUS_ZOMBIE:
                leads = _pgid(found.pid) == found.pid
                yield environment[TOKEN], Process(found.pid, found.create_time(), leads=leads)


def kill_all_of(user: int) -> None:
    """Kill every process of a user that only releases of one lane have."""
    for found in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if user in found.uids():
                found.kill()


def environment_of(pid: int) -> dict[str, str]:
    """Variables that a process was started with, as far as this user may know them."""
    with contextlib.suppress(psutil.Error):
        return dict(psutil.Process(pid).environ())
    return {}


def _token_of(found: psutil.Process) -> str | None:
    with contextlib.suppress(psutil.Error):
        return found.environ().get(TOKEN)
    return None


def _pgid(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return -1


def _zombie(pid: int) -> bool:
    with contextlib.suppress(psutil.Error):
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    return True
