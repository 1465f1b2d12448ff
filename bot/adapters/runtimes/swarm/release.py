"""The service of one release in a lane: created, held, drained and removed, with its replicas."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from typing import Protocol

import aiohttp

from bot.adapters.runtimes.docker.engine import EngineApi, EngineError
from bot.adapters.runtimes.docker.images import ImageUnavailable
from bot.adapters.runtimes.docker.labels import places_of
from bot.adapters.runtimes.docker.readiness import ContainerReadiness
from bot.adapters.runtimes.instances import Pauses, finished, not_started
from bot.adapters.runtimes.swarm.endings import Ending, Endings
from bot.adapters.runtimes.swarm.replica import Replica
from bot.adapters.runtimes.swarm.services import Key, Services, SwarmService
from bot.adapters.runtimes.swarm.spec import SwarmSpec, parse_spec
from bot.adapters.runtimes.swarm.tasks import Task
from bot.domain.rollout.model import Lane, Release
from bot.ports.data_plane.runtimes import UNORDERED, Order, RunningRelease
from bot.ports.errors import Unreachable

log = logging.getLogger(__name__)

_TRY_AGAIN_S = 0.5
_GOING_S = 0.1
_NODES_EVERY_S = 2.0
# A manager that has just become the leader may not have taken in yet what the former one did last.
_REMOVED_S = 2.0


class SwarmReleaseSurroundings(Protocol):
    """The part of the runtime that a release uses."""

    engine: EngineApi
    services: Services
    endings: Endings
    readiness: ContainerReadiness
    session: aiohttp.ClientSession

    def changed(self, lane: Lane) -> None: ...

    def gone(self, release: SwarmRelease) -> None: ...


class SwarmRelease:
    """A release as a service; implements `ReplicaSurroundings`.

    restart: whether replicas that died may be started again. adopted: known from the labels of its service alone,
    until `run` says more.
    """

    def __init__(
        self,
        runtime: SwarmReleaseSurroundings,
        lane: Lane,
        release: Release,
        spec: SwarmSpec,
        *,
        adopted: bool = False,
    ) -> None:
        self.lane = lane
        self.release = release
        self.spec = spec
        self.restart = False
        self.order = UNORDERED
        self._runtime = runtime
        self._adopted = adopted
        self._replicas = [Replica(self, index) for index in range(spec.instances)]
        self._service: SwarmService | None = None
        self._created = adopted
        self._missed_at = 0.0
        self._since = 0.0  # listings that were asked for before know nothing of the last change
        self._wake = asyncio.Event()
        self._keeping: asyncio.Task[None] | None = None
        self._exiting = False
        self._stopping: asyncio.Task[None] | None = None
        self._drained = asyncio.Event()

    # ---- for the runtime ---------------------------------------------------------------------------------------

    @property
    def key(self) -> Key:
        return self.lane, self.release.digest

    @property
    def settled(self) -> bool:
        return self._stopping is None and all(replica.settled for replica in self._replicas)

    def run(self, release: Release, *, restart: bool, order: Order) -> None:
        self.restart, self.order = restart, order
        if self._adopted:
            self.release, self.spec, self._adopted = release, parse_spec(release), False
            self._replicas += [Replica(self, i) for i in range(len(self._replicas), self.spec.instances)]
        if self._exiting:
            return  # once it is gone, it is run again
        if self._stopping is not None:
            self._stopping.cancel()
            self._stopping = None
        for replica in self._replicas:
            if restart and replica.down:
                replica.again()
            replica.start()
        if self._keeping is None:
            self._keeping = asyncio.create_task(self._keep(), name=f"keep {self.release.version}")
        self._wake.set()

    def stop(self, *, drained: bool) -> None:
        if self._stopping is None:
            self._drained.clear()
            self._stopping = asyncio.create_task(self._stop(), name=f"stop {self.release.version}")
        if drained:
            self._drained.set()

    async def exit(self) -> None:
        """Stop it without a drain; returns when nothing of it is left."""
        self.stop(drained=True)
        assert self._stopping is not None
        await self._stopping

    def see(self, service: SwarmService | None, tasks: Sequence[Task], asked_at: float) -> None:
        """Take in what the swarm listed, in answer to a question of `asked_at` (loop time)."""
        if asked_at <= self._since:
            return
        if service is None and self._service is not None and self._created and not self._exiting:
            self._missed_at = self._missed_at or asked_at
            if asked_at < self._missed_at + _REMOVED_S:
                return
            self._created = False
            for replica in self._replicas:
                if not replica.down:
                    replica.fail("was removed")
        self._service, self._missed_at = service, 0.0
        for replica in self._replicas:
            if service is not None and self._adopted and replica.index in service.held:
                replica.held(service.held[replica.index])
            replica.see([task for task in tasks if task.slot == replica.index + 1])
        self._wake.set()

    def observed(self) -> RunningRelease:
        instances = tuple(replica.observed() for replica in self._replicas)
        return RunningRelease(self.release.version, instances, stopping=self._stopping is not None)

    # ---- for the replicas --------------------------------------------------------------------------------------

    @property
    def session(self) -> aiohttp.ClientSession:
        return self._runtime.session

    @property
    def outages(self) -> int:
        return self._runtime.engine.outages

    async def probe(self) -> None:
        await self._runtime.engine.probe()

    async def ending(self, task: Task, redact: Callable[[str], str]) -> Ending:
        return await self._runtime.endings.tell(task, self.spec, redact)

    def was_ready(self, task: Task) -> bool:
        return task.id in self._runtime.readiness

    def is_ready(self, task: Task) -> None:
        self._runtime.readiness.add(task.id)

    def changed(self) -> None:
        self._wake.set()
        self._runtime.changed(self.lane)

    # ---- helpers -----------------------------------------------------------------------------------------------

    async def _keep(self) -> None:
        """Bring the service to what is wanted, whenever something has changed."""
        pauses = Pauses()
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                if not await self._bring_about():
                    await asyncio.sleep(pauses.after(0.0))
                    self._wake.set()
            except (Unreachable, EngineError) as problem:
                log.warning("%s: %s: %s", self.lane, self.release.version, problem)
                await asyncio.sleep(_TRY_AGAIN_S)
                self._wake.set()

    async def _bring_about(self) -> bool:
        """Whether that worked, or nothing was to do. Raises `EngineError`, `Unreachable`."""
        service = self._service
        down = all(replica.down for replica in self._replicas)
        if not self._created and not down:
            return await self._create()
        if service is None:
            return True
        if down and not service.held:
            how = {replica.index: replica.detail for replica in self._replicas}
            await self._runtime.services.hold(service, how)
        elif service.held and not down:
            await self._runtime.services.release(service, self.spec.instances)
        else:
            return True
        self._changed_service()
        return True

    async def _create(self) -> bool:
        outages = self.outages
        private = self.spec.private(places_of(self.lane, self.release, self.spec, ""))
        for replica in self._replicas:
            replica.secrets.started(private)
        try:
            await finished(self._runtime.services.create(self.lane, self.release, self.spec, self.order))
        except Unreachable:
            raise
        except (EngineError, ImageUnavailable) as problem:
            await self.probe()
            self._failed(f"could not be started: {problem}", ours=outages != self.outages)
            return False
        except OSError as problem:
            self._failed(not_started(problem), ours=False)
            return False
        self._created = True
        self._changed_service()
        log.info("%s %s created", self.lane, self.release.version)
        return True

    def _failed(self, how: str, *, ours: bool) -> None:
        for replica in self._replicas:
            if not replica.down:
                replica.fail(how, ours=ours)

    def _changed_service(self) -> None:
        self._since = asyncio.get_running_loop().time()
        self._runtime.changed(self.lane)

    async def _stop(self) -> None:
        self.changed()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.spec.drain_s):
                await self._drained.wait()
        self._exiting = True
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)
        await asyncio.gather(*(replica.end() for replica in self._replicas))
        loop = asyncio.get_running_loop()
        nodes_at = loop.time() + _NODES_EVERY_S
        while True:
            try:
                there = await self._runtime.services.list()
                await self._runtime.services.remove(self.key, there.services.get(self.key))
                if self.key not in there.keys:
                    break
                if loop.time() > nodes_at:  # one of them may have gone down
                    self._runtime.services.nodes.forget()
                    nodes_at = loop.time() + _NODES_EVERY_S
                await asyncio.sleep(_GOING_S)
            except (Unreachable, EngineError) as problem:
                log.warning("%s: %s cannot be stopped yet: %s", self.lane, self.release.version, problem)
                await asyncio.sleep(_TRY_AGAIN_S)
        self._runtime.gone(self)
