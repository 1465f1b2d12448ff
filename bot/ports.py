"""Every Protocol that the inside needs of the outside, on one page.

"No data" is a value; "cannot reach" is an error (`Unreachable`). Adapters translate their own exceptions
into these. Records, connections and payloads of a library never cross a port.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bot.domain.evidence import Sample
from bot.domain.model import Desired, HttpCheck, Lane, Observed, Release


class Unreachable(Exception):
    """The outside did not answer. Says nothing about whether a call was applied."""


class StaleGeneration(Exception):
    """The target has seen a newer generation for this lane and refused the older one."""


class TargetRefused(Exception):
    """The target understood and will not: the sentence says why (bad spec, exclusive, artifact missing)."""


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


class MetricSource(Protocol):
    """Reads cumulative counts of releases. The judge takes deltas."""

    @property
    def name(self) -> str: ...

    async def sample(self, lane: Lane, digests: Sequence[str]) -> Sequence[Sample]:
        """One `Sample` for each digest, in order. What cannot be read is a `Sample` with `error` set."""
        ...


class ReleaseSource(Protocol):
    """Knows which releases of a service exist."""

    async def releases(self, service: str, environment: str) -> Sequence[Release]:
        """Newest first; specs resolved for `environment`. Raises `Unreachable`."""
        ...


class Checker(Protocol):
    """Asks a candidate over HTTP before it gets traffic."""

    async def check(self, address: str, check: HttpCheck) -> str | None:
        """None when it passed, else a sentence with what was expected and what came."""
        ...


@dataclass(frozen=True, slots=True)
class Notice:
    """A short message that people must hear. `key` makes posting repeatable (≤ 25 characters)."""

    key: str
    rollout_id: int
    what: str
    text: str
    mention_roles: tuple[str, ...] = ()
    mention_users: tuple[int, ...] = ()


class Announcer(Protocol):
    """Speaks in Discord. Every call may be repeated with the same key and posts once.

    Each returns when Discord has it. Raises `Unreachable` to be tried again later; a channel that is gone or
    closed to us is reported by the announcer elsewhere and is not an error: a rollout never waits for a card.
    """

    async def draw_card(self, rollout_id: int) -> None: ...

    async def log_line(self, rollout_id: int, key: str, text: str, at: datetime) -> None: ...

    async def notify(self, notice: Notice) -> None: ...


@dataclass(frozen=True, slots=True)
class CardRef:
    """Where a rollout's card is. `drawn` is a hash of what was last drawn, so that equal edits are spared."""

    rollout_id: int
    channel_id: int
    message_id: int
    thread_id: int | None
    posted_at: datetime
    drawn: str = ""


class CardBook(Protocol):
    """Remembers where cards are, in the database."""

    async def card(self, rollout_id: int) -> CardRef | None: ...

    async def put_card(self, ref: CardRef) -> None: ...


class Notebook(Protocol):
    """Small facts that outlive the process, by kind and key: synced command hashes, posted keys, breakers."""

    async def note(self, kind: str, key: str) -> Mapping[str, object] | None: ...

    async def put_note(self, kind: str, key: str, value: Mapping[str, object]) -> None: ...


class RateLimiter(Protocol):
    """Fixed budgets by person and category, shared by all processes where Redis is configured."""

    async def hit(self, category: str, person: int) -> float:
        """Take one; 0.0 when allowed, else the seconds until the next one would be."""
        ...


class Waker(Protocol):
    """Tells other tasks and processes that there is work. May be lost: everybody polls as well."""

    async def wake(self, topic: str) -> None: ...

    async def wait(self, topic: str, timeout_s: float) -> None: ...


class Clock(Protocol):
    def now(self) -> datetime: ...
