"""`slipway token`: tokens of the HTTP API, on the configured database."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from getpass import getuser
from typing import TYPE_CHECKING, Any

import click

from bot.catalog import load
from bot.cli.exits import settings, tell
from bot.domain import phrasebook
from bot.domain.config import Catalog, GuildConfig, unknown
from bot.domain.formatting import one_line, stamp
from bot.domain.tokens import ApiToken, TokenScope

if TYPE_CHECKING:
    from bot.adapters.postgres.tokens import NewToken, PostgresTokens

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}")
_LIFE = re.compile(r"([1-9][0-9]{0,4})([hdw])")
_UNITS = {"h": "hours", "d": "days", "w": "weeks"}
_DISCORD_ID = click.IntRange(min=1, max=2**63 - 1)


@click.group()
def token() -> None:
    """Tokens of the HTTP API, for pipelines and scripts (docs/how-to/deploy-from-ci.md)."""


@token.command()
@click.argument("name")
@click.option("--owner", type=_DISCORD_ID, required=True, help="Discord id of the person it acts for.")
@click.option("--owner-name", required=True, help="Their name, for the card and the audit log.")
@click.option("--role", "roles", multiple=True, help="A role of the catalog that it gets. Repeat for more.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice([str(scope) for scope in TokenScope]),
    help="What it is for. Repeat for more; `read` is always included.",
)
@click.option("--service", "services", multiple=True, help="Limit it to this service. Repeat for more.")
@click.option(
    "--environment", "environments", multiple=True, help="Limit it to this environment. Repeatable."
)
@click.option("--expires", default="90d", show_default=True, help="After 12h, 90d, 26w; or never.")
@click.option("--server", help="Discord server that it acts in (default: the first one).")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def create(*, expires: str, server: str | None, as_json: bool, **given: Any) -> None:
    """Create the token NAME and print it, once: only its hash is stored.

    It acts for the owner with the given roles, and with its scopes at most. What it approves counts as the owner's
    approval, never as a second person's.
    """
    configured = settings()
    from bot.composition.registry import KINDS

    catalog = load(configured.config_dir, KINDS)
    guild = _guild(catalog, server)
    new = _checked(catalog, guild, life=_life(expires), **given)
    made, secret = asyncio.run(_create(new))
    if as_json:
        click.echo(json.dumps({**_shape(made), "token": secret}, indent=2))
        return
    tell(f"✓ token {made.name} for {made.owner}, {_until(made)}. It is shown only now:", err=True)
    click.echo(secret)


@token.command("list")
@click.option("--all", "everything", is_flag=True, help="Also those that are expired or revoked.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_(everything: bool, as_json: bool) -> None:
    """List the valid tokens: owner, scopes, limits, expiry and last use."""
    now = datetime.now(UTC)
    found = [t for t in asyncio.run(_all()) if everything or not t.problem(now)]
    if as_json:
        click.echo(json.dumps([_shape(each) for each in found], indent=2))
        return
    for each in found:
        tell(_line(each, now))
    if not found:
        tell("There are no tokens.", err=True)


@token.command()
@click.argument("name")
def revoke(name: str) -> None:
    """Revoke the token NAME: from now on every request with it is refused."""
    gone = asyncio.run(_revoke(name))
    if gone is None:
        names = [each.name for each in asyncio.run(_all()) if each.revoked_at is None]
        raise unknown("token", name, names)
    tell(f"✓ token {gone.name} of {gone.owner} is revoked")


def _checked(
    catalog: Catalog,
    guild: GuildConfig,
    *,
    life: timedelta | None,
    name: str,
    owner: int,
    owner_name: str,
    roles: Sequence[str],
    scopes: Sequence[str],
    services: Sequence[str],
    environments: Sequence[str],
) -> NewToken:
    """The token to create. Raises `UserError` with the nearest names for what the server does not have."""
    from bot.adapters.postgres.tokens import NewToken

    if not _NAME.fullmatch(name):
        raise phrasebook.bad_token_name(name)
    seen = catalog.visible(guild.id)
    known_services = {c.lane.service for c in seen}
    known_environments = {c.lane.environment for c in seen}
    for what, given, known in (("role", roles, set(guild.roles)), ("service", services, known_services)):
        for each in given:
            if each not in known:
                raise unknown(what, each, known, where=f"of {guild.name}")
    for each in environments:
        if each not in known_environments:
            raise unknown("environment", each, known_environments, where=f"of {guild.name}")
    return NewToken(
        name=name,
        guild_id=guild.id,
        owner_id=owner,
        owner=one_line(owner_name, 80) or str(owner),
        created_by=getuser(),
        roles=tuple(dict.fromkeys(roles)),
        scopes=tuple(dict.fromkeys((TokenScope.READ, *map(TokenScope, scopes)))),
        services=tuple(dict.fromkeys(services)),
        environments=tuple(dict.fromkeys(environments)),
        expires_at=datetime.now(UTC) + life if life is not None else None,
    )


def _life(text: str) -> timedelta | None:
    if text == "never":
        return None
    found = _LIFE.fullmatch(text)
    if found is None:
        raise phrasebook.bad_expiry(text)
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def _guild(catalog: Catalog, server: str | None) -> GuildConfig:
    guilds = {guild.name: guild for guild in catalog.guilds.values()}
    if not guilds:
        raise phrasebook.no_servers()
    if server is not None and server not in guilds:
        raise unknown("server", server, guilds)
    return guilds[server] if server is not None else next(iter(guilds.values()))


@asynccontextmanager
async def _tokens() -> AsyncIterator[PostgresTokens]:
    from bot.adapters.embedded_postgres import database
    from bot.adapters.postgres.connection.database import Database
    from bot.adapters.postgres.connection.schema import is_newest
    from bot.adapters.postgres.tokens import PostgresTokens

    given = settings()
    async with database(given.database.dsn, given.data_dir) as dsn:
        if not await is_newest(dsn):
            raise phrasebook.other_schema()
        async with Database(dsn, size=1, timeout_s=5.0) as pool:
            yield PostgresTokens(pool)


async def _create(new: NewToken) -> tuple[ApiToken, str]:
    async with _tokens() as tokens:
        made = await tokens.create(new)
    if made is None:
        raise phrasebook.token_exists(new.name)
    return made


async def _all() -> Sequence[ApiToken]:
    async with _tokens() as tokens:
        return await tokens.all()


async def _revoke(name: str) -> ApiToken | None:
    async with _tokens() as tokens:
        return await tokens.revoke(name, getuser())


def _line(found: ApiToken, now: datetime) -> str:
    limits = "; ".join(", ".join(names) for names in (found.services, found.environments) if names)
    used = f"used {stamp(found.last_used_at)}" if found.last_used_at else "never used"
    parts = (
        f"{found.name}: {found.owner} ({found.owner_id})",
        f"scopes {', '.join(sorted(found.scopes))}",
        f"roles {', '.join(sorted(found.roles)) or 'none'}",
        f"limited to {limits}" if limits else "all lanes",
        found.problem(now) or _until(found),
        used,
    )
    return " · ".join(parts)


def _until(found: ApiToken) -> str:
    return f"expires {stamp(found.expires_at)}" if found.expires_at else "never expires"


def _shape(found: ApiToken) -> dict[str, Any]:
    """The token as JSON. Ids of Discord are strings: JavaScript would round the numbers."""
    times = ("created_at", "expires_at", "last_used_at", "revoked_at")
    at = {name: getattr(found, name) for name in times}
    return {
        "name": found.name,
        "owner": found.owner,
        "owner_id": str(found.owner_id),
        "server_id": str(found.guild_id),
        "roles": sorted(found.roles),
        "scopes": sorted(found.scopes),
        "services": list(found.services),
        "environments": list(found.environments),
        "created_by": found.created_by,
        **{name: value.isoformat() if value else None for name, value in at.items()},
    }
