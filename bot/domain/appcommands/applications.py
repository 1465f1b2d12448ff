"""Applications whose slash commands are deployed: who they are, where their commands live, how they are watched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bot.domain.rollout.model import Lane

STAGING, PRODUCTION = "staging", "production"
_SUFFIX = "-commands"


class Secret:
    """A value that must never be printed, stored or compared by accident; `reveal` is where it is used."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __repr__(self) -> str:
        return "Secret(***)" if self._value else "Secret()"


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


@dataclass(frozen=True, slots=True)
class Application:
    """One Discord application of the catalog. `source`: its kind and where the manifest is.

    staging: guilds that try commands first. production: `(GLOBAL,)`, or guilds. emergency_roles: who may go to
    production without the success in staging. check_s: how often Discord is read; deviation: of the number of
    commands, from which on it is a finding; answer_s: how long Discord may take.
    """

    name: str
    id: int
    token: Secret = field(repr=False)
    source: Mapping[str, object] = field(default_factory=dict)
    staging: tuple[Scope, ...] = ()
    production: tuple[Scope, ...] = (GLOBAL,)
    emergency_roles: tuple[str, ...] = ()
    check_s: float = 300.0
    deviation: float = 0.2
    answer_s: float = 5.0

    @property
    def service(self) -> str:
        """The name under which its commands are deployed, as any other service is."""
        return f"{self.name}{_SUFFIX}"

    @property
    def lanes(self) -> tuple[Lane, Lane]:
        return Lane(self.service, STAGING), Lane(self.service, PRODUCTION)

    def lane(self, environment: str) -> Lane:
        return Lane(self.service, environment)

    def scopes(self, environment: str) -> tuple[Scope, ...]:
        return self.staging if environment == STAGING else self.production
