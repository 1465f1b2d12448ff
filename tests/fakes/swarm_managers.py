"""Managers of a swarm as the Engine's API shows them: what they list is shared, and each may be away by itself."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

from aiohttp import web

from bot.adapters.runtimes.swarm.settings import ManagerSettings

_SWARMS = ("services", "tasks", "nodes", "secrets")


class SwarmState:
    """What all managers know. refusal: status and words that every request about the swarm gets, while there are any.

    Each replica of a service runs on the one node there is.
    """

    def __init__(self) -> None:
        self.services: dict[str, dict[str, Any]] = {}
        self.refusal: tuple[int, str] | None = None

    def listed(self, what: str) -> list[dict[str, Any]]:
        """Entries of `/services`, `/tasks`, `/nodes` or `/secrets`."""
        if what == "services":
            return [{"ID": made, "Spec": spec} for made, spec in self.services.items()]
        if what == "tasks":
            return [self._task(made, spec) for made, spec in self.services.items()]
        status = {"State": "ready", "Addr": "127.0.0.1"}
        node = {"ID": "n1", "Description": {"Hostname": "one"}, "Status": status}
        return [node] if what == "nodes" else []

    def _task(self, made: str, spec: dict[str, Any]) -> dict[str, Any]:
        return {
            "ID": f"task-of-{made}",
            "Slot": 1,
            "NodeID": "n1",
            "DesiredState": "running",
            "Status": {"State": "running"},
            "Spec": spec["TaskTemplate"],
            "CreatedAt": made,
        }


class FakeManager:
    """One manager on a Unix socket. asked: method and path of each request, without the version of the API."""

    def __init__(self, swarm: SwarmState, path: Path) -> None:
        self.asked: list[str] = []
        self.address = f"unix://{path}"
        self._swarm = swarm
        self._path = path
        self._runner: web.ServerRunner | None = None
        self._stops = asyncio.Event()

    async def start(self) -> None:
        self._stops.clear()
        self._runner = web.ServerRunner(web.Server(self._answer, access_log=None), shutdown_timeout=0.0)
        await self._runner.setup()
        await web.UnixSite(self._runner, str(self._path)).start()

    async def stop(self) -> None:
        """No connection is taken any more, and those there are end."""
        self._stops.set()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        with suppress(FileNotFoundError):
            self._path.unlink()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        path = re.sub(r"^/v[\d.]+", "", request.path)
        self.asked.append(f"{request.method} {path}")
        what, _, rest = path[1:].partition("/")
        if what in _SWARMS:
            if self._swarm.refusal is not None:
                status, words = self._swarm.refusal
                return web.json_response({"message": words}, status=status)
            return await self._of_the_swarm(request, what, rest)
        if what == "events":
            return await self._events(request)
        told: dict[str, Any] = {
            "version": {"ApiVersion": "1.41", "MinAPIVersion": "1.12"},
            "info": {"Swarm": {"NodeID": "n1"}, "LoggingDriver": "journald"},
            "_ping": {},
        }
        if what == "containers":
            label = "com.docker.swarm.task.id"
            return web.json_response([{"Labels": {label: t["ID"]}} for t in self._swarm.listed("tasks")])
        if what not in told:
            return web.json_response({"message": "page not found"}, status=404)
        return web.json_response(told[what])

    async def _of_the_swarm(self, request: web.BaseRequest, what: str, rest: str) -> web.StreamResponse:
        services = self._swarm.services
        if rest == "create":
            body = await request.json()
            if body["Name"] in services:
                return web.json_response({"message": "name conflicts with an existing object"}, status=409)
            services[body["Name"]] = body
            return web.json_response({"ID": body["Name"]}, status=201)
        if request.method == "DELETE":
            known = services.pop(rest, None) is not None
            return web.Response(status=200 if known else 404)
        return web.json_response(self._swarm.listed(what))

    async def _events(self, request: web.BaseRequest) -> web.StreamResponse:
        stream = web.StreamResponse()
        await stream.prepare(request)
        await self._stops.wait()
        return stream


def settings(engine: FakeManager, *further: FakeManager) -> ManagerSettings:
    said = {"engine": engine.address, "managers": [manager.address for manager in further]}
    return ManagerSettings.model_validate(said)
