"""Envoy behind the router's port. Every change is written to a file, and acknowledged by the admin interface."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace

from bot.adapters.free_ports import PORTS, free_port
from bot.adapters.routers.envoy import config
from bot.adapters.routers.envoy.admin import EnvoyAdmin, Json
from bot.adapters.routers.envoy.clusters import clusters
from bot.adapters.routers.envoy.config import EnvoyLimits, EnvoyListening
from bot.adapters.routers.envoy.counting import parse_counts
from bot.adapters.routers.envoy.files import CLUSTERS, LISTENERS, ROUTES, DiscoveryFiles, place
from bot.adapters.routers.envoy.names import COUNTS, parse_lane
from bot.adapters.routers.envoy.process import EnvoyProcess
from bot.domain.rollout.model import Lane
from bot.ports.data_plane.routers import LaneRoute, RoutedLane, RouterCounts, Split
from bot.ports.errors import TargetRefused, Unreachable

_ACKNOWLEDGED_S = 10.0
_WORDS_S = 5.0
_PORT_TRIES = 5
# Descriptors for Envoy itself; each connection of a client needs two more.
_OWN_FILES = 150
_FEWEST_LANES = 4

_LONGEST_WORDS = 300

_REFUSAL = re.compile(r"config update rejected: (.*?)(?=\n\[\d{4}-|\Z)", re.DOTALL)


class _Refused(Exception):
    """Envoy keeps what it had, or parts of it; the text is its own."""


class EnvoyRouter:
    """Implements `bot.ports.data_plane.routers.Router`. `process`: None for an Envoy that others run."""

    def __init__(
        self,
        admin: EnvoyAdmin,
        files: DiscoveryFiles,
        process: EnvoyProcess | None,
        limits: EnvoyLimits | None = None,
    ) -> None:
        self._admin = admin
        self._files = files
        self._process = process
        self._limits = limits or EnvoyLimits()
        self._lanes: dict[Lane, EnvoyListening] = {}
        self._splits: dict[Lane, Split] = {}
        self._changing = asyncio.Lock()

    async def start(self) -> None:
        self._restore()
        for kind in (LISTENERS, CLUSTERS, ROUTES):
            if not self._files.path(kind).exists():
                self._files.write(kind, [])
        if self._process is not None:
            await self._process.start(self._admin)
        elif not await self._admin.ready():
            raise Unreachable("Envoy is not ready")

    async def close(self) -> None:
        async with self._changing:
            if self._process is not None:
                await self._process.close()
            else:
                with contextlib.suppress(Unreachable, _Refused):
                    await self._publish(LISTENERS, [])
                    await self._publish(CLUSTERS, [])
            await self._admin.close()

    async def restart(self) -> None:
        if self._process is None:
            raise TargetRefused("This Envoy is run by others: restart it there.")
        async with self._changing:
            try:
                await self._process.replace(self._admin)
            except OSError as problem:
                raise TargetRefused(f"Envoy cannot be started: {problem}") from None

    async def configure(self, lanes: Mapping[Lane, LaneRoute]) -> None:
        async with self._changing:
            wanted: dict[Lane, EnvoyListening] = {}
            for lane, route in lanes.items():
                wanted[lane] = self._listening(
                    lane, route, {*self._ports(wanted), *(r.port for r in lanes.values())}
                )
            # Routes first, for the lanes of both: no listener may be without its virtual host.
            await self._accepted(ROUTES, [config.route_table({**self._lanes, **wanted}, self._splits)])
            listening, problems = await self._listen(wanted)
            self._lanes = listening
            self._splits = {lane: split for lane, split in self._splits.items() if lane in listening}
            await self._accepted(ROUTES, [config.route_table(self._lanes, self._splits)])
            await self._accepted(CLUSTERS, clusters(self._splits.items()))
        if problems:
            raise TargetRefused(" ".join(problems))

    async def apply(self, lane: Lane, split: Split) -> None:
        async with self._changing:
            if lane not in self._lanes:
                raise TargetRefused(f"Envoy does not listen for {lane}.")
            before, after = self._splits, {**self._splits, lane: split}
            needed = clusters(after.items())
            try:
                # What routes name must be there before them, and goes after them.
                if needed != clusters(before.items()):
                    await self._publish(CLUSTERS, clusters([*before.items(), *after.items()]))
                await self._publish(ROUTES, [config.route_table(self._lanes, after)])
            except _Refused as refusal:
                await self._accepted(ROUTES, [config.route_table(self._lanes, before)])
                await self._accepted(CLUSTERS, clusters(before.items()))
                raise TargetRefused(f"Envoy refused the routes of {lane}: {refusal}") from None
            self._splits = after
            if len(needed) < len(clusters([*before.items(), *after.items()])):
                await self._accepted(CLUSTERS, needed)

    async def observe(self) -> Mapping[Lane, RoutedLane]:
        tables = await self._admin.dump("dynamic_route_configs")
        addresses = await self._addresses()
        found = {lane: RoutedLane(address=addresses.get(lane)) for lane in self._lanes}
        for table in tables:
            for host in table["route_config"].get("virtual_hosts", ()):
                with contextlib.suppress(ValueError):
                    lane, split, weights = config.parse_virtual_host(host)
                    if lane in found:
                        weights = {share.digest: 0 for share in split.shares} | weights
                        found[lane] = RoutedLane(
                            split.generation, split.revision, weights, addresses.get(lane)
                        )
        return found

    async def counts(self) -> Mapping[Lane, Mapping[str, RouterCounts]]:
        epoch, again = await self._admin.epoch(), ""
        while epoch != again:
            stats = await self._admin.counts(COUNTS)
            # Only numbers of one start belong together.
            epoch, again = await self._admin.epoch(), epoch
        return parse_counts(stats, epoch, self._lanes, self._splits)

    # ---- listeners ------------------------------------------------------------------------------------------

    def _listening(self, lane: Lane, route: LaneRoute, taken: set[int]) -> EnvoyListening:
        """A lane keeps its port, and its counts unless other limits make them incomparable."""
        had = self._lanes.get(lane)
        series = f"{time.time_ns():x}"
        if had is None:
            return EnvoyListening(route, route.port or self._free_port(route.host, taken), series)
        port = route.port
        if not port:
            same = not had.route.port and had.route.host == route.host
            port = had.port if same else self._free_port(route.host, taken)
        same_limits = had.route.latency_limits_s == route.latency_limits_s
        return EnvoyListening(route, port, had.series if same_limits else series)

    async def _listen(
        self, wanted: dict[Lane, EnvoyListening]
    ) -> tuple[dict[Lane, EnvoyListening], list[str]]:
        """Listen for what can be listened for: the listeners that run then, and sentences about the others."""
        problems: list[str] = []
        for _ in range(_PORT_TRIES + len(wanted)):
            try:
                await self._publish(LISTENERS, self._listeners(wanted))
                return wanted, problems
            except _Refused as refusal:
                failed = await self._failed_listeners()
                if not failed:
                    await self._accepted(LISTENERS, self._listeners(self._lanes))
                    raise TargetRefused(f"Envoy refused the listeners: {refusal}") from None
                for lane, why in failed.items():
                    if lane not in wanted:
                        continue
                    listening = wanted.pop(lane)
                    if not listening.route.port and "already in use" in why:
                        wanted[lane] = replace(
                            listening, port=self._free_port(listening.route.host, self._ports(wanted))
                        )
                        continue
                    problems.append(
                        f"Envoy cannot listen at {listening.route.host}:{listening.port} for {lane}: {why}."
                    )
                    had = self._lanes.get(lane)
                    taken = "already in use" in why and had is not None and had.port == listening.port
                    if had is not None and had != listening and not taken:
                        wanted[lane] = had
        raise TargetRefused("Envoy found no free ports.")

    def _listeners(self, lanes: Mapping[Lane, EnvoyListening]) -> list[Json]:
        limits = replace(self._limits, connections=self._connections(len(lanes)))
        return config.listeners(lanes, limits, place(self._files.seen_at, ROUTES))

    def _connections(self, lanes: int) -> int:
        """Connections for each lane, so that all together leave Envoy the descriptors that it needs.

        A power of two of lanes shares them: another lane must not change the listeners of all the others.
        """
        if self._process is None:
            return self._limits.connections
        shares = 1 << (max(lanes, _FEWEST_LANES) - 1).bit_length()
        return max(4, min(self._limits.connections, (self._process.open_files - _OWN_FILES) // 2 // shares))

    async def _addresses(self) -> dict[Lane, tuple[str, int]]:
        found = {}
        for status in await self._admin.listeners():
            with contextlib.suppress(ValueError):
                address = status["local_address"]["socket_address"]
                found[parse_lane(status["name"])] = (str(address["address"]), int(address["port_value"]))
        return found

    async def _failed_listeners(self) -> dict[Lane, str]:
        found = {}
        for listener in await self._admin.dump("dynamic_listeners"):
            if failure := listener.get("error_state"):
                with contextlib.suppress(ValueError):
                    name = listener.get("name") or failure.get("failed_configuration", {}).get("name", "")
                    found[parse_lane(name)] = _plain(failure.get("details", "it did not say why"))
        return found

    def _ports(self, wanted: Mapping[Lane, EnvoyListening]) -> set[int]:
        return {listening.port for lanes in (self._lanes, wanted) for listening in lanes.values()}

    def _free_port(self, host: str, taken: set[int]) -> int:
        try:
            return free_port(host, taken)
        except OSError:
            raise TargetRefused(
                f"No port between {PORTS.start} and {PORTS.stop} is free at {host}."
            ) from None

    # ---- discovery ------------------------------------------------------------------------------------------

    def _restore(self) -> None:
        for resource in self._files.read(LISTENERS):
            with contextlib.suppress(ValueError):
                lane, listening = config.parse_listener(resource)
                self._lanes[lane] = listening
        for table in self._files.read(ROUTES):
            for host in table.get("virtual_hosts", ()):
                with contextlib.suppress(ValueError):
                    lane, split, _ = config.parse_virtual_host(host)
                    if lane in self._lanes and split.shares:
                        self._splits[lane] = split

    async def _accepted(self, kind: str, resources: list[Json]) -> None:
        """Publish what Envoy has accepted before, or made of it."""
        try:
            await self._publish(kind, resources, awaited=False)
        except _Refused as refusal:
            raise TargetRefused(f"Envoy refused the {kind}: {refusal}") from None

    async def _publish(self, kind: str, resources: Iterable[Json], *, awaited: bool = True) -> None:
        """Write configuration of a kind and wait until Envoy runs it. Raises `_Refused`, `Unreachable`.

        awaited: False does not wait while nothing subscribes, as to routes before the first listener, which reads them.
        """
        before = await self._admin.subscription(kind)
        place = self._process.log.end() if self._process is not None else 0
        try:
            version = self._files.write(kind, list(resources))
        except OSError as problem:
            raise Unreachable(f"Envoy's {kind} cannot be written: {problem}") from None
        if before.version is None and not awaited:
            return
        trouble = "it did not say whether it accepts them"
        pause_s, ends = 0.0005, time.monotonic() + _ACKNOWLEDGED_S
        while time.monotonic() < ends:
            try:
                now = await self._admin.subscription(kind)
            except Unreachable as problem:
                trouble = str(problem)
            else:
                if now.version == version:
                    return
                if now.refused != before.refused and (now.refused or now.version is not None):
                    raise _Refused(await self._words(place))
            await asyncio.sleep(pause_s)
            pause_s = min(0.05, pause_s * 1.5)
        raise Unreachable(f"Envoy got other {kind}, but {trouble}")

    async def _words(self, place: int) -> str:
        """Why Envoy refused, which it says in its log alone."""
        if self._process is None:
            return "its log says why"
        ends = time.monotonic() + _WORDS_S
        while time.monotonic() < ends:
            if said := _REFUSAL.findall(self._process.log.since(place)):
                return _plain(said[-1])
            await asyncio.sleep(0.01)
        return "it did not say why"


def _plain(words: str) -> str:
    """Envoy's words on one line, without the resource that it repeats before it says what is wrong with it."""
    line = " ".join(re.sub(r"goo\.gle/debug\w+\s*:?", "", words).split()).rstrip(".")
    *_, said = line.rsplit("Proto constraint validation failed", 1)
    return said.rsplit("| caused by ", 1)[-1].strip(" ()") if len(line) > _LONGEST_WORDS else line
