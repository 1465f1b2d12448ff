"""Builder of the catalog's models for the known kinds of adapters."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Annotated, Any, Union

from pydantic import BeforeValidator, ConfigDict, Field, create_model

from bot.catalog.models.applications import Application
from bot.catalog.models.file import CatalogFile
from bot.catalog.models.services import Service, ServiceEnvironment
from bot.kinds import Kinds, KindSettings, RouterSettings, SpecSettings
from bot.values import Part


class AnySpec(SpecSettings):
    """Placeholder where it is not known which target runs a service, which is a mistake of its own."""

    model_config = ConfigDict(extra="ignore")


def _refuse(written: Any) -> Any:
    raise ValueError("of a kind that there is")


# Where no kind is known, nothing is right.
NoKind = Annotated[KindSettings, BeforeValidator(_refuse)]
AnyRouter = Annotated[RouterSettings, BeforeValidator(lambda written: RouterSettings())]


@functools.lru_cache(maxsize=32)
def catalog_file(kinds: Kinds) -> type[CatalogFile]:
    """Model of a catalog file with every kind of adapter."""
    manifest = _either(kind.settings for kind in kinds.manifests.values())
    application = create_model(
        "Application",
        __base__=Application,
        __doc__=Application.__doc__,
        manifest=(manifest, _described(Application, "manifest")),
    )
    return create_model(
        "CatalogFile",
        __base__=CatalogFile,
        __doc__=CatalogFile.__doc__,
        targets=_section((kind.settings for kind in kinds.targets.values()), "Where releases run."),
        metrics=_section(
            (kind.settings for kind in kinds.metrics.values()), "Sources of request counts and latencies."
        ),
        services=_section([service_of(kinds, *kinds.targets)]),
        applications=_section([application]),
        alert_sources=_section(
            (kind.settings for kind in kinds.alert_sources.values()), "Programs that tell their alerts."
        ),
        sinks=_section(
            (kind.settings for kind in kinds.sinks.values()), "What is told alerts beside Discord."
        ),
    )


@functools.lru_cache(maxsize=64)
def service_of(kinds: Kinds, *targets: str) -> type[Service]:
    """Model of a service on a target of one of these kinds; without kinds, only what all targets share is checked."""
    spec: Any = Union[tuple(kinds.targets[t].spec for t in targets)] if targets else AnySpec  # noqa: UP007
    routers = tuple({kinds.targets[t].router: None for t in targets or kinds.targets})
    router: Any = Union[routers] if targets or len(routers) == 1 else AnyRouter  # noqa: UP007
    check = _either(kind.settings for kind in kinds.checks.values())
    environment = create_model(
        "ServiceEnvironment",
        __base__=ServiceEnvironment,
        __doc__=ServiceEnvironment.__doc__,
        router=(router | None, Field(default=None, description="How users reach the lane.")),
        spec=(spec, ServiceEnvironment.model_fields["spec"]),
        checks=(dict[str, check | None], ServiceEnvironment.model_fields["checks"]),  # type: ignore[valid-type]
    )
    releases = _either(kind.settings[spec] for kind in kinds.releases.values())
    return create_model(
        "Service",
        __base__=Service,
        __doc__=Service.__doc__,
        releases=(releases, _described(Service, "releases")),
        checks=(dict[str, check], Service.model_fields["checks"]),  # type: ignore[valid-type]
        environments=(dict[str, environment | None], _described(Service, "environments")),  # type: ignore[valid-type]
    )


def _section(models: Iterable[Any], description: str | None = None) -> Any:
    """A section of entries by name, each one of `models`."""
    model = _either(models)
    return dict[str, model], Field(default={}, description=description)  # type: ignore[valid-type]


def _described(model: type[Part], field: str) -> Any:
    """A required field with only the description that it has in `model`, since the type differs."""
    return Field(description=model.model_fields[field].description)


def _either(models: Iterable[Any]) -> Any:
    """One of `models`, discriminated by `kind`."""
    known = tuple(models) or (NoKind,)
    return known[0] if len(known) == 1 else Annotated[Union[known], Field(discriminator="kind")]  # noqa: UP007
