"""What instances of every runtime share."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from aiohttp import web

from bot.adapters.runtimes import looking
from bot.adapters.runtimes.context import RuntimeContext
from bot.adapters.runtimes.docker.runtime import DockerRuntime
from bot.adapters.runtimes.docker.settings import EngineSettings
from bot.adapters.runtimes.docker.spec import DockerSpec
from bot.adapters.runtimes.instances import KnownSecrets
from bot.adapters.runtimes.process.spec import ProcessSpec
from bot.adapters.runtimes.spec import RuntimeSpec
from bot.domain.rollout.model import Lane, Release
from tests.support.waiting import PATIENCE_S

LANE = Lane("web", "production")


@pytest.mark.parametrize("runtime", ["process", "docker"])
def test_values_of_the_start_stay_hidden_when_the_file_has_others(runtime: str, tmp_path: Path) -> None:
    file = tmp_path / "web.env"
    file.write_text("DATABASE=former-hunter22\n")
    spec: RuntimeSpec = (
        ProcessSpec(command=("serve",), env_file=file)
        if runtime == "process"
        else DockerSpec(image="web", env_file=file)
    )
    secrets = KnownSecrets()
    secrets.started(spec.private({}))
    file.write_text("DATABASE=present-hunter33\n")
    redact = secrets.redactor(spec)
    assert redact("former-hunter22 and present-hunter33 and more") == "*** and *** and more"
    file.unlink()
    assert secrets.redactor(spec)("former-hunter22 and more") == "*** and more"


def test_values_of_a_running_instance_are_known_from_its_variables(tmp_path: Path) -> None:
    file = tmp_path / "web.env"
    file.write_text("DATABASE=present-hunter33\n")
    spec = ProcessSpec(command=("serve",), env_file=file)
    environment = {"DATABASE": "former-hunter22", "API_KEY": "k-123456", "COLOUR": "green", "PATH": "/bin"}
    assert spec.private_of(environment) == {"former-hunter22", "k-123456"}
    file.unlink()
    assert spec.private_of(environment) == {"k-123456"}


async def test_host_that_stops_does_not_wait_for_an_engine_that_stays_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is gone in the middle of a start, which is otherwise waited for."""
    monkeypatch.setattr(looking, "_AWAY_S", 0.5)

    async def engine(request: web.BaseRequest) -> web.StreamResponse:
        if request.path.endswith("/events"):
            await asyncio.sleep(600)
        return web.json_response([] if request.path.endswith("/json") else {"ApiVersion": "1.43"})

    runner = web.ServerRunner(web.Server(engine), shutdown_timeout=0.1)
    await runner.setup()
    await web.UnixSite(runner, str(tmp_path / "engine.sock")).start()
    settings = EngineSettings.model_validate({"engine": f"unix://{tmp_path}/engine.sock"})
    runtime = DockerRuntime(
        settings, RuntimeContext(tmp_path, tmp_path / "logs", "one", tmp_path / "releases")
    )
    await runtime.start(lambda lane: None)
    await runner.cleanup()
    image = f"web@sha256:{'0' * 64}"
    runtime.run(LANE, Release("web", "1", "sha256:1", spec={"image": image, "drain_s": 0}), restart=True)
    await asyncio.sleep(0.1)
    async with asyncio.timeout(PATIENCE_S):
        await runtime.close()
