"""Platforms of the host: a runtime and a router of the kinds that the registry has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from bot.adapters.routers.context import RouterContext
from bot.adapters.runtimes.context import RuntimeContext
from bot.adapters.targets.hosted.host.platform import Platform, PlatformContext
from bot.adapters.targets.hosted.settings import PlatformSettings
from bot.composition import registry
from bot.kinds import Kind


def make_platform(settings: PlatformSettings, context: PlatformContext) -> Platform:
    """Raises ValueError for kinds or settings that this Slipway does not have."""
    target = _read(registry.KINDS.targets, settings.runtime)
    router = _read(registry.ROUTERS, settings.router)
    return Platform(
        settings,
        registry.RUNTIMES[target.kind].make(
            target,
            RuntimeContext(context.folder / "runtime", context.logs, context.owner, context.releases),
        ),
        registry.ROUTERS[router.kind].make(router, RouterContext(context.folder / "router")),
    )


def _read(kinds: Mapping[str, Kind], written: Mapping[str, Any]) -> Any:
    name = str(written.get("kind"))
    if name not in kinds:
        raise ValueError(f"this Slipway has no {name!r}; it has {', '.join(kinds)}")
    try:
        return kinds[name].settings.model_validate(written)
    except ValidationError as mistakes:
        # Without the values, which may be secret.
        places = ", ".join(".".join(map(str, e["loc"])) for e in mistakes.errors())
        raise ValueError(f"the settings of {name} cannot be read: {places}") from None
