"""What the host must know of a lane besides what is desired in it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class ProcessLaneSettings(BaseModel):
    """How one lane is served. Sent along with every desired state and kept by the host.

    listen_port: where users reach the lane's router; 0 picks a free one and keeps it, None means that the
        releases take no traffic through us (a queue consumer, a Discord bot).
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
