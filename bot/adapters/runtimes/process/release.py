"""All instances of one release in a lane: started, drained and stopped together."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import aiohttp

from bot.adapters.lane_files import release_to_json
from bot.adapters.runtimes.process.instance import HOST, ProcessInstance, Record
from bot.adapters.runtimes.process.logs import LoggedOutput
from bot.adapters.runtimes.process.processes import Process
from bot.adapters.runtimes.process.spec import Artifact, ProcessSpec
from bot.adapters.runtimes.process.users import LaneUser
from bot.domain.rollout.model import Lane, Release
from bot.ports.data_plane.runtimes import RunningInstance, RunningRelease


class ProcessReleaseSurroundings(Protocol):
    """The part of the runtime that a release uses."""

    owner: str
    session: aiohttp.ClientSession
    systemd: bool

    async def user(self, lane: Lane) -> LaneUser | None: ...

    async def files(self, artifact: Artifact) -> Path: ...

    async def output(self, log: Path) -> LoggedOutput: ...

    async def save(self, lane: Lane) -> None: ...

    def changed(self, lane: Lane) -> None: ...

    def ports(self) -> set[int]: ...


@dataclass(frozen=True, slots=True)
class ReleasePart:
    """What an instance is part of; implements `ProcessInstanceSurroundings`."""

    of: ProcessRelease
    runtime: ProcessReleaseSurroundings

    @property
    def lane(self) -> Lane:
        return self.of.lane

    @property
    def owner(self) -> str:
        return self.runtime.owner

    @property
    def session(self) -> aiohttp.ClientSession:
        return self.runtime.session

    @property
    def restart(self) -> bool:
        return self.of.restart

    @property
    def systemd(self) -> bool:
        return self.runtime.systemd

    async def user(self) -> LaneUser | None:
        return await self.runtime.user(self.lane)

    async def files(self, artifact: Artifact) -> Path:
        return await self.runtime.files(artifact)

    async def output(self, log: Path) -> LoggedOutput:
        return await self.runtime.output(log)

    async def save(self) -> None:
        await self.runtime.save(self.lane)

    def changed(self) -> None:
        self.runtime.changed(self.lane)

    def ports(self) -> set[int]:
        return self.runtime.ports()


class ProcessRelease:
    """Instances of a release. `restart`: whether those that died are started again.

    log: the log file of an instance, by its index.
    """

    def __init__(
        self,
        runtime: ProcessReleaseSurroundings,
        lane: Lane,
        release: Release,
        spec: ProcessSpec,
        *,
        log: Callable[[int], Path],
        records: Sequence[Record] = (),
    ) -> None:
        self.lane = lane
        self.release = release
        self.spec = spec
        self.restart = False
        self._runtime = runtime
        self._drained = asyncio.Event()
        self._exiting = False
        self._stopping: asyncio.Task[None] | None = None
        known = {record.index: record for record in records}
        part = ReleasePart(self, runtime)
        self.instances = [
            ProcessInstance(part, release, spec, known.get(index, Record(index)), log(index))
            for index in range(spec.instances)
        ]

    def adopt(self, found: Mapping[str, Process]) -> None:
        for instance in self.instances:
            instance.adopt(found)

    def run(self, *, restart: bool) -> None:
        """Start idle instances, crashed ones only with `restart`; a release that is only draining stays."""
        self.restart = restart
        if self._stopping is not None:
            if self._exiting:
                return
            self._stopping.cancel()
            self._stopping = None
            self._drained.clear()
            self._runtime.changed(self.lane)
        for instance in self.instances:
            if instance.idle and (restart or not instance.record.crashed):
                instance.start()

    def stop(self, gone: Callable[[ProcessRelease], None], *, drained: bool) -> None:
        """Drain and stop; `gone` is called when nothing is left. See `Runtime.stop`."""
        if drained:
            self._drained.set()
        if self._stopping is None:
            self._stopping = asyncio.create_task(self._stop(gone), name=f"stop {self.release.version}")
            self._runtime.changed(self.lane)

    async def exit(self) -> None:
        """Stop every instance now; returns when nothing of it is left."""
        self._exiting = True
        await asyncio.gather(*(instance.stop() for instance in self.instances))

    def observed(self) -> RunningRelease:
        listens = self.spec.ready.path is not None
        return RunningRelease(
            self.release.version,
            tuple(
                RunningInstance(
                    name=instance.name,
                    index=instance.record.index,
                    state=instance.state,
                    host=HOST if listens and instance.record.port else None,
                    port=(listens and instance.record.port) or None,
                    detail=instance.record.detail,
                    restarts=instance.record.restarts,
                )
                for instance in self.instances
            ),
            stopping=self._stopping is not None,
        )

    def to_json(self) -> dict[str, Any]:
        """State for `adopt` after a restart of the host."""
        return {
            "release": release_to_json(self.release),
            "instances": [instance.record.to_json() for instance in self.instances],
        }

    async def _stop(self, gone: Callable[[ProcessRelease], None]) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.spec.drain_s):
                await self._drained.wait()
        await self.exit()
        gone(self)
