"""The kind of target that runs services of a swarm. Only the host makes its runtime."""

from __future__ import annotations

from bot.adapters.runtimes.context import RuntimeContext, runtime_kind
from bot.adapters.runtimes.swarm.settings import SwarmSettings
from bot.adapters.runtimes.swarm.spec import SwarmSpecSettings
from bot.domain.rollout.model import Release
from bot.ports.data_plane.runtimes import Runtime


def _make(settings: SwarmSettings, context: RuntimeContext) -> Runtime:
    from bot.adapters.runtimes.swarm.runtime import make_swarm_runtime

    return make_swarm_runtime(settings, context)


async def _pin(settings: SwarmSettings, release: Release, environment: str) -> Release:
    from bot.adapters.runtimes.docker.images import pin_by
    from bot.adapters.runtimes.swarm.managers import Managers

    return await pin_by(lambda folder: Managers(settings, folder), settings, release, environment)


KIND = runtime_kind(SwarmSettings, _make, spec=SwarmSpecSettings, pin=_pin)
