"""The Docker runtime: releases as containers, which an engine keeps and any later host finds again by their labels."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

import aiohttp

from bot.adapters.runtimes.context import RuntimeContext
from bot.adapters.runtimes.docker import images
from bot.adapters.runtimes.docker.containers import Container, Containers
from bot.adapters.runtimes.docker.engine import DockerApi, EngineError
from bot.adapters.runtimes.docker.labels import OWNER
from bot.adapters.runtimes.docker.readiness import ContainerReadiness
from bot.adapters.runtimes.docker.release import DockerRelease
from bot.adapters.runtimes.docker.settings import DockerSettings, EngineSettings
from bot.adapters.runtimes.docker.spec import DockerSpec, parse_spec
from bot.adapters.runtimes.looking import Looks, exited
from bot.domain.rollout.model import Lane, Release
from bot.ports.data_plane.runtimes import UNORDERED, Order, RunningRelease
from bot.ports.errors import TargetRefused, Unreachable

log = logging.getLogger(__name__)

# Without news from the engine's events, which may have been missed.
_LOOK_AGAIN_S = 2.0
_ENGINE_BACK_S = 0.5


class DockerRuntime:
    """Implements `bot.ports.data_plane.runtimes.Runtime`."""

    def __init__(self, settings: EngineSettings, context: RuntimeContext) -> None:
        self.engine = DockerApi(settings, context.folder)
        self.containers = Containers(self.engine, settings, context.owner)
        self.readiness = ContainerReadiness(context.folder / "ready")
        self._owner = context.owner
        self._logins = images.Logins(settings.logins)
        self._lanes: dict[Lane, dict[str, DockerRelease]] = {}
        self._pulls: dict[str, asyncio.Lock] = {}
        self._changed: Callable[[Lane], None] = lambda lane: None
        self._looks = Looks(self._look, lambda: _LOOK_AGAIN_S)
        self._following: asyncio.Task[None] | None = None

    # ---- the port ----------------------------------------------------------------------------------------------

    async def start(self, changed: Callable[[Lane], None]) -> None:
        self._changed = changed
        self.session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, force_close=True))
        try:
            found = await self._listed()
        except Unreachable:
            await self.session.close()
            await self.engine.close()
            raise
        await asyncio.to_thread(self.readiness.keep_only, {container.id for container in found})
        for container in found:
            self._adopt(container)
        self._looks.start()
        self._following = asyncio.create_task(self._follow_events(), name="docker-events")

    async def close(self) -> None:
        """As the port says; what an engine has that stays away is left to the next host."""
        await exited((release.exit() for release in self._releases()), self._listed, self.engine.name)
        if self._following is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)
        await self._looks.close()
        self._lanes.clear()
        await self.session.close()
        await self.engine.close()

    def check(self, release: Release, *, exclusive: bool) -> None:
        spec = parse_spec(release, exclusive=exclusive)
        if not spec.pinned:
            raise TargetRefused(
                f"{release.service} {release.version} cannot run: its image {spec.image} is not pinned by a digest"
            )

    def run(self, lane: Lane, release: Release, *, restart: bool, order: Order = UNORDERED) -> None:
        releases = self._lanes.setdefault(lane, {})
        if release.digest not in releases:
            releases[release.digest] = DockerRelease(self, lane, release, parse_spec(release))
        releases[release.digest].run(release, restart=restart, order=order)

    def stop(self, lane: Lane, digest: str, *, drained: bool) -> None:
        release = self._lanes.get(lane, {}).get(digest)
        if release is not None:
            release.stop(drained=drained)

    async def observe(self) -> Mapping[Lane, Mapping[str, RunningRelease]]:
        await self._looks()
        return {
            lane: {digest: release.observed() for digest, release in releases.items()}
            for lane, releases in self._lanes.items()
        }

    # ---- for the releases --------------------------------------------------------------------------------------

    async def pull(self, image: str, progress: Callable[[str], None]) -> None:
        """Pull an image once, however many instances wait for it. Raises `ImageUnavailable`, `Unreachable`."""
        async with self._pulls.setdefault(image, asyncio.Lock()):
            await images.ensure(self.engine, self._logins, image, progress)

    def changed(self, lane: Lane) -> None:
        self._looks.wake()
        self._changed(lane)

    def gone(self, release: DockerRelease) -> None:
        """Nothing of the release is left on the engine."""
        releases = self._lanes.get(release.lane, {})
        if releases.get(release.release.digest) is release:
            del releases[release.release.digest]
        if not releases:
            self._lanes.pop(release.lane, None)
        self._changed(release.lane)

    # ---- helpers -----------------------------------------------------------------------------------------------

    def _releases(self) -> Iterable[DockerRelease]:
        return [release for releases in self._lanes.values() for release in releases.values()]

    def _adopt(self, container: Container) -> None:
        releases = self._lanes.setdefault(container.lane, {})
        if container.digest not in releases:
            spec = DockerSpec.model_validate({"image": container.image, **container.kept})
            release = Release(container.lane.service, container.version, container.digest)
            releases[container.digest] = DockerRelease(self, container.lane, release, spec, adopted=True)
        releases[container.digest].adopt(container)

    async def _look(self, asked_at: float) -> None:
        """Take in what the engine lists. Raises `Unreachable`."""
        by_release: dict[tuple[Lane, str], list[Container]] = {}
        for container in await self._listed():
            by_release.setdefault((container.lane, container.digest), []).append(container)
        for release in self._releases():
            release.see(by_release.pop((release.lane, release.release.digest), []), asked_at)
        for left in by_release.values():
            for container in left:  # of a request with a lost answer
                self._adopt(container)
                release = self._lanes[container.lane][container.digest]
                release.stop(drained=True)

    async def _listed(self) -> list[Container]:
        try:
            return await self.containers.list()
        except EngineError as error:
            raise Unreachable(f"{self.engine.name} refuses to list containers: {error}") from None

    async def _follow_events(self) -> None:
        mine = {"type": ["container"], "label": [f"{OWNER}={self._owner}"]}
        while True:
            try:
                events = self.engine.stream("GET", "/events", silence_s=None, params={"filters": mine})
                async with contextlib.aclosing(events):
                    async for event in events:
                        self._looks.wake()
                        labels = event.get("Actor", {}).get("Attributes", {})
                        lane = Lane(labels.get("slipway.service", ""), labels.get("slipway.environment", ""))
                        if lane in self._lanes:
                            self._changed(lane)
                self.engine.outages += 1  # the engine ended the stream: it stops
            except (Unreachable, EngineError, ValueError, TimeoutError) as problem:
                log.info("no events from the engine: %s", problem)
            self._looks.wake()
            await asyncio.sleep(_ENGINE_BACK_S)


def make_docker_runtime(settings: DockerSettings, context: RuntimeContext) -> DockerRuntime:
    """Two engines of one host may be the same one under two addresses, so each has its own part of the containers."""
    return DockerRuntime(settings, replace(context, owner=f"{context.owner}.{settings.place}"))
