"""The Swarm runtime: releases as services, which the swarm spreads over its nodes and keeps running without Slipway."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import aiohttp

from bot.adapters.runtimes.context import RuntimeContext
from bot.adapters.runtimes.docker.engine import EngineApi, EngineError
from bot.adapters.runtimes.docker.images import Logins
from bot.adapters.runtimes.docker.labels import VERSION, kept_in
from bot.adapters.runtimes.docker.readiness import ContainerReadiness
from bot.adapters.runtimes.looking import Looks, exited
from bot.adapters.runtimes.swarm.endings import Endings
from bot.adapters.runtimes.swarm.managers import Managers
from bot.adapters.runtimes.swarm.release import SwarmRelease
from bot.adapters.runtimes.swarm.services import Key, Listing, Services
from bot.adapters.runtimes.swarm.settings import ManagerSettings, SwarmSettings
from bot.adapters.runtimes.swarm.spec import SwarmSpec, parse_spec
from bot.domain.rollout.model import Lane, Release
from bot.ports.data_plane.runtimes import UNORDERED, Order, RunningRelease
from bot.ports.errors import TargetRefused, Unreachable

log = logging.getLogger(__name__)

# What happens on other nodes is in no event of the manager: it is found by looking.
_LOOK_AGAIN_S = 1.0
_UNSETTLED_S = 0.2
_ENGINE_BACK_S = 0.5
_EVENTS = ("create", "update", "remove", "start", "die", "health_status")


class SwarmRuntime:
    """Implements `bot.ports.data_plane.runtimes.Runtime`."""

    def __init__(self, settings: ManagerSettings, context: RuntimeContext) -> None:
        logins = Logins(settings.logins)
        self._managers = Managers(settings, context.folder)
        self.engine: EngineApi = self._managers
        self.services = Services(self.engine, settings, logins, context.owner)
        self.endings = Endings(self.engine, logins)
        self.readiness = ContainerReadiness(context.folder / "ready")
        self._releases: dict[Key, SwarmRelease] = {}
        self._changed: Callable[[Lane], None] = lambda lane: None
        self._looks = Looks(self._look, self._pause_s)
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
        known = {task.id for tasks in found.tasks.values() for task in tasks}
        await asyncio.to_thread(self.readiness.keep_only, known)
        self._take_in(found, asyncio.get_running_loop().time())
        self._looks.start()
        self._following = asyncio.create_task(self._follow_events(), name="swarm-events")

    async def close(self) -> None:
        """As the port says; what a swarm has that stays away is left to the next host."""
        await exited((release.exit() for release in self._there()), self._listed, self.engine.name)
        if self._following is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)
        await self._looks.close()
        self._releases.clear()
        await self.session.close()
        await self.engine.close()

    def check(self, release: Release, *, exclusive: bool) -> None:
        spec = parse_spec(release, exclusive=exclusive)
        if not spec.pinned:
            raise TargetRefused(
                f"{release.service} {release.version} cannot run: its image {spec.image} is not pinned by a digest"
            )

    def run(self, lane: Lane, release: Release, *, restart: bool, order: Order = UNORDERED) -> None:
        key = lane, release.digest
        if key not in self._releases:
            self._releases[key] = SwarmRelease(self, lane, release, parse_spec(release))
        self._releases[key].run(release, restart=restart, order=order)

    def stop(self, lane: Lane, digest: str, *, drained: bool) -> None:
        release = self._releases.get((lane, digest))
        if release is not None:
            release.stop(drained=drained)

    async def follow(self, settings: Mapping[str, Any]) -> bool:
        known = {name: value for name, value in settings.items() if name in ManagerSettings.model_fields}
        return await self._managers.follow(ManagerSettings.model_validate(known))

    async def observe(self) -> Mapping[Lane, Mapping[str, RunningRelease]]:
        await self._looks()
        seen: dict[Lane, dict[str, RunningRelease]] = {}
        for (lane, digest), release in self._releases.items():
            seen.setdefault(lane, {})[digest] = release.observed()
        return seen

    # ---- for the releases --------------------------------------------------------------------------------------

    def changed(self, lane: Lane) -> None:
        self._looks.wake()
        self._changed(lane)

    def gone(self, release: SwarmRelease) -> None:
        """Nothing of the release is left in the swarm."""
        if self._releases.get(release.key) is release:
            del self._releases[release.key]
        self._changed(release.lane)

    # ---- helpers -----------------------------------------------------------------------------------------------

    def _there(self) -> Iterable[SwarmRelease]:
        return list(self._releases.values())

    def _pause_s(self) -> float:
        settled = all(release.settled for release in self._releases.values())
        return _LOOK_AGAIN_S if settled else _UNSETTLED_S

    async def _look(self, asked_at: float) -> None:
        """Take in what the swarm lists. Raises `Unreachable`."""
        before = {key: release.observed() for key, release in self._releases.items()}
        self._take_in(await self._listed(), asked_at)
        for key, release in self._releases.items():
            if release.observed() != before.get(key):
                self._changed(release.lane)

    def _take_in(self, found: Listing, asked_at: float) -> None:
        for key in found.keys - set(self._releases):
            self._adopt(key, found)
        for key, release in self._releases.items():
            release.see(found.services.get(key), found.tasks.get(key, []), asked_at)

    def _adopt(self, key: Key, found: Listing) -> None:
        """Take over what an earlier host left; a service that is removed already is only waited for."""
        lane, digest = key
        service, tasks = found.services.get(key), found.tasks.get(key, [])
        marked = service.labels if service is not None else tasks[-1].labels
        spec = SwarmSpec.model_validate({"image": "removed", **kept_in(marked)})
        version = marked[VERSION]
        release = SwarmRelease(self, lane, Release(lane.service, version, digest), spec, adopted=True)
        self._releases[key] = release
        if service is None:
            release.stop(drained=True)

    async def _listed(self) -> Listing:
        try:
            return await self.services.list()
        except EngineError as error:
            raise Unreachable(f"{self.engine.name} does not list services: {error}") from None

    async def _follow_events(self) -> None:
        mine = {"type": ["service", "node", "container"], "event": list(_EVENTS)}
        while True:
            try:
                events = self.engine.stream("GET", "/events", silence_s=None, params={"filters": mine})
                async with contextlib.aclosing(events):
                    async for event in events:
                        if event.get("Type") == "node":
                            self.services.nodes.forget()
                        self._looks.wake()
                self.engine.outages += 1  # the engine ended the stream: it stops
            except (Unreachable, EngineError, ValueError, TimeoutError) as problem:
                log.info("no events from the manager: %s", problem)
            self.services.nodes.forget()  # what became of nodes meanwhile is in no event
            self._looks.wake()
            await asyncio.sleep(_ENGINE_BACK_S)


def make_swarm_runtime(settings: SwarmSettings, context: RuntimeContext) -> SwarmRuntime:
    """Two managers may be of one swarm, so each has its own part of the services."""
    return SwarmRuntime(settings, replace(context, owner=f"{context.owner}.{settings.place}"))
