"""Deploy targets: bring a lane to a desired state, observe it, check a candidate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from bot.domain.config import ServedLane
from bot.domain.rollout.model import Desired, Lane, Observed
from bot.domain.rollout.steps import HttpCheck


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a target can do. `weights`: any split, or only 0 and 100. `warm`: keeps a release without traffic."""

    weights: bool = True
    warm: bool = True


class DeployTarget(Protocol):
    """Runs releases in an environment. Level-triggered: `apply` is declarative and may be repeated."""

    @property
    def capabilities(self) -> Capabilities: ...

    async def observe(self, lane: Lane) -> Observed:
        """What runs now. An unknown lane is `Observed(0)`. Raises `Unreachable`."""
        ...

    async def apply(self, lane: Lane, desired: Desired) -> None:
        """Accept what is desired and start to bring it about; `observe` tells when it is so.

        Raises `StaleGeneration`, `TargetRefused`, `Unreachable` (perhaps applied).
        """
        ...

    async def abort(self, lane: Lane, by: str, why: str) -> Observed:
        """All traffic to stable, at once, under a generation newer than any seen. Raises `Unreachable`.

        `Observed.abort` tells of it until a desired state of a newer generation is applied.
        """
        ...


class CatalogTarget(DeployTarget, Protocol):
    """A target that the catalog names: it follows the catalog, and says where things are."""

    async def reload(self, settings: Any, lanes: Mapping[Lane, ServedLane]) -> None:
        """Bring about what the catalog says now; `settings` are those of its kind.

        Routers listen afterwards. Raises `TargetRefused` (an address is taken, say), `Unreachable`.
        """
        ...

    async def describe(self) -> Mapping[str, Any]:
        """How it is, for people. Raises `Unreachable`."""
        ...

    async def router_address(self, lane: Lane) -> str | None:
        """Where users reach the lane, such as ``http://host:port``; None when it takes no traffic."""
        ...

    async def addresses(self, lane: Lane, digest: str) -> Mapping[str, str]:
        """Addresses of the release's instances that are ready, by a name that changes with a restart."""
        ...

    async def counts(self, lane: Lane, overdue_s: float) -> Mapping[str, Any]:
        """The router's counts by digest and instance; see `RouterMetrics`."""
        ...


class Checker(Protocol):
    """Asks a candidate over HTTP before it gets traffic."""

    async def check(self, address: str, check: HttpCheck) -> str | None:
        """None when it passed, else a sentence with what was expected and what came."""
        ...
