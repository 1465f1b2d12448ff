"""The releases of every service, from where the catalog says, with the digest that names each."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from bot.domain.config import Catalog, unknown
from bot.domain.rollout.model import Release

Spec = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class FoundRelease:
    """A release as its source has it.

    artifact: digest of its files, "" where the source knows none. spec: everything that its service's settings say
    of how it runs. places: what `{path}` and the like stand for in it.
    """

    version: str
    artifact: str = ""
    commit: str = ""
    spec: Spec = field(default_factory=dict)
    places: Mapping[str, str] = field(default_factory=dict)


class ReleaseFinder(Protocol):
    """Knows the releases of one service. Each kind of `releases:` is one."""

    async def find(self) -> Sequence[FoundRelease]:
        """Newest first. Raises `Unreachable`."""
        ...


class CatalogReleases:
    """A `ReleaseSource` that follows the present catalog. `finders`: those of its services, by name.

    A digest covers the artifact and the spec as it is written, not what an environment lays over it: the same
    release has the same digest everywhere, which is what "it succeeded in staging" is about.
    """

    def __init__(self, current: Callable[[], Catalog], finders: Mapping[str, ReleaseFinder]) -> None:
        self._current = current
        self._finders = finders

    async def releases(self, service: str, environment: str) -> Sequence[Release]:
        """Newest first. Raises `UserError` for a service that the catalog does not have, `Unreachable`."""
        configs = self._current().releases
        if service not in configs:
            raise unknown("service", service, configs)
        over = configs[service].overlays.get(environment, {})
        return [_release(service, found, over) for found in await self._finders[service].find()]


def overlaid(spec: Spec, over: Spec) -> dict[str, Any]:
    """`spec` with the keys of `over`; mappings inside are laid together key by key, everything else replaced."""
    merged = dict(spec)
    for key, value in over.items():
        below = merged.get(key)
        both = isinstance(value, Mapping) and isinstance(below, Mapping)
        merged[key] = overlaid(below, value) if both and below is not None else value
    return merged


def _release(service: str, found: FoundRelease, over: Spec) -> Release:
    # What is to be hidden follows from the rest.
    written = {key: value for key, value in found.spec.items() if key != "secrets"}
    content = json.dumps(
        [service, found.version, found.artifact, written], sort_keys=True, ensure_ascii=False
    )
    digest = f"sha256:{hashlib.sha256(content.encode()).hexdigest()}"
    filled = _fill(overlaid(found.spec, over), {"service": service, "python": sys.executable, **found.places})
    return Release(service, found.version, digest, found.commit, filled)


def _fill(value: Any, places: Mapping[str, str]) -> Any:
    """Replace what is known now; `{version}`, `{environment}`, `{port}`, `{instance}` are the target's."""
    if isinstance(value, str):
        for name, text in places.items():
            value = value.replace(f"{{{name}}}", text)
        return value
    if isinstance(value, Mapping):
        return {k: _fill(v, places) for k, v in value.items()}
    return [_fill(v, places) for v in value] if isinstance(value, list | tuple) else value
