"""One request of a token, as handlers get it."""

from __future__ import annotations

from dataclasses import dataclass

from bot.domain.config import GuildConfig
from bot.domain.rollout.model import Actor
from bot.domain.tokens import ApiToken
from bot.web.api.parsing import Request
from bot.web.api.problems import Problem


@dataclass(frozen=True, slots=True)
class ApiCall:
    """A request of a token. `interaction`: what a repeated one is known by; empty without a key."""

    token: ApiToken
    guild: GuildConfig
    request: Request
    interaction: str

    @property
    def actor(self) -> Actor:
        return self.token.actor


def same_request(call: ApiCall, same: bool, each: str) -> None:
    """Refuse a key that answered another request. each: what a new key is needed for, such as `deploy`."""
    if not same:
        sentence = f"This Idempotency-Key was used for another request. Use a new one for each {each}."
        raise Problem(409, "key_reused", sentence)
