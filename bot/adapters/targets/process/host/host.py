"""The host as an object: lanes, command socket, metrics. Runs in its own program, or inside a test."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from bot import __version__
from bot.adapters.targets.process import wire
from bot.adapters.targets.process.host import processes
from bot.adapters.targets.process.host.lanes.lane import HostedLane
from bot.adapters.targets.process.host.processes import Process
from bot.adapters.targets.process.host.prometheus import Row, metrics_handler
from bot.adapters.targets.process.host.server import CommandServer
from bot.adapters.targets.process.host.sockets import Sockets, control_path
from bot.adapters.targets.process.host.store import StateStore
from bot.adapters.targets.process.settings import ProcessLaneSettings
from bot.domain.rollout.model import Lane
from bot.ports.errors import TargetRefused

log = logging.getLogger(__name__)

Json = dict[str, Any]
_HOUSEKEEPING_S = 5.0
_STRAY_PATIENCE_S = 1.0


class Host:
    """The host: `start`, wait for `stopped`, then `stop`, which leaves no process of a release behind."""

    def __init__(self, data_dir: Path, sockets: Sockets | None = None) -> None:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.data_dir = data_dir
        self.stopped = asyncio.Event()
        self._store = StateStore(data_dir)
        self._sockets = sockets or Sockets()
        self._lanes: dict[Lane, HostedLane] = {}
        self._making = asyncio.Lock()
        self._metrics: web.ServerRunner | None = None
        self._metrics_at: tuple[str, int] | None = None
        self._housekeeper: asyncio.Task[None] | None = None
        self._server = CommandServer(
            {
                "ping": self._ping,
                "configure": self._configure,
                "apply": self._apply,
                "observe": self._observe,
                "abort": self._abort,
                "counts": self._counts,
                "describe": self._describe,
                "stop": self._stop,
            }
        )

    async def start(self) -> None:
        """Restore the desired states, then accept commands. Raises ValueError, OSError."""
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, force_close=True))
        found = list(processes.started_by(self._store.host_id()))
        leaders = {token: process for token, process in found if process.leads}
        for state in self._store.lanes():
            lane = wire.lane_from_json(state["lane"])
            self._lanes[lane] = self._make(lane)
            self._lanes[lane].restore(state, leaders)
        await self._stop_strays(found)
        for hosted in self._lanes.values():
            await hosted.start()
        if metrics_at := self._store.metrics_at():
            with contextlib.suppress(TargetRefused):
                await self._serve_metrics(*metrics_at)
        self._housekeeper = asyncio.create_task(self._keep_house())
        await self._server.serve(self._sockets.unix(control_path(self.data_dir)))
        log.info("host started with %d lanes", len(self._lanes))

    async def stop(self) -> None:
        """Stop everything in order. The desired states stay on disk for the next start."""
        if self._housekeeper is not None:
            self._housekeeper.cancel()
        await self._server.close()
        await asyncio.gather(*(lane.stop() for lane in self._lanes.values()))
        if self._metrics is not None:
            await self._metrics.cleanup()
        await self._session.close()
        with contextlib.suppress(FileNotFoundError):
            control_path(self.data_dir).unlink()
        self._sockets.say_done()
        self._sockets.close()
        log.info("host stopped")

    # ---- commands -------------------------------------------------------------------------------------

    async def _ping(self, request: Json) -> Json:
        return {"pid": os.getpid(), "version": __version__}

    async def _configure(self, request: Json) -> Json:
        """Apply the settings of every lane; one that fails does not keep the others from theirs."""
        problems = []
        for named, settings in request["lanes"]:
            hosted = await self._lane(wire.lane_from_json(named))
            try:
                await hosted.configure(ProcessLaneSettings.model_validate(settings))
            except TargetRefused as refused:
                problems.append(str(refused))
        if request.get("metrics"):
            try:
                await self._serve_metrics(*request["metrics"])
            except TargetRefused as refused:
                problems.append(str(refused))
        if problems:
            raise TargetRefused(" ".join(problems))
        return {}

    async def _apply(self, request: Json) -> Json:
        hosted = await self._lane(wire.lane_from_json(request["lane"]))
        settings = ProcessLaneSettings.model_validate(request["settings"])
        await hosted.apply(wire.desired_from_json(request["desired"]), settings)
        return {}

    async def _observe(self, request: Json) -> Json:
        hosted = self._lanes.get(wire.lane_from_json(request["lane"]))
        if hosted is None:
            return {"generation": 0, "running": [], "abort": None}
        return wire.observed_to_json(hosted.observed())

    async def _abort(self, request: Json) -> Json:
        lane = wire.lane_from_json(request["lane"])
        if lane not in self._lanes:
            known = ", ".join(sorted(map(str, self._lanes))) or "none"
            raise TargetRefused(f"The host has no lane {lane}; it has: {known}.")
        return wire.observed_to_json(await self._lanes[lane].abort(request["by"], request["why"]))

    async def _counts(self, request: Json) -> Json:
        """Counts by digest and instance; `overdue`: requests in flight longer than `overdue_s`."""
        hosted = self._lanes.get(wire.lane_from_json(request["lane"]))
        found: dict[str, dict[str, Json]] = {}
        for digest, _, index, counts in hosted.fleet.counts() if hosted else ():
            found.setdefault(digest, {})[str(index)] = {
                "total": counts.total,
                "bad": counts.bad,
                "buckets": counts.buckets()[:-1],
                "overdue": counts.overdue(request["overdue_s"]),
                "in_flight": counts.in_flight,
                "outcomes": counts.outcomes(),
            }
        return {"releases": found, "routed": hosted is not None and hosted.front.open}

    async def _describe(self, request: Json) -> Json:
        """Addresses of routers, ready instances and metrics."""
        return {
            "pid": os.getpid(),
            "version": __version__,
            "metrics": self._metrics_at,
            "lanes": [
                {
                    "lane": wire.lane_to_json(lane),
                    "host": hosted.settings.listen_host,
                    "port": hosted.front.port if hosted.front.open else None,
                    "addresses": hosted.fleet.addresses(),
                    "unrouted": hosted.front.unrouted,
                }
                for lane, hosted in self._lanes.items()
            ],
        }

    async def _stop(self, request: Json) -> Json:
        self.stopped.set()
        return {}

    # ---- helpers -------------------------------------------------------------------------------------

    async def _lane(self, lane: Lane) -> HostedLane:
        async with self._making:
            if lane not in self._lanes:
                made = self._make(lane)
                await made.start()
                self._lanes[lane] = made
            return self._lanes[lane]

    def _make(self, lane: Lane) -> HostedLane:
        return HostedLane(lane, self._store, self._sockets, self._session, self._ports)

    def _ports(self) -> set[int]:
        return {port for hosted in self._lanes.values() for port in hosted.fleet.ports()}

    def _rows(self) -> Iterator[Row]:
        for lane, hosted in self._lanes.items():
            for _, version, _, counts in hosted.fleet.counts():
                yield lane, version, counts

    async def _serve_metrics(self, host: str, port: int) -> None:
        if self._metrics_at is not None and self._metrics_at[0] == host and port in (0, self._metrics_at[1]):
            return
        if self._metrics is not None:
            await self._metrics.cleanup()
        try:
            listening = self._sockets.tcp("metrics", host, port)
        except OSError as problem:
            raise TargetRefused(f"The host cannot serve metrics at {host}:{port}: {problem}") from None
        answer = metrics_handler(self._rows)

        async def handle(request: web.BaseRequest) -> web.Response:
            return answer(request)

        self._metrics = web.ServerRunner(web.Server(handle, access_log=None), handle_signals=False)
        await self._metrics.setup()
        await web.SockSite(self._metrics, listening.dup()).start()
        self._metrics_at = (host, listening.getsockname()[1])
        self._store.keep_metrics_at(*self._metrics_at)

    async def _stop_strays(self, found: list[tuple[str, Process]]) -> None:
        """Stop processes that an earlier host started and no lane took over: none may run beside new ones."""
        looked_after = {token for hosted in self._lanes.values() for token in hosted.fleet.adopted()}
        strays = [process for token, process in found if token not in looked_after]
        if strays:
            log.warning("stopping stray processes %s", [process.pid for process in strays])
        await asyncio.gather(*(process.stop(signal.SIGTERM, _STRAY_PATIENCE_S) for process in strays))

    async def _keep_house(self) -> None:
        while True:
            await asyncio.sleep(_HOUSEKEEPING_S)
            for hosted in self._lanes.values():
                with contextlib.suppress(OSError):
                    hosted.fleet.rotate_logs()
