"""Settings that such targets share, and how users reach their lanes."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from bot.kinds import RouterSettings, TargetSettings
from bot.values import Duration, HttpUrl, Short


class JobTargetSettings(TargetSettings):
    """A target that carries out each order by a job."""

    weights: bool = Field(
        default=False, description="It can split traffic: orders have the candidate's share, SLIPWAY_WEIGHT."
    )
    timeout: Duration = Field(
        default=600.0, description="How long apply or rollback may take; 10m by default."
    )
    observe_every: Duration = Field(default=15.0, description="How often observe is asked; 15s by default.")

    @property
    def splits(self) -> bool:
        return self.weights

    @property
    def keeps_warm(self) -> bool:
        return False


class LaneAddressSettings(RouterSettings):
    """Where a lane is reached, for checks and probes. Slipway does not listen there."""

    address: HttpUrl = Field(description="Where users reach the lane.")
    candidate: HttpUrl | None = Field(
        default=None, description="Where checks reach a candidate without traffic, with weights."
    )


LaneAddressPart = Annotated[LaneAddressSettings, Short("address", {"type": "string"})]
