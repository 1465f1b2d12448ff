"""One lane: checks and saves the desired state, which its reconciler then brings about.

A generation that is not newer than the newest accepted one is refused.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import aiohttp

from bot.adapters.targets.process import wire
from bot.adapters.targets.process.host.lanes.listener import Listener
from bot.adapters.targets.process.host.lanes.reconciler import LaneReconciler
from bot.adapters.targets.process.host.lanes.traffic import named, restarted
from bot.adapters.targets.process.host.processes import Process
from bot.adapters.targets.process.host.sockets import Sockets
from bot.adapters.targets.process.host.store import StateStore
from bot.adapters.targets.process.settings import ProcessLaneSettings
from bot.adapters.targets.process.spec import parse_spec
from bot.domain.rollout.model import Desired, HostAbort, Lane, Observed
from bot.ports.errors import StaleGeneration, TargetRefused

log = logging.getLogger(__name__)

_LOOK_AGAIN_S = 1.0


class HostedLane:
    """One lane on the host; implements `Surroundings` for its instances."""

    def __init__(
        self,
        lane: Lane,
        store: StateStore,
        sockets: Sockets,
        session: aiohttp.ClientSession,
        ports: Callable[[], set[int]],
    ) -> None:
        self.lane = lane
        self.host_id = store.host_id()
        self.session = session
        self.ports = ports
        self.settings = ProcessLaneSettings()
        self.front = Listener(str(lane), sockets, self._suspect)
        self.fleet = LaneReconciler(self, store, self.front)
        self._store = store
        self._accepted: Desired | None = None
        self._desired: Desired | None = None
        self._abort: HostAbort | None = None
        self._accepting = asyncio.Lock()
        self._saving = asyncio.Lock()
        self._unwritten = False
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    # ---- requests of the bot ----------------------------------------------------------------------------

    def restore(self, state: dict[str, Any], found: Mapping[str, Process]) -> None:
        """Continue where an earlier host stopped or died. Called before `start`; `found`: processes by token."""
        self.settings = ProcessLaneSettings.model_validate(state["settings"])
        self.front.port = state["port"]
        self._abort = wire.abort_from_json(state["abort"])
        if state["desired"] is not None:
            self._accepted = self._desired = wire.desired_from_json(state["desired"])
        self.fleet.restore(state, self._desired, self.settings.exclusive, found)

    async def start(self) -> None:
        await self._open_front()
        self._task = asyncio.create_task(self._run(), name=str(self.lane))
        self.changed()

    async def configure(self, settings: ProcessLaneSettings) -> None:
        """Apply settings. Raises `TargetRefused` when the router cannot listen on the new address."""
        async with self._accepting:
            await self._configure(settings)

    async def apply(self, desired: Desired, settings: ProcessLaneSettings) -> None:
        """Accept a desired state; it is on disk when this returns. Raises `StaleGeneration`, `TargetRefused`."""
        async with self._accepting:
            self._check(desired, settings)
            await self._configure(settings)
            if desired != self._accepted:
                await self._accept(desired, None)

    async def abort(self, by: str, why: str) -> Observed:
        """Send all traffic to stable. Raises `TargetRefused` when there is no stable release."""
        async with self._accepting:
            if self._accepted is None or self._accepted.stable is None:
                raise TargetRefused(f"{self.lane} has no stable release to send the traffic to")
            generation = self._accepted.generation + 1
            aborted = replace(self._accepted, generation=generation, weight=0)
            await self._accept(aborted, HostAbort(generation, datetime.now(UTC), by, why))
            log.warning("%s aborted by %s: %s", self.lane, by, why)
            return self.observed()

    def observed(self) -> Observed:
        # An instance may have died a moment ago: the answer must be consistent.
        self._reconcile()
        generation = self._accepted.generation if self._accepted else 0
        return Observed(generation, self.fleet.running(self._desired), self._abort)

    async def stop(self) -> None:
        """Stop every release, after its requests in flight; the desired state stays on disk."""
        if self._task is not None:
            self._task.cancel()
        await self.fleet.stop()
        await self.front.close()

    # ---- for the instances -----------------------------------------------------------------------

    async def save(self) -> None:
        """Save the state. A full disk must not keep a release from running: its process can be recovered without it."""
        try:
            await self._write()
        except OSError as problem:
            log.error("%s: the state cannot be saved: %s", self.lane, problem)

    def changed(self) -> None:
        self._wake.set()

    def restarts(self, digest: str) -> bool:
        if self._desired is None:
            return False
        return digest in restarted(self._desired, exclusive=self.settings.exclusive)

    # ---- helpers -------------------------------------------------------------------------------

    def _check(self, desired: Desired, settings: ProcessLaneSettings) -> None:
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
            parse_spec(release, exclusive=settings.exclusive)

    async def _configure(self, settings: ProcessLaneSettings) -> None:
        if settings == self.settings:
            return
        before, self.settings = self.settings, settings
        try:
            await self.front.serve(settings)
        except OSError as problem:
            self.settings = before
            with contextlib.suppress(OSError):
                await self.front.serve(before)
            raise TargetRefused(f"{self.lane}: the router cannot listen: {problem}") from None
        await self.save()

    async def _write(self) -> None:
        async with self._saving:
            self._unwritten = True
            await self._store.save(self.lane, self._state())
            self._unwritten = False

    async def _accept(self, desired: Desired, abort: HostAbort | None) -> None:
        before = self._accepted, self._abort
        self._accepted, self._abort = desired, abort
        try:
            await self._write()
        except OSError as problem:
            # Removing a candidate's traffic cannot wait for a disk; everything else can.
            if desired.weight:
                self._accepted, self._abort = before
                raise TargetRefused(f"{self.lane}: the desired state cannot be saved: {problem}") from None
            log.error("%s: the state cannot be saved yet: %s", self.lane, problem)
        self._desired = desired
        self._reconcile()

    async def _open_front(self) -> None:
        """Open the listener, retrying: another program may have taken the port while no host ran."""
        if self.front.open or self.settings.listen_port is None:
            return
        async with self._accepting:
            with contextlib.suppress(OSError):
                await self.front.serve(self.settings)
        if not self.front.open:
            log.error("%s: the router cannot listen; trying again", self.lane)

    async def _run(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), _LOOK_AGAIN_S)
            self._wake.clear()
            await self._open_front()
            if self._unwritten:
                await self.save()
            try:
                self._reconcile()
            except Exception:
                log.exception("%s cannot be reconciled", self.lane)

    def _reconcile(self) -> None:
        if self._desired is not None:
            self.fleet.reconcile(self._desired, self.settings.exclusive)

    def _suspect(self, digest: str) -> None:
        self.fleet.suspect(digest)

    def _state(self) -> dict[str, Any]:
        return {
            "lane": wire.lane_to_json(self.lane),
            "settings": self.settings.model_dump(mode="json"),
            "port": self.front.port,
            "desired": wire.desired_to_json(self._accepted) if self._accepted else None,
            "abort": wire.abort_to_json(self._abort),
            **self.fleet.to_json(),
        }
