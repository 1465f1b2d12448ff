"""Tokens of the HTTP API in PostgreSQL. A secret is shown once, and stored as its SHA-256."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from bot.adapters.postgres.connection.database import Database, Row
from bot.domain.tokens import ApiToken, TokenScope

# 256 random bits need no salt and no slow hash. The prefix lets scanners of secrets recognise a token.
PREFIX = "slipway_"
_SECRET = re.compile(rf"{PREFIX}[A-Za-z0-9_-]{{43}}")


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token to create; fields as in `ApiToken`."""

    name: str
    guild_id: int
    owner_id: int
    owner: str
    created_by: str
    roles: Sequence[str] = ()
    scopes: Sequence[TokenScope] = ()
    services: Sequence[str] = field(default=())
    environments: Sequence[str] = field(default=())
    expires_at: datetime | None = None


class PostgresTokens:
    """Implements `bot.ports.tokens.TokenStore`, and what the command line does with tokens."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, secret: str) -> ApiToken | None:
        # Guesses that cannot be right cost no query.
        if not _SECRET.fullmatch(secret):
            return None
        row = await self._database.one("token", _hash(secret))
        return _token(row) if row else None

    async def create(self, new: NewToken) -> tuple[ApiToken, str] | None:
        """Create a token, and its audit line. Returns it with its secret; None when a valid one has that name."""
        secret = PREFIX + secrets.token_urlsafe(32)
        row = await self._database.one(
            "create_token",
            new.name,
            _hash(secret),
            new.guild_id,
            new.owner_id,
            new.owner,
            sorted(new.roles),
            sorted(new.scopes),
            list(new.services),
            list(new.environments),
            new.created_by,
            new.expires_at,
        )
        return (_token(row), secret) if row else None

    async def revoke(self, name: str, by: str) -> ApiToken | None:
        """Revoke the token of that name, with an audit line; None when there is none."""
        row = await self._database.one("revoke_token", name, by)
        return _token(row) if row else None

    async def all(self) -> Sequence[ApiToken]:
        """Every token, oldest first, also those that were revoked."""
        return [_token(row) for row in await self._database.fetch("tokens")]


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _token(row: Row) -> ApiToken:
    found = dict(row)
    # A later version may know more scopes than this one.
    known = frozenset(TokenScope(scope) for scope in found.pop("scopes") if scope in set(TokenScope))
    lists = {name: tuple(found.pop(name)) for name in ("services", "environments")}
    return ApiToken(**found | lists | {"roles": frozenset(found["roles"]), "scopes": known})
