"""Assemble the parts for slash commands: target, releases, service and monitor on one database pool.

Used by the composition root, and by the command line, which needs the service without a bot.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Mapping

import aiohttp

from bot.adapters.postgres.appcommands.manifests import PostgresAppCommands
from bot.adapters.postgres.connection.database import Database
from bot.adapters.sources.appcommands import CommandReleases
from bot.adapters.targets.appcommands import CommandsApi, CommandsTarget
from bot.catalog.resolution.appcommands import TARGET
from bot.composition.adapters import make_manifests
from bot.domain.config import Catalog
from bot.engine.appcommands.comparison import Comparer
from bot.engine.appcommands.service import AppCommandsService
from bot.engine.appcommands.sync_step import SyncStep
from bot.engine.appcommands.watch import CommandWatch
from bot.engine.lanes import Lanes
from bot.engine.service import Engine
from bot.ports.coordination import Clock
from bot.ports.data_plane.targets import DeployTarget
from bot.ports.notifications import Alarm
from bot.ports.releases import ReleaseSource
from bot.ports.store import Store

__all__ = ["TARGET", "AppCommands"]


class AppCommands:
    """Parts for slash commands. `target` is registered as `TARGET`, next to the catalog's targets.

    releases: those of every service, lanes of commands included; `services` knows all others. api_base: None for
    Discord itself. `target.close()` ends what is under way.
    """

    def __init__(
        self,
        current: Callable[[], Catalog],
        database: Database,
        session: aiohttp.ClientSession,
        services: ReleaseSource,
        api_base: str | None = None,
    ) -> None:
        self._current = current
        self.records = PostgresAppCommands(database)
        self.manifests = make_manifests(current, services)
        self.target = CommandsTarget(
            lambda: current().applications, CommandsApi(session, api_base or ""), self.records
        )
        self.releases = CommandReleases(current, services, self.manifests, self.records)

    def beside(self, targets: Mapping[str, DeployTarget]) -> Mapping[str, DeployTarget]:
        """`targets` and the one for slash commands: a view, what a reload adds is there at once."""
        return ChainMap[str, DeployTarget]({TARGET: self.target}, targets)  # type: ignore[arg-type]  # only read

    def watch(
        self,
        store: Store,
        targets: Mapping[str, DeployTarget],
        clock: Clock,
        alarm: Alarm,
    ) -> CommandWatch:
        """The monitor that reads every application's commands at its interval."""
        lanes = Lanes(store, self._current, targets, self.releases, clock)
        comparer = Comparer(self.manifests, self.target.looking, self.records, clock.now)
        return CommandWatch(
            store, lanes, comparer, reader=self.target.looking, records=self.records, alarm=alarm
        )

    def sync(self, store: Store, targets: Mapping[str, DeployTarget], clock: Clock) -> SyncStep:
        """Needed by plans that contain slash commands."""
        lanes = Lanes(store, self._current, targets, self.releases, clock)
        return SyncStep(store, lanes, manifests=self.manifests, records=self.records)

    def service(
        self, engine: Engine, store: Store, targets: Mapping[str, DeployTarget], clock: Clock
    ) -> AppCommandsService:
        """The commands service, on an engine that knows `target` and `releases`."""
        return AppCommandsService(
            engine,
            store,
            Lanes(store, self._current, targets, self.releases, clock),
            manifests=self.manifests,
            reader=self.target.looking,
            records=self.records,
        )
