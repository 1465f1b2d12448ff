"""Slash commands assembled: target, releases, desk and watch on one database pool.

Used by the composition root and by the command line, which needs the desk without a bot around it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import aiohttp

from bot.adapters.postgres.archive import PostgresArchive
from bot.adapters.postgres.commands import PostgresCommands
from bot.adapters.postgres.database import Database
from bot.adapters.sources.commands import CommandReleases
from bot.adapters.sources.manifests import Manifests
from bot.adapters.targets.discord_commands import CommandsApi, CommandsTarget
from bot.catalog.applications import TARGET
from bot.domain.config import Catalog
from bot.engine.api import Engine
from bot.engine.commands.comparing import Comparing
from bot.engine.commands.desk import CommandsDesk
from bot.engine.commands.syncing import Syncing
from bot.engine.commands.watching import Watching
from bot.engine.places import Places
from bot.ports import Alarm, Clock, DeployTarget, ReleaseSource, Store

__all__ = ["TARGET", "CommandParts"]


class CommandParts:
    """What there is for slash commands. `target` belongs under the name `TARGET` beside the catalog's targets.

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
        self.books, self.archive = PostgresCommands(database), PostgresArchive(database)
        self.manifests = Manifests(current, services)
        self.target = CommandsTarget(
            lambda: current().applications, CommandsApi(session, api_base or ""), self.books
        )
        self.releases = CommandReleases(current, services, self.manifests, self.books)

    def watch(
        self,
        store: Store,
        targets: Mapping[str, DeployTarget],
        clock: Clock,
        alarm: Alarm,
    ) -> Watching:
        """What reads every application's commands in its interval, round by round."""
        places = Places(store, self._current, targets, self.releases, clock)
        comparing = Comparing(self.manifests, self.target.looking, self.books, clock.now)
        return Watching(store, places, comparing, reader=self.target.looking, books=self.books, alarm=alarm)

    def sync(self, store: Store, targets: Mapping[str, DeployTarget], clock: Clock) -> Syncing:
        """What plans with slash commands in them need."""
        places = Places(store, self._current, targets, self.releases, clock)
        return Syncing(store, places, manifests=self.manifests, books=self.books, archive=self.archive)

    def desk(
        self, engine: Engine, store: Store, targets: Mapping[str, DeployTarget], clock: Clock
    ) -> CommandsDesk:
        """The desk on an engine that knows `target` and `releases`."""
        return CommandsDesk(
            engine,
            store,
            Places(store, self._current, targets, self.releases, clock),
            manifests=self.manifests,
            reader=self.target.looking,
            books=self.books,
            archive=self.archive,
        )
