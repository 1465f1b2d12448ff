"""Settings of the weighted router in the catalog."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from bot.kinds import RouterSettings
from bot.values import Duration, Listen, Short, host_and_port


class WeightedRouterSettings(RouterSettings):
    """How users reach one lane. Without it the releases take no traffic through Slipway."""

    listen: Listen | None = Field(default=None, description="Address and port that users connect to.")
    sticky_header: str | None = Field(default=None, description="Equal values go to the same release.")
    request_timeout: Duration | None = Field(default=None, description="Longest silence of a release.")
    wait: Duration | None = Field(default=None, description="How long requests wait for a release.")

    @property
    def port(self) -> int | None:
        return host_and_port(self.listen)[1] if self.listen else None


# An address alone is short for the whole.
WeightedRouterPart = Annotated[WeightedRouterSettings, Short("listen", {"type": ["integer", "string"]})]
