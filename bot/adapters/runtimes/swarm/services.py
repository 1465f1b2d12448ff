"""Services of this Slipway in a swarm: listed with their tasks, created, held and removed.

A release is one service; the swarm calls each start of a replica a task. Labels say what belongs to whom. Only services
with this Slipway's own label are ever listed, so no other one can be touched.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import re
import secrets
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from bot.adapters.runtimes.docker.engine import EngineApi, EngineError
from bot.adapters.runtimes.docker.images import Logins, Reference
from bot.adapters.runtimes.docker.labels import (
    DIGEST,
    OWNER,
    kept_in,
    labels_of,
    lane_of,
    places_of,
)
from bot.adapters.runtimes.swarm.body import SLOT, service_body
from bot.adapters.runtimes.swarm.settings import ManagerSettings
from bot.adapters.runtimes.swarm.spec import SwarmSpec
from bot.adapters.runtimes.swarm.tasks import Nodes, OwnNode, Task, task_of
from bot.domain.rollout.model import Lane, Release
from bot.ports.data_plane.runtimes import Order

_HELD = "slipway.held"
_LIST_S = 10.0
_TRIES = 5
_NAME_CHARS = 63

Key = tuple[Lane, str]


@dataclass(frozen=True, slots=True)
class SwarmService:
    """A service as the swarm lists it. held: how each replica of one that is held ended, by index."""

    id: str
    labels: Mapping[str, str]
    held: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class Listing:
    """What is there of each release: its service, unless it is removed, and tasks from the oldest to the newest."""

    services: Mapping[Key, SwarmService] = field(default_factory=dict)
    tasks: Mapping[Key, list[Task]] = field(default_factory=dict)

    @property
    def keys(self) -> set[Key]:
        return {*self.services, *self.tasks}


class Services:
    """The services of one Slipway in one swarm. `owner`: what they are labelled with.

    Requests raise `EngineError`, and `Unreachable` while the manager does not answer.
    """

    def __init__(self, engine: EngineApi, settings: ManagerSettings, logins: Logins, owner: str) -> None:
        self.nodes = Nodes(engine)
        self._own_node = OwnNode(engine)
        self._engine = engine
        self._network = settings.network
        self._logins = logins
        self._owner = owner
        self._log_driver: str | None = None

    async def list(self) -> Listing:
        """All of them with their tasks, in two requests, and others when there is a new node or task."""
        mine = {"filters": {"label": [f"{OWNER}={self._owner}"]}}
        services, tasks = await asyncio.gather(
            self._engine.get("/services", params=mine, timeout_s=_LIST_S),
            self._engine.get("/tasks", params=mine, timeout_s=_LIST_S),
        )
        found: dict[Key, SwarmService] = {}
        for entry in services:
            with contextlib.suppress(KeyError, ValueError, TypeError):
                labels = entry["Spec"]["Labels"]
                held = json.loads(labels.get(_HELD, "{}"))
                found[key_of(labels)] = SwarmService(
                    str(entry["ID"]), labels, {int(index): str(how) for index, how in held.items()}
                )
        await self.nodes.know({str(entry.get("NodeID", "")) for entry in tasks} - {""})
        unconfirmed = await self._own_node.unconfirmed(tasks, mine)
        by_release: dict[Key, list[Task]] = {}
        for entry in sorted(tasks, key=lambda entry: str(entry.get("CreatedAt", ""))):
            with contextlib.suppress(KeyError, ValueError, TypeError):
                task = task_of(entry, self._network, self.nodes)
                if task.id in unconfirmed:
                    task = replace(task, state="starting")
                if not (task.wanted == "remove" and self.nodes.down(entry)):
                    by_release.setdefault(key_of(task.labels), []).append(task)
        return Listing(found, by_release)

    async def create(self, lane: Lane, release: Release, spec: SwarmSpec, order: Order) -> None:
        """Create the release's service, unless it is there. Raises OSError besides (files of the spec)."""
        places = places_of(lane, release, spec, SLOT)
        labels = labels_of(self._owner, lane, release, spec, order=order, places=places)
        environment = spec.environment(places)
        del places["instance"]  # the swarm fills it in, and in variables only
        name = self._name(lane, release)
        files = {name: path.read_bytes() for name, path in spec.secret_files.items()}
        mounted = await self._secrets(name, labels, files)
        body = service_body(
            spec,
            places=places,
            labels=labels,
            environment=environment,
            secrets=mounted,
            network=self._network,
            log_driver=await self._bounded_log(),
        )
        headers = await self._logins.headers(Reference.parse(spec.image))
        try:
            await self._engine.post("/services/create", json={"Name": name, **body}, headers=headers)
        except EngineError as error:
            if error.status != 409:  # it is there: the answer to a former request was lost
                raise

    async def hold(self, service: SwarmService, ended: Mapping[int, str]) -> None:
        """Let nothing of it run, and keep why. The service stays."""
        await self._update(service, 0, {_HELD: json.dumps({str(k): how for k, how in ended.items()})})

    async def release(self, service: SwarmService, replicas: int) -> None:
        """Run a service again that was held."""
        await self._update(service, replicas, {})

    async def remove(self, key: Key, service: SwarmService | None) -> None:
        """Remove the service, and what only it could read; one that is not there is no error."""
        if service is not None:
            await self._delete(f"/services/{service.id}")
        lane, digest = key
        mine = [f"{OWNER}={self._owner}", f"{DIGEST}={digest}"]
        for entry in await self._engine.get("/secrets", params={"filters": {"label": mine}}):
            if lane_of(entry["Spec"]["Labels"]) == lane:
                await self._delete(f"/secrets/{entry['ID']}")

    # ---- helpers -----------------------------------------------------------------------------------------------

    async def _delete(self, path: str) -> None:
        try:
            await self._engine.delete(path)
        except EngineError as error:
            if error.status != 404:
                raise

    async def _update(self, service: SwarmService, replicas: int, labels: Mapping[str, str]) -> None:
        """Change the number of replicas and labels of the service, which replaces no task that runs."""
        for left in reversed(range(_TRIES)):
            entry = await self._engine.get(f"/services/{service.id}")
            spec = entry["Spec"]
            kept = {name: value for name, value in spec["Labels"].items() if name != _HELD}
            spec["Labels"] = {**kept, **labels}
            spec["Mode"] = {"Replicated": {"Replicas": replicas}}
            version = {"version": str(entry["Version"]["Index"])}
            try:
                await self._engine.post(f"/services/{service.id}/update", params=version, json=spec)
                return
            except EngineError as error:
                if "out of sequence" not in str(error) or not left:
                    raise

    def _name(self, lane: Lane, release: Release) -> str:
        """The same at each try, so that a release never gets a second service."""
        identity = json.dumps([self._owner, lane.service, lane.environment, release.digest])
        short = hashlib.sha256(identity.encode()).hexdigest()[:8]
        said = re.sub(r"[^A-Za-z0-9]+", "-", f"{lane.service}-{lane.environment}-{release.version}")
        return f"{said.strip('-')[: _NAME_CHARS - 9].rstrip('-')}-{short}"

    async def _secrets(
        self, service: str, labels: Mapping[str, str], files: Mapping[str, bytes]
    ) -> dict[str, tuple[str, str]]:
        """A secret of the swarm for each file: its id and its name."""
        made = {}
        for name, content in files.items():
            unique = f"{service[:40].rstrip('-')}-{secrets.token_hex(6)}"
            marks = {k: v for k, v in labels.items() if k.startswith("slipway.")}
            body = {"Name": unique, "Labels": marks, "Data": b64encode(content).decode()}
            made[name] = (str((await self._engine.post("/secrets/create", json=body))["ID"]), unique)
        return made

    async def _bounded_log(self) -> dict[str, Any] | None:
        """Docker's default log grows until the disk is full; other log drivers are left as they are set up."""
        if self._log_driver is None:
            self._log_driver = str((await self._engine.get("/info")).get("LoggingDriver", ""))
        if self._log_driver != "json-file":
            return None
        return {"Name": self._log_driver, "Options": {"max-size": "10m", "max-file": "3"}}


def key_of(labels: Mapping[str, str]) -> Key:
    """Raises KeyError, ValueError for labels of another version."""
    kept_in(labels)
    return lane_of(labels), labels[DIGEST]
