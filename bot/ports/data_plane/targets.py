"""Deploy targets: bring a lane to a desired state, observe it, check a candidate."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Protocol

from bot.domain.config import ServedLane
from bot.domain.rollout.model import Desired, Lane, Observed
from bot.domain.rollout.steps import HttpCheck


@dataclass(frozen=True, slots=True)
class Capabilities:
    """Capabilities of a target. `weights`: any split, or only 0 and 100. `warm`: keeps a release without traffic.

    prints: what it runs for an order prints something for people; it implements `PrintingTarget`.
    """

    weights: bool = True
    warm: bool = True
    prints: bool = False


# The rollout to which the order belongs that is being applied, for targets that name it to what they call.
ORDERED_BY: ContextVar[int | None] = ContextVar("ORDERED_BY", default=None)


class DeployTarget(Protocol):
    """Runs releases in an environment. Level-triggered: `apply` is declarative and may be repeated."""

    @property
    def capabilities(self) -> Capabilities: ...

    async def observe(self, lane: Lane) -> Observed:
        """What runs now. An unknown lane is `Observed(0)`. Raises `Unreachable`."""
        ...

    async def apply(self, lane: Lane, desired: Desired) -> None:
        """Accept the desired state and start to bring it about; `observe` shows when it is reached.

        Raises `StaleGeneration`, `TargetRefused`, `Unreachable` (perhaps applied).
        """
        ...

    async def abort(self, lane: Lane, by: str, why: str) -> Observed:
        """All traffic to stable, at once, under a generation newer than any seen. Raises `Unreachable`.

        `Observed.abort` reports it until a desired state of a newer generation is applied.
        """
        ...


@dataclass(frozen=True, slots=True)
class Printed:
    """A part of what an order prints, as a message. `key`: the same for the same part, in every process."""

    key: str
    text: str


class PrintingTarget(DeployTarget, Protocol):
    """A target that runs something which prints. Its output is bounded and without secrets."""

    async def printed(self, lane: Lane) -> Printed | None:
        """The next part of what the lane's newest order prints, the same one until `passed_on`; None: nothing new."""
        ...

    async def passed_on(self, lane: Lane, printed: Printed) -> None:
        """The part is recorded."""
        ...


class CatalogTarget(DeployTarget, Protocol):
    """A target from the catalog: it follows the catalog, and gives addresses and counts."""

    async def reload(self, settings: Any, lanes: Mapping[Lane, ServedLane]) -> None:
        """Apply the present catalog; `settings`: those of the target's kind.

        Routers listen afterwards. Raises `TargetRefused` (an address is taken, say), `Unreachable`.
        """
        ...

    async def describe(self) -> Mapping[str, Any]:
        """State of the target, for people. Raises `Unreachable`."""
        ...

    async def router_address(self, lane: Lane) -> str | None:
        """Where users reach the lane, such as ``http://host:port``; None when it takes no traffic."""
        ...

    async def addresses(self, lane: Lane, digest: str) -> Mapping[str, str]:
        """Addresses of the release's ready instances, by a name that changes with a restart."""
        ...

    async def counts(self, lane: Lane) -> Mapping[str, Any]:
        """The router's counts by digest; see `RouterMetrics`."""
        ...


class Checker(Protocol):
    """Asks a candidate over HTTP before it gets traffic."""

    async def check(self, address: str, check: HttpCheck) -> str | None:
        """Run one check; None when it passed, else a sentence with the expected and the actual result."""
        ...
