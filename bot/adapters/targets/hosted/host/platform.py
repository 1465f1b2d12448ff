"""A runtime and the router before it, asked for many lanes at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from bot.adapters.targets.hosted.settings import PlatformSettings
from bot.domain.rollout.model import Lane
from bot.ports.data_plane.routers import LaneRoute, RoutedLane, Router, RouterCounts
from bot.ports.data_plane.runtimes import FollowsSettings, RunningRelease, Runtime
from bot.ports.errors import TargetRefused

T = TypeVar("T")


class Shared(Generic[T]):
    """A read that many callers share: each gets an answer that was asked for after it called."""

    def __init__(self, read: Callable[[], Awaitable[T]]) -> None:
        self._read = read
        self._running: asyncio.Task[T] | None = None
        self._next: asyncio.Task[T] | None = None

    async def __call__(self) -> T:
        if self._next is None:
            self._next = asyncio.create_task(self._after(self._running))
        return await asyncio.shield(self._next)

    async def _after(self, before: asyncio.Task[T] | None) -> T:
        if before is not None:
            await asyncio.wait([before])
        self._running, self._next = self._next, None
        return await self._read()


class Platform:
    """One runtime and one router, with the lanes that they serve. `settings`: those that both work by."""

    def __init__(self, settings: PlatformSettings, runtime: Runtime, router: Router) -> None:
        self.settings = settings
        self.runtime = runtime
        self.router = router
        self.running: Shared[Mapping[Lane, Mapping[str, RunningRelease]]] = Shared(runtime.observe)
        self.routed: Shared[Mapping[Lane, RoutedLane]] = Shared(router.observe)
        self.counts: Shared[Mapping[Lane, Mapping[str, RouterCounts]]] = Shared(router.counts)
        self._routes: dict[Lane, LaneRoute] = {}
        self._routing = asyncio.Lock()
        self._router_started = self._runtime_started = False

    async def start(self, changed: Callable[[Lane], None]) -> None:
        """Start router and runtime; may be repeated after `Unreachable`. Raises as they do."""
        if not self._router_started:
            await self.router.start()
            self._router_started = True
        await self.runtime.start(changed)
        self._runtime_started = True

    async def follow(self, settings: PlatformSettings) -> bool:
        """Take other settings of the runtime; False when that takes another runtime or router."""
        same_router = settings.router == self.settings.router
        if not same_router or not isinstance(self.runtime, FollowsSettings):
            return False
        if await self.runtime.follow(settings.runtime):
            self.settings = settings
        return self.settings is settings

    async def close(self) -> None:
        """Stop all that was started, the runtime's releases too."""
        if self._runtime_started:
            await self.runtime.close()
        if self._router_started:
            await self.router.close()

    async def listen(self, routes: Mapping[Lane, LaneRoute | None]) -> None:
        """Serve these lanes besides the others, None for not at all.

        Raises `Unreachable`, and `TargetRefused` when it cannot listen for one of these; the others are served all the
        same.
        """
        async with self._routing:
            for lane, route in routes.items():
                if route is None:
                    self._routes.pop(lane, None)
                else:
                    self._routes[lane] = route
            try:
                await self.router.configure(dict(self._routes))
            except TargetRefused as refused:
                routed = await self.routed()
                if any(route and not listens(routed.get(lane), route) for lane, route in routes.items()):
                    raise TargetRefused(f"The router cannot listen: {refused}") from None


@dataclass(frozen=True, slots=True)
class PlatformContext:
    """What the host gives a platform.

    folder: for its own files. logs: for output of releases. owner: marks what this host starts. releases: for files of
    releases, beside the host's folder, which is closed to all other users.
    """

    folder: Path
    logs: Path
    owner: str
    releases: Path


# Raises ValueError for settings that cannot be read.
MakePlatform = Callable[[PlatformSettings, PlatformContext], Platform]


def listens(routed: RoutedLane | None, route: LaneRoute) -> bool:
    """Whether the router listens where it should."""
    return routed is not None and routed.address is not None and route.port in (0, routed.address[1])
