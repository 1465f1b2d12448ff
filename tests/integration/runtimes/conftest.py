"""A Docker runtime on the engine of this worker, and a Swarm runtime on its swarm."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.docker import DockerEngine
from tests.support.runtimes import DockerKit, DockerWorld, SwarmKit, SwarmWorld
from tests.support.swarm import Swarm


@pytest.fixture
async def on_docker(docker: DockerEngine, tmp_path: Path) -> AsyncIterator[DockerWorld]:
    kit = DockerKit(docker, tmp_path)
    world = DockerWorld(kit, kit.make())
    await world.runtime.start(lambda lane: None)
    yield world
    await world.runtime.close()


@pytest.fixture
async def on_swarm(swarm: Swarm, tmp_path: Path) -> AsyncIterator[SwarmWorld]:
    kit = SwarmKit(swarm, tmp_path)
    world = SwarmWorld(kit, kit.make())
    await world.runtime.start(lambda lane: None)
    yield world
    await world.runtime.close()
