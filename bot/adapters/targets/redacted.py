"""Targets for the engine: references in specs are resolved, and texts from targets are redacted."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from bot import references
from bot.domain.rollout.model import Desired, Lane, Observed, Release
from bot.ports.data_plane.targets import DeployTarget, Printed
from bot.ports.errors import StaleGeneration, TargetRefused, Unreachable
from bot.redaction import Redactor

_REMEMBERED = 1000  # texts: a crashed release has the same at every look


class RedactedTargets(Mapping[str, DeployTarget]):
    """View of `targets` with redacted texts.

    secrets: returns the secret values that a lane's releases know. environ: values of references in specs.
    """

    def __init__(
        self,
        targets: Mapping[str, Any],
        secrets: Callable[[Lane], Iterable[str]],
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._targets = targets
        self._redaction = _Redaction(secrets)
        self._environ = environ

    def __getitem__(self, name: str) -> DeployTarget:
        return self.around(self._targets[name])

    def around(self, target: Any) -> DeployTarget:
        """Wrap a target that is not among `targets`."""
        return _Redacted(target, self._redaction, self._environ)

    def __iter__(self) -> Iterator[str]:
        return iter(self._targets)

    def __len__(self) -> int:
        return len(self._targets)


def with_values(desired: Desired, environ: Mapping[str, str]) -> Desired:
    """`desired` with the values of its releases' references. Raises `TargetRefused`."""
    return replace(
        desired,
        stable=desired.stable and _with_values(desired.stable, environ),
        candidate=desired.candidate and _with_values(desired.candidate, environ),
        warm=tuple(_with_values(release, environ) for release in desired.warm),
    )


def _with_values(release: Release, environ: Mapping[str, str]) -> Release:
    try:
        return replace(release, spec=references.resolved(release.spec, environ))
    except references.UnsetVariableError as error:
        raise TargetRefused(f"{release.service} {release.version} cannot start: {error}") from None


class _Redaction:
    """Redacted texts of lanes; each is redacted once, in a thread."""

    def __init__(self, secrets: Callable[[Lane], Iterable[str]]) -> None:
        self._secrets = secrets
        self._redactors: dict[frozenset[str], Redactor] = {}
        self._done: dict[tuple[frozenset[str], str], str] = {}

    async def __call__(self, lane: Lane, text: str) -> str:
        if not text:
            return text
        secrets = frozenset(self._secrets(lane))
        found = self._done.get((secrets, text))
        if found is None:
            if len(self._done) >= _REMEMBERED:
                self._done.clear()
                self._redactors.clear()
            redact = self._redactors.setdefault(secrets, Redactor(secrets, scanning=True))
            found = self._done[secrets, text] = await asyncio.to_thread(redact, text)
        return found


class _Redacted:
    """One target, with its texts redacted."""

    def __init__(self, target: Any, redact: _Redaction, environ: Mapping[str, str]) -> None:
        self._target = target
        self._redact = redact
        self._environ = environ

    def __getattr__(self, name: str) -> Any:
        return getattr(self._target, name)

    async def observe(self, lane: Lane) -> Observed:
        async with self._errors(lane):
            return await self._observed(lane, await self._target.observe(lane))

    async def apply(self, lane: Lane, desired: Desired) -> None:
        async with self._errors(lane):
            await self._target.apply(lane, with_values(desired, self._environ))

    async def abort(self, lane: Lane, by: str, why: str) -> Observed:
        async with self._errors(lane):
            return await self._observed(lane, await self._target.abort(lane, by, why))

    async def printed(self, lane: Lane) -> Printed | None:
        found: Printed | None = await self._target.printed(lane)
        return replace(found, text=await self._redact(lane, found.text)) if found else None

    async def _observed(self, lane: Lane, seen: Observed) -> Observed:
        if not any(running.detail for running in seen.running):
            return seen
        said = [replace(running, detail=await self._redact(lane, running.detail)) for running in seen.running]
        return replace(seen, running=tuple(said))

    @asynccontextmanager
    async def _errors(self, lane: Lane) -> Any:
        try:
            yield
        except (Unreachable, StaleGeneration, TargetRefused) as error:
            error.args = (await self._redact(lane, str(error)), *error.args[1:])
            raise
