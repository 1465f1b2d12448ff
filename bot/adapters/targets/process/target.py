"""The `DeployTarget` for local processes, a client of the host."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bot.adapters.targets.context import TargetContext
from bot.adapters.targets.process import wire
from bot.adapters.targets.process.host.client import HostClient
from bot.adapters.targets.process.settings import ProcessLaneSettings, ProcessSettings, lane_settings
from bot.domain.config import ServedLane
from bot.domain.rollout.model import Desired, Lane, Observed
from bot.ports.errors import TargetRefused
from bot.ports.targets import Capabilities
from bot.values import host_and_port

__all__ = ["ProcessLaneSettings", "ProcessTarget", "abort_lane", "host_dir", "make_process"]


def host_dir(data_dir: Path) -> Path:
    """Folder of the host's state and socket, below Slipway's data folder."""
    return data_dir / "host"


def make_process(
    settings: ProcessSettings, lanes: Mapping[Lane, ServedLane], context: TargetContext
) -> ProcessTarget:
    """A process target. All targets of this kind share one host."""
    return ProcessTarget(
        host_dir(context.data_dir),
        {lane: lane_settings(served) for lane, served in lanes.items()},
        metrics_listen=host_and_port(settings.metrics) if settings.metrics else None,
        start_host=context.start,
    )


class ProcessTarget:
    """Runs releases as processes on this machine.

    data_dir: the host's folder. lanes: how each lane is served; a lane without an entry takes no traffic through
    Slipway. metrics_listen: where the host serves Prometheus text, None for nowhere (port 0: any).
    start_host: whether to start a host when none answers; it outlives this program.
    """

    def __init__(
        self,
        data_dir: Path,
        lanes: Mapping[Lane, ProcessLaneSettings],
        *,
        metrics_listen: tuple[str, int] | None = None,
        start_host: bool = True,
    ) -> None:
        self.host = HostClient(data_dir, start=start_host)
        self._lanes = dict(lanes)
        self._metrics_listen = metrics_listen
        self._configured = False
        self._configuring = asyncio.Lock()

    @property
    def capabilities(self) -> Capabilities:
        """Capabilities of the target; an exclusive lane refuses weights between 0 and 100, and keeps nothing warm."""
        shared = not self._lanes or any(not settings.exclusive for settings in self._lanes.values())
        return Capabilities(weights=shared, warm=shared)

    def settings(self, lane: Lane) -> ProcessLaneSettings:
        return self._lanes.get(lane) or ProcessLaneSettings()

    async def configure(self, lanes: Mapping[Lane, ProcessLaneSettings] | None = None) -> None:
        """Send the lanes' settings to the host, so that routers listen before the first release is there.

        Done automatically before the first call; call it again when the catalog has changed. Raises `TargetRefused`
        when an address is taken, `Unreachable`.
        """
        async with self._configuring:
            if lanes is not None:
                self._lanes = dict(lanes)
            request: dict[str, Any] = {
                "do": "configure",
                "lanes": [[wire.lane_to_json(lane), s.model_dump()] for lane, s in self._lanes.items()],
                "metrics": self._metrics_listen,
            }
            await self.host.call(request)
            self._configured = True

    async def reload(self, settings: ProcessSettings, lanes: Mapping[Lane, ServedLane]) -> None:
        """Apply the present catalog. Raises as `configure` does."""
        if settings.metrics is not None:
            self._metrics_listen = host_and_port(settings.metrics)
        await self.configure({lane: lane_settings(served) for lane, served in lanes.items()})

    async def observe(self, lane: Lane) -> Observed:
        await self._first_configure()
        return wire.observed_from_json(
            await self.host.call({"do": "observe", "lane": wire.lane_to_json(lane)})
        )

    async def apply(self, lane: Lane, desired: Desired) -> None:
        await self._first_configure()
        await self.host.call(
            {
                "do": "apply",
                "lane": wire.lane_to_json(lane),
                "settings": self.settings(lane).model_dump(),
                "desired": wire.desired_to_json(desired),
            }
        )

    async def abort(self, lane: Lane, by: str, why: str) -> Observed:
        return await _abort(self.host, lane, by, why)

    async def counts(self, lane: Lane, overdue_s: float) -> dict[str, Any]:
        """The router's counts by digest and instance; see `RouterMetrics`."""
        await self._first_configure()
        return await self.host.call({"do": "counts", "lane": wire.lane_to_json(lane), "overdue_s": overdue_s})

    async def describe(self) -> dict[str, Any]:
        """Addresses of the host, its routers and the instances."""
        await self._first_configure()
        return await self.host.call({"do": "describe"})

    async def router_address(self, lane: Lane) -> str | None:
        """``http://host:port`` where users reach the lane, None when it takes no traffic."""
        for found in (await self.describe())["lanes"]:
            if wire.lane_from_json(found["lane"]) == lane and found["port"] is not None:
                return f"http://{found['host']}:{found['port']}"
        return None

    async def addresses(self, lane: Lane, digest: str) -> Mapping[str, str]:
        """Addresses of the release's instances that are ready, by a name that changes with a restart."""
        for found in (await self.describe())["lanes"]:
            if wire.lane_from_json(found["lane"]) == lane:
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
        await host.call({"do": "abort", "lane": wire.lane_to_json(lane), "by": by, "why": why})
    )
