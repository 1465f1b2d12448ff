"""Settings of targets that the host serves: their entries in the catalog, and what is sent to the host."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from bot.domain.config import ServedLane
from bot.kinds import RouterProgramSettings, RouterSettings, TargetSettings
from bot.ports.data_plane.routers import LaneRoute, Stickiness
from bot.values import FOR_PEOPLE, Duration, Listen, Short, host_and_port

_NOT_OF_THE_RUNTIME = {"router", "metrics"}


class HostedTargetSettings(TargetSettings):
    """A runtime behind a router. Each kind of runtime adds what it needs itself.

    `router`: the registry narrows it to the kinds of routers that there are.
    """

    metrics: Listen | None = Field(default=None, description="Address of the host's own metrics.")
    router: RouterProgramSettings

    @property
    def place(self) -> str:
        """Where releases run. Targets of the same place share one runtime and one router."""
        return self.kind


class LaneRouterSettings(RouterSettings):
    """How users reach one lane. Without it the releases take no traffic through Slipway."""

    listen: Listen | None = Field(default=None, description="Address and port that users connect to.")
    sticky_header: str | None = Field(default=None, description="Equal values go to the same release.")
    sticky_cookie: str | None = Field(
        default=None,
        description="Cookie that the router sets to keep a user on a release; not with a header.",
    )
    request_timeout: Duration | None = Field(
        default=None, description="How long a release may take to begin its response; 30s by default."
    )

    @model_validator(mode="after")
    def _one_way_to_stick(self) -> LaneRouterSettings:
        if self.sticky_header and self.sticky_cookie:
            raise ValueError("only one of sticky_header and sticky_cookie")
        return self

    @property
    def port(self) -> int | None:
        return host_and_port(self.listen)[1] if self.listen else None


# An address alone is short for the whole.
LaneRouterPart = Annotated[LaneRouterSettings, Short("listen", {"type": ["integer", "string"]})]


class _Sent(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PlatformSettings(_Sent):
    """A runtime and the router before it, as the host makes and keeps them.

    place: their name on the host. runtime, router: settings by kind, as they are written in the catalog.
    """

    place: str
    runtime: dict[str, Any]
    router: dict[str, Any]


class HostedLaneSettings(_Sent):
    """Settings of one lane, sent with every desired state and saved by the host.

    place: the platform that runs it.
    listen_port: port of the lane's router; 0 picks a free one and keeps it, None means that the releases take no
        traffic through Slipway (a queue consumer, a Discord bot).
    sticky_header, sticky_cookie: requests with equal values of this header or cookie go to the same release; raising
        the weight never moves one back to stable.
    exclusive: never two releases at once; weights are 0 and 100 only.
    request_timeout_s: how long a release may take to begin its response.
    latency_limits_s: what the lane's releases are judged by.
    """

    place: str = "process"
    listen_host: str = "127.0.0.1"
    listen_port: int | None = Field(default=None, ge=0, le=65535)
    sticky_header: str | None = None
    sticky_cookie: str | None = None
    exclusive: bool = False
    request_timeout_s: float = Field(default=30.0, gt=0)
    latency_limits_s: tuple[float, ...] = ()

    def route(self, port: int | None) -> LaneRoute | None:
        """How the router serves the lane, None for not at all. `port`: the one that a lane with any port has."""
        if self.listen_port is None:
            return None
        return LaneRoute(
            host=self.listen_host,
            port=self.listen_port or port or 0,
            sticky=self._sticky(),
            request_timeout_s=self.request_timeout_s,
            latency_limits_s=self.latency_limits_s,
        )

    def _sticky(self) -> Stickiness | None:
        if self.sticky_cookie:
            return Stickiness("cookie", self.sticky_cookie)
        return Stickiness("header", self.sticky_header) if self.sticky_header else None


def platform_settings(target: HostedTargetSettings) -> PlatformSettings:
    """The host's settings of a target's runtime and router."""
    as_written = target.model_dump(mode="json", exclude_unset=True, context=FOR_PEOPLE)
    runtime = {key: value for key, value in as_written.items() if key not in _NOT_OF_THE_RUNTIME}
    router = target.router.model_dump(mode="json", exclude_none=True, context=FOR_PEOPLE)
    return PlatformSettings(place=target.place, runtime=runtime, router=router)


def lane_settings(target: HostedTargetSettings, lane: ServedLane) -> HostedLaneSettings:
    """The host's settings of a lane, from the catalog's."""
    told: dict[str, object] = {
        "place": target.place,
        "exclusive": lane.exclusive,
        "latency_limits_s": lane.latency_limits_s,
    }
    if lane.router is not None:
        assert isinstance(lane.router, LaneRouterSettings)
        told["sticky_header"] = lane.router.sticky_header
        told["sticky_cookie"] = lane.router.sticky_cookie
        told["request_timeout_s"] = lane.router.request_timeout
        if lane.router.listen is not None:
            told["listen_host"], told["listen_port"] = host_and_port(lane.router.listen)
    return HostedLaneSettings.model_validate({key: value for key, value in told.items() if value is not None})
