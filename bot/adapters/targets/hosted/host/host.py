"""The host as an object: platforms, lanes, command socket, metrics. Runs in its own program, or inside a test."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections import defaultdict
from pathlib import Path
from typing import Any

from aiohttp import web

from bot import __version__
from bot.adapters import disk_reserve
from bot.adapters.lane_files import lane_from_json, lane_to_json
from bot.adapters.targets.hosted import wire
from bot.adapters.targets.hosted.host.lane import HostedLane
from bot.adapters.targets.hosted.host.platform import MakePlatform, Platform, PlatformContext
from bot.adapters.targets.hosted.host.prometheus import Row, metrics_handler
from bot.adapters.targets.hosted.host.server import CommandServer
from bot.adapters.targets.hosted.host.sockets import Sockets, control_path
from bot.adapters.targets.hosted.host.store import StateStore
from bot.adapters.targets.hosted.settings import HostedLaneSettings, PlatformSettings
from bot.domain.rollout.model import Lane
from bot.ports.errors import TargetRefused, Unreachable

log = logging.getLogger(__name__)

Json = dict[str, Any]
_RESERVE_S = 5.0


class Host:
    """The host: `start`, wait for `stopped`, then `stop`, which leaves nothing of a release behind."""

    def __init__(self, data_dir: Path, make_platform: MakePlatform, sockets: Sockets | None = None) -> None:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.data_dir = data_dir
        self.stopped = asyncio.Event()
        self._store = StateStore(data_dir)
        self._make_platform = make_platform
        self._sockets = sockets or Sockets()
        self._platforms: dict[str, Platform] = {}
        self._starting: dict[str, Platform] = {}  # those with an engine or a router that did not answer yet
        self._lanes: dict[Lane, HostedLane] = {}
        self._making = asyncio.Lock()
        self._failed: dict[str, str] = {}
        self._reserving: asyncio.Task[None] | None = None
        self._metrics: web.ServerRunner | None = None
        self._metrics_at: tuple[str, int] | None = None
        self._server = CommandServer(
            {
                "ping": self._ping,
                "configure": self._configure,
                "apply": self._apply,
                "observe": self._observe,
                "abort": self._abort,
                "counts": self._counts,
                "describe": self._describe,
                "restart_routers": self._restart_routers,
                "stop": self._stop,
            }
        )

    async def start(self) -> None:
        """Restore the desired states, then accept commands. Raises ValueError, OSError, `Unreachable`."""
        list(self._store.lanes.lanes())  # a file that cannot be read stops it before anything starts
        for settings in self._store.platforms():
            await self._add(settings)
        if metrics_at := self._store.metrics_at():
            with contextlib.suppress(TargetRefused):
                await self._serve_metrics(*metrics_at)
        self._reserving = asyncio.create_task(self._keep_reserve(), name="reserve")
        await self._server.serve(self._sockets.unix(control_path(self.data_dir)))
        log.info("host started with %d lanes", len(self._lanes))

    async def stop(self) -> None:
        """Stop everything in order. The desired states stay on disk for the next start."""
        await self._server.close()
        if self._reserving is not None:
            self._reserving.cancel()
        stopping = await asyncio.gather(
            *(lane.stop() for lane in self._lanes.values()), return_exceptions=True
        )
        for problem in filter(None, stopping):
            log.error("a lane did not stop in order: %s", problem)
        for platform in (*self._platforms.values(), *self._starting.values()):
            await platform.close()
        if self._metrics is not None:
            await self._metrics.cleanup()
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
        platform = PlatformSettings.model_validate(request["platform"])
        try:
            await self._add(platform)
        except (OSError, ValueError) as problem:
            self._failed[platform.place] = str(problem)
            raise TargetRefused(str(problem)) from None
        except Unreachable as problem:  # an engine or a router of others, which may start later
            self._failed[platform.place] = str(problem)
            raise
        lanes = [
            await self._lane(lane_from_json(named), HostedLaneSettings.model_validate(settings))
            for named, settings in request["lanes"]
        ]
        problems = await self._listen(lanes)
        if request.get("metrics"):
            try:
                await self._serve_metrics(*request["metrics"])
            except TargetRefused as refused:
                problems.append(str(refused))
        if problems:
            raise TargetRefused(" ".join(problems))
        return {}

    async def _apply(self, request: Json) -> Json:
        settings = HostedLaneSettings.model_validate(request["settings"])
        lane = lane_from_json(request["lane"])
        hosted = self._lanes.get(lane) or await self._lane(lane, settings)
        self._check_place(hosted, settings)
        await hosted.apply(
            wire.desired_from_json(request["desired"]), settings, rollout=request.get("rollout")
        )
        return {}

    async def _observe(self, request: Json) -> Json:
        hosted = self._lanes.get(lane_from_json(request["lane"]))
        if hosted is None:
            return {"generation": 0, "running": [], "abort": None}
        return wire.observed_to_json(await hosted.observed())

    async def _abort(self, request: Json) -> Json:
        lane = lane_from_json(request["lane"])
        if lane not in self._lanes:
            known = ", ".join(sorted(map(str, self._lanes))) or "none"
            raise TargetRefused(f"The host has no lane {lane}; it has: {known}.")
        return wire.observed_to_json(await self._lanes[lane].abort(request["by"], request["why"]))

    async def _counts(self, request: Json) -> Json:
        """The router's counts by digest; `routed`: whether the lane takes traffic through it."""
        hosted = self._lanes.get(lane_from_json(request["lane"]))
        if hosted is None or hosted.route is None:
            return {"releases": {}, "routed": False}
        counts = await hosted.counts()
        return {
            "releases": {digest: wire.counts_to_json(found) for digest, found in counts.items()},
            "routed": True,
        }

    async def _describe(self, request: Json) -> Json:
        """Addresses of routers, ready instances and metrics."""
        return {
            "pid": os.getpid(),
            "version": __version__,
            "metrics": self._metrics_at,
            "lanes": [await self._described(hosted) for hosted in self._lanes.values()],
        }

    async def _described(self, hosted: HostedLane) -> Json:
        routed = await hosted.routed()
        host, port = routed.address if routed is not None and routed.address is not None else (None, None)
        return {
            "lane": lane_to_json(hosted.lane),
            "host": host,
            "port": port,
            "addresses": await hosted.addresses(),
        }

    async def _restart_routers(self, request: Json) -> Json:
        """Replace the routers' programs by those that are installed now; the places where that was done."""
        for platform in self._platforms.values():
            await platform.router.restart()
        return {"places": sorted(self._platforms)}

    async def _stop(self, request: Json) -> Json:
        self.stopped.set()
        return {}

    # ---- helpers -------------------------------------------------------------------------------------

    async def _keep_reserve(self) -> None:
        while True:
            await asyncio.to_thread(disk_reserve.keep, self.data_dir)
            await asyncio.sleep(_RESERVE_S)

    async def _add(self, settings: PlatformSettings) -> None:
        """Have this platform, with the lanes that were saved for it. Raises as its runtime and router do."""
        async with self._making:
            known = self._platforms.get(settings.place)
            if known is not None:
                if known.settings != settings:
                    if not await known.follow(settings):
                        raise TargetRefused(
                            f"Runtime and router of {settings.place} change when the host starts again: "
                            "`slipway host stop`, then `slipway host`."
                        )
                    self._store.keep_platforms(found.settings for found in self._platforms.values())
                return
            context = PlatformContext(
                folder=self.data_dir / "platforms" / settings.place,
                logs=self.data_dir / "logs",
                owner=self._store.host_id(),
                releases=self.data_dir.with_name(f"{self.data_dir.name}-releases"),
            )
            platform = self._starting.get(settings.place)
            if platform is None or platform.settings != settings:
                platform = self._starting[settings.place] = self._make_platform(settings, context)
            await platform.start(self._changed)
            self._platforms[settings.place] = self._starting.pop(settings.place)
            self._store.keep_platforms(found.settings for found in self._platforms.values())
            restored = [
                self._restored(state, platform)
                for state in self._store.lanes.lanes()
                if _settings(state).place == settings.place
            ]
        for problem in await self._listen(restored):
            log.error("%s", problem)
        for hosted in restored:
            hosted.start()

    def _restored(self, state: Json, platform: Platform) -> HostedLane:
        lane = lane_from_json(state["lane"])
        hosted = self._lanes[lane] = HostedLane(lane, platform, self._store.lanes, _settings(state))
        hosted.restore(state)
        return hosted

    async def _lane(self, lane: Lane, settings: HostedLaneSettings) -> HostedLane:
        """The lane with these settings; its router does not follow them yet. Raises `TargetRefused`."""
        hosted = self._lanes.get(lane)
        if hosted is not None:
            self._check_place(hosted, settings)
            await hosted.configure(settings)
            return hosted
        platform = self._platforms.get(settings.place)
        if platform is None:
            why = self._failed.get(settings.place, "it was not told of one")
            raise TargetRefused(f"The host cannot run {lane} on {settings.place}: {why}")
        hosted = self._lanes[lane] = HostedLane(lane, platform, self._store.lanes, settings)
        hosted.start()
        return hosted

    def _check_place(self, hosted: HostedLane, settings: HostedLaneSettings) -> None:
        if settings.place != hosted.settings.place:
            raise TargetRefused(
                f"{hosted.lane} runs on {hosted.settings.place}, and cannot move to {settings.place}."
            )

    async def _listen(self, lanes: list[HostedLane]) -> list[str]:
        """Have the routers serve these lanes; returns what went wrong, in sentences."""
        problems = []
        by_platform: dict[str, list[HostedLane]] = defaultdict(list)
        for hosted in lanes:
            by_platform[hosted.settings.place].append(hosted)
        for place, found in by_platform.items():
            try:
                await self._platforms[place].listen({hosted.lane: hosted.route for hosted in found})
            except (TargetRefused, Unreachable) as problem:
                problems.append(str(problem))
            for hosted in found:
                with contextlib.suppress(Unreachable):
                    await hosted.listened()
        return problems

    def _changed(self, lane: Lane) -> None:
        if lane in self._lanes:
            self._lanes[lane].changed()

    async def _rows(self) -> list[Row]:
        return [
            (lane, hosted.versions().get(digest, ""), counts)
            for lane, hosted in self._lanes.items()
            for digest, counts in (await hosted.counts()).items()
        ]

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

        self._metrics = web.ServerRunner(web.Server(answer, access_log=None), handle_signals=False)
        await self._metrics.setup()
        await web.SockSite(self._metrics, listening.dup()).start()
        self._metrics_at = (host, listening.getsockname()[1])
        self._store.keep_metrics_at(*self._metrics_at)


def _settings(state: Json) -> HostedLaneSettings:
    """A lane's settings as they were saved, also by another version of this program."""
    known = {key: value for key, value in state["settings"].items() if key in HostedLaneSettings.model_fields}
    return HostedLaneSettings.model_validate(known)
