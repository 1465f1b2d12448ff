"""What the catalog names by kind becomes adapters: targets, metric sources, release sources.

Used by the composition root and by the command line, which needs a target without a bot around it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp

from bot.adapters.metrics.probe import ProbeMetrics
from bot.adapters.metrics.router import RouterMetrics
from bot.adapters.metrics.rules import ScrapeRules
from bot.adapters.metrics.scrape import ScrapeMetrics
from bot.adapters.targets.process.settings import ProcessLaneSettings
from bot.adapters.targets.process.target import ProcessTarget
from bot.domain.config import Catalog
from bot.domain.rollout.model import Lane, Observed
from bot.ports.errors import Unreachable
from bot.ports.metrics import MetricSource

Current = Callable[[], Catalog]

_SCRAPE_OWN = {"kind", "url", "timeout_s", "buckets"}


def host_dir(data_dir: Path) -> Path:
    """Where the process host keeps its state and takes commands."""
    return data_dir / "host"


def make_targets(catalog: Catalog, data_dir: Path, *, start_host: bool = True) -> dict[str, ProcessTarget]:
    """Every target of the catalog by name. All of kind `process` share one host under `data_dir`."""
    return {
        name: _target(settings, host_dir(data_dir), start_host=start_host)
        for name, settings in catalog.targets.items()
    }


def _target(settings: Mapping[str, Any], folder: Path, *, start_host: bool) -> ProcessTarget:
    listen = _address(settings.get("metrics"))
    return ProcessTarget(folder, lane_settings(settings), metrics_listen=listen, start_host=start_host)


def release_secrets(catalog: Catalog, lane: Lane) -> Iterator[str]:
    """What the catalog takes from its environment for the releases of a lane."""
    source: Mapping[str, Any] = catalog.sources.get(lane.service, {})
    over = source.get("environments", {}).get(lane.environment, {})
    versions = [version.get("spec", {}) for version in source.get("versions", ())]
    for spec in (source.get("spec", {}), over, *versions):
        for values in spec.get("secrets", {}).values():
            yield from values


def lane_settings(target: Mapping[str, Any]) -> dict[Lane, ProcessLaneSettings]:
    """How each lane of a target is served, from the target's settings in the catalog."""
    return {_lane(name): ProcessLaneSettings(**settings) for name, settings in target["lanes"].items()}


async def reconfigure(targets: dict[str, ProcessTarget], catalog: Catalog) -> None:
    """Bring the targets to what a reloaded catalog says; new ones are added. Raises as `configure` does."""
    folders = [target.host.data_dir for target in targets.values()]
    for name, settings in catalog.targets.items():
        if name in targets:
            await targets[name].configure(lane_settings(settings))
        elif folders:
            targets[name] = _target(settings, folders[0], start_host=True)
            await targets[name].configure()


def make_metrics(
    current: Current, targets: Mapping[str, ProcessTarget], session: aiohttp.ClientSession
) -> Mapping[str, MetricSource]:
    """The metric sources of the present catalog by name; each reads a lane from the lane's own target."""
    return _Metrics(current, targets, session)


class _Metrics(Mapping[str, MetricSource]):
    """Sources are made when they are first asked for, and anew when a reload changed what is said of them."""

    def __init__(
        self, current: Current, targets: Mapping[str, ProcessTarget], session: aiohttp.ClientSession
    ) -> None:
        self._current = current
        self._by_lane = TargetOfLane(current, targets)
        self._session = session
        self._made: dict[str, tuple[Mapping[str, object], MetricSource]] = {}

    def __getitem__(self, name: str) -> MetricSource:
        settings = self._current().metrics[name]
        known = self._made.get(name)
        if known is None or known[0] != settings:
            known = (settings, _metric_source(name, settings, self._by_lane, self._session, self._current))
            self._made[name] = known
        return known[1]

    def __iter__(self) -> Iterator[str]:
        return iter(self._current().metrics)

    def __len__(self) -> int:
        return len(self._current().metrics)


class TargetOfLane:
    """Asks the target that the present catalog gives a lane."""

    def __init__(self, current: Current, targets: Mapping[str, ProcessTarget]) -> None:
        self._current = current
        self._targets = targets

    def of(self, lane: Lane) -> ProcessTarget:
        """Raises `Unreachable` for a lane that the catalog does not have."""
        config = self._current().lanes.get(lane)
        target = self._targets.get(config.target) if config else None
        if target is None:
            raise Unreachable(f"the catalog names no target for {lane}")
        return target

    async def observe(self, lane: Lane) -> Observed:
        return await self.of(lane).observe(lane)

    async def counts(self, lane: Lane, overdue_s: float) -> Mapping[str, Any]:
        return await self.of(lane).counts(lane, overdue_s)

    async def addresses(self, lane: Lane, digest: str) -> Mapping[str, str]:
        return await self.of(lane).addresses(lane, digest)


def _metric_source(
    name: str,
    settings: Mapping[str, Any],
    by_lane: TargetOfLane,
    session: aiohttp.ClientSession,
    current: Current,
) -> MetricSource:
    match settings["kind"]:
        case "router":
            return RouterMetrics(by_lane, name=name, overdue_s=lambda lane: _latency_limit(current(), lane))
        case "probe":
            return ProbeMetrics(
                by_lane, session, name=name, path=settings["path"], timeout_s=settings["timeout_s"]
            )
        case "scrape":
            rules = {k: v for k, v in settings.items() if k not in _SCRAPE_OWN}
            extra = {k: (v["total"], v["bad"]) for k, v in settings["extra"].items()}
            return ScrapeMetrics(
                name,
                settings["url"],
                ScrapeRules.model_validate({**rules, "extra": extra}),
                by_lane,
                session,
                timeout_s=settings["timeout_s"],
            )
    raise ValueError(f"there is no metric source of kind {settings['kind']}")


def _latency_limit(catalog: Catalog, lane: Lane) -> float | None:
    config = catalog.lanes.get(lane)
    if config is None:
        return None
    limits = [series.threshold_s for series in config.policy.judge.series if series.kind == "latency"]
    return config.policy.judge.latency_limit_s or max(limits, default=None)


def _address(listen: object) -> tuple[str, int] | None:
    if listen is None:
        return None
    host, _, port = str(listen).rpartition(":")
    return host, int(port)


def _lane(text: str) -> Lane:
    service, _, environment = text.partition("/")
    return Lane(service, environment)
