"""Containers say which order they were started for: its rollout and its generation."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from bot.adapters.targets.hosted.settings import HostedLaneSettings, platform_settings
from bot.adapters.targets.hosted.target import HostedTarget
from bot.composition import registry
from bot.domain.rollout.model import Desired, RunState
from bot.ports.data_plane.targets import ORDERED_BY
from tests.support.docker import DockerEngine
from tests.support.host import host_of_processes
from tests.support.routers.subjects import need_envoy
from tests.support.runtimes import LANE, DockerKit
from tests.support.waiting import until

pytestmark = pytest.mark.real


@pytest.fixture
async def target(docker: DockerEngine, tmp_path: Path) -> AsyncIterator[HostedTarget]:
    need_envoy()
    kind = registry.KINDS.targets["docker"].settings
    platform = platform_settings(kind.model_validate({"kind": "docker", "engine": docker.address}))
    lanes = {LANE: HostedLaneSettings(place=platform.place)}
    host = host_of_processes(tmp_path / "host")
    await host.start()
    yield HostedTarget(host.data_dir, platform, lanes, start_host=False)
    await host.stop()


async def ordered(target: HostedTarget, desired: Desired, rollout: int) -> None:
    """As the engine orders it for a rollout."""
    token = ORDERED_BY.set(rollout)
    await target.apply(LANE, desired)
    ORDERED_BY.reset(token)

    def ready(count: int) -> bool:
        return count == sum(1 for each in (desired.stable, desired.candidate) if each)

    async def running() -> int:
        return sum(r.state is RunState.READY for r in (await target.observe(LANE)).running)

    await until(running, ready)


def marks(engine: DockerEngine) -> dict[str, tuple[str, str | None]]:
    """Generation and rollout on the containers' labels, by version."""
    found = {}
    for entry in engine.containers():
        labels = entry["Labels"]
        assert isinstance(labels, Mapping)
        found[labels["slipway.version"]] = (labels["slipway.generation"], labels.get("slipway.rollout"))
    return found


async def test_container_names_the_rollout_and_the_generation_that_started_it(
    target: HostedTarget, docker: DockerEngine, tmp_path: Path
) -> None:
    kit = DockerKit(docker, tmp_path)
    stable, candidate = kit.release("1.0"), kit.release("1.1")
    await ordered(target, Desired(7, stable), 42)
    await ordered(target, Desired(9, stable, candidate), 43)
    assert marks(docker) == {"1.0": ("7", "42"), "1.1": ("9", "43")}

    (first,) = [e for e in docker.containers() if e["Labels"]["slipway.version"] == "1.0"]  # type: ignore[index]
    await asyncio.to_thread(docker.ask, "DELETE", f"/containers/{first['Id']}?force=1")
    await until(lambda: asyncio.to_thread(marks, docker), lambda found: len(found) == 2)
    assert marks(docker)["1.0"] == ("9", "43"), "the order for which it runs now"


async def test_container_of_an_abort_names_no_rollout(
    target: HostedTarget, docker: DockerEngine, tmp_path: Path
) -> None:
    kit = DockerKit(docker, tmp_path)
    await ordered(target, Desired(1, kit.release("1.0")), 42)
    await target.abort(LANE, "ann", "errors")
    (first,) = docker.containers()
    await asyncio.to_thread(docker.ask, "DELETE", f"/containers/{first['Id']}?force=1")
    await until(lambda: asyncio.to_thread(marks, docker), lambda found: found.get("1.0", ("",))[0] == "2")
    assert marks(docker) == {"1.0": ("2", None)}
