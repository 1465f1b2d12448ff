"""Slash commands that go out with a service's releases: the product's own step, on a lane of commands in memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from bot.domain.appcommands.applications import Application
from bot.domain.appcommands.records import Manifest
from bot.domain.config import Catalog
from bot.domain.rollout.model import Release
from bot.domain.secret import Secret
from bot.engine.appcommands.sync_step import SyncStep
from bot.engine.lanes import Lanes
from bot.ports.appcommands import AppCommandStore, SourcedManifest
from bot.ports.store import Store
from tests.fakes.store import MemoryDatabase
from tests.fakes.store.commands import MemoryCommandRecords
from tests.simulation.wire import Caller, Link

APPLICATION = Application("greeter", 7, Secret("a token"))
SERVED = APPLICATION.lane("production")


def manifest(version: str) -> Manifest:
    """What the release of this version brings: one command of its own beside a common one."""
    return Manifest.of(_commands(version))


def served(version: str) -> Release:
    found = manifest(version)
    return Release(SERVED.service, found.version, found.digest)


def _commands(version: str) -> list[dict[str, Any]]:
    return [{"name": name, "description": "Says hello"} for name in ("greet", f"new-in-{version}")]


@dataclass
class LinkedManifests:
    """Implements `ManifestSource` for one process."""

    caller: Caller
    link: Link

    async def read(self, application: Application) -> SourcedManifest:
        raise NotImplementedError

    async def of_release(self, application: Application, release: Release) -> SourcedManifest:
        return await self.link.call(
            self.caller, lambda: SourcedManifest(_commands(release.version), release.version)
        )


def sync_step(
    caller: Caller,
    registry: Link,
    database: MemoryDatabase,
    store: Store,
    catalog: Callable[[], Catalog],
    **outside: Any,
) -> SyncStep:
    """The step as one process has it."""
    lanes = Lanes(store, catalog, outside["targets"], outside["releases"], outside["clock"])
    records = cast(AppCommandStore, MemoryCommandRecords(database))
    return SyncStep(store, lanes, manifests=LinkedManifests(caller, registry), records=records)
