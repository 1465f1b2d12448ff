"""One lane: checks and saves the desired state, which its reconciler then brings about.

A generation that is not newer than the newest accepted one is refused.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from bot.adapters.lane_files import LaneFiles
from bot.adapters.targets.hosted import wire
from bot.adapters.targets.hosted.host.platform import Platform, listens
from bot.adapters.targets.hosted.host.reconciler import LaneReconciler
from bot.adapters.targets.hosted.host.traffic import named
from bot.adapters.targets.hosted.settings import HostedLaneSettings
from bot.domain.rollout.model import Desired, HostAbort, Lane, Observed
from bot.ports.data_plane.routers import LaneRoute, RoutedLane, RouterCounts
from bot.ports.errors import StaleGeneration, TargetRefused, Unreachable

log = logging.getLogger(__name__)

# All lanes look at the same moments, so that they share what is asked.
_LOOK_AGAIN_S = 1.0
_DRAIN_LOOK_S = 0.05
# An order is accepted once it is saved; how long its sender waits for it to be carried out besides.
_CARRY_OUT_S = 2.0


class HostedLane:
    """One lane on the host. `settings`: the last that were sent; `port`: the last that its router listened on."""

    def __init__(
        self, lane: Lane, platform: Platform, files: LaneFiles, settings: HostedLaneSettings
    ) -> None:
        self.lane = lane
        self.platform = platform
        self.settings = settings
        self.port: int | None = None
        self._files = files
        self._reconciler = LaneReconciler(lane, platform)
        self._reconciler.routed = self.route is not None
        self._accepted: Desired | None = None
        self._desired: Desired | None = None
        self._abort: HostAbort | None = None
        self._rollout: int | None = None
        self._accepting = asyncio.Lock()
        self._saving = asyncio.Lock()
        self._unwritten = False
        self._trouble = ""
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def route(self) -> LaneRoute | None:
        """How the router is to serve this lane."""
        return self.settings.route(self.port)

    # ---- requests of the bot ----------------------------------------------------------------------------

    def restore(self, state: dict[str, Any]) -> None:
        """Continue where an earlier host stopped or died. Called before `start`."""
        self.port = state["port"]
        self._abort = wire.abort_from_json(state["abort"])
        self._rollout = state.get("rollout")
        if state["desired"] is not None:
            self._accepted = self._desired = wire.desired_from_json(state["desired"])
        self._reconciler.restore(state["route"])

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name=str(self.lane))
        self.changed()

    async def listen(self) -> None:
        """Have the router serve this lane by its settings. Raises `TargetRefused`, `Unreachable`."""
        try:
            await self.platform.listen({self.lane: self.route})
        finally:
            await self.listened()

    async def listened(self) -> None:
        """Take note of where the router listens, after it was configured. Raises `Unreachable`."""
        await self._keep_port(await self.routed())

    async def configure(self, settings: HostedLaneSettings) -> None:
        """Keep other settings; `listen` makes the router follow them."""
        if settings == self.settings:
            return
        self.settings = settings
        self._reconciler.routed = self.route is not None
        await self.save()
        self.changed()

    async def apply(
        self, desired: Desired, settings: HostedLaneSettings, *, rollout: int | None = None
    ) -> None:
        """Accept a desired state; it is on disk when this returns. rollout: the one that ordered it.

        Raises `StaleGeneration`, `TargetRefused`, `Unreachable`.
        """
        async with self._accepting:
            self._check(desired, settings)
            changed = settings != self.settings
            await self.configure(settings)
            if changed or not await self._listens():
                await self.listen()
            if desired != self._accepted:
                await self._accept(desired, None, rollout)

    async def abort(self, by: str, why: str) -> Observed:
        """Send all traffic to stable. Raises `TargetRefused` when there is no stable release, `Unreachable`."""
        async with self._accepting:
            if self._accepted is None or self._accepted.stable is None:
                raise TargetRefused(f"{self.lane} has no stable release to send the traffic to")
            generation = self._accepted.generation + 1
            aborted = replace(self._accepted, generation=generation, weight=0)
            await self._accept(aborted, HostAbort(generation, datetime.now(UTC), by, why), None)
            log.warning("%s aborted by %s: %s", self.lane, by, why)
        return await self.observed()

    async def observed(self) -> Observed:
        """What runs, and what the router runs. Raises `Unreachable`."""
        # An instance may have died a moment ago: the answer must be consistent.
        if self._desired is not None:
            seen = await self._reconciler.reconcile(
                self._desired, exclusive=self.settings.exclusive, rollout=self._rollout
            )
        else:
            seen = (await self.platform.running()).get(self.lane, {})
        generation = self._accepted.generation if self._accepted else 0
        running = await self._reconciler.running(seen, self._desired)
        return Observed(generation, running, self._abort)

    async def routed(self) -> RoutedLane | None:
        """What the router runs; None for a lane that takes no traffic. Raises `Unreachable`."""
        return (await self.platform.routed()).get(self.lane)

    async def counts(self) -> Mapping[str, RouterCounts]:
        """The router's counts by digest. Raises `Unreachable`."""
        return (await self.platform.counts()).get(self.lane, {})

    def versions(self) -> dict[str, str]:
        """Versions of the desired releases, by digest."""
        return {d: release.version for d, release in named(self._desired).items()} if self._desired else {}

    async def addresses(self) -> dict[str, dict[str, str]]:
        """Addresses of ready instances, by digest, then by a name that a restart changes."""
        seen = (await self.platform.running()).get(self.lane, {})
        return {
            digest: {
                i.name: f"http://{i.host}:{i.port}" for i in release.ready if i.host and i.port is not None
            }
            for digest, release in seen.items()
        }

    async def stop(self) -> None:
        """Stop every release, after its requests in flight; the desired state stays on disk."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        generation = self._accepted.generation if self._accepted else 0
        while not await self._reconciler.stop(generation):  # noqa: ASYNC110 - how many are in flight is asked
            await asyncio.sleep(_DRAIN_LOOK_S)

    def changed(self) -> None:
        """Look at once: something about the lane has changed."""
        self._wake.set()

    async def save(self) -> None:
        """Save the state. A full disk must not keep a release from running: it is tried again."""
        try:
            await self._write()
        except OSError as problem:
            log.error("%s: the state cannot be saved: %s", self.lane, problem)

    # ---- helpers -------------------------------------------------------------------------------

    def _check(self, desired: Desired, settings: HostedLaneSettings) -> None:
        newest = self._accepted.generation if self._accepted else 0
        if desired.generation < newest:
            raise StaleGeneration(
                f"{self.lane} has seen generation {newest}; {desired.generation} is outdated"
            )
        if self._accepted is not None and desired.generation == newest and desired != self._accepted:
            raise StaleGeneration(f"{self.lane}: generation {newest} already has another desired state")
        if not 0 <= desired.weight <= 100 or (desired.weight and desired.candidate is None):
            raise TargetRefused(f"{self.lane}: a weight of {desired.weight}% needs a candidate")
        if settings.exclusive and desired.weight not in (0, 100):
            raise TargetRefused(f"{self.lane} is exclusive: its weights are 0 and 100, not {desired.weight}")
        for release in named(desired).values():
            self.platform.runtime.check(release, exclusive=settings.exclusive)

    async def _write(self) -> None:
        async with self._saving:
            self._unwritten = True
            await self._files.save(self.lane, self._state())
            self._unwritten = False

    async def _accept(self, desired: Desired, abort: HostAbort | None, rollout: int | None) -> None:
        before = self._accepted, self._abort, self._rollout
        self._accepted, self._abort, self._rollout = desired, abort, rollout
        try:
            await self._write()
        except OSError as problem:
            # Removing a candidate's traffic cannot wait for a disk; everything else can.
            if desired.weight:
                self._accepted, self._abort, self._rollout = before
                raise TargetRefused(f"{self.lane}: the desired state cannot be saved: {problem}") from None
            log.error("%s: the state cannot be saved yet: %s", self.lane, problem)
        self._desired = desired
        # Carried out in the loop also when this takes longer, or its sender leaves.
        self.changed()
        with contextlib.suppress(TimeoutError, Unreachable):
            async with asyncio.timeout(_CARRY_OUT_S):
                await self._reconcile(desired)

    async def _listens(self) -> bool:
        """Whether the router serves this lane where it should."""
        routed, route = await self.routed(), self.route
        await self._keep_port(routed)
        return routed is None if route is None else listens(routed, route)

    async def _keep_port(self, routed: RoutedLane | None) -> None:
        """Keep the port that the router took, so that users find the lane there after a restart."""
        if routed is not None and routed.address is not None and self.port != routed.address[1]:
            self.port = routed.address[1]
            await self.save()
            self.changed()

    async def _run(self) -> None:
        while True:
            until = _DRAIN_LOOK_S if self._reconciler.draining else _LOOK_AGAIN_S
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(until - time.monotonic() % until):
                    await self._wake.wait()
            self._wake.clear()
            if self._unwritten:
                await self.save()
            try:
                await self._look()
            except Unreachable as problem:
                log.warning("%s: %s", self.lane, problem)
            except Exception:
                log.exception("%s cannot be reconciled", self.lane)

    async def _look(self) -> None:
        try:
            if not await self._listens():
                # Another program may have taken the port while no host ran.
                await self.listen()
            self._trouble = ""
        except (TargetRefused, Unreachable) as problem:
            if str(problem) != self._trouble:
                log.error("%s: %s Trying again.", self.lane, problem)
            self._trouble = str(problem)
        if self._desired is not None:
            await self._reconcile(self._desired)

    async def _reconcile(self, desired: Desired) -> None:
        before = self._reconciler.to_json()
        await self._reconciler.reconcile(desired, exclusive=self.settings.exclusive, rollout=self._rollout)
        if self._reconciler.to_json() != before:
            await self.save()

    def _state(self) -> dict[str, Any]:
        return {
            "settings": self.settings.model_dump(mode="json"),
            "port": self.port,
            "desired": wire.desired_to_json(self._accepted) if self._accepted else None,
            "abort": wire.abort_to_json(self._abort),
            "rollout": self._rollout,
            "route": self._reconciler.to_json(),
        }
