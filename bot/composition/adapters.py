"""The adapters that the present catalog names: targets, metric sources, release sources, manifest sources.

Used by the bot, the command line and the doctor alike. Which kinds there are, the registry says.
"""

from __future__ import annotations

import os
from collections import ChainMap
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, Generic, TypeVar

import aiohttp

from bot import references
from bot.adapters.alerts.sinks.http_client import SinkContext
from bot.adapters.alerts.sources.delivery import AlertSource
from bot.adapters.alerts.sources.findings import AlertContext
from bot.adapters.checks.kind import CheckContext, CheckKind, unseen
from bot.adapters.checks.runner import CheckRunner
from bot.adapters.checks.session import SystemResolver, check_session
from bot.adapters.metrics.context import MetricContext
from bot.adapters.metrics.shared_answers import SharedAnswers
from bot.adapters.sources.manifests.reading import ManifestContext, ManifestReader
from bot.adapters.sources.releases import CatalogReleases
from bot.adapters.targets.context import TargetContext
from bot.adapters.targets.jobs.target import lanes_dir
from bot.adapters.targets.webhook.callbacks import Callbacks
from bot.adapters.targets.webhook.settings import WebhookTargetSettings
from bot.composition import registry
from bot.domain.appcommands.applications import Application
from bot.domain.config import AdapterSettings, Catalog, ServedLane, TargetConfig
from bot.domain.rollout.model import Lane, Observed, Release
from bot.domain.secret import Secret
from bot.kinds import CheckSettings, ReleaseSettings, SinkSettings
from bot.ports.appcommands import SourcedManifest
from bot.ports.data_plane.metrics import MetricSource
from bot.ports.data_plane.targets import CatalogTarget
from bot.ports.errors import ManifestUnavailable, Unreachable
from bot.ports.releases import ReleaseSource
from bot.ports.watch.regressions import RegressionTracker
from bot.ports.watch.sinks import AlertSink
from bot.redaction import Redactor

Current = Callable[[], Catalog]
# So long one answer of a target on where a lane is asked serves all of the lane's checks, in seconds. Addresses of
# routers change with the catalog, those of releases with each rollout and restart.
_ROUTED_S, _SERVING_S = 15.0, 3.0
Adapter = TypeVar("Adapter")


class Given(Mapping[str, str]):
    """What `${NAME}` stands for: as the present catalog was read, else as the environment is."""

    def __init__(self, current: Current) -> None:
        self._current = current

    def _all(self) -> Mapping[str, str]:
        return ChainMap(dict(self._current().given), os.environ)

    def __getitem__(self, name: str) -> str:
        return self._all()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())


class Following(Mapping[str, Adapter], Generic[Adapter]):
    """Adapters by name: created on first use, and again when a reload changed their settings."""

    def __init__(
        self,
        settings: Callable[[], Mapping[str, AdapterSettings]],
        make: Callable[[str, AdapterSettings], Adapter],
    ) -> None:
        self._settings = settings
        self._make = make
        self._made: dict[str, tuple[AdapterSettings, Adapter]] = {}

    def __getitem__(self, name: str) -> Adapter:
        settings = self._settings()[name]
        known = self._made.get(name)
        if known is None or known[0] != settings:
            known = self._made[name] = (settings, self._make(name, settings))
        return known[1]

    def __iter__(self) -> Iterator[str]:
        return iter(self._settings())

    def __len__(self) -> int:
        return len(self._settings())


class Targets(Mapping[str, CatalogTarget]):
    """Every target of the catalog by name; `reload` takes in what another one says."""

    def __init__(self, catalog: Catalog, context: TargetContext) -> None:
        self._context = context
        self._made: dict[str, tuple[str, CatalogTarget]] = {}
        for name, config in catalog.targets.items():
            self._add(name, config)

    async def reload(
        self, catalog: Catalog, held: Mapping[Lane, tuple[str, ServedLane]] = MappingProxyType({})
    ) -> None:
        """New targets are added, the others follow. Raises as `CatalogTarget.reload` does.

        held: lanes that do not follow, each with the name of its target and how that serves it.
        """
        for name, config in catalog.targets.items():
            lanes = {lane: served for lane, served in config.lanes.items() if lane not in held}
            lanes |= {lane: served for lane, (on, served) in held.items() if on == name}
            if name not in self._made or self._made[name][0] != config.settings.kind:
                self._add(name, config)
            await self[name].reload(config.settings, lanes)

    def _add(self, name: str, config: TargetConfig) -> None:
        kind = config.settings.kind
        made = registry.KINDS.targets[kind].make(config.settings, config.lanes, self._context)
        self._made[name] = (kind, made)

    def __getitem__(self, name: str) -> CatalogTarget:
        return self._made[name][1]

    def __iter__(self) -> Iterator[str]:
        return iter(self._made)

    def __len__(self) -> int:
        return len(self._made)


class TargetOfLane:
    """Asks the target that the present catalog gives a lane. Implements `LaneTargets`."""

    def __init__(self, current: Current, targets: Mapping[str, CatalogTarget]) -> None:
        self._current = current
        self._targets = targets

    def of(self, lane: Lane) -> CatalogTarget:
        """Raises `Unreachable` for a lane that the catalog does not have."""
        config = self._current().lanes.get(lane)
        target = self._targets.get(config.target) if config else None
        if target is None:
            raise Unreachable(f"the catalog has no target for {lane}")
        return target

    async def observe(self, lane: Lane) -> Observed:
        return await self.of(lane).observe(lane)

    async def routed_at(self, lane: Lane) -> str | None:
        """Where users reach the lane; None where it takes no traffic. Raises `Unreachable`."""
        return await self.of(lane).router_address(lane)

    async def serving_at(self, lane: Lane) -> str | None:
        """Where the release answers that serves the lane; None without an address.

        Raises `Unreachable` also where nothing runs yet, and `TargetRefused`.
        """
        running = sorted((await self.observe(lane)).running, key=lambda each: -each.weight)
        if not running:
            raise Unreachable(f"nothing runs in {lane}")
        return next((each.address for each in running if each.address), None)

    async def counts(self, lane: Lane) -> Mapping[str, Any]:
        return await self.of(lane).counts(lane)

    async def addresses(self, lane: Lane, digest: str) -> Mapping[str, str]:
        return await self.of(lane).addresses(lane, digest)


class Manifests:
    """Implements `bot.ports.appcommands.ManifestSource` for every kind that the registry has."""

    def __init__(self, context: ManifestContext) -> None:
        self._context = context

    async def read(self, application: Application) -> SourcedManifest:
        return await self._reader(application).read(None)

    async def of_release(self, application: Application, release: Release) -> SourcedManifest:
        source = application.source
        along = source is not None and source.released_with == release.service
        return await self._reader(application).read(release if along else None)

    def _reader(self, application: Application) -> ManifestReader:
        source = application.source
        if source is None:
            raise ManifestUnavailable(f"{application.name} has no manifest source.")
        reader: ManifestReader = registry.KINDS.manifests[source.kind].make(source, self._context)
        return reader


def make_targets(catalog: Catalog, data_dir: Path, *, start: bool = True) -> Targets:
    """Every target of the catalog. start: whether they may start programs of their own."""
    return Targets(catalog, TargetContext(data_dir, start))


def make_metrics(
    current: Current, targets: Mapping[str, CatalogTarget], session: aiohttp.ClientSession
) -> Mapping[str, MetricSource]:
    """The metric sources of the present catalog by name; each reads a lane from the lane's own target."""
    context = MetricContext(TargetOfLane(current, targets), session)

    def make(name: str, settings: AdapterSettings) -> MetricSource:
        made: MetricSource = registry.KINDS.metrics[settings.kind].make(name, settings, context)
        return made

    return Following(lambda: current().metrics, make)


def make_alert_sources(current: Current, redact: Callable[[str], str] = str) -> Mapping[str, AlertSource]:
    """The alert sources of the present catalog by name. redact: hides secrets in what they say."""
    context = AlertContext(current, redact)

    def make(name: str, settings: AdapterSettings) -> AlertSource:
        made: AlertSource = registry.KINDS.alert_sources[settings.kind].make(name, settings, context)
        return made

    return Following(lambda: {n: c.settings for n, c in current().alert_sources.items()}, make)


@asynccontextmanager
async def open_checks(
    current: Current,
    targets: Mapping[str, CatalogTarget],
    presence: Callable[[int], Awaitable[str | None]] = unseen,
) -> AsyncIterator[CheckRunner]:
    """What asks the checks of the present catalog. presence: as of `CheckContext`."""
    resolver, known, lanes = SystemResolver(), SharedAnswers(), TargetOfLane(current, targets)
    async with check_session(resolver) as session:
        context = CheckContext(session, resolver, presence)

        def make(settings: CheckSettings) -> CheckKind:
            made: CheckKind = registry.KINDS.checks[settings.kind].make(settings, context)
            return made

        async def answers_at(lane: Lane) -> str | None:
            routed = await known.get((lane, "routed"), _ROUTED_S, lambda: lanes.routed_at(lane))
            return routed or await known.get((lane, "serving"), _SERVING_S, lambda: lanes.serving_at(lane))

        def redact(text: str) -> str:
            return Redactor(secret.reveal() for secret in current().secrets)(text)

        try:
            yield CheckRunner(make, answers_at, redact)
        finally:
            await resolver.close()


def watched_bots(catalog: Catalog) -> Collection[int]:
    """The Discord users that checks need to know the presence of."""
    checks = (check.settings for config in catalog.lanes.values() for check in config.checks)
    found = (settings.presence_of for settings in checks if isinstance(settings, CheckSettings))
    return {user_id for user_id in found if user_id is not None}


def make_sinks(current: Current, session: aiohttp.ClientSession) -> Mapping[str, AlertSink]:
    """The sinks of alerts of the present catalog by name, enabled or not."""
    context = SinkContext(session)

    def make(name: str, settings: AdapterSettings) -> AlertSink:
        made: AlertSink = registry.KINDS.sinks[settings.kind].make(name, settings, context)
        return made

    return Following(lambda: {n: c.settings for n, c in current().sinks.items()}, make)


def make_tracker(current: Current, session: aiohttp.ClientSession) -> Callable[[], RegressionTracker | None]:
    """Where the present catalog has issues about regressions opened: the first sink that says so; None without one."""
    context = SinkContext(session)

    def settings() -> dict[str, AdapterSettings]:
        sinks = {name: config.settings for name, config in current().sinks.items()}
        return {n: s for n, s in sinks.items() if isinstance(s, SinkSettings) and s.takes_regressions}

    def make(name: str, settings: AdapterSettings) -> RegressionTracker:
        from bot.adapters.alerts.sinks.github import GithubRegressions, GithubSinkSettings

        assert isinstance(settings, GithubSinkSettings)
        return GithubRegressions(name, settings, context)

    made = Following(settings, make)
    return lambda: next((made[name] for name in made), None)


def make_releases(current: Current) -> CatalogReleases:
    """The releases of every service of the present catalog."""
    return CatalogReleases(
        current,
        Following(
            lambda: {name: config.settings for name, config in current().releases.items()},
            lambda service, settings: registry.KINDS.releases[settings.kind].make(service, settings),
        ),
        Given(current),
        lambda lane, release: _pinned(current(), lane, release),
    )


async def _pinned(catalog: Catalog, lane: Lane, release: Release) -> Release:
    config = catalog.lanes.get(lane)
    target = catalog.targets.get(config.target) if config else None
    pin = registry.KINDS.targets[target.settings.kind].pin if target else None
    return await pin(target.settings, release, lane.environment) if target and pin else release


def make_manifests(current: Current, releases: ReleaseSource) -> Manifests:
    """The manifests of the present catalog's applications. `releases`: those of every service."""

    def folder(service: str, version: str) -> Path | None:
        config = current().releases.get(service)
        settings = config.settings if config else None
        return settings.folder(version) if isinstance(settings, ReleaseSettings) else None

    return Manifests(ManifestContext(releases, folder))


def release_secrets(catalog: Catalog, lane: Lane) -> Iterator[str]:
    """What the catalog takes from its environment for the releases of a lane."""
    config = catalog.releases.get(lane.service)
    if config is None or not isinstance(config.settings, ReleaseSettings):
        return
    own = (spec for _, spec in config.settings.layers())
    over = references.resolved(config.overlays.get(lane.environment, {}), catalog.given).get("secrets", {})
    for secrets in (*(spec.secrets for spec in (config.settings.spec, *own)), over):
        for values in secrets.values():
            yield from values


def callbacks(current: Current, data_dir: Path) -> Callable[[str, str, str, str, bytes], tuple[int, str]]:
    """Takes callbacks of webhooks: service, environment, timestamp, signature, body; see `bot.web.hooks`."""

    def secret(lane: Lane) -> Secret | None:
        config = current().lanes.get(lane)
        target = current().targets.get(config.target) if config else None
        settings = target.settings if target else None
        return settings.secret if isinstance(settings, WebhookTargetSettings) else None

    taking = Callbacks(lanes_dir(data_dir), secret)
    return lambda service, environment, *signed: taking.receive(Lane(service, environment), *signed)
