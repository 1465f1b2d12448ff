"""Runtimes for the tests that all of them share: how each is made, and releases that behave well or badly on it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

import psutil

from bot.adapters.runtimes.context import RuntimeContext
from bot.adapters.runtimes.docker.runtime import DockerRuntime
from bot.adapters.runtimes.docker.settings import EngineSettings
from bot.adapters.runtimes.process.runtime import ProcessRuntime
from bot.adapters.runtimes.swarm.runtime import SwarmRuntime
from bot.adapters.runtimes.swarm.settings import ManagerSettings
from bot.domain.rollout.model import Lane, Release, RunState
from bot.ports.data_plane.runtimes import RunningInstance, RunningRelease, Runtime
from bot.ports.errors import Unreachable
from tests.support.docker import DockerEngine
from tests.support.paths import SERVICE
from tests.support.swarm import Swarm
from tests.support.waiting import PATIENCE_S, until

Behaviour = Literal["serves", "dies", "never ready", "stubborn"]

LANE = Lane("web", "production")

# What a release that dies prints last, and what of it must not be seen.
TOKEN = "sk-9f8e7d6c5b4a"


class RuntimeKit(Protocol):
    def make(self, owner: str = "one") -> Runtime:
        """The runtime of a host; a later one of the same owner takes over what it left."""
        ...

    def release(self, version: str, behaviour: Behaviour = "serves", **spec: Any) -> Release:
        """A release with half a second for its drain and one for its end."""
        ...

    async def kill(self, instance: RunningInstance) -> None:
        """End an instance from outside."""
        ...


async def host_dies() -> None:
    """Everything that this process does ends at once, as when a host is killed."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def answer(instance: RunningInstance, path: str = "/version") -> str:
    """The text that it answers with, or the version in its JSON. Raises OSError, such as when nothing listens there."""
    url = f"http://{instance.host}:{instance.port}{path}"

    def read() -> str:
        with urllib.request.urlopen(url, timeout=PATIENCE_S / 2) as response:
            text = str(response.read().decode().strip())
            return str(json.loads(text)["version"]) if text.startswith("{") else text

    return await asyncio.to_thread(read)


class ProcessKit:
    """Releases are the service of the tests as a process of this machine."""

    _ARGUMENTS: ClassVar[dict[Behaviour, list[str]]] = {
        "serves": [],
        "never ready": ["--never-ready"],
        "stubborn": ["--ignore-term"],
    }
    _DIES = "import os, sys; print('token=' + os.environ['API_TOKEN']); print('no database'); sys.exit(3)"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def make(self, owner: str = "one") -> ProcessRuntime:
        folder = self._folder / owner
        # No test that runs beside this one has the same owner: it would stop these processes as strays.
        context = RuntimeContext(folder / "runtime", folder / "logs", str(folder), folder / "releases")
        return ProcessRuntime(context)

    def release(self, version: str, behaviour: Behaviour = "serves", **spec: Any) -> Release:
        serves = [sys.executable, SERVICE, "--port", "{port}", "--version", "{version}"]
        dies = [sys.executable, "-c", self._DIES]
        said = {
            "command": dies if behaviour == "dies" else [*serves, *self._ARGUMENTS[behaviour]],
            "env": {"API_TOKEN": TOKEN},
            "ready": {"timeout_s": 1.0 if behaviour == "never ready" else PATIENCE_S},
            "drain_s": 0.5,
            "stop_s": 1.0,
            **spec,
        }
        return Release("web", version, f"sha256:{version}", spec=said)

    async def kill(self, instance: RunningInstance) -> None:
        for process in psutil.process_iter(["cmdline"]):
            words = process.info["cmdline"] or []
            if SERVICE in words and str(instance.port) in words:
                process.kill()


_COMMANDS: dict[Behaviour, list[str] | None] = {
    "serves": None,
    "dies": ["sh", "-c", "echo token=$API_TOKEN; echo no database; exit 3"],
    "never ready": ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.05; done"],
    "stubborn": [
        "sh",
        "-c",
        "httpd -p 8080 -h / ; touch /healthz; trap '' TERM; while :; do sleep 1; done",
    ],
}


def in_container(image: str, version: str, behaviour: Behaviour, /, **spec: Any) -> Release:
    """A release in a container of the test service's image."""
    command = _COMMANDS[behaviour]
    said = {
        "image": image,
        "port": 8080,
        "env": {"VERSION": "{version}", "API_TOKEN": TOKEN},
        "ready": {"timeout_s": 1.0 if behaviour == "never ready" else PATIENCE_S},
        "drain_s": 0.5,
        "stop_s": 1.0,
        **({"command": command} if command else {}),
        **spec,
    }
    return Release("web", version, f"sha256:{version}", spec=said)


class DockerKit:
    """Releases run in the image `test:1` of the engine."""

    def __init__(self, engine: DockerEngine, folder: Path) -> None:
        self.engine = engine
        self._folder = folder
        self.image = engine.load("test:1")

    def make(self, owner: str = "one", **settings: Any) -> DockerRuntime:
        folder = self._folder / owner
        context = RuntimeContext(folder, folder / "logs", owner, folder / "releases")
        return DockerRuntime(
            EngineSettings.model_validate(
                {"engine": self.engine.address, "publish": self.engine.loopback, **settings}
            ),
            context,
        )

    def release(self, version: str, behaviour: Behaviour = "serves", **spec: Any) -> Release:
        return in_container(self.image, version, behaviour, **spec)

    async def create(self, owner: str, services: int) -> None:
        """A container for each of so many services of an owner. They do not run, which costs little.

        What is observed does not depend on whether they do.
        """
        for number in range(services):
            labels = {
                "slipway.owner": owner,
                "slipway.service": f"s{number}",
                "slipway.environment": "production",
            }
            labels |= {"slipway.version": "1", "slipway.digest": "sha256:1", "slipway.instance": "0"}
            labels |= {"slipway.restarts": "0", "slipway.settings": "{}"}
            body = json.dumps({"Image": self.image, "Labels": labels}).encode()
            await asyncio.to_thread(self.engine.ask, "POST", "/containers/create", body)

    async def kill(self, instance: RunningInstance) -> None:
        short = instance.name.partition(".")[2]
        status, said = await asyncio.to_thread(self.engine.call, "POST", f"/containers/{short}/kill")
        assert status == 204, said


class SwarmKit:
    """Releases run in the image `test:1`, which every node of the swarm has."""

    def __init__(self, swarm: Swarm, folder: Path) -> None:
        self.swarm = swarm
        self._folder = folder
        self.image = swarm.load("test:1")

    def make(self, owner: str = "one", **settings: Any) -> SwarmRuntime:
        folder = self._folder / owner
        context = RuntimeContext(folder, folder / "logs", owner, folder / "releases")
        said = {"engine": self.swarm.manager.address, **settings}
        return SwarmRuntime(ManagerSettings.model_validate(said), context)

    def release(self, version: str, behaviour: Behaviour = "serves", **spec: Any) -> Release:
        return in_container(self.image, version, behaviour, **spec)

    async def kill(self, instance: RunningInstance) -> None:
        await asyncio.to_thread(self.swarm.kill, instance.name.partition(".")[2])


@dataclass
class RuntimeWorld:
    """A started runtime with its kit."""

    kit: RuntimeKit
    runtime: Runtime

    async def seen(self, release: Release, lane: Lane = LANE) -> RunningRelease | None:
        return (await self.runtime.observe()).get(lane, {}).get(release.digest)

    async def until(
        self,
        release: Release,
        holds: Callable[[RunningRelease], object],
        lane: Lane = LANE,
        *,
        within_s: float = PATIENCE_S,
    ) -> RunningRelease:
        async def seen() -> RunningRelease | None:
            # An engine that has just started, or is late, answers later.
            with contextlib.suppress(Unreachable):
                return await self.seen(release, lane)
            return None

        found = await until(seen, lambda seen: seen is not None and holds(seen), within_s)
        assert found is not None
        return found

    async def ready(self, release: Release, lane: Lane = LANE, *, restart: bool = False) -> RunningRelease:
        self.runtime.run(lane, release, restart=restart)
        return await self.until(release, lambda seen: seen.state is RunState.READY, lane)

    async def crashed(self, release: Release) -> str:
        """How it crashed, by the first instance that has: what becomes of another one may not be known yet."""
        self.runtime.run(LANE, release, restart=False)

        def told(seen: RunningRelease) -> list[str]:
            return [each.detail for each in seen.instances if each.state is RunState.CRASHED and each.detail]

        return told(await self.until(release, told))[0]


@dataclass
class DockerWorld(RuntimeWorld):
    """A started Docker runtime with its kit and its engine."""

    kit: DockerKit
    runtime: DockerRuntime

    @property
    def engine(self) -> DockerEngine:
        return self.kit.engine


@dataclass
class SwarmWorld(RuntimeWorld):
    """A started Swarm runtime with its kit and its swarm."""

    kit: SwarmKit
    runtime: SwarmRuntime

    @property
    def swarm(self) -> Swarm:
        return self.kit.swarm
