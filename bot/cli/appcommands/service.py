"""The commands service without a bot: the same parts on the same database, for an account of this machine."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os
import pwd
import socket
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass

from bot.adapters.embedded import database
from bot.catalog import load
from bot.cli.exits import settings
from bot.domain.config import Account, Catalog, unknown
from bot.domain.errors import Refused, UserError
from bot.domain.rollout.model import Actor, Rollout
from bot.engine.appcommands.service import AppCommandsService
from bot.engine.service import Engine
from bot.settings import Settings

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
async def opened(
    application: str | None, server: str | None, *, changes: bool = False, named: str | None = None
) -> AsyncIterator[OpenedService]:
    """The service on the configured database, for the account that asks; `named` by `--as`.

    changes: something is to be changed, so it must be clear who asks. Raises `UserError`, `Unreachable`.
    """
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
    actor = who(catalog, given, named, changes=changes)
    async with AsyncExitStack() as stack:
        dsn = await stack.enter_async_context(database(given.database.dsn, given.data_dir))
        if not await is_newest(dsn):
            raise UserError(
                "The database has the schema of another version of Slipway.",
                rule="schema",
                remedy="`slipway migrate` upgrades it; so does `slipway run`.",
            )
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
        yield OpenedService(service, engine, catalog, guild_id, actor)


@contextmanager
def as_account(actor: Actor) -> Iterator[None]:
    """Explain a missing role: which roles the account has, and where they are configured."""
    try:
        yield
    except Refused as refused:
        if refused.rule not in {"role", "emergency_role"}:
            raise
        account_name = actor.name.partition("@")[0]
        has = ", ".join(f"`{role}`" for role in sorted(actor.roles)) or "no role"
        remedy = f"The account `{account_name}` has {has} here; see `command_line` in the catalog."
        raise Refused(refused.sentence, rule=refused.rule, remedy=remedy) from None


def account(catalog: Catalog) -> Actor:
    """The account of the operating system: no flag or variable changes who runs this."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = f"uid-{os.getuid()}"
    return _actor(catalog, name)


def who(catalog: Catalog, given: Settings, named: str | None, *, changes: bool) -> Actor:
    """The account that asks: `named` with its personal token, otherwise that of the operating system.

    Raises `Refused` for a token that is not that account's, and for changes where everyone is the same account.
    """
    if named is None:
        asks = account(catalog)
        if changes and given.shared_account:
            raise Refused(
                f"Everyone here is {asks.name}, so Slipway cannot tell who asks.",
                rule="who",
                remedy="Say it with --as NAME, and set SLIPWAY_PERSONAL_TOKEN to that account's token.",
            )
        return asks
    token = given.personal_token.get_secret_value() if given.personal_token else ""
    if not token:
        raise Refused(
            f"To act as {named[:64]} takes a personal token.",
            rule="who",
            remedy="Set SLIPWAY_PERSONAL_TOKEN.",
        )
    known = catalog.accounts.get(named)
    if not hmac.compare_digest(hash_of(token), known.token if known and known.token else hash_of("")):
        raise Refused(
            f"The personal token is not that of {named[:64]}.",
            rule="who",
            remedy="`slipway commands token` makes one; its hash belongs into the catalog, under `command_line`.",
        )
    return _actor(catalog, named)


def hash_of(token: str) -> str:
    """A personal token as the catalog has it. Tokens are random and long, so one round is enough."""
    return f"sha256:{hashlib.sha256(token.encode()).hexdigest()}"


def _actor(catalog: Catalog, name: str) -> Actor:
    """The id is negative, unlike any Discord id, so that no request looks like one from Discord."""
    known = catalog.accounts.get(name) or Account()
    id_ = -zlib.crc32(name.encode()) - 1
    host = socket.gethostname()
    return Actor(id_, f"{name}@{host}", frozenset(known.roles), "cli", person=known.person)


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
    raise UserError(
        "The catalog has no applications.", rule="no_applications", remedy="Add them under `applications`."
    )
