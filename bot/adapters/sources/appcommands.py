"""Releases of slash commands: the present manifest and those that were seen before."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

from bot.domain.appcommands.records import KnownManifest, Manifest, version_of
from bot.domain.appcommands.validation import validate
from bot.domain.config import Catalog
from bot.domain.rollout.model import Release
from bot.ports.appcommands import AppCommandStore, ManifestSource
from bot.ports.errors import ManifestUnavailable, Unreachable
from bot.ports.releases import ReleaseSource

_MOST = 30
_FRESH_S = 15.0  # autocomplete asks at every key press
_LOOK_S = 1.0


class CommandReleases:
    """Implements `bot.ports.releases.ReleaseSource` for commands; passes every other service on."""

    def __init__(
        self,
        current: Callable[[], Catalog],
        services: ReleaseSource,
        manifests: ManifestSource,
        records: AppCommandStore,
    ) -> None:
        self._current = current
        self._services = services
        self._manifests = manifests
        self._records = records
        self._looked: dict[str, float] = {}

    async def releases(self, service: str, environment: str, *, fresh: bool = False) -> Sequence[Release]:
        found = next((a for a in self._current().applications.values() if a.service == service), None)
        if found is None:
            return await self._services.releases(service, environment, fresh=fresh)
        await self._look(found.name)
        known = await self._records.manifests.known(found.name, _MOST)
        return [_release(service, manifest) for manifest in known]

    async def pinned(self, release: Release, environment: str) -> Release:
        commands = any(a.service == release.service for a in self._current().applications.values())
        return release if commands else await self._services.pinned(release, environment)

    async def _look(self, name: str) -> None:
        """Store the present manifest if it is valid; `/commands validate` reports the mistakes."""
        now = time.monotonic()
        if now - self._looked.get(name, -_FRESH_S) < _FRESH_S:
            return
        self._looked[name] = now
        application = self._current().applications[name]
        try:
            async with asyncio.timeout(_LOOK_S):
                source = await self._manifests.read(application)
                if not validate(source.content):
                    await self._records.manifests.put(
                        Manifest.of(source.content), name, source.where, source.commit
                    )
        except (ManifestUnavailable, Unreachable, TimeoutError):
            return


def _release(service: str, known: KnownManifest) -> Release:
    return Release(service, version_of(known.digest), known.digest, known.commit)
