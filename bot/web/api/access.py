"""Who calls: the token of a request, its scopes and limits, its rate, and how many of its requests wait."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from aiohttp import web

from bot.domain import phrasebook
from bot.domain.formatting import stamp
from bot.domain.rollout.model import Lane
from bot.domain.tokens import ApiToken, TokenScope
from bot.ports.coordination import RateLimiter
from bot.ports.errors import Unreachable
from bot.ports.tokens import TokenStore
from bot.web.api.operations import Budget
from bot.web.api.problems import Problem, too_fast

# A token's requests that wait at the same time: a connection each, and a look at the database each second.
WAITING_AT_ONCE = 20
_REALM = 'Bearer realm="slipway"'


class Access:
    """Raises `Problem` for everything that a token does not allow."""

    def __init__(self, tokens: TokenStore, limiter: RateLimiter, now: Callable[[], datetime]) -> None:
        self._tokens = tokens
        self._limiter = limiter
        self._now = now
        self._waiting: Counter[int] = Counter()

    async def token(self, request: web.Request) -> ApiToken:
        """The valid token of the request."""
        scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
        if not secret or scheme.lower() != "bearer":
            raise Problem(
                401,
                "no_token",
                "Send a token: `Authorization: Bearer …`. `slipway token create` makes one.",
                headers={"WWW-Authenticate": _REALM},
            )
        found = await self._tokens.find(secret.strip())
        if found is None:
            raise _invalid("token_unknown", "There is no such token.")
        match found.problem(self._now()):
            case "revoked":
                raise _invalid("token_revoked", f"The token {found.name} is revoked.")
            case "expired":
                assert found.expires_at is not None
                raise _invalid("token_expired", f"The token {found.name} expired {stamp(found.expires_at)}.")
        return found

    async def spend(self, token: ApiToken, budget: Budget) -> None:
        """Take one from the token's rate limit. An unavailable limiter stops no one."""
        try:
            wait_s = await self._limiter.hit(budget, token.id)
        except Unreachable:
            return
        if wait_s > 0:
            raise too_fast(wait_s)

    @contextmanager
    def waiting(self, token: ApiToken) -> Iterator[None]:
        """Count a request that waits."""
        if self._waiting[token.id] >= WAITING_AT_ONCE:
            sentence = f"{WAITING_AT_ONCE} requests of this token already wait."
            raise Problem(429, "too_many_waiting", sentence, headers={"Retry-After": "5"})
        self._waiting[token.id] += 1
        try:
            yield
        finally:
            self._waiting[token.id] -= 1
            if not self._waiting[token.id]:
                del self._waiting[token.id]


def require(token: ApiToken, scope: TokenScope) -> None:
    if scope not in token.scopes:
        challenge = f'{_REALM}, error="insufficient_scope", scope="{scope}"'
        raise Problem(
            403,
            "scope",
            phrasebook.token_without_scope(token.name, scope).sentence,
            headers={"WWW-Authenticate": challenge},
        )


def require_lane(token: ApiToken, lane: Lane) -> None:
    if not token.covers(lane):
        refused = phrasebook.token_limited(token.name, token.limits, str(lane))
        raise Problem(403, "token_limit", refused.sentence)


def require_unlimited(token: ApiToken, action: str) -> None:
    if token.limited:
        sentence = f"The token {token.name} is limited to some services or environments, and cannot {action}."
        raise Problem(403, "token_limit", sentence)


def _invalid(rule: str, sentence: str) -> Problem:
    return Problem(401, rule, sentence, headers={"WWW-Authenticate": f'{_REALM}, error="invalid_token"'})
