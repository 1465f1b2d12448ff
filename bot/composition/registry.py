"""Every kind of adapter that the catalog can name, one line each: its settings, and what makes the adapter.

The catalog builds its sections from `KINDS`; the bot, the command line and the doctor make adapters with it. How to
add one: docs/extending.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from bot.adapters.metrics.context import MetricContext
from bot.adapters.metrics.probe import ProbeSettings, make_probe
from bot.adapters.metrics.router import RouterCountsSettings, make_router
from bot.adapters.metrics.scrape import ScrapeSettings, make_scrape
from bot.adapters.routers.settings import WeightedRouterPart
from bot.adapters.sources.directory import DirectoryReleases, DirectorySettings
from bot.adapters.sources.listed import ListedReleases, ListedSettings
from bot.adapters.sources.manifests.artifact import ArtifactManifest, ArtifactSettings
from bot.adapters.sources.manifests.command import CommandManifest, CommandSettings
from bot.adapters.sources.manifests.file import FileManifest, FileSettings
from bot.adapters.sources.manifests.github import GithubManifest, GithubSettings
from bot.adapters.sources.manifests.reading import ManifestContext, ManifestReader
from bot.adapters.sources.manifests.url import UrlManifest, UrlSettings
from bot.adapters.sources.releases import ReleaseFinder
from bot.adapters.targets.context import TargetContext
from bot.adapters.targets.process.settings import ProcessSettings
from bot.adapters.targets.process.spec import ProcessSpecSettings
from bot.adapters.targets.process.target import make_process
from bot.domain.config import ServedLane
from bot.domain.rollout.model import Lane
from bot.kinds import (
    Kind,
    Kinds,
    ManifestSettings,
    MetricSettings,
    ReleaseSettings,
    SpecSettings,
    TargetKind,
    TargetSettings,
)
from bot.ports.metrics import MetricSource
from bot.ports.targets import CatalogTarget

T = TypeVar("T", bound=TargetSettings)
M = TypeVar("M", bound=MetricSettings)
R = TypeVar("R", bound=ReleaseSettings[Any])
A = TypeVar("A", bound=ManifestSettings)


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


KINDS = Kinds(
    targets={
        "process": target(ProcessSettings, make_process, spec=ProcessSpecSettings, router=WeightedRouterPart),
    },
    metrics={
        "router": metric(RouterCountsSettings, make_router),
        "probe": metric(ProbeSettings, make_probe),
        "scrape": metric(ScrapeSettings, make_scrape),
    },
    releases={
        "listed": release(ListedSettings, ListedReleases),
        "directory": release(DirectorySettings, DirectoryReleases),
    },
    manifests={
        "file": manifest(FileSettings, FileManifest),
        "url": manifest(UrlSettings, UrlManifest),
        "command": manifest(CommandSettings, CommandManifest),
        "github": manifest(GithubSettings, GithubManifest),
        "artifact": manifest(ArtifactSettings, ArtifactManifest),
    },
)
