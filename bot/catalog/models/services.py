"""Services with their environments and releases, in the form of the target that runs them."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from bot.catalog.models.lanes import LaneLayer
from bot.kinds import ReleaseSettings, RouterSettings, SpecSettings


class ServiceEnvironment(LaneLayer):
    """A lane: one service in one environment."""

    router: RouterSettings | None = None
    spec: SpecSettings = Field(
        default={}, validate_default=True, description="Overrides the releases' spec, key by key."
    )


class Service(LaneLayer):
    """A service to deploy."""

    releases: ReleaseSettings[Any] = Field(description="Where its releases come from.")
    environments: dict[str, ServiceEnvironment | None] = Field(description="Where it runs; each is a lane.")
