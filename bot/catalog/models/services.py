"""Services with their environments and releases, in the form of the target that runs them."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from bot.catalog.models.lanes import LaneLayer, Repository
from bot.kinds import ReleaseSettings, RouterSettings, SpecSettings
from bot.values import Short


class ServiceEnvironment(LaneLayer):
    """A lane: one service in one environment."""

    router: RouterSettings | None = None
    spec: SpecSettings = Field(
        default={}, validate_default=True, description="Overrides the releases' spec, key by key."
    )


class Service(LaneLayer):
    """A service to deploy."""

    releases: ReleaseSettings[Any] = Field(description="Where its releases come from.")
    repository: Annotated[Repository, Short("name", {"type": "string"})] | None = Field(
        default=None,
        description="Where its commits are, to show what a rollout changes; that of its releases by default.",
    )
    environments: dict[str, ServiceEnvironment | None] = Field(description="Where it runs; each is a lane.")
