"""The `DeployTarget` for runtimes behind routers, a client of the host."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bot.adapters.lane_files import lane_from_json, lane_to_json
from bot.adapters.targets.context import TargetContext
from bot.adapters.targets.hosted import wire
from bot.adapters.targets.hosted.host.client import HostClient
from bot.adapters.targets.hosted.settings import (
    HostedLaneSettings,
    HostedTargetSettings,
    PlatformSettings,
    lane_settings,
    platform_settings,
)
from bot.domain.config import ServedLane
from bot.domain.rollout.model import Desired, Lane, Observed
from bot.ports.data_plane.targets import ORDERED_BY, Capabilities
from bot.ports.errors import TargetRefused
from bot.values import host_and_port


def host_dir(data_dir: Path) -> Path:
    """Folder of the host's state and socket, below Slipway's data folder."""
    return data_dir / "host"


def make_hosted(
    settings: HostedTargetSettings, lanes: Mapping[Lane, ServedLane], context: TargetContext
) -> HostedTarget:
    """A target that the host serves. All of them share one host."""
    return HostedTarget(
        host_dir(context.data_dir),
        platform_settings(settings),
        {lane: lane_settings(settings, served) for lane, served in lanes.items()},
        metrics_listen=host_and_port(settings.metrics) if settings.metrics else None,
        start_host=context.start,
    )


class HostedTarget:
    """Runs releases on a runtime behind a router.

    data_dir: the host's folder. platform: the runtime and the router. lanes: how each lane is served; a lane without
    an entry takes no traffic through Slipway. metrics_listen: where the host serves Prometheus text, None for nowhere
    (port 0: any). start_host: whether to start a host when none answers; it outlives this program.
    """

    def __init__(
        self,
        data_dir: Path,
        platform: PlatformSettings,
        lanes: Mapping[Lane, HostedLaneSettings],
        *,
        metrics_listen: tuple[str, int] | None = None,
        start_host: bool = True,
    ) -> None:
        self.host = HostClient(data_dir, start=start_host)
        self._platform = platform
        self._lanes = dict(lanes)
        self._metrics_listen = metrics_listen
        self._configured = False
        self._configuring = asyncio.Lock()

    @property
    def capabilities(self) -> Capabilities:
        """Capabilities of the target; an exclusive lane refuses weights between 0 and 100, and keeps nothing warm."""
        shared = not self._lanes or any(not settings.exclusive for settings in self._lanes.values())
        return Capabilities(weights=shared, warm=shared)

    def settings(self, lane: Lane) -> HostedLaneSettings:
        return self._lanes.get(lane) or HostedLaneSettings(place=self._platform.place)

    async def configure(self, lanes: Mapping[Lane, HostedLaneSettings] | None = None) -> None:
        """Send the lanes' settings to the host, so that routers listen before the first release is there.

        Done automatically before the first call; call it again when the catalog has changed. Raises `TargetRefused`
        when an address is taken, `Unreachable`.
        """
        async with self._configuring:
            if lanes is not None:
                self._lanes = dict(lanes)
            request: dict[str, Any] = {
                "do": "configure",
                "platform": self._platform.model_dump(),
                "lanes": [[lane_to_json(lane), s.model_dump()] for lane, s in self._lanes.items()],
                "metrics": self._metrics_listen,
            }
            await self.host.call(request)
            self._configured = True

    async def reload(self, settings: HostedTargetSettings, lanes: Mapping[Lane, ServedLane]) -> None:
        """Apply the present catalog. Raises as `configure` does."""
        if settings.metrics is not None:
            self._metrics_listen = host_and_port(settings.metrics)
        self._platform = platform_settings(settings)
        await self.configure({lane: lane_settings(settings, served) for lane, served in lanes.items()})

    async def observe(self, lane: Lane) -> Observed:
        await self._first_configure()
        return wire.observed_from_json(await self.host.call({"do": "observe", "lane": lane_to_json(lane)}))

    async def apply(self, lane: Lane, desired: Desired) -> None:
        await self._first_configure()
        await self.host.call(
            {
                "do": "apply",
                "lane": lane_to_json(lane),
                "settings": self.settings(lane).model_dump(),
                "desired": wire.desired_to_json(desired),
                "rollout": ORDERED_BY.get(),
            }
        )

    async def abort(self, lane: Lane, by: str, why: str) -> Observed:
        return await _abort(self.host, lane, by, why)

    async def counts(self, lane: Lane) -> dict[str, Any]:
        """The router's counts by digest; see `RouterMetrics`."""
        await self._first_configure()
        return await self.host.call({"do": "counts", "lane": lane_to_json(lane)})

    async def describe(self) -> dict[str, Any]:
        """Addresses of the host, its routers and the instances."""
        await self._first_configure()
        return await self.host.call({"do": "describe"})

    async def router_address(self, lane: Lane) -> str | None:
        """``http://host:port`` where users reach the lane, None when it takes no traffic."""
        for found in (await self.describe())["lanes"]:
            if lane_from_json(found["lane"]) == lane and found["port"] is not None:
                return f"http://{found['host']}:{found['port']}"
        return None

    async def addresses(self, lane: Lane, digest: str) -> Mapping[str, str]:
        """Addresses of the release's instances that are ready, by a name that changes with a restart."""
        for found in (await self.describe())["lanes"]:
            if lane_from_json(found["lane"]) == lane:
                instances: Mapping[str, str] = found["addresses"].get(digest, {})
                return dict(instances)
        return {}

    async def stop_host(self) -> None:
        """Stop the host and every release, in good order; returns when they are gone."""
        await self.host.stop()

    async def _first_configure(self) -> None:
        """Configure once, ignoring a lane that cannot listen: its own `apply` will report it."""
        if not self._configured:
            with contextlib.suppress(TargetRefused):
                await self.configure()
            self._configured = True


async def abort_lane(data_dir: Path, lane: Lane, by: str, why: str) -> Observed:
    """`slipway abort`: all traffic to stable, without database or Discord.

    Raises `TargetRefused` (unknown lane, no stable release) or `Unreachable`.
    """
    return await _abort(HostClient(data_dir), lane, by, why)


async def _abort(host: HostClient, lane: Lane, by: str, why: str) -> Observed:
    return wire.observed_from_json(
        await host.call({"do": "abort", "lane": lane_to_json(lane), "by": by, "why": why})
    )
