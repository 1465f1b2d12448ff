"""The kind of target that runs containers of one engine. Only the host makes its runtime."""

from __future__ import annotations

from bot.adapters.runtimes.context import RuntimeContext, runtime_kind
from bot.adapters.runtimes.docker.settings import DockerSettings
from bot.adapters.runtimes.docker.spec import DockerSpecSettings
from bot.domain.rollout.model import Release
from bot.ports.data_plane.runtimes import Runtime


def _make(settings: DockerSettings, context: RuntimeContext) -> Runtime:
    from bot.adapters.runtimes.docker.runtime import make_docker_runtime

    return make_docker_runtime(settings, context)


async def _pin(settings: DockerSettings, release: Release, environment: str) -> Release:
    from bot.adapters.runtimes.docker.images import pin

    return await pin(settings, release, environment)


KIND = runtime_kind(DockerSettings, _make, spec=DockerSpecSettings, pin=_pin)
