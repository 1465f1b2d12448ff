"""Services with their environments and releases, in the form of the target that runs them."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from bot.catalog.models.lanes import LaneLayer, Repository
from bot.kinds import CheckSettings, ReleaseSettings, RouterSettings, SpecSettings
from bot.values import Short


class ServiceEnvironment(LaneLayer):
    """A lane: one service in one environment."""

    router: RouterSettings | None = None
    spec: SpecSettings = Field(
        default={}, validate_default=True, description="Overrides the releases' spec, key by key."
    )
    checks: dict[str, CheckSettings | None] = Field(
        default={},
        description="Further checks; one of the service's by its name, or nothing to leave it out.",
    )


class Service(LaneLayer):
    """A service to deploy."""

    releases: ReleaseSettings[Any] = Field(description="Where its releases come from.")
    repository: Annotated[Repository, Short("name", {"type": "string"})] | None = Field(
        default=None,
        description="Where its commits are, to show what a rollout changes; that of its releases by default.",
    )
    checks: dict[str, CheckSettings] = Field(
        default={}, description="Questions to it in every environment: smoke tests and monitors."
    )
    environments: dict[str, ServiceEnvironment | None] = Field(description="Where it runs; each is a lane.")
