"""A Docker runtime on the engine of this worker."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.docker import DockerEngine
from tests.support.runtimes import DockerKit, DockerWorld


@pytest.fixture
async def on_docker(docker: DockerEngine, tmp_path: Path) -> AsyncIterator[DockerWorld]:
    kit = DockerKit(docker, tmp_path)
    world = DockerWorld(kit, kit.make())
    await world.runtime.start(lambda lane: None)
    yield world
    await world.runtime.close()
