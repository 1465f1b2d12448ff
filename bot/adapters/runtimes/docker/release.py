"""All containers of one release in a lane: started, drained and stopped together."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from typing import Protocol

import aiohttp

from bot.adapters.runtimes.docker.containers import Container, Containers
from bot.adapters.runtimes.docker.engine import DockerApi, EngineError
from bot.adapters.runtimes.docker.instance import ContainerInstance
from bot.adapters.runtimes.docker.readiness import ContainerReadiness
from bot.adapters.runtimes.docker.spec import DockerSpec, parse_spec
from bot.domain.rollout.model import Lane, Release
from bot.ports.data_plane.runtimes import UNORDERED, Order, RunningRelease
from bot.ports.errors import Unreachable

log = logging.getLogger(__name__)

_TRY_AGAIN_S = 0.5


class ContainerReleaseSurroundings(Protocol):
    """The part of the runtime that a release uses."""

    engine: DockerApi
    containers: Containers
    readiness: ContainerReadiness
    session: aiohttp.ClientSession

    async def pull(self, image: str, progress: Callable[[str], None]) -> None: ...

    def changed(self, lane: Lane) -> None: ...

    def gone(self, release: DockerRelease) -> None: ...


class DockerRelease:
    """Containers of a release; implements `ContainerInstanceSurroundings`.

    restart: whether containers that died are started again. adopted: known from the labels of its containers alone,
    until `run` says more.
    """

    def __init__(
        self,
        runtime: ContainerReleaseSurroundings,
        lane: Lane,
        release: Release,
        spec: DockerSpec,
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
        self._instances: dict[int, ContainerInstance] = {}
        self._exiting = False
        self._stopping: asyncio.Task[None] | None = None
        self._drained = asyncio.Event()
        self._tidying: dict[str, asyncio.Task[None]] = {}

    # ---- for the runtime ---------------------------------------------------------------------------------------

    def adopt(self, container: Container) -> None:
        """Take over a container that an earlier host left."""
        present = self._instances.get(container.index)
        if present is None or _better(container, present.container):
            self._instances[container.index] = ContainerInstance(self, container.index, container)

    def run(self, release: Release, *, restart: bool, order: Order) -> None:
        self.restart, self.order = restart, order
        if self._adopted:
            self.release, self.spec, self._adopted = release, parse_spec(release), False
        if self._exiting:
            return  # once it is gone, it is run again
        if self._stopping is not None:
            self._stopping.cancel()
            self._stopping = None
        for index in range(self.spec.instances):
            self._instances.setdefault(index, ContainerInstance(self, index))
        for instance in self._instances.values():
            instance.start()

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

    def see(self, containers: Sequence[Container], asked_at: float) -> None:
        """Take in which containers of this release the engine listed, in answer to a question of `asked_at`."""
        found = {container.id: container for container in containers}
        for instance in self._instances.values():
            instance.see(found.pop(instance.id, None), asked_at)
        busy = self._exiting or any(instance.creating for instance in self._instances.values())
        for left in () if busy else found.values():  # of a request with a lost answer, or not removed yet
            if left.id not in self._tidying:
                self._tidying[left.id] = asyncio.create_task(self._tidy(left))

    def observed(self) -> RunningRelease:
        instances = tuple(instance.observed() for _, instance in sorted(self._instances.items()))
        return RunningRelease(self.release.version, instances, stopping=self._stopping is not None)

    # ---- for the instances -------------------------------------------------------------------------------------

    @property
    def containers(self) -> Containers:
        return self._runtime.containers

    @property
    def session(self) -> aiohttp.ClientSession:
        return self._runtime.session

    @property
    def outages(self) -> int:
        return self._runtime.engine.outages

    async def probe(self) -> None:
        await self._runtime.engine.probe()

    async def pull(self, progress: Callable[[str], None]) -> None:
        await self._runtime.pull(self.spec.image, progress)

    def was_ready(self, container: Container) -> bool:
        return container.id in self._runtime.readiness

    def is_ready(self, container_id: str) -> None:
        self._runtime.readiness.add(container_id)

    def changed(self) -> None:
        self._runtime.changed(self.lane)

    # ---- helpers -----------------------------------------------------------------------------------------------

    async def _stop(self) -> None:
        self.changed()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.spec.drain_s):
                await self._drained.wait()
        self._exiting = True
        await asyncio.gather(*(instance.end() for instance in self._instances.values()))
        while True:
            try:
                # Not all containers: a host with many releases asks this for each of them when it stops.
                there = await self.containers.list(self.lane, self.release.digest)
                if not there:
                    break
                await asyncio.gather(*map(self._remove, there))
            except (Unreachable, EngineError) as problem:
                log.warning("%s: %s cannot be stopped yet: %s", self.lane, self.release.version, problem)
                await asyncio.sleep(_TRY_AGAIN_S)
        self._runtime.gone(self)

    async def _tidy(self, container: Container) -> None:
        """Try to remove what is left over. As long as the engine lists it, it is tried again."""
        try:
            await self._remove(container)
        except (Unreachable, EngineError) as problem:
            log.warning("%s: a container of %s is left over: %s", self.lane, self.release.version, problem)
        finally:
            del self._tidying[container.id]

    async def _remove(self, container: Container) -> None:
        await self.containers.stop(container)
        self._runtime.readiness.remove(container.id)


def _better(one: Container, other: Container | None) -> bool:
    """Which of two containers of an instance to keep: the one that runs, or the newer one."""
    return other is None or (one.runs, one.restarts) > (other.runs, other.restarts)
