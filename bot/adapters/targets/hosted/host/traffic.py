"""Traffic of a lane: who gets which share, from the desired state and what is ready. Pure."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from bot.domain.rollout.model import Desired, Release


@dataclass(frozen=True, slots=True)
class Route:
    """Digests and the candidate's share in per cent. `stable` may be ready without any share (weight 100)."""

    stable: str | None = None
    candidate: str | None = None
    weight: int = 0

    def share(self, digest: str) -> int:
        """Per cent of the requests that go to `digest`."""
        if digest == self.candidate:
            return self.weight
        return 100 - self.weight if digest == self.stable else 0

    def needs(self, digest: str) -> bool:
        return self.share(digest) > 0


def decide(desired: Desired, ready: AbstractSet[str], now: Route) -> Route:
    """The next route.

    - A release that is not ready gets nothing. A candidate that died leaves its share to stable.
    - A new stable release takes over when it is ready; until then the one that serves continues, also when that
    is the candidate at 100%.
    - A stable release that was serving and died is waited for; its requests do not go to a candidate, since people
    approved that candidate's share.
    """
    stable = desired.stable.digest if desired.stable else None
    candidate = desired.candidate.digest if desired.candidate else None
    weight = desired.weight if candidate in ready else 0
    if stable in ready:
        return Route(stable, candidate if weight else None, weight)
    if weight == 100 and candidate in ready:
        return Route(None, candidate, 100)
    if now.weight == 100 and now.candidate in ready and stable is not None:
        return Route(None, now.candidate, 100)
    if now.stable in ready and now.stable != candidate and stable is not None:
        return Route(now.stable, candidate if weight else None, weight)
    return Route(stable, candidate if weight else None, weight)


def weights(route: Route, desired: Desired) -> dict[str, int]:
    """What the router is told: per cent by digest, adding up to 100, or nothing.

    Without a stable release a candidate that has any share serves everyone.
    """
    if desired.stable is None and route.candidate is not None and route.weight:
        return {route.candidate: 100}
    return {digest: route.share(digest) for digest in (route.stable, route.candidate) if digest is not None}


def reported(route: Route, desired: Desired, digest: str, routed: int) -> int:
    """The release's share as it was ordered, of the per cent that the router gives it."""
    alone = desired.stable is None and digest == route.candidate
    return min(routed, route.weight) if alone else routed


def named(desired: Desired) -> dict[str, Release]:
    """Every release in the desired state, by digest."""
    releases = (desired.stable, desired.candidate, *desired.warm)
    return {release.digest: release for release in releases if release is not None}


def wanted(desired: Desired, *, exclusive: bool) -> dict[str, Release]:
    """The releases that should run, by digest: all desired ones, or the one that an exclusive lane may run."""
    if not exclusive:
        return named(desired)
    active = desired.candidate if desired.weight == 100 and desired.candidate else desired.stable
    return {active.digest: active} if active else {}


def restarted(desired: Desired, *, exclusive: bool) -> set[str]:
    """Releases that are started again when they die: stable and warm ones. A candidate that dies is reported."""
    if exclusive:
        return set() if desired.weight == 100 else set(wanted(desired, exclusive=True))
    kept = (desired.stable, *desired.warm)
    return {release.digest for release in kept if release is not None}
