"""Services: their environments and their releases, in the words of the kind of target that runs them."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from bot.catalog.models.lanes import LaneLayer
from bot.kinds import ReleaseSettings, RouterSettings, SpecSettings


class ServiceEnvironment(LaneLayer):
    """A lane: one service in one environment."""

    router: RouterSettings | None = None
    spec: SpecSettings = Field(
        default={}, validate_default=True, description="Laid over the releases' spec, key by key."
    )


class Service(LaneLayer):
    """What is deployed."""

    releases: ReleaseSettings[Any] = Field(description="Where its releases come from.")
    environments: dict[str, ServiceEnvironment | None] = Field(description="Where it runs, each a lane.")
