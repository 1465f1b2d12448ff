"""One replica of a release: which task stands for it, whether it is ready, and how it failed.

The swarm starts replicas again by itself. What counts is what the rollout allows: a replica of a release that is not to
be started again stays down once it has ended, whatever the swarm does next.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import aiohttp

from bot.adapters.runtimes.instances import READY_POLL_S, KnownSecrets, answers
from bot.adapters.runtimes.swarm.endings import Ending
from bot.adapters.runtimes.swarm.spec import SwarmSpec
from bot.adapters.runtimes.swarm.tasks import Task
from bot.domain.rollout.model import Lane, Release, RunState
from bot.ports.data_plane.runtimes import RunningInstance
from bot.ports.errors import Unreachable
from bot.redaction import Redactor

log = logging.getLogger(__name__)

_PULLS = 3  # of a release that is not started again, while its registry is away
_START_S = 30.0  # for an engine to start a container, beside the time that this one may take
_ENGINE_BACK_S = 0.5


class ReplicaSurroundings(Protocol):
    """The part of the release and its runtime that a replica uses."""

    lane: Lane
    release: Release
    spec: SwarmSpec
    restart: bool

    @property
    def session(self) -> aiohttp.ClientSession: ...

    @property
    def outages(self) -> int: ...

    async def probe(self) -> None: ...

    async def ending(self, task: Task, redact: Callable[[str], str]) -> Ending: ...

    def was_ready(self, task: Task) -> bool: ...

    def is_ready(self, task: Task) -> None: ...

    def changed(self) -> None: ...


class Replica:
    """One replica. What the swarm lists is given to `see`; `start` begins the task behind the rest.

    down: it ended and stays so. An outage of the engine takes containers along, which are not to blame for that.
    """

    def __init__(self, around: ReplicaSurroundings, index: int) -> None:
        self.index = index
        self.state = RunState.STARTING
        self.detail = ""
        self.down = False
        self.restarts = 0
        self.secrets = KnownSecrets()
        self._around = around
        self._task: Task | None = None
        self._outages = self._waited_through = around.outages
        self._began = 0.0
        self._ran = False
        self._ended: set[str] = set()
        self._moved: set[str] = set()
        self._unexplained: list[tuple[Task, int]] = []
        self._pulls = 0
        self._news = asyncio.Event()
        self._work: asyncio.Task[None] | None = None

    @property
    def settled(self) -> bool:
        return self.down or self.state is RunState.READY

    def observed(self) -> RunningInstance:
        at = self._task if self._task is not None and self._task.runs and not self.down else None
        return RunningInstance(
            name=f"{self.index}.{self._task.id[:8]}" if self._task else str(self.index),
            index=self.index,
            state=self.state,
            host=at.host if at else None,
            port=at.port if at else None,
            detail=self.detail,
            restarts=self.restarts,
        )

    def see(self, tasks: Sequence[Task]) -> None:
        """Take in the tasks of this replica, from the oldest to the newest."""
        if self.down or not tasks:
            return
        before, outages = self._task, self._outages
        now = next((task for task in reversed(tasks) if task.current), tasks[-1])
        ended = {task.id for task in tasks if task.ended}
        self._task = now
        if before is None or before.id != now.id:
            self._succeeds(before, now, ended)
        new = [t for t in tasks if t.ended and t.id not in self._ended and t.id not in self._moved]
        self._moved &= {task.id for task in tasks}
        self._ended = ended
        self._unexplained += [(task, outages) for task in new]
        if self.state is RunState.READY and not now.runs:
            self.state = RunState.CRASHED if now.ended else RunState.STARTING
        self._news.set()

    def fail(self, how: str, *, ours: bool = False) -> None:
        """It ended, or could not be started. ours: it is not to blame, so that it may be started again."""
        log.warning("%s %s.%d %s", self._around.lane, self._around.release.version, self.index, how)
        if not self._around.restart and not ours:
            self.down = True
        self._set(RunState.CRASHED, how)

    def held(self, how: str) -> None:
        """An earlier host has held it, for this reason."""
        self.down = True
        self.state, self.detail = RunState.CRASHED, how

    def again(self) -> None:
        """It may be started again."""
        self.down = False
        self._task = None
        self._unexplained.clear()
        self._set(RunState.STARTING, "")

    def start(self) -> None:
        if self._work is None or self._work.done():
            self._work = asyncio.create_task(self._run(), name=f"{self._around.release.version}.{self.index}")

    async def end(self) -> None:
        if self._work is not None:
            self._work.cancel()
            await asyncio.gather(self._work, return_exceptions=True)

    # ---- helpers -----------------------------------------------------------------------------------------------

    def _succeeds(self, before: Task | None, now: Task, ended: set[str]) -> None:
        """Another task stands for it."""
        if before is not None and before.id not in ended:
            self._moved.add(before.id)  # such as from a node that is drained: however it ends now
        self._outages = self._around.outages
        self._began, self._ran = 0.0, False
        if now.runs and self._around.was_ready(now):
            self._ended = ended  # an earlier host knows of those
            self.state, self.detail = RunState.READY, ""
        elif self.state is RunState.READY:
            self.state = RunState.STARTING

    async def _run(self) -> None:
        while True:
            waits = None if self.settled else READY_POLL_S
            try:
                async with asyncio.timeout(waits):
                    await self._news.wait()
            except TimeoutError:
                pass
            self._news.clear()
            while self._unexplained and not self.down:
                await self._explain()
            if not self.settled and self._task is not None:
                await self._become_ready(self._task)

    async def _explain(self) -> None:
        """Say how its newest task ended."""
        ended, outages = self._unexplained[-1]
        known = len(self._unexplained)
        await self._around.probe()
        ending = await self._patiently(lambda: self._around.ending(ended, self._redactor()))
        how = await asyncio.to_thread(self._redactor(), ending.how)
        del self._unexplained[:known]
        self.restarts += known
        if self.state is RunState.READY:
            return
        self._pulls += ending.again
        self.fail(how, ours=outages != self._around.outages or (ending.again and self._pulls < _PULLS))
        if self.down:
            self.restarts -= 1

    async def _become_ready(self, task: Task) -> None:
        spec = self._around.spec
        now = asyncio.get_running_loop().time()
        if task.ended:
            return
        if task.comes and task.state != "pending":
            self._began = 0.0
            if self.state is RunState.STARTING:
                at = f" on {task.node}" if task.node else ""
                self._set(RunState.STARTING, f"its image is pulled{at}" if task.state == "preparing" else "")
            return
        if self._waited_through != self._around.outages:  # while the engine is away nothing gets ready
            self._waited_through, self._began = self._around.outages, 0.0
        if task.runs and not self._ran:
            self._ran = True
            if spec.health is None:  # else its time went by while the swarm waited for its health check
                self._began = 0.0
        self._began = self._began or now
        waited, allowed = now - self._began, spec.ready.timeout_s
        if spec.health is None and not task.runs and task.state != "pending":
            allowed += _START_S
        path = spec.ready_path
        well = task.runs and (path is None or await self._answers(task, path))
        if well and (path is not None or spec.health is not None or waited >= spec.ready.alive_s):
            if self._task is not None and self._task.id == task.id and self._task.runs:
                self._around.is_ready(task)
                self._set(RunState.READY, "")
        elif waited >= allowed:
            how = self._late(task, path, f"within {allowed:g} s")
            if how != self.detail:
                self.fail(how)
        elif self.state is RunState.STARTING:
            self._set(RunState.STARTING, task.error if task.state == "pending" else "")

    def _late(self, task: Task, path: str | None, within: str) -> str:
        if task.state == "pending":
            return f"found no node {within}" + (f": {task.error}" if task.error else "")
        if not task.runs and self._around.spec.health is None:
            return f"did not start {within}, or the health check of its image did not pass"
        if not task.runs:
            return f"was not healthy {within}"
        return f"did not answer GET {path} {within}" if path else f"did not stay up {within}"

    async def _answers(self, task: Task, path: str) -> bool:
        at = f"http://{task.host}:{task.port}{path}"
        return task.host is not None and await answers(self._around.session, at)

    def _redactor(self) -> Redactor:
        return self.secrets.redactor(self._around.spec)

    async def _patiently(self, ask: Callable[[], Awaitable[Ending]]) -> Ending:
        """The answer, once the engine is there."""
        while True:
            try:
                return await ask()
            except Unreachable:
                await asyncio.sleep(_ENGINE_BACK_S)

    def _set(self, state: RunState, detail: str) -> None:
        if (self.state, self.detail) != (state, detail):
            self.state, self.detail = state, detail
            self._around.changed()
