"""Health of everything Slipway depends on, for `/health` over HTTP and in Discord, and for gauges."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from bot import __version__
from bot.domain.config import Catalog
from bot.domain.formatting import duration
from bot.domain.rollout.model import Lane, Observed
from bot.ports.data_plane.metrics import MetricSource
from bot.ports.errors import TargetRefused, Unreachable
from bot.ui.gateway.client import GatewayConnection
from bot.ui.interactions.responder import HealthLine
from bot.web.health import STARTING, WELL, HealthChecks, Probe, ProbeFailed

_GAUGES_EVERY_S = 5.0
_NAMES = {
    "gateway": "Discord gateway",
    "db": "Database",
    "loops": "Loops",
    "redis": "Redis",
    "targets": "Targets",
    "metrics": "Metric sources",
    "sinks": "Sinks of alerts",
}
_SOURCE_S = 1.0


class Described(Protocol):
    """A target that can report its state."""

    async def describe(self) -> Mapping[str, Any]: ...


class Gauges(Protocol):
    def gateway(self, connected: bool, latency_s: float | None = None) -> None: ...

    def redis(self, up: bool) -> None: ...


class HealthService:
    """`probes` by part, for HTTP. As a callable it implements `bot.ui.interactions.responder.HealthSource`.

    late: the engine's loops that have not finished a round for too long, with seconds. starting: those that have
    finished none yet. untold: sinks of alerts that
    could not be told something, with the reason. speaks: whether this process holds the gateway.
    """

    def __init__(
        self,
        *,
        connection: GatewayConnection,
        ping: Callable[[], Awaitable[None]],
        redis: Probe,
        targets: Mapping[str, Described],
        telemetry: Gauges,
        sources: Probe,
        late: Callable[[], Mapping[str, float]],
        starting: Callable[[], Sequence[str]] = tuple,
        untold: Callable[[], Mapping[str, str]] = dict,
        speaks: Callable[[], bool] = lambda: True,
    ) -> None:
        self._started = time.monotonic()
        self._connection, self._ping, self._targets, self._telemetry = connection, ping, targets, telemetry
        self._redis, self._speaks, self._untold = redis, speaks, untold
        self._late, self._starting = late, starting
        self.probes: Mapping[str, Probe] = {
            "gateway": self._gateway,
            "db": self._database,
            "loops": self._loops,
            "redis": redis,
            "targets": self._all_targets,
            "metrics": sources,
            "sinks": self._sinks,
        }
        self._checks = HealthChecks(self.probes)

    async def __call__(self) -> Sequence[HealthLine]:
        """One line per part, without the gateway: a reader in Discord sees that it works."""
        report = await self._checks()
        up = HealthLine("Bot", True, f"{__version__}, up {duration(round(time.monotonic() - self._started))}")
        return [up] + [
            HealthLine(
                _NAMES[part], True if f.word in WELL else False if not f.serving else None, f.detail or f.word
            )
            for part, f in report.findings.items()
            if part != "gateway"
        ]

    async def watch(self) -> None:
        """Keep the gauges current until cancelled."""
        while True:
            self._telemetry.gateway(self._connection.connected, self._connection.latency_s)
            if (word := (await self._redis()).partition(":")[0]) != "memory":
                self._telemetry.redis(word == "ok")
            await asyncio.sleep(_GAUGES_EVERY_S)

    async def _gateway(self) -> str:
        if not self._speaks():
            return "standby: another process holds the gateway"
        if not self._connection.connected:
            raise ProbeFailed(self._connection.trouble or "not connected")
        latency = self._connection.latency_s
        return "connected" if latency is None else f"connected: {latency * 1000:.0f} ms"

    async def _database(self) -> str:
        try:
            await self._ping()
        except Unreachable as error:
            raise ProbeFailed(str(error)) from None
        return "ok"

    async def _loops(self) -> str:
        """A loop that hangs or fails every time: rollouts are not judged, or orders not carried out."""
        if late := self._late():
            raise ProbeFailed("; ".join(f"{name}: no round for {round(s)} s" for name, s in late.items()))
        if starting := self._starting():
            return f"{STARTING}: no round yet of {', '.join(starting)}"
        return "ok"

    async def _sinks(self) -> str:
        """Alerts are in Discord all the same."""
        trouble = [f"{name}: {why}" for name, why in self._untold().items()]
        return f"degraded: {'; '.join(trouble)}" if trouble else "ok"

    async def _all_targets(self) -> str:
        """An unavailable target is `degraded`: Slipway still serves, and recovers when it is back."""
        trouble = [
            f"{name}: {why}" for name, why in await asyncio.gather(*map(self._target, self._targets)) if why
        ]
        return f"degraded: {'; '.join(trouble)}" if trouble else f"ok: {', '.join(self._targets) or 'none'}"

    async def _target(self, name: str) -> tuple[str, str]:
        try:
            async with asyncio.timeout(1.0):
                await self._targets[name].describe()
        except TimeoutError:
            return name, "no answer within 1 s"
        except Unreachable as error:
            return name, str(error)
        return name, ""


class Observing(Protocol):
    """A target that reports what runs in a lane."""

    async def observe(self, lane: Lane) -> Observed: ...


class MetricSourceHealth:
    """Whether every metric source can be read, each for the first lane that uses it and runs something.

    An unreadable source puts rollouts on hold but ends none: `degraded`.
    """

    def __init__(
        self,
        catalog: Callable[[], Catalog],
        targets: Mapping[str, Observing],
        metrics: Mapping[str, MetricSource],
    ) -> None:
        self._catalog, self._targets, self._metrics = catalog, targets, metrics

    async def __call__(self) -> str:
        names = list(self._metrics)
        found = await asyncio.gather(*map(self._source, names))
        trouble = [f"{name}: {why}" for name, why in zip(names, found, strict=True) if why]
        return f"degraded: {'; '.join(trouble)}" if trouble else f"ok: {', '.join(names) or 'none'}"

    async def _source(self, name: str) -> str:
        try:
            async with asyncio.timeout(_SOURCE_S):
                return await self._read(name)
        except TimeoutError:
            return f"no answer within {_SOURCE_S:g} s"
        except (Unreachable, TargetRefused) as error:
            return str(error)

    async def _read(self, name: str) -> str:
        for lane, config in self._catalog().lanes.items():
            target = self._targets.get(config.target)
            if name not in config.metrics or target is None:
                continue
            digests = [r.digest for r in (await target.observe(lane)).running]
            if digests:
                errors = [s.error for s in await self._metrics[name].sample(lane, digests) if s.error]
                return f"{lane}: {errors[0]}" if errors else ""
        return ""
