"""Tokens of the HTTP API: whom each acts for, and what it may do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from bot.domain.rollout.model import Action, Actor, Lane


class TokenScope(StrEnum):
    """What a token may be used for. The roles of its owner still decide what is allowed."""

    READ = "read"
    DEPLOY = "deploy"
    OPERATE = (
        "operate"  # roll back, pause, resume, extend, cancel, close, on-call overrides, silences, incidents
    )
    APPROVE = "approve"  # approve, reject, revoke, promote
    LOCK = "lock"  # lock, unlock, the panic stop


SCOPE_OF: Mapping[Action, TokenScope] = {
    Action.APPROVE: TokenScope.APPROVE,
    Action.REJECT: TokenScope.APPROVE,
    Action.REVOKE: TokenScope.APPROVE,
    Action.PROMOTE: TokenScope.APPROVE,
    Action.PAUSE: TokenScope.OPERATE,
    Action.RESUME: TokenScope.OPERATE,
    Action.EXTEND: TokenScope.OPERATE,
    Action.ROLL_BACK: TokenScope.OPERATE,
    Action.CANCEL: TokenScope.OPERATE,
    Action.CLOSE: TokenScope.OPERATE,
}


@dataclass(frozen=True, slots=True)
class ApiToken:
    """A personal token, without its secret.

    owner_id: Discord id of the person it acts for. roles: the catalog's role names that it was given,
    of which those count that the owner has in Discord. services,
    environments: what it is limited to; empty means all. Times are in UTC; expires_at None: never.
    """

    id: int
    name: str
    guild_id: int
    owner_id: int
    owner: str
    roles: frozenset[str]
    scopes: frozenset[TokenScope]
    services: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    created_at: datetime | None = None
    created_by: str = ""
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None

    @property
    def actor(self) -> Actor:
        """The owner. An approval by token counts as theirs, so it is never a second person's."""
        return Actor(self.owner_id, f"{self.owner} (token {self.name})", self.roles, "http", self.guild_id)

    @property
    def limited(self) -> bool:
        """Whether it is limited to some services or environments."""
        return bool(self.services or self.environments)

    @property
    def limits(self) -> str:
        """In words, what it is limited to: ``checkout or search in staging``."""
        return " in ".join(" or ".join(names) for names in (self.services, self.environments) if names)

    def covers(self, lane: Lane) -> bool:
        """Whether the lane is within its services and environments."""
        here = not self.services or lane.service in self.services
        return here and (not self.environments or lane.environment in self.environments)

    def problem(self, now: datetime) -> str:
        """Why it is not valid now, as a word: `revoked`, `expired`; empty when it is."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= now else ""
