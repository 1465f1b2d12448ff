"""Settings of a Docker Swarm: an entry of `targets:` in the catalog."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field

from bot.adapters.runtimes.docker.settings import Address, EngineAddress
from bot.adapters.targets.hosted.settings import HostedTargetSettings
from bot.values import Text


class ManagerSettings(EngineAddress):
    """Managers of a swarm, and how releases on its nodes are reached."""

    managers: tuple[Address, ...] = Field(
        default=(),
        description="Further managers of the same swarm, asked in turn while the one before does not answer. May "
        "change while releases run; `engine` may not, for the swarm is known by it.",
    )
    network: Text | None = Field(
        default=None,
        description="Overlay network that releases join and in which the router reaches each of them, "
        "instead of a port of the node.",
    )

    @property
    def addresses(self) -> Mapping[tuple[str | int, ...], str]:
        further: dict[tuple[str | int, ...], str] = {
            ("managers", index): address for index, address in enumerate(self.managers)
        }
        return {**super().addresses, **further}


class SwarmSettings(ManagerSettings, HostedTargetSettings):
    """Releases as services of a Docker Swarm, behind a router. `engine` is that of a manager."""

    when_away: ClassVar[str] = (
        "check that the engine is a manager of a swarm, and that managers have a majority"
    )

    kind: Literal["swarm"]

    @property
    def place(self) -> str:
        return self.kind + self.place_suffix
