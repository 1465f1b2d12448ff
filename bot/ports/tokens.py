"""Tokens of the HTTP API, as they are looked up."""

from __future__ import annotations

from typing import Protocol

from bot.domain.tokens import ApiToken


class TokenStore(Protocol):
    """Raises `Unreachable` like every part of the store."""

    async def find(self, secret: str) -> ApiToken | None:
        """The token with this secret, also when it is expired or revoked; None when there is none.

        Records the use of a valid token, at most once a minute.
        """
        ...
