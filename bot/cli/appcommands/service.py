"""The commands service without a bot: the same parts on the same database, for an account of this machine."""

from __future__ import annotations

import asyncio
import os
import pwd
import socket
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime

from bot.adapters.embedded_postgres import database
from bot.catalog import load
from bot.cli.client import TOKEN
from bot.cli.exits import settings
from bot.domain import phrasebook
from bot.domain.config import Account, Catalog, GuildConfig, unknown
from bot.domain.errors import Refused
from bot.domain.rollout.model import Actor, Lane, Rollout
from bot.domain.tokens import ApiToken, TokenScope
from bot.engine.appcommands.service import AppCommandsService
from bot.engine.service import Engine
from bot.ports.members import Members
from bot.ports.tokens import TokenStore
from bot.settings import Settings

_LOOK_S = 0.5


@dataclass(frozen=True, slots=True)
class OpenedService:
    """`guild_id`: the server it acts for, where cards are posted. `token`: None for the account of the machine."""

    commands: AppCommandsService
    engine: Engine
    catalog: Catalog
    guild_id: int
    actor: Actor
    token: ApiToken | None = None

    def permit(self, scope: TokenScope, application: str, environment: str) -> None:
        """Raises `Refused` when the token's scopes or limits do not cover this."""
        if self.token is None:
            return
        if scope not in self.token.scopes:
            raise phrasebook.token_without_scope(self.token.name, scope)
        lane = Lane(self.catalog.applications[application].service, environment)
        if not self.token.covers(lane):
            raise phrasebook.token_limited(self.token.name, self.token.limits, str(lane))

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
    """The service on the configured database, for the account that asks, or the owner of the token `named` by `--as`.

    changes: something is to be changed, so it must be clear who asks. Raises `UserError`, `Unreachable`.
    """
    import aiohttp

    from bot.adapters.discord_members import DiscordMembers
    from bot.adapters.postgres.connection.clock import DatabaseClock
    from bot.adapters.postgres.connection.database import Database
    from bot.adapters.postgres.connection.schema import is_newest
    from bot.adapters.postgres.store import PostgresStore
    from bot.adapters.postgres.tokens import PostgresTokens
    from bot.adapters.redis.waker import EventWaker
    from bot.composition import adapters, registry
    from bot.composition.appcommands import AppCommands

    given = settings()
    catalog = load(given.config_dir, registry.KINDS)
    guild_id = _guild(catalog, application, server)
    actor, token = account(catalog), None
    if changes and named is None:
        refuse_shared(actor, given)
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
        if named is not None:
            bot_token = given.discord.token.get_secret_value() if given.discord.token else ""
            members = DiscordMembers(session, bot_token, store.notes, given.discord.api_base or "")
            token = await owned(named, catalog.guilds[guild_id], PostgresTokens(pool), members, clock.now())
            actor = replace(token.actor, via="cli", person=token.owner_id)
        engine = Engine(
            store, lambda: catalog, targets=targets, releases=made.releases, clock=clock, waker=waker
        )
        service = made.service(engine, store, targets, clock)
        yield OpenedService(service, engine, catalog, guild_id, actor, token)


@contextmanager
def as_account(actor: Actor, token: ApiToken | None = None) -> Iterator[None]:
    """Explain a missing role: which roles the account or the token has, and where they come from."""
    try:
        yield
    except Refused as refused:
        if refused.rule not in {"role", "emergency_role"}:
            raise
        if token is None:
            remedy = phrasebook.account_roles(actor.name.partition("@")[0], sorted(actor.roles))
        else:
            remedy = phrasebook.token_roles(token.name, sorted(token.roles))
        raise Refused(refused.sentence, rule=refused.rule, remedy=remedy) from None


def account(catalog: Catalog) -> Actor:
    """The account of the operating system: no flag or variable changes who runs this.

    Its id is negative, unlike any Discord id, so that no request looks like one from Discord.
    """
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = f"uid-{os.getuid()}"
    known = catalog.accounts.get(name) or Account()
    id_ = -zlib.crc32(name.encode()) - 1
    return Actor(id_, f"{name}@{socket.gethostname()}", frozenset(known.roles), "cli", person=known.person)


def refuse_shared(actor: Actor, given: Settings) -> None:
    """Raises `Refused` where every command runs as this account: that does not say who asks for a change."""
    if given.shared_account:
        raise phrasebook.shared_account(actor.name)


async def owned(
    named: str, guild: GuildConfig, tokens: TokenStore, members: Members, now: datetime
) -> ApiToken:
    """The valid token `named`, by its secret in SLIPWAY_TOKEN, with the roles that its owner still has in Discord.

    Raises `Refused` for another secret, an invalid token and one of another server; `Unreachable`.
    """
    secret = os.environ.get(TOKEN, "").strip()
    if not secret:
        raise phrasebook.no_personal_token(named)
    found = await tokens.find(secret)
    if found is None or found.name != named:
        raise phrasebook.other_personal_token(named)
    if found.problem(now):
        raise phrasebook.token_ended(named)
    if found.guild_id != guild.id:
        raise phrasebook.token_of_other_server(named, guild.name)
    return replace(found, roles=found.roles & await members.roles(guild, found.owner_id))


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
