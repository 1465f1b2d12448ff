"""The commands service without a bot: the same parts on the same database, for an account of this machine."""

from __future__ import annotations

import asyncio
import os
import pwd
import socket
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass

from bot.adapters.embedded_postgres import database
from bot.catalog import load
from bot.cli.exits import settings
from bot.domain import phrasebook
from bot.domain.config import Catalog, unknown
from bot.domain.errors import Refused
from bot.domain.rollout.model import Actor, Rollout
from bot.engine.appcommands.service import AppCommandsService
from bot.engine.service import Engine

_LOOK_S = 0.5


@dataclass(frozen=True, slots=True)
class OpenedService:
    """`guild_id`: the server it acts for, where cards are posted."""

    commands: AppCommandsService
    engine: Engine
    catalog: Catalog
    guild_id: int
    actor: Actor

    def names(self, application: str | None) -> list[str]:
        """This application, or all of the server. Raises `UserError` with the nearest names."""
        known = [view.name for view in self.commands.applications(self.guild_id)]
        if application is None:
            return known
        if application not in known:
            raise unknown("application", application, known)
        return [application]

    async def ended(self, rollout: Rollout, within_s: float, tell: Callable[[str], None]) -> Rollout:
        """Poll until the rollout ends or the time is up; reports each new outcome with `tell`."""
        told = ""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + within_s
        while True:
            now = (await self.engine.view(rollout.id, self.guild_id)).rollout
            if now.outcome != told:
                told = now.outcome
                tell(told)
            if now.phase.final or loop.time() >= deadline:
                return now
            await asyncio.sleep(min(_LOOK_S, max(0.0, deadline - loop.time())))


@asynccontextmanager
async def opened(application: str | None, server: str | None) -> AsyncIterator[OpenedService]:
    """The service on the configured database. Raises `UserError`, `Unreachable`."""
    import aiohttp

    from bot.adapters.postgres.connection.clock import DatabaseClock
    from bot.adapters.postgres.connection.database import Database
    from bot.adapters.postgres.connection.schema import is_newest
    from bot.adapters.postgres.store import PostgresStore
    from bot.adapters.redis.waker import EventWaker
    from bot.composition import adapters, registry
    from bot.composition.appcommands import AppCommands

    given = settings()
    catalog = load(given.config_dir, registry.KINDS)
    guild_id = _guild(catalog, application, server)
    async with AsyncExitStack() as stack:
        dsn = await stack.enter_async_context(database(given.database.dsn, given.data_dir))
        if not await is_newest(dsn):
            raise phrasebook.other_schema()
        pool = await stack.enter_async_context(Database(dsn, size=3))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        waker = await stack.enter_async_context(EventWaker(given.redis.dsn))
        made = AppCommands(
            lambda: catalog, pool, session, adapters.make_releases(lambda: catalog), given.discord.api_base
        )
        stack.push_async_callback(made.target.close)
        targets = made.beside(adapters.make_targets(catalog, given.data_dir, start=False))
        store, clock = PostgresStore(pool), DatabaseClock(pool)
        await clock.ask()
        engine = Engine(
            store, lambda: catalog, targets=targets, releases=made.releases, clock=clock, waker=waker
        )
        service = made.service(engine, store, targets, clock)
        yield OpenedService(service, engine, catalog, guild_id, account(catalog))


@contextmanager
def as_account(actor: Actor) -> Iterator[None]:
    """Explain a missing role: which roles the account has, and where they are configured."""
    try:
        yield
    except Refused as refused:
        if refused.rule not in {"role", "emergency_role"}:
            raise
        account_name = actor.name.partition("@")[0]
        remedy = phrasebook.account_roles(account_name, sorted(actor.roles))
        raise Refused(refused.sentence, rule=refused.rule, remedy=remedy) from None


def account(catalog: Catalog) -> Actor:
    """The account of the operating system: no flag or variable changes who runs this.

    The id is negative, unlike any Discord id: the requester here can never approve in Discord.
    """
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = f"uid-{os.getuid()}"
    roles = frozenset(catalog.accounts.get(name, ()))
    return Actor(-zlib.crc32(name.encode()) - 1, f"{name}@{socket.gethostname()}", roles, "cli")


def _guild(catalog: Catalog, application: str | None, server: str | None) -> int:
    """The server to act for: the named one, otherwise the first that sees the application."""
    names = {guild.name: guild.id for guild in catalog.guilds.values()}
    if server is not None:
        if server not in names:
            raise unknown("server", server, names)
        return names[server]
    known = catalog.applications
    if application is not None and application not in known:
        raise unknown("application", application, known)
    lanes = known[application].lanes if application else [lane for a in known.values() for lane in a.lanes]
    for guild_id in catalog.guilds:
        if any(guild_id in catalog.lanes[lane].guilds for lane in lanes):
            return guild_id
    raise phrasebook.no_applications()
