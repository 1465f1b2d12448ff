"""Resolution of release sources, with the environments' overlays."""

from __future__ import annotations

from bot.catalog import models
from bot.catalog.diagnostics import KeyPath
from bot.catalog.validate import Sections
from bot.catalog.yaml_source import Document
from bot.domain.config import ReleasesConfig


def releases(document: Document, sections: Sections, name: str, service: models.Service) -> ReleasesConfig:
    """The service's release source; a release without a complete spec is a mistake in `document`."""
    found = ReleasesConfig(
        service.releases,
        {
            environment: own.spec.said()
            for environment, own in service.environments.items()
            if own is not None
        },
    )
    at: KeyPath = ("services", name, "releases")
    if not sections.is_spoilt(at):
        _runnable(document, at, service, found)
    return found


def _runnable(document: Document, at: KeyPath, service: models.Service, found: ReleasesConfig) -> None:
    """Check that each release has the keys its target requires: in the common spec, its own, or the environment's."""
    common = service.releases.spec
    for key in common.needed:
        if key in common.said() or all(key in over for over in found.overlays.values()):
            continue
        without = [version for version, own in service.releases.layers() if key not in own.said()]
        if without:
            hint = f"Add spec: {{{key}: …}}."
            document.wrong(at, f"nothing says how to run version {without[0]}.", hint)
