"""One instance of a release: pulled, started or taken over, watched, started again where allowed."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import NoReturn, Protocol, TypeVar

import aiohttp

from bot.adapters.runtimes.docker.containers import Container, Containers
from bot.adapters.runtimes.docker.engine import EngineError
from bot.adapters.runtimes.docker.images import ImageUnavailable
from bot.adapters.runtimes.docker.labels import places_of
from bot.adapters.runtimes.docker.spec import DockerSpec
from bot.adapters.runtimes.instances import (
    FIRST_PAUSE_S,
    LONGEST_PAUSE_S,
    READY_POLL_S,
    KnownSecrets,
    Pauses,
    answers,
    finished,
    not_started,
)
from bot.domain.rollout.model import Lane, Release, RunState
from bot.ports.data_plane.runtimes import Order, RunningInstance
from bot.ports.errors import Unreachable
from bot.redaction import Redactor

log = logging.getLogger(__name__)

T = TypeVar("T")

_PULLS = 3  # of a release that is not started again, while its registry is away
_ENGINE_BACK_S = 0.5
_GOES_ON_S = 1.0


class ContainerInstanceSurroundings(Protocol):
    """The part of the release and its runtime that an instance uses."""

    lane: Lane
    release: Release
    spec: DockerSpec
    restart: bool
    order: Order

    @property
    def containers(self) -> Containers: ...

    @property
    def session(self) -> aiohttp.ClientSession: ...

    @property
    def outages(self) -> int: ...

    async def probe(self) -> None: ...

    async def pull(self, progress: Callable[[str], None]) -> None: ...

    def was_ready(self, container: Container) -> bool: ...

    def is_ready(self, container_id: str) -> None: ...

    def changed(self) -> None: ...


class Ended(Exception):
    """The container ended, or never started; the phrase says how. ours: the release is not to blame."""

    def __init__(self, how: str, *, ours: bool = False) -> None:
        super().__init__(how)
        self.ours = ours


class ContainerInstance:
    """One instance. What the engine lists is given to `see`; `run` is the task behind the rest."""

    def __init__(
        self, around: ContainerInstanceSurroundings, index: int, adopted: Container | None = None
    ) -> None:
        self.index = index
        self.state = RunState.STARTING
        self.detail = ""
        self.restarts = adopted.restarts if adopted else 0
        self.container = adopted
        self._around = around
        self._secrets = KnownSecrets()
        self._id = adopted.id if adopted else ""
        self.creating = False
        self._since = 0.0  # listings that were asked for before know nothing of the container
        self._lost = False
        self._seen = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        if (
            adopted is not None
            and adopted.runs
            and around.was_ready(adopted)
            and adopted.health != "unhealthy"
        ):
            self.state = RunState.READY

    @property
    def id(self) -> str:
        """The engine's id of the present container; empty while there is none."""
        return self._id

    def observed(self) -> RunningInstance:
        at = self.container if self.container is not None and self.container.runs else None
        return RunningInstance(
            name=f"{self.index}.{self._id[:6]}" if self._id else str(self.index),
            index=self.index,
            state=self.state,
            host=at.host if at else None,
            port=at.port if at else None,
            detail=self.detail,
            restarts=self.restarts,
        )

    def see(self, container: Container | None, asked_at: float) -> None:
        """Take in what the engine listed, in answer to a question of `asked_at` (loop time)."""
        if asked_at <= self._since or not self._id:
            return
        self._lost = container is None
        if container is not None:
            self.container = container
        runs = container is not None and container.runs
        if self.state is RunState.READY and not runs:
            self.state = RunState.CRASHED  # the task finds out why
        self._seen.set()

    def start(self) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name=f"{self._around.release.version}.{self.index}")

    async def end(self) -> None:
        """End the task, not the container; a request to start one is waited for."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        pauses = Pauses()
        while True:
            began = time.monotonic()
            ended = await self._life()
            await self._crashed(str(ended))
            while not (self._around.restart or ended.ours):  # noqa: ASYNC110 - decided by later calls of `run`
                await asyncio.sleep(_GOES_ON_S)
            await asyncio.sleep(pauses.after(time.monotonic() - began))
            self.restarts += 1
            await self._clear()

    async def _life(self) -> Ended:
        """Run one container; how it ended."""
        outages = self._around.outages
        try:
            if self.container is None or self.container.state == "created":
                await self._clear()
                await self._start()
                outages = self._around.outages
            if self.state is not RunState.READY:
                self._set(RunState.STARTING, "")
                await self._become_ready()
            self._around.is_ready(self._id)
            await self._watch()
        except Ended as ended:
            # A container ends with its engine, and is not to blame for that.
            return Ended(str(ended), ours=outages != self._around.outages)

    async def _start(self) -> None:
        around = self._around
        await self._pull()
        self._set(RunState.STARTING, "")

        async def create() -> str:
            return await around.containers.create(
                around.lane,
                around.release,
                around.spec,
                self.index,
                restarts=self.restarts,
                order=around.order,
            )

        places = places_of(around.lane, around.release, around.spec, self.index)
        self._secrets.started(around.spec.private(places))
        self.creating = True
        try:
            made = await finished(self._patiently(create))
        except EngineError as error:
            await around.probe()
            raise Ended(f"could not be started: {error}") from None
        except OSError as problem:
            raise Ended(not_started(problem)) from None
        finally:
            self.creating = False
        self._since = asyncio.get_running_loop().time()
        self._id, self._lost, self.container = made, False, None
        log.info("%s %s.%d started", around.lane, around.release.version, self.index)
        around.changed()

    async def _pull(self) -> None:
        tries = 0
        while True:
            try:
                await self._patiently(lambda: self._around.pull(self._progress))
                return
            except ImageUnavailable as problem:
                tries += 1
                if not problem.again or (tries >= _PULLS and not self._around.restart):
                    raise Ended(str(problem)) from None
                self._set(RunState.STARTING, str(problem))
            await asyncio.sleep(min(FIRST_PAUSE_S * 4**tries, LONGEST_PAUSE_S))

    def _progress(self, phrase: str) -> None:
        self._set(RunState.STARTING, phrase)

    async def _become_ready(self) -> None:
        spec = self._around.spec
        began = time.monotonic()
        needed = spec.ready.timeout_s
        while True:
            container = await self._look(READY_POLL_S)
            path = spec.ready_path
            well = path is None or (container is not None and await self._answers(container, path))
            if container is not None and well and container.health in ("", "healthy"):
                bare = path is None and not container.health
                if not bare or time.monotonic() - began >= spec.ready.alive_s:
                    self._set(RunState.READY, "")
                    return
            if time.monotonic() - began >= needed:
                raise Ended(await self._not_ready(container, path if not well else None))

    async def _not_ready(self, container: Container | None, path: str | None) -> str:
        needed = f"{self._around.spec.ready.timeout_s:g} s"
        if path is not None:
            return f"did not answer GET {path} within {needed}"
        if container is None:
            return f"did not start within {needed}"
        return f"was not healthy within {needed}: {await self._complaint(container)}"

    async def _watch(self) -> NoReturn:
        while True:
            container = await self._look(None)
            if container is None:
                continue
            if container.health == "unhealthy" and self.state is RunState.READY:
                self._set(RunState.CRASHED, await self._complaint(container))
            elif container.health in ("", "healthy") and self.state is not RunState.READY:
                self._set(RunState.READY, "")

    async def _look(self, patience_s: float | None) -> Container | None:
        """What was listed last. Waits for news for at most `patience_s`. Raises `Ended`."""
        try:
            async with asyncio.timeout(patience_s):
                await self._seen.wait()
        except TimeoutError:
            pass
        self._seen.clear()
        if self._lost:
            raise Ended("was removed")
        container = self.container
        if container is not None and not container.runs and container.state not in ("created", "restarting"):
            await self._around.probe()
            raise Ended(
                await self._patiently(lambda: self._around.containers.ending(container, self._redactor()))
            )
        return container

    async def _answers(self, container: Container, path: str) -> bool:
        at = f"http://{container.host}:{container.port}{path}"
        return container.host is not None and await answers(self._around.session, at)

    async def _complaint(self, container: Container) -> str:
        return await self._patiently(lambda: self._around.containers.complaint(container, self._redactor()))

    async def _clear(self) -> None:
        """Remove the former container: its last words are in `detail`.

        One that has ended and that the engine cannot remove yet, such as with files in use, is no reason to wait: its
        release sees it left over at every look, and tries again.
        """
        former = self._id
        while former:
            try:
                await finished(self._patiently(lambda: self._around.containers.remove(former)))
                break
            except EngineError as problem:
                log.warning("%s %s: %s", self._around.lane, self._around.release.version, problem)
            if self.container is not None and not self.container.runs:
                break
            await asyncio.sleep(_GOES_ON_S)
        self._id, self.container, self._lost = "", None, False

    async def _crashed(self, how: str) -> None:
        how = await asyncio.to_thread(self._redactor(), how)
        log.warning("%s %s.%d %s", self._around.lane, self._around.release.version, self.index, how)
        self._set(RunState.CRASHED, how)

    def _redactor(self) -> Redactor:
        return self._secrets.redactor(self._around.spec)

    async def _patiently(self, ask: Callable[[], Awaitable[T]]) -> T:
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
