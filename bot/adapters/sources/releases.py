"""Releases of every service from the catalog's sources, each with its digest."""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

from bot import references
from bot.domain.config import Catalog, unknown
from bot.domain.errors import UserError
from bot.domain.formatting import one_line
from bot.domain.phrasebook import NO_DETAILS
from bot.domain.rollout.model import Lane, Release
from bot.kinds import Kind, ReleaseSettings
from bot.ports.errors import TargetRefused, Unreachable

R = TypeVar("R", bound=ReleaseSettings[Any])
Spec = Mapping[str, Any]
_SUBJECT = 200
_YES, _NO = frozenset({"true", "yes", "1", "on"}), frozenset({"", "false", "no", "none", "0", "off"})


@dataclass(frozen=True, slots=True)
class FoundRelease:
    """A release in its source.

    artifact: digest of its files, "" where the source has none. spec: how it runs, from the service's settings.
    places: values of `{path}` and other placeholders in it. files: the folder of the artifact, for a target that runs
    releases from a copy. made_at, subject: when it was built or published, and what it is about, where that is known.
    repository: address of the repository that the commit is in, for people. irreversible: what of it cannot be undone.
    """

    version: str
    artifact: str = ""
    commit: str = ""
    spec: Spec = field(default_factory=dict)
    places: Mapping[str, str] = field(default_factory=dict)
    files: Path | None = None
    made_at: datetime | None = None
    subject: str = ""
    repository: str = ""
    irreversible: str = ""


class ReleaseFinder(Protocol):
    """Finder of one service's releases, one class for each kind of `releases:`."""

    async def find(self) -> Sequence[FoundRelease]:
        """Releases, newest first. Raises `Unreachable`."""
        ...


@runtime_checkable
class KeepingFinder(ReleaseFinder, Protocol):
    """Finder that may answer with what it found a short time ago."""

    async def find_now(self) -> Sequence[FoundRelease]:
        """As `find`, from the source itself."""
        ...


@runtime_checkable
class ExaminingFinder(ReleaseFinder, Protocol):
    """Finder of a list that may say less of a release than is to be known when it is deployed."""

    async def examined(self, found: FoundRelease) -> FoundRelease:
        """The release with all that its source says of it. Raises `Unreachable`."""
        ...


class CatalogReleases:
    """Implements `ReleaseSource` on the present catalog. `finders`: by service.

    A digest covers the artifact and the spec, with the environment's overlay and the values of references. `base`
    leaves the overlay out: it is the same everywhere, so that "succeeded in staging" means the same release. The spec
    itself keeps its references. `environ`: their values. pin: as `bot.kinds.Pin`, by the target of a lane.
    """

    def __init__(
        self,
        current: Callable[[], Catalog],
        finders: Mapping[str, ReleaseFinder],
        environ: Mapping[str, str],
        pin: Callable[[Lane, Release], Awaitable[Release]],
    ) -> None:
        self._current = current
        self._finders = finders
        self._environ = environ
        self._pin = pin

    async def releases(self, service: str, environment: str, *, fresh: bool = False) -> Sequence[Release]:
        """Releases, newest first. Raises `UserError` for a service that the catalog does not have, `Unreachable`."""
        configs = self._current().releases
        if service not in configs:
            raise unknown("service", service, configs)
        over = configs[service].overlays.get(environment, {})
        try:
            finder = self._finders[service]
            found = await (
                finder.find_now() if fresh and isinstance(finder, KeepingFinder) else finder.find()
            )
            return [self._release(service, each, over) for each in found]
        except references.UnsetVariableError as error:
            raise Unreachable(f"The releases of {service} cannot be resolved: {error}.") from None

    async def pinned(self, release: Release, environment: str) -> Release:
        finder = self._finders.get(release.service)
        if isinstance(finder, ExaminingFinder):
            said = await finder.examined(FoundRelease(release.version))
            release = replace(
                release,
                commit=said.commit,
                made_at=said.made_at,
                repository=one_line(said.repository, _SUBJECT),
                irreversible=said.irreversible,
            )
        try:
            found = await self._pin(Lane(release.service, environment), release)
            return replace(found, spec=references.hashed(found.spec, self._environ))
        except TargetRefused as refused:
            raise UserError(f"{refused}.", rule="release") from None

    def _release(self, service: str, found: FoundRelease, over: Spec) -> Release:
        spec = overlaid(found.spec, over)
        digest, base = (self._digest(service, found, each) for each in (spec, found.spec))
        here = _fill(spec, {"service": service, "python": sys.executable, **found.places})
        if found.files is not None:
            here["artifact"] = {"folder": str(found.files), "digest": found.artifact}
        filled = references.hashed(here, self._environ)
        return Release(
            service,
            found.version,
            digest,
            found.commit,
            filled,
            base if base != digest else "",
            found.made_at,
            one_line(found.subject, _SUBJECT),
            one_line(found.repository, _SUBJECT),
            found.irreversible,
        )

    def _digest(self, service: str, found: FoundRelease, spec: Spec) -> str:
        written = references.resolved(spec, self._environ)
        written.pop("secrets", None)  # it follows from the rest
        content = json.dumps(
            [service, found.version, found.artifact, written], sort_keys=True, ensure_ascii=False
        )
        return f"sha256:{hashlib.sha256(content.encode()).hexdigest()}"


def irreversible(said: bool | str) -> str:
    """What cannot be undone of a release, from the mark as it is written; empty for one that can be rolled back."""
    text = str(said).strip(" \t\r*_")
    word = text.rstrip(".").lower()
    if word in _NO:
        return ""
    return NO_DETAILS if word in _YES else one_line(text, _SUBJECT) or NO_DETAILS


def overlaid(spec: Spec, over: Spec) -> dict[str, Any]:
    """`spec` with the keys of `over`; nested mappings are merged key by key, everything else is replaced."""
    merged = dict(spec)
    for key, value in over.items():
        below = merged.get(key)
        both = isinstance(value, Mapping) and isinstance(below, Mapping)
        merged[key] = overlaid(below, value) if both and below is not None else value
    return merged


def _fill(spec: Spec, places: Mapping[str, str]) -> dict[str, Any]:
    """Fill in what is known now; the target fills in `{version}`, `{environment}`, `{port}`, `{instance}`."""
    if references.is_marked(spec):
        # A folder's name is no reference.
        places = {name: references.escaped(text) for name, text in places.items()}
    return {key: _filled(value, places) for key, value in spec.items()}


def _filled(value: Any, places: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        for name, text in places.items():
            # What follows a `$` is a reference of the same name.
            value = re.sub(rf"(?<!\$)\{{{name}\}}", text.replace("\\", r"\\"), value)
        return value
    if isinstance(value, Mapping):
        return {k: _filled(v, places) for k, v in value.items()}
    return [_filled(v, places) for v in value] if isinstance(value, list | tuple) else value


def release_kind(settings: type[R], make: Callable[[str, R], ReleaseFinder]) -> Kind:
    """What `releases:` of a service may be; `make` takes the service's name."""
    return Kind(settings, make)
