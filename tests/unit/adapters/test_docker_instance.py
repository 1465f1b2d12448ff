"""One instance of a release in containers, while the engine refuses what it is told."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from bot.adapters.runtimes.docker.containers import Container
from bot.adapters.runtimes.docker.engine import EngineError
from bot.adapters.runtimes.docker.instance import ContainerInstance, ContainerInstanceSurroundings
from bot.adapters.runtimes.docker.spec import DockerSpec
from bot.domain.rollout.model import Lane, Release
from bot.ports.data_plane.runtimes import UNORDERED
from tests.support.waiting import until

LANE = Lane("web", "production")


class StuckContainers:
    """Of an engine that creates them, and removes none."""

    def __init__(self) -> None:
        self.made: list[str] = []
        self.refused: list[str] = []

    async def create(self, *_: Any, **__: Any) -> str:
        self.made.append(f"container-{len(self.made)}")
        return self.made[-1]

    async def remove(self, container_id: str) -> None:
        self.refused.append(container_id)
        raise EngineError(500, "unlinkat /var/lib/docker/overlay2/x: device or resource busy")

    async def ending(self, container: Container, redact: object) -> str:
        return f"{container.id} exited with code 3"


class Around(SimpleNamespace):
    """A release that is started again when it ends."""

    async def pull(self, progress: object) -> None:
        """The engine has the image."""

    async def probe(self) -> None:
        """The engine is well."""


def exited(container_id: str) -> Container:
    return Container(container_id, LANE, "sha256:1", "1", 0, 0, "exited", "", "web", {})


async def test_container_that_the_engine_cannot_remove_yet_keeps_no_instance_from_its_next_start() -> None:
    containers = StuckContainers()
    around = Around(
        lane=LANE,
        release=Release("web", "1", "sha256:1"),
        spec=DockerSpec(image="web"),
        restart=True,
        order=UNORDERED,
        containers=containers,
        outages=0,
        changed=lambda: None,
    )
    instance = ContainerInstance(cast(ContainerInstanceSurroundings, around), 0)
    instance.start()

    async def at() -> str:
        return instance.id

    await until(at, lambda found: found == "container-0")
    instance.see(exited("container-0"), asked_at=float("inf"))
    await until(at, lambda found: found == "container-1")
    assert containers.refused == ["container-0"] and instance.restarts == 1
    assert instance.detail == ""
    await instance.end()
