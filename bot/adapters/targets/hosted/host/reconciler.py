"""Reconciler of one lane: starts, routes, drains and stops releases until they match the desired state."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from bot.adapters.targets.hosted.host.platform import Platform
from bot.adapters.targets.hosted.host.traffic import (
    Route,
    decide,
    named,
    reported,
    restarted,
    wanted,
    weights,
)
from bot.domain.rollout.model import Desired, Lane, Release, Running, RunState
from bot.ports.data_plane.routers import Backend, RouterCounts, Share, Split
from bot.ports.data_plane.runtimes import Order, RunningInstance, RunningRelease
from bot.ports.errors import TargetRefused, Unreachable

log = logging.getLogger(__name__)

Seen = Mapping[str, RunningRelease]


class LaneReconciler:
    """Reconciler of one lane. `routed`: whether the router serves the lane. `draining`: whether something leaves.

    `reconcile` is called on every change, and regularly. It starts things and waits for none of them.
    """

    def __init__(self, lane: Lane, platform: Platform) -> None:
        self.routed = False
        self.route = Route()
        self.draining = False
        self._lane = lane
        self._platform = platform
        self._split: Split | None = None
        self._changed = False
        self._problem = ""
        self._busy = asyncio.Lock()

    def restore(self, route: Mapping[str, Any]) -> None:
        """Continue with the route that an earlier host had saved."""
        self.route = Route(**route)

    def to_json(self) -> dict[str, Any]:
        return asdict(self.route)

    async def reconcile(self, desired: Desired, *, exclusive: bool, rollout: int | None = None) -> Seen:
        """Order what is missing; returns what ran when it was decided. Raises `Unreachable`.

        rollout: the one that ordered this state.
        """
        async with self._busy:
            seen = (await self._platform.running()).get(self._lane, {})
            should_run = wanted(desired, exclusive=exclusive)
            self.route = self._decide(desired, should_run, seen, exclusive=exclusive)
            accepted = await self._apply(desired, seen)
            leaving = [digest for digest in seen if digest not in should_run]
            if exclusive or accepted:
                await self._stop([d for d in leaving if exclusive or not self.route.needs(d)])
            if not (exclusive and leaving):
                order = Order(desired.generation, rollout)
                self._run(should_run, desired, exclusive=exclusive, order=order)
            self.draining = bool(leaving)
            return seen

    async def stop(self, generation: int) -> bool:
        """Take all traffic away, then stop every release; True when all are gone. To be repeated until then."""
        async with self._busy:
            seen = (await self._platform.running()).get(self._lane, {})
            self.route = Route()
            await self._apply(Desired(generation, None), seen)
            await self._stop(list(seen))
            return not seen

    async def running(self, seen: Seen, desired: Desired | None) -> tuple[Running, ...]:
        """Every release that runs or is desired, with the weights that the router runs. Raises `Unreachable`."""
        at = await self._weights(desired)
        found = [
            _running(digest, release, self._reported(digest, release, at, desired))
            for digest, release in seen.items()
        ]
        for digest, release in (named(desired) if desired else {}).items():
            if digest not in seen:
                found.append(Running(digest, release.version, RunState.STOPPED, 0))
        return tuple(found)

    # ---- helpers -----------------------------------------------------------------------------------------------

    def _decide(
        self, desired: Desired, should_run: Mapping[str, Release], seen: Seen, *, exclusive: bool
    ) -> Route:
        now = Route() if exclusive else self.route
        again = restarted(desired, exclusive=exclusive)
        usable = {
            digest
            for digest, release in seen.items()
            if release.state is RunState.READY
            # It serves while a missing instance restarts.
            or (now.needs(digest) and digest in again and release.ready and not release.stopping)
        }
        if exclusive:
            usable &= set(should_run)
        return decide(desired, usable, now)

    async def _apply(self, desired: Desired, seen: Seen) -> bool:
        """Route by what was decided; whether the router does."""
        if not self.routed:
            return True
        at = weights(self.route, desired)
        shares = {
            digest: Share(digest, release.version, at.get(digest, 0), _backends(release))
            for digest, release in seen.items()
        }
        for digest, release in named(desired).items():
            if digest not in shares and at.get(digest):
                shares[digest] = Share(digest, release.version, at[digest])
        split = await self._numbered(
            Split(desired.generation, 0, tuple(shares[digest] for digest in sorted(shares)))
        )
        self._changed = split != self._split
        if not self._changed:
            return True
        try:
            await self._platform.router.apply(self._lane, split)
        except (TargetRefused, Unreachable) as problem:
            if str(problem) != self._problem:
                log.error("%s: the router does not take the split: %s", self._lane, problem)
            self._problem = str(problem)
            return False
        self._problem = ""
        self._split = split
        return True

    async def _numbered(self, split: Split) -> Split:
        """`split` with its revision: the present one when nothing changed and the router still runs it."""
        running = (await self._platform.routed()).get(self._lane)
        before = self._split
        at = (running.generation, running.revision) if running is not None else (0, 0)
        if before is not None and replace(split, revision=before.revision) == before:
            if at == (before.generation, before.revision):
                return before
            self._split = None
        highest = max((r for g, r in (at, _number(before)) if g == split.generation), default=-1)
        return replace(split, revision=highest + 1)

    async def _stop(self, digests: list[str]) -> None:
        """Stop releases; one without requests in flight need not wait out its drain time."""
        if not digests:
            return
        flying: Mapping[str, RouterCounts] = {}
        if self.routed:
            with contextlib.suppress(Unreachable):
                flying = (await self._platform.counts()).get(self._lane, {})
        for digest in digests:
            # Right after a change, a request may still be on its way to the former release.
            idle = digest in flying and flying[digest].in_flight == 0 and not self._changed
            self._platform.runtime.stop(self._lane, digest, drained=idle or not self.routed)

    def _run(
        self, should_run: Mapping[str, Release], desired: Desired, *, exclusive: bool, order: Order
    ) -> None:
        again = restarted(desired, exclusive=exclusive)
        for digest, release in should_run.items():
            self._platform.runtime.run(self._lane, release, restart=digest in again, order=order)

    async def _weights(self, desired: Desired | None) -> Mapping[str, int]:
        if not self.routed:
            return weights(self.route, desired) if desired is not None else {}
        running = (await self._platform.routed()).get(self._lane)
        return running.weights if running is not None else {}

    def _reported(
        self, digest: str, release: RunningRelease, at: Mapping[str, int], desired: Desired | None
    ) -> int:
        if desired is None or release.stopping or not release.ready:
            return 0
        return reported(self.route, desired, digest, at.get(digest, 0))


def _number(split: Split | None) -> tuple[int, int]:
    return (split.generation, split.revision) if split is not None else (0, 0)


def _backends(release: RunningRelease) -> tuple[Backend, ...]:
    return tuple(
        Backend(instance.name, instance.host, instance.port)
        for instance in release.ready
        if instance.host is not None and instance.port is not None
    )


def _running(digest: str, release: RunningRelease, weight: int) -> Running:
    shown = next(iter(release.ready or release.instances), None)
    return Running(
        digest=digest,
        version=release.version,
        state=release.state,
        weight=weight,
        address=address(shown) if shown is not None else None,
        detail=_detail(release),
        restarts=sum(instance.restarts for instance in release.instances),
    )


def _detail(release: RunningRelease) -> str:
    """What its instances say, each by its name; what all of them wait for, such as an image, is said once."""
    said = {i.detail for i in release.instances if i.detail}
    if release.state is RunState.STARTING and len(said) == 1:
        return said.pop()
    return "; ".join(f"{release.version}.{i.index} {i.detail}" for i in release.instances if i.detail)


def address(instance: RunningInstance) -> str | None:
    """Where the instance takes requests, as a URL."""
    return f"http://{instance.host}:{instance.port}" if instance.host and instance.port else None
