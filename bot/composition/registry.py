"""Every kind of adapter that the catalog can name, one line each: its settings, and what makes the adapter.

The catalog builds its sections from `KINDS`; the bot, the command line and the doctor make adapters with it. How to
add one: docs/extending.md.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Annotated, Any, TypeVar, Union

from pydantic import Field, create_model

from bot.adapters.alerts.sinks.email import EmailSettings, EmailSink
from bot.adapters.alerts.sinks.github import GithubSink, GithubSinkSettings
from bot.adapters.alerts.sinks.pagerduty import PagerdutySettings, PagerdutySink
from bot.adapters.alerts.sinks.posting import SinkContext
from bot.adapters.alerts.sinks.sentry import SentrySink, SentrySinkSettings
from bot.adapters.alerts.sinks.slack import SlackSettings, SlackSink
from bot.adapters.alerts.sources.alertmanager import AlertmanagerSettings, AlertmanagerSource
from bot.adapters.alerts.sources.delivery import AlertSource
from bot.adapters.alerts.sources.findings import AlertContext
from bot.adapters.alerts.sources.generic import GenericSettings, GenericSource
from bot.adapters.alerts.sources.github import GithubSource, GithubSourceSettings
from bot.adapters.alerts.sources.sentry import SentrySource, SentrySourceSettings
from bot.adapters.checks.command import CommandCheck, CommandCheckSettings
from bot.adapters.checks.discord import DiscordBotCheck, DiscordBotSettings
from bot.adapters.checks.dns import DnsCheck, DnsSettings
from bot.adapters.checks.http import HttpSettings, RequestCheck
from bot.adapters.checks.kind import CheckContext, CheckKind
from bot.adapters.checks.presence import PresenceCheck, PresenceSettings
from bot.adapters.checks.tcp import TcpCheck, TcpSettings
from bot.adapters.checks.tls import CertificateSettings, TlsCheck
from bot.adapters.checks.websocket import WebSocketCheck, WebSocketSettings
from bot.adapters.metrics.context import MetricContext
from bot.adapters.metrics.probe import ProbeSettings, make_probe
from bot.adapters.metrics.prometheus.alerts import make_alerts
from bot.adapters.metrics.prometheus.counters import make_prometheus
from bot.adapters.metrics.prometheus.settings import AlertsSettings, PrometheusSettings
from bot.adapters.metrics.router import RouterCountsSettings, make_router
from bot.adapters.metrics.scrape import ScrapeSettings, make_scrape
from bot.adapters.routers.context import RouterContext
from bot.adapters.routers.envoy.settings import EnvoySettings, make_envoy
from bot.adapters.routers.haproxy.settings import HaproxySettings, make_haproxy
from bot.adapters.runtimes.context import RuntimeContext
from bot.adapters.runtimes.docker.images import pin
from bot.adapters.runtimes.docker.runtime import make_docker_runtime
from bot.adapters.runtimes.docker.settings import DockerSettings
from bot.adapters.runtimes.docker.spec import DockerSpecSettings
from bot.adapters.runtimes.process.runtime import make_process_runtime
from bot.adapters.runtimes.process.settings import ProcessSettings
from bot.adapters.runtimes.process.spec import ProcessSpecSettings
from bot.adapters.runtimes.swarm.runtime import make_swarm_runtime
from bot.adapters.runtimes.swarm.settings import SwarmSettings
from bot.adapters.runtimes.swarm.spec import SwarmSpecSettings
from bot.adapters.sources.directory import DirectoryReleases, DirectorySettings
from bot.adapters.sources.github import GithubReleasesSettings, make_github
from bot.adapters.sources.listed import ListedReleases, ListedSettings
from bot.adapters.sources.manifests.artifact import ArtifactManifest, ArtifactSettings
from bot.adapters.sources.manifests.command import CommandManifest, CommandSettings
from bot.adapters.sources.manifests.file import FileManifest, FileSettings
from bot.adapters.sources.manifests.github import GithubManifest, GithubSettings
from bot.adapters.sources.manifests.reading import ManifestContext, ManifestReader
from bot.adapters.sources.manifests.url import UrlManifest, UrlSettings
from bot.adapters.sources.printed import ReleaseCommandSettings, make_printed
from bot.adapters.sources.registry.source import RegistrySettings, make_registry
from bot.adapters.sources.releases import ReleaseFinder
from bot.adapters.targets.command.settings import CommandSpecSettings, CommandTargetSettings
from bot.adapters.targets.command.target import make_command_target
from bot.adapters.targets.context import TargetContext
from bot.adapters.targets.hosted.settings import HostedTargetSettings, LaneRouterPart
from bot.adapters.targets.hosted.target import make_hosted
from bot.adapters.targets.jobs.settings import LaneAddressPart
from bot.adapters.targets.webhook.settings import WebhookSpecSettings, WebhookTargetSettings
from bot.adapters.targets.webhook.target import make_webhook_target
from bot.domain.config import ServedLane
from bot.domain.rollout.model import Lane, Release
from bot.kinds import (
    AlertSourceSettings,
    CheckSettings,
    Kind,
    Kinds,
    ManifestSettings,
    MetricSettings,
    ReleaseSettings,
    RouterProgramSettings,
    RuntimeKind,
    SinkSettings,
    SpecSettings,
    TargetKind,
    TargetSettings,
)
from bot.ports.data_plane.metrics import MetricSource
from bot.ports.data_plane.routers import Router
from bot.ports.data_plane.runtimes import Runtime
from bot.ports.data_plane.targets import CatalogTarget
from bot.ports.watch.sinks import AlertSink

T = TypeVar("T", bound=TargetSettings)
H = TypeVar("H", bound=HostedTargetSettings)
P = TypeVar("P", bound=RouterProgramSettings)
M = TypeVar("M", bound=MetricSettings)
R = TypeVar("R", bound=ReleaseSettings[Any])
A = TypeVar("A", bound=ManifestSettings)
W = TypeVar("W", bound=AlertSourceSettings)
C = TypeVar("C", bound=CheckSettings)
K = TypeVar("K", bound=SinkSettings)


def target(
    settings: type[T],
    make: Callable[[T, Mapping[Lane, ServedLane], TargetContext], CatalogTarget],
    *,
    spec: type[SpecSettings],
    router: Any,
) -> TargetKind:
    """`spec`: what a release needs to run there. `router`: how users reach a lane, a model of `RouterSettings`."""
    return TargetKind(settings, make, spec, router)


def metric(settings: type[M], make: Callable[[str, M, MetricContext], MetricSource]) -> Kind:
    return Kind(settings, make)


def release(settings: type[R], make: Callable[[str, R], ReleaseFinder]) -> Kind:
    """`make` takes the service's name and its settings."""
    return Kind(settings, make)


def manifest(settings: type[A], make: Callable[[A, ManifestContext], ManifestReader]) -> Kind:
    return Kind(settings, make)


def alert_source(settings: type[W], make: Callable[[str, W, AlertContext], AlertSource]) -> Kind:
    return Kind(settings, make)


def check(settings: type[C], make: Callable[[C, CheckContext], CheckKind]) -> Kind:
    return Kind(settings, make)


def sink(settings: type[K], make: Callable[[str, K, SinkContext], AlertSink]) -> Kind:
    return Kind(settings, make)


def runtime(
    settings: type[H],
    make: Callable[[H, RuntimeContext], Runtime],
    *,
    spec: type[SpecSettings],
    pin: Callable[[H, Release, str], Awaitable[Release]] | None = None,
) -> RuntimeKind:
    """A runtime, which is a kind of target too: behind a router, served by the host."""
    return RuntimeKind(settings, make, spec, pin)


def router(settings: type[P], make: Callable[[P, RouterContext], Router]) -> Kind:
    """The first router is the one of targets that name none: every field of its settings has a default."""
    return Kind(settings, make)


def hosted(kind: RuntimeKind) -> TargetKind:
    """The target of a runtime behind any of `ROUTERS`."""
    models = tuple(known.settings for known in ROUTERS.values())
    either: Any = models[0] if len(models) == 1 else Annotated[Union[models], Field(discriminator="kind")]  # noqa: UP007
    described = "What routes the requests of its lanes."
    settings = create_model(
        kind.settings.__name__,
        __base__=kind.settings,
        __doc__=kind.settings.__doc__,
        router=(either, Field(default=models[0](), description=described)),
    )
    return replace(target(settings, make_hosted, spec=kind.spec, router=LaneRouterPart), pin=kind.pin)


RUNTIMES = {
    "process": runtime(ProcessSettings, make_process_runtime, spec=ProcessSpecSettings),
    "docker": runtime(DockerSettings, make_docker_runtime, spec=DockerSpecSettings, pin=pin),
    "swarm": runtime(SwarmSettings, make_swarm_runtime, spec=SwarmSpecSettings, pin=pin),
}

ROUTERS = {
    "envoy": router(EnvoySettings, make_envoy),
    "haproxy": router(HaproxySettings, make_haproxy),
}

KINDS = Kinds(
    targets={
        **{name: hosted(kind) for name, kind in RUNTIMES.items()},
        "command": target(
            CommandTargetSettings, make_command_target, spec=CommandSpecSettings, router=LaneAddressPart
        ),
        "webhook": target(
            WebhookTargetSettings, make_webhook_target, spec=WebhookSpecSettings, router=LaneAddressPart
        ),
    },
    metrics={
        "router": metric(RouterCountsSettings, make_router),
        "probe": metric(ProbeSettings, make_probe),
        "scrape": metric(ScrapeSettings, make_scrape),
        "prometheus": metric(PrometheusSettings, make_prometheus),
        "alerts": metric(AlertsSettings, make_alerts),
    },
    releases={
        "listed": release(ListedSettings, ListedReleases),
        "directory": release(DirectorySettings, DirectoryReleases),
        "registry": release(RegistrySettings, make_registry),
        "command": release(ReleaseCommandSettings, make_printed),
        "github": release(GithubReleasesSettings, make_github),
    },
    manifests={
        "file": manifest(FileSettings, FileManifest),
        "url": manifest(UrlSettings, UrlManifest),
        "command": manifest(CommandSettings, CommandManifest),
        "github": manifest(GithubSettings, GithubManifest),
        "artifact": manifest(ArtifactSettings, ArtifactManifest),
    },
    alert_sources={
        "alertmanager": alert_source(AlertmanagerSettings, AlertmanagerSource),
        "sentry": alert_source(SentrySourceSettings, SentrySource),
        "github": alert_source(GithubSourceSettings, GithubSource),
        "generic": alert_source(GenericSettings, GenericSource),
    },
    checks={
        "http": check(HttpSettings, RequestCheck),
        "tcp": check(TcpSettings, TcpCheck),
        "tls": check(CertificateSettings, TlsCheck),
        "dns": check(DnsSettings, DnsCheck),
        "websocket": check(WebSocketSettings, WebSocketCheck),
        "discord": check(DiscordBotSettings, DiscordBotCheck),
        "presence": check(PresenceSettings, PresenceCheck),
        "command": check(CommandCheckSettings, CommandCheck),
    },
    sinks={
        "pagerduty": sink(PagerdutySettings, PagerdutySink),
        "slack": sink(SlackSettings, SlackSink),
        "email": sink(EmailSettings, EmailSink),
        "github": sink(GithubSinkSettings, GithubSink),
        "sentry": sink(SentrySinkSettings, SentrySink),
    },
)
