"""Settings of the process target: its entry in the catalog, and the host's settings of each lane."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from bot.adapters.routers.settings import WeightedRouterSettings
from bot.domain.config import ServedLane
from bot.kinds import TargetSettings
from bot.values import Listen, host_and_port


class ProcessSettings(TargetSettings):
    """Releases as local processes behind a router, in a separate host process."""

    when_away: ClassVar[str] = "it starts with the bot; `slipway host` runs it on its own"

    kind: Literal["process"]
    metrics: Listen | None = Field(default=None, description="Address of the host's own metrics.")


class ProcessLaneSettings(BaseModel):
    """Settings of one lane, sent with every desired state and saved by the host.

    listen_port: port of the lane's router; 0 picks a free one and keeps it, None means that the releases take no
    traffic through Slipway (a queue consumer, a Discord bot).
        sticky_header: requests with equal values of this header go to the same release; raising the weight
            never moves one back to stable.
        exclusive: never two releases at once; weights are 0 and 100 only.
        request_timeout_s: longest silence of a release before its request counts as timed out.
        wait_s: how long a request waits while no release is ready, before it gets a 503.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    listen_host: str = "127.0.0.1"
    listen_port: int | None = Field(default=None, ge=0, le=65535)
    sticky_header: str | None = None
    exclusive: bool = False
    request_timeout_s: float = Field(default=30.0, gt=0)
    wait_s: float = Field(default=5.0, ge=0)


def lane_settings(lane: ServedLane) -> ProcessLaneSettings:
    """The host's settings of a lane, from the catalog's."""
    router = lane.router
    if router is None:
        return ProcessLaneSettings(exclusive=lane.exclusive)
    assert isinstance(router, WeightedRouterSettings)
    told: dict[str, object] = {
        "sticky_header": router.sticky_header,
        "request_timeout_s": router.request_timeout,
        "wait_s": router.wait,
    }
    if router.listen is not None:
        told["listen_host"], told["listen_port"] = host_and_port(router.listen)
    said = {key: value for key, value in told.items() if value is not None}
    return ProcessLaneSettings.model_validate({"exclusive": lane.exclusive, **said})
