"""HAProxy behind the router's port: the lanes of a target, each on its own HAProxy, kept running."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import structlog

from bot.adapters.free_ports import PORTS, free_port
from bot.adapters.routers.haproxy.config import HaproxyLimits, HaproxyListening
from bot.adapters.routers.haproxy.lane import HaproxyLane
from bot.adapters.routers.haproxy.process import INSTALL, find_program
from bot.domain.rollout.model import Lane
from bot.ports.data_plane.routers import LaneRoute, RoutedLane, RouterCounts, Split
from bot.ports.errors import TargetRefused, Unreachable

_log = structlog.get_logger(__name__)

_LOOK_EVERY_S = 0.05
_LONGEST_PAUSE_S = 1.0
_PORT_TRIES = 5


class HaproxyRouter:
    """Implements `bot.ports.data_plane.routers.Router`. folder: its own. program: None for HAProxy of this machine."""

    def __init__(self, folder: Path, limits: HaproxyLimits, program: Path | None = None) -> None:
        self._folder = folder.absolute()
        self._limits = limits
        self._named = program
        self._program = Path()
        self._lanes: dict[Lane, HaproxyLane] = {}
        self._changing = asyncio.Lock()
        self._keeper: asyncio.Task[None] | None = None

    async def start(self) -> None:
        try:
            self._program = find_program(self._named)
        except OSError as problem:
            raise OSError(f"{problem}: {INSTALL}.") from None
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder.chmod(0o700)
        for folder in sorted(self._folder.iterdir()):
            found = HaproxyLane(folder, self._program, self._limits)
            try:
                self._lanes[await found.restore()] = found
            except (OSError, ValueError, TargetRefused, Unreachable) as problem:
                _log.warning("haproxy_not_restored", folder=str(folder), why=str(problem))
                await found.remove()
        self._keeper = asyncio.create_task(self._keep_running())

    async def close(self) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
            self._keeper = None
        async with self._changing:
            await asyncio.gather(*(lane.stop() for lane in self._lanes.values()))

    async def restart(self) -> None:
        problems = []
        async with self._changing:
            for lane in self._lanes.values():
                try:
                    if lane.listening is not None:
                        await lane.listen(lane.listening)
                except (TargetRefused, Unreachable) as problem:
                    problems.append(str(problem))
        if problems:
            raise TargetRefused(" ".join(problems))

    async def configure(self, lanes: Mapping[Lane, LaneRoute]) -> None:
        problems = []
        async with self._changing:
            for lane in [lane for lane in self._lanes if lane not in lanes]:
                await self._lanes.pop(lane).remove()
            for lane, route in lanes.items():
                try:
                    await self._listen(lane, route, {*self._ports(), *(r.port for r in lanes.values())})
                except (TargetRefused, Unreachable) as problem:
                    problems.append(str(problem))
        if problems:
            raise TargetRefused(" ".join(problems))

    async def apply(self, lane: Lane, split: Split) -> None:
        if lane not in self._lanes:
            raise TargetRefused(f"HAProxy does not listen for {lane}.")
        await self._lanes[lane].apply(split)

    async def observe(self) -> Mapping[Lane, RoutedLane]:
        """A lane that does not answer, while its HAProxy starts again, runs nothing."""
        lanes = dict(self._lanes)
        found = await asyncio.gather(*(lane.observe() for lane in lanes.values()), return_exceptions=True)
        answers = dict(zip(lanes, found, strict=True))
        _raise_if_silent(found)
        return {
            lane: said if isinstance(said, RoutedLane) else RoutedLane() for lane, said in answers.items()
        }

    async def counts(self) -> Mapping[Lane, Mapping[str, RouterCounts]]:
        """Without the lanes that do not answer."""
        lanes = dict(self._lanes)
        found = await asyncio.gather(*(lane.counts() for lane in lanes.values()), return_exceptions=True)
        _raise_if_silent(found)
        return {
            lane: said
            for lane, said in zip(lanes, found, strict=True)
            if not isinstance(said, BaseException) and said
        }

    def pid(self, lane: Lane) -> int | None:
        """Of the lane's HAProxy."""
        return self._lanes[lane].process.pid if lane in self._lanes else None

    # ---- lanes --------------------------------------------------------------------------------------------

    async def _listen(self, lane: Lane, route: LaneRoute, taken: set[int]) -> None:
        had = self._lanes.get(lane)
        listened = had.listening if had is not None else None
        for attempt in range(_PORT_TRIES):
            listening = HaproxyListening(lane, replace(route, port=_port(listened, route, taken)))
            if listening == listened:
                return
            serving = had or HaproxyLane(self._folder / folder_name(lane), self._program, self._limits)
            moves = listened is None or _at(listened) != _at(listening)
            try:
                if moves and (why := _in_use(listening)):
                    raise TargetRefused(why)
                await serving.listen(listening)
            except TargetRefused as refusal:
                if had is None:
                    await serving.remove()
                if not route.port and "in use" in str(refusal) and attempt < _PORT_TRIES - 1:
                    continue
                where = f"{route.host}:{listening.route.port} for {lane}"
                raise TargetRefused(f"HAProxy cannot listen at {where}: {refusal}.") from None
            self._lanes[lane] = serving
            return

    def _ports(self) -> set[int]:
        return {lane.listening.route.port for lane in self._lanes.values() if lane.listening is not None}

    async def _keep_running(self) -> None:
        pauses: dict[HaproxyLane, tuple[float, float]] = {}
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            for lane in list(self._lanes.values()):
                lane.process.reap()
                pause_s, next_at = pauses.get(lane, (0.0, 0.0))
                if not lane.should_restart:
                    if pause_s:
                        pauses[lane] = max(0.0, pause_s - _LOOK_EVERY_S / 10), next_at
                    continue
                if time.monotonic() < next_at:
                    continue
                _log.warning("haproxy_died", folder=lane.folder.name, said=lane.process.last_words())
                pause_s = min(_LONGEST_PAUSE_S, pause_s * 2 + _LOOK_EVERY_S)
                pauses[lane] = pause_s, time.monotonic() + pause_s
                try:
                    lane.restart()
                except OSError as problem:
                    _log.error("haproxy_not_started", why=str(problem))


def folder_name(lane: Lane) -> str:
    return f"{quote(lane.service, safe='')}@{quote(lane.environment, safe='')}"


def _port(had: HaproxyListening | None, route: LaneRoute, taken: set[int]) -> int:
    """The route's port, else the one that the lane has, else a free one."""
    if route.port:
        return route.port
    if had is not None and had.route.host == route.host:
        return had.route.port
    try:
        return free_port(route.host, taken)
    except OSError:
        raise TargetRefused(
            f"No port between {PORTS.start} and {PORTS.stop} is free at {route.host}."
        ) from None


def _at(listening: HaproxyListening) -> tuple[str, int]:
    return listening.route.host, listening.route.port


def _in_use(listening: HaproxyListening) -> str:
    """Why the address cannot be had; a look beforehand leaves the HAProxy that runs alone."""
    host, port = _at(listening)
    try:
        with socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET):
            return ""
    except OSError as problem:
        return problem.strerror or str(problem)


def _raise_if_silent(found: Sequence[object]) -> None:
    """Raise what went wrong when no lane answered at all."""
    problems = [problem for problem in found if isinstance(problem, BaseException)]
    for problem in problems:
        if not isinstance(problem, Unreachable) or len(problems) == len(found):
            raise problem
