"""Applications with deployed slash commands: identity, scopes, and limits of the watch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from bot.domain.rollout.model import Lane
from bot.domain.secret import Secret

STAGING, PRODUCTION = "staging", "production"
_SUFFIX = "-commands"


@dataclass(frozen=True, slots=True, order=True)
class Scope:
    """Where commands are registered: everywhere (no guild), or in one guild."""

    guild_id: int = 0

    @property
    def is_global(self) -> bool:
        return not self.guild_id

    def __str__(self) -> str:
        return "global" if self.is_global else str(self.guild_id)


GLOBAL = Scope()


class ManifestOrigin(Protocol):
    """Origin of a manifest in the catalog: the settings of one kind of source, compared by value."""

    @property
    def kind(self) -> str: ...

    @property
    def released_with(self) -> str | None:
        """The service with a manifest in each of its releases; None: the manifest is on its own."""
        ...

    @property
    def where(self) -> str:
        """One line for people, without secrets."""
        ...


@dataclass(frozen=True, slots=True)
class Application:
    """One Discord application of the catalog. `source`: where its manifest comes from.

    staging: guilds that try commands first. production: `(GLOBAL,)`, or guilds. emergency_roles: who may skip
    staging. check_s: seconds between readings of Discord. deviation: relative difference in the number of commands
    that makes a finding. answer_s: longest time that Discord may take to answer.
    """

    name: str
    id: int
    token: Secret = field(repr=False)
    source: ManifestOrigin | None = None
    staging: tuple[Scope, ...] = ()
    production: tuple[Scope, ...] = (GLOBAL,)
    emergency_roles: tuple[str, ...] = ()
    check_s: float = 300.0
    deviation: float = 0.2
    answer_s: float = 5.0

    @property
    def service(self) -> str:
        """The service name under which its commands are deployed."""
        return f"{self.name}{_SUFFIX}"

    @property
    def lanes(self) -> tuple[Lane, Lane]:
        return Lane(self.service, STAGING), Lane(self.service, PRODUCTION)

    def lane(self, environment: str) -> Lane:
        return Lane(self.service, environment)

    def scopes(self, environment: str) -> tuple[Scope, ...]:
        return self.staging if environment == STAGING else self.production
