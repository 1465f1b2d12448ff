"""The demo on containers, as `make demo TARGET=docker` runs it, with a Docker Engine of the test's own."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from demo.containers import Containers
from demo.engine import LABEL
from demo.launcher import Demo
from demo.stories.runner import STORIES, play, read
from demo.stories.sandbox import SandboxWorld
from demo.stories.stage import Stage
from demo.stories.transcript import Transcript
from tests.support.docker import DockerEngine
from tests.support.e2e import containers
from tests.support.paths import ROOT

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(1500)]

STABLE = [
    "slipway-checkout-production-1.4.0",
    "slipway-checkout-staging-1.4.0",
    "slipway-herald-production-1.4.0",
    "slipway-search-production-1.4.0",
    "slipway-search-staging-1.4.0",
]
# The image is built, and five containers start, on cores that other tests use too.
STARTS_S, STOPS_S = 400.0, 200.0


@pytest.fixture(scope="module")
def environ(docker: DockerEngine) -> dict[str, str]:
    return containers.environ(docker)


@pytest.fixture
def foreign(docker: DockerEngine, environ: dict[str, str]) -> Iterator[str]:
    """The id of a container of another demo."""
    body = {"Image": containers.BASE, "Cmd": ["python"], "Labels": {LABEL: "/elsewhere"}}
    made = json.loads(docker.ask("POST", "/containers/create", json.dumps(body).encode()))["Id"]
    yield made
    docker.ask("DELETE", f"/containers/{made}")


def releases(docker: DockerEngine, folder: Path) -> list[str]:
    """The names of the demo's containers, without what makes each one unique."""
    ours: list[Any] = [entry for entry in docker.containers() if entry["Labels"].get(LABEL) == str(folder)]
    return sorted(entry["Names"][0].strip("/").rsplit("-", 2)[0] for entry in ours)


async def test_the_first_story_goes_as_told(
    docker: DockerEngine, environ: dict[str, str], tmp_path: Path
) -> None:
    told: list[str] = []
    transcript = Transcript(told.append)
    demo = Demo(tmp_path / "demo", containers=await Containers.prepared(environ), environment=environ)
    async with demo, Stage(demo.url, transcript) as stage:
        assert releases(docker, demo.folder) == STABLE
        await play(read(STORIES[0]), SandboxWorld(demo, stage), transcript)
        assert "slipway-checkout-production-1.5.0" in releases(docker, demo.folder)
    assert releases(docker, demo.folder) == []
    assert sum("Succeeded" in line for line in told) == 3
    assert any("Rolled back" in line for line in told)


async def test_ctrl_c_removes_its_containers_and_no_others(
    docker: DockerEngine, environ: dict[str, str], foreign: str, tmp_path: Path
) -> None:
    folder = tmp_path / "demo"
    others = {entry["Id"] for entry in docker.containers()}
    assert foreign in others
    demo = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "demo", "--target", "docker", "--port", "0", "--folder", str(folder)),
        env={**os.environ, **environ},
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        assert demo.stdout is not None
        async with asyncio.timeout(STARTS_S):
            while b"Ctrl-C" not in (line := await demo.stdout.readline()):
                assert line, "the demo ended"
        assert releases(docker, folder) == STABLE
        demo.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(demo.wait(), STOPS_S) == 0
    finally:
        if demo.returncode is None:
            demo.terminate()
            await demo.wait()
    assert {entry["Id"] for entry in docker.containers()} == others
