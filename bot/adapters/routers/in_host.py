"""The weighted router as a `Router`: one listener for each lane, inside the host."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from bot.adapters.lane_files import folder_name
from bot.adapters.routers import weighted
from bot.adapters.routers.context import RouterContext
from bot.adapters.routers.counts import BOUNDS, InstanceCounts
from bot.adapters.routers.settings import WeightedRouterSettings
from bot.adapters.routers.weighted import WeightedRouter
from bot.adapters.targets.hosted.host.sockets import Sockets
from bot.domain.rollout.model import Lane
from bot.ports.errors import TargetRefused
from bot.ports.routers import LaneRoute, RoutedLane, RouterCounts, Split

_KEPT_COUNTS = 8
# How long a request waits while no release is ready, before it gets a 503.
WAIT_S = 10.0


class RoutedByHost:
    """One lane: its listener, its split, and counts by digest, the most recently used last."""

    def __init__(self, lane: Lane, sockets: Sockets, folder: Path) -> None:
        self.route = LaneRoute()
        self.split = Split(0, 0)
        self.address: tuple[str, int] | None = None
        self._name = str(lane)
        self._sockets = sockets
        self._folder = folder / folder_name(lane)
        self._router: WeightedRouter | None = None
        self._counts: dict[str, InstanceCounts] = {}

    async def serve(self, route: LaneRoute) -> None:
        """Listen by `route`; while the address stays, requests in flight continue. Raises OSError."""
        self.route = route
        port = route.port or (self.address[1] if self.address else 0)
        if self.address != (route.host, port):
            await self.close()
            listening = self._sockets.tcp(self._name, route.host, port)
            self.address = (route.host, listening.getsockname()[1])
            self._router = WeightedRouter()
            self._configure()
            self._router.route(self._weighted())
            await self._router.serve(listening)
        self._configure()

    def apply(self, split: Split) -> None:
        self.split = split
        for share in split.shares:
            self._counts[share.digest] = (
                self._counts.pop(share.digest)
                if share.digest in self._counts
                else self._counted(share.digest)
            )
        routed = {share.digest for share in split.shares}
        for digest in list(self._counts)[: max(0, len(self._counts) - _KEPT_COUNTS)]:
            if digest not in routed:
                self._counts.pop(digest).close()
                self._file(digest).unlink(missing_ok=True)
        if self._router is not None:
            self._router.route(self._weighted())

    def counts(self) -> dict[str, RouterCounts]:
        limit = max(self.route.latency_limits_s, default=BOUNDS[-1])
        return {
            digest: RouterCounts(
                epoch="",
                total=found.total,
                bad=found.bad,
                buckets=tuple(found.buckets()[:-1]),
                in_flight=found.in_flight,
                overdue=found.overdue(limit),
            )
            for digest, found in self._counts.items()
        }

    def drop(self) -> None:
        """Stop listening for good."""
        self._sockets.drop(self._name)

    async def close(self) -> None:
        router, self._router = self._router, None
        self.address = None
        if router is not None:
            await router.close()

    def _configure(self) -> None:
        if self._router is not None:
            sticky = self.route.sticky
            self._router.configure(sticky.name if sticky else None, self.route.request_timeout_s, WAIT_S)

    def _weighted(self) -> weighted.Split:
        """The split in the weighted router's terms, where the second share is the candidate's.

        Always the same one of two, so that users who stick to a release stay there as the weights move.
        """
        serving = sorted((s for s in self.split.shares if s.weight), key=lambda share: share.digest)
        backends = [
            tuple(
                weighted.Backend(s.digest, s.version, f"http://{b.host}:{b.port}", self._counts[s.digest])
                for b in s.backends
            )
            for s in serving
        ]
        if len(serving) == 2:
            return weighted.Split(backends[0], backends[1], serving[1].weight)
        return weighted.Split(stable=backends[0]) if serving else weighted.Split()

    def _counted(self, digest: str) -> InstanceCounts:
        return InstanceCounts(self._file(digest))

    def _file(self, digest: str) -> Path:
        return self._folder / quote(digest, safe="")[:80]


class RouterInHost:
    """Implements `bot.ports.routers.Router`."""

    def __init__(self, context: RouterContext) -> None:
        self._context = context
        self._lanes: dict[Lane, RoutedByHost] = {}

    async def start(self) -> None:
        self._context.folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    async def close(self) -> None:
        for routed in self._lanes.values():
            await routed.close()

    async def configure(self, lanes: Mapping[Lane, LaneRoute]) -> None:
        for lane in [known for known in self._lanes if known not in lanes]:
            gone = self._lanes.pop(lane)
            await gone.close()
            gone.drop()
        problems = []
        for lane, route in lanes.items():
            if lane not in self._lanes:
                self._lanes[lane] = RoutedByHost(lane, self._context.sockets, self._context.folder)
            try:
                await self._lanes[lane].serve(route)
            except OSError as problem:
                problems.append(f"{lane}: {problem}")
        if problems:
            raise TargetRefused("; ".join(problems))

    async def apply(self, lane: Lane, split: Split) -> None:
        if lane not in self._lanes:
            raise TargetRefused(f"the router does not serve {lane}")
        self._lanes[lane].apply(split)

    async def observe(self) -> Mapping[Lane, RoutedLane]:
        return {
            lane: RoutedLane(
                routed.split.generation,
                routed.split.revision,
                {share.digest: share.weight for share in routed.split.shares},
                routed.address,
            )
            for lane, routed in self._lanes.items()
        }

    async def counts(self) -> Mapping[Lane, Mapping[str, RouterCounts]]:
        return {lane: routed.counts() for lane, routed in self._lanes.items()}


def make_weighted(settings: WeightedRouterSettings, context: RouterContext) -> RouterInHost:
    return RouterInHost(context)
