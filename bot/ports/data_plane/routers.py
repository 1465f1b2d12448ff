"""Routers: split each lane's requests between releases by weight, and count them per release.

One router serves all lanes of a target. The host decides; a router carries out what `apply` says and tells what it
runs. Nothing that a router reports is taken from what was written to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from bot.domain.rollout.model import Lane


@dataclass(frozen=True, slots=True)
class Backend:
    """One instance that can take requests. `name` changes when it restarts; `host` is a name or an IP address."""

    name: str
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Share:
    """One release's part of a lane.

    weight: whole per cent of the lane's requests. A release of weight 0 stays in the split while it drains.
    backends: where its requests go. With a weight and no backends, its users get 503, which count as bad for it.
    """

    digest: str
    version: str
    weight: int
    backends: tuple[Backend, ...] = ()


@dataclass(frozen=True, slots=True)
class Split:
    """Who gets which part of a lane's requests.

    generation, revision: `revision` counts the changes within a generation (an instance restarted, a candidate died).
    shares: at most one for each digest. Weights add up to 100, or are all 0: then users get 503.
    """

    generation: int
    revision: int
    shares: tuple[Share, ...] = ()

    def __post_init__(self) -> None:
        """Raises ValueError."""
        weights = [share.weight for share in self.shares]
        if any(weight < 0 for weight in weights) or sum(weights) not in (0, 100):
            raise ValueError(f"weights must add up to 100, or all be 0: {weights}")
        if len({share.digest for share in self.shares}) != len(weights):
            raise ValueError("a release can have only one share")


@dataclass(frozen=True, slots=True)
class Stickiness:
    """What keeps a user on a release: a cookie that the router sets, or a header that clients send.

    Raising a weight never moves a user back.
    """

    by: Literal["cookie", "header"]
    name: str


@dataclass(frozen=True, slots=True)
class LaneRoute:
    """How users reach a lane.

    host, port: where the router listens; port 0 is any free one, which the router then keeps for the lane.
    request_timeout_s: from the last byte of a request to the first byte of its response; later is a 504, and bad.
    latency_limits_s: the histogram of `RouterCounts` has a bound at each of them.
    """

    host: str = "127.0.0.1"
    port: int = 0
    sticky: Stickiness | None = None
    request_timeout_s: float = 30.0
    latency_limits_s: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class RoutedLane:
    """What the router runs for a lane.

    generation, revision: of the split that it runs; 0 before the first. weights: per cent by digest.
    address: where it listens; None while it does not.
    """

    generation: int = 0
    revision: int = 0
    weights: Mapping[str, int] = field(default_factory=dict)
    address: tuple[str, int] | None = None


@dataclass(frozen=True, slots=True)
class RouterCounts:
    """Requests of one release, cumulative since `epoch` began; only those that say something about the release.

    No client can change them by what it does: aborts, malformed or unfinished requests and slow readers do not count.

    epoch: changes when the counters restart from zero.
    total: completely received requests that ended. bad: those among them that failed: 5xx, refused, reset, timed out.
    buckets: cumulative histogram of the time from a request's last byte to the first byte of its response, as
        `(upper bound in seconds, requests up to it)`, without infinity.
    in_flight: requests and upgraded connections now.
    overdue: requests that now wait for the first byte for longer than the lane's largest latency limit.
    instances: `(address, total, bad)` of each instance that the release has now, which no client can change either.
        They need not add up to all: what no instance can be named for is counted for the release alone.
    histogram: like `buckets`, all of it as it was at one time within the last second; empty where `buckets` is that.
    """

    epoch: str
    total: int
    bad: int
    buckets: tuple[tuple[float, int], ...]
    in_flight: int = 0
    overdue: int = 0
    instances: tuple[tuple[str, int, int], ...] = ()
    histogram: tuple[tuple[float, int], ...] = ()


class Router(Protocol):
    """One router for all lanes of a target. Its calls raise `Unreachable` while it does not answer."""

    async def start(self) -> None:
        """Attach to the router that an earlier host left running, or start one. Called once, before all else.

        Raises OSError or `Unreachable` when it cannot run. From then on it is restarted when it dies, with the lanes
        and splits that it had.
        """
        ...

    async def close(self) -> None:
        """Stop what `start` started; a router that others run stays, without this target's lanes."""
        ...

    async def restart(self) -> None:
        """Replace the router's program by the one that is installed now. No request is lost.

        Requests in flight end where they are, and are not counted. Raises `TargetRefused` when it cannot be started or
        belongs to others.
        """
        ...

    async def configure(self, lanes: Mapping[Lane, LaneRoute]) -> None:
        """Listen for exactly these lanes. Lanes that stay the same are not disturbed, others keep their split.

        Raises `TargetRefused` with the lanes that it cannot listen for and why; it serves the others all the same.
        """
        ...

    async def apply(self, lane: Lane, split: Split) -> None:
        """Route a configured lane's next requests by `split`; returns when the router has accepted it.

        May be repeated. Requests in flight end where they are. Raises `TargetRefused` with the router's own words, and
        then what ran before still runs.
        """
        ...

    async def observe(self) -> Mapping[Lane, RoutedLane]:
        """What the router runs, for every configured lane, in one read."""
        ...

    async def counts(self) -> Mapping[Lane, Mapping[str, RouterCounts]]:
        """Counts by lane and digest, in one read.

        Every release of the present splits has some, also before its first request; those that were taken out may.
        """
        ...
