"""One instance of a release: started or recovered, watched, restarted where allowed, stopped."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import aiohttp

from bot.adapters.base_environment import base_environment
from bot.adapters.free_ports import free_port
from bot.adapters.runtimes.instances import READY_POLL_S, KnownSecrets, Pauses, answers, not_started
from bot.adapters.runtimes.process import logs, processes
from bot.adapters.runtimes.process.confinement import confined, listens_as
from bot.adapters.runtimes.process.processes import Process
from bot.adapters.runtimes.process.spec import Artifact, ProcessSpec
from bot.adapters.runtimes.process.users import LaneUser, closed_to
from bot.domain.rollout.model import Lane, Release, RunState
from bot.redaction import Redactor

log = logging.getLogger(__name__)

HOST = "127.0.0.1"


@dataclass(slots=True)
class Record:
    """State of an instance on disk. `token` and `port` are written before the process is started.

    ready: whether the process had become ready: one that is adopted goes on serving while it is asked again.
    """

    index: int
    token: str = ""
    port: int = 0
    pid: int = 0
    created: float = 0.0
    restarts: int = 0
    crashed: bool = False
    ready: bool = False
    detail: str = ""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


class ProcessInstanceSurroundings(Protocol):
    """What an instance is part of. `restart`: whether it is started again when it died."""

    @property
    def lane(self) -> Lane: ...

    @property
    def owner(self) -> str: ...

    @property
    def session(self) -> aiohttp.ClientSession: ...

    @property
    def restart(self) -> bool: ...

    @property
    def systemd(self) -> bool: ...

    async def user(self) -> LaneUser | None: ...

    async def files(self, artifact: Artifact) -> Path: ...

    async def output(self, log: Path) -> logs.LoggedOutput: ...

    async def save(self) -> None: ...

    def changed(self) -> None: ...

    def ports(self) -> set[int]: ...


class ProcessInstance:
    """One instance. `state` is what is reported; `run` is the task behind it."""

    def __init__(
        self,
        around: ProcessInstanceSurroundings,
        release: Release,
        spec: ProcessSpec,
        record: Record,
        log_file: Path,
    ) -> None:
        self.record = record
        self.state = RunState.CRASHED if record.crashed else RunState.STARTING
        self._around = around
        self._release = release
        self._spec = spec
        self._log = log_file
        self._log_start = 0
        self._secrets = KnownSecrets()
        self._user: LaneUser | None = None
        self._output: logs.LoggedOutput | None = None
        self._process: Process | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def address(self) -> str:
        return f"http://{HOST}:{self.record.port}"

    @property
    def name(self) -> str:
        """Name of the present process; it changes with each restart."""
        return f"{self.record.index}.{self.record.token[:6]}"

    @property
    def idle(self) -> bool:
        """Whether no task runs for this instance."""
        return self._task is None or self._task.done()

    @property
    def adopted(self) -> bool:
        return self._process is not None

    def adopt(self, found: Mapping[str, Process]) -> None:
        """Take over the process if it still lives. Called before `start`, after a restart of the host.

        `found`: processes by token, for one that was started just before its pid could be saved.
        """
        record = self.record
        if record.crashed or not record.token:
            return
        if record.pid:
            self._process = Process.find(record.pid, record.created, record.token)
        elif record.token in found:
            self._process = found[record.token]
            record.pid, record.created = self._process.pid, self._process.created
        if self._process is not None:
            self._secrets.started(self._spec.private_of(processes.environment_of(self._process.pid)))
        if self._process is not None and record.ready:
            self.state = RunState.READY

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name=f"{self._release.version}.{self.record.index}")

    @property
    def log(self) -> Path:
        return self._log

    async def stop(self) -> None:
        """Stop the instance; returns when no process of it is left."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        if self._process is not None:
            await self._process.stop(self._spec.stop_signal_number, self._spec.stop_s)
        self._process = None
        self._forget_output()
        self.state = RunState.STOPPED

    async def _run(self) -> None:
        """Start, wait until ready, and watch, until it has died and must not be started again."""
        pauses = Pauses()
        adopted = self._process is not None
        lost = bool(self.record.pid) and not adopted and not self.record.crashed
        while True:
            began = time.monotonic()
            if lost:
                why = "was no longer running when the host restarted"
            else:
                why = await self._live(adopted)
            await self._crashed(why)
            if not self._around.restart:
                return
            if not lost:
                await asyncio.sleep(pauses.after(time.monotonic() - began))
            adopted = lost = False
            self.record.restarts += 1

    async def _live(self, adopted: bool) -> str:
        """Run one process; returns how it ended, as a phrase."""
        if not adopted:
            self._set(RunState.STARTING)
            try:
                await self._spawn()
            except OSError as problem:
                return not_started(problem)
        else:
            await self._join_output()
        problem_text = await self._become_ready()
        if problem_text:
            return problem_text
        self.record.detail = ""
        if not self.record.ready:
            # Recorded before it is told: after a host that is killed now, the next one knows it as one that serves.
            self.record.ready = True
            await self._around.save()
        self._set(RunState.READY)
        assert self._process is not None
        while self._process.alive:  # noqa: ASYNC110 - an adopted process is no child, so there is no event for it
            await asyncio.sleep(processes.POLL_S)
        return await self._ending()

    async def _spawn(self) -> None:
        record = self.record
        record.crashed, record.ready, record.pid, record.created = False, False, 0, 0.0
        record.token = secrets.token_hex(12)
        record.port = free_port(HOST, self._around.ports())
        await self._around.save()
        self._log_start = logs.size(self._log)
        places = {
            "port": str(record.port),
            "python": sys.executable,
            "service": self._release.service,
            "version": self._release.version,
            "environment": self._around.lane.environment,
            "instance": str(record.index),
        }
        user = self._user = await self._around.user()
        base = base_environment()
        if self._spec.artifact is not None:
            places["path"] = str(await self._around.files(self._spec.artifact))
        env = {
            **(user.environment(base) if user else base),
            "PORT": str(record.port),
            **self._spec.environment(places),
            processes.TOKEN: record.token,
            processes.HOST_ID: self._around.owner,
        }
        self._secrets.started(self._spec.private(places))
        cwd = self._spec.cwd or (user.home if user else None)
        what = confined(
            self._spec.argv(places),
            user,
            self._spec.limits,
            f"slipway-{record.token}",
            systemd=self._around.systemd,
        )
        self._forget_output()
        self._output = await self._around.output(self._log)
        try:
            self._process = Process.start(what, env, cwd, self._output.child)
        except PermissionError as problem:
            raise _explained(problem, user) from None
        record.pid, record.created = self._process.pid, self._process.created
        await self._around.save()
        log.info("%s %s.%d started", self._around.lane, self._release.version, record.index)

    async def _become_ready(self) -> str:
        """Wait until the instance is ready; returns "" when it is, else how it failed."""
        assert self._process is not None
        ready = self._spec.ready
        needed = ready.timeout_s if ready.path else ready.alive_s
        deadline = time.monotonic() + needed
        while self._process.alive:
            if ready.path and await self._answers(ready.path):
                return ""
            if time.monotonic() >= deadline:
                return f"did not answer GET {ready.path} within {needed:g} s" if ready.path else ""
            await asyncio.sleep(READY_POLL_S)
        return await self._ending()

    async def _answers(self, path: str) -> bool:
        """Whether it answers at `path`: it itself, and not another lane's release that took its port."""
        user = self._user
        if user is not None and await asyncio.to_thread(listens_as, self.record.port) - {user.id}:
            return False
        return await answers(self._around.session, self.address + path)

    async def _ending(self) -> str:
        assert self._process is not None
        if self._output is not None:
            await asyncio.to_thread(self._output.wait_written)
        printed = await asyncio.to_thread(logs.last_words, self._log, self._log_start, self._redactor())
        return self._process.ending + (f"; last words: {printed}" if printed else "")

    async def _join_output(self) -> None:
        """Hold the pipe of a process that a former host started, so that its last words can be waited for."""
        try:
            self._output = await self._around.output(self._log)
        except OSError as problem:
            log.warning("%s: its output cannot be waited for: %s", self._log, problem)
        else:
            os.close(self._output.child)

    def _forget_output(self) -> None:
        if self._output is not None:
            self._output.close()
            self._output = None

    def _redactor(self) -> Redactor:
        return self._secrets.redactor(self._spec)

    async def _crashed(self, why: str) -> None:
        why = await asyncio.to_thread(self._redactor(), why)
        log.warning("%s %s.%d %s", self._around.lane, self._release.version, self.record.index, why)
        self.record.detail = why
        self.record.crashed = True
        self._set(RunState.CRASHED)
        if self._process is not None:
            await self._process.stop(self._spec.stop_signal_number, self._spec.stop_s)
            self._process = None
        await self._around.save()

    def _set(self, state: RunState) -> None:
        self.state = state
        self._around.changed()


def _explained(problem: PermissionError, user: LaneUser | None) -> OSError:
    """The problem, with the folder that keeps another user away from the program."""
    path = Path(os.fsdecode(problem.filename or "/"))
    closed = closed_to(user.id, path) if user else None
    if user is None or closed is None:
        return problem
    return OSError(f"user {user.id} of this lane may not enter {closed}, which {path} needs")
