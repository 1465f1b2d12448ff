"""Lanes of the catalog: the target of each, what runs there, and which releases exist."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from bot.domain.config import Catalog, LaneConfig, unknown
from bot.domain.errors import Refused, UserError
from bot.domain.records import AuditEntry, LaneRow, Situation
from bot.domain.rollout.model import (
    SYSTEM,
    Desired,
    Lane,
    Observed,
    Readiness,
    Release,
    RunState,
    WordingKind,
)
from bot.domain.rollout.wording import Wording, wording_for
from bot.ports.coordination import Clock
from bot.ports.errors import Unreachable
from bot.ports.releases import ReleaseSource
from bot.ports.store import Store
from bot.ports.targets import DeployTarget

_LOOK_S = 1.0


class Lanes:
    """Finds a lane's target and releases in the present catalog, and adopts what runs at the first look."""

    def __init__(
        self,
        store: Store,
        catalog: Callable[[], Catalog],
        targets: Mapping[str, DeployTarget],
        releases: ReleaseSource,
        clock: Clock,
    ) -> None:
        self._store = store
        self._catalog = catalog
        self._targets = targets
        self._releases = releases
        self._clock = clock

    @property
    def catalog(self) -> Catalog:
        return self._catalog()

    def target(self, lane: Lane) -> DeployTarget:
        """The lane's target. Raises `Unreachable` for a lane that left the catalog: it may return with a reload."""
        config = self.catalog.lanes.get(lane)
        if config is None or config.target not in self._targets:
            raise Unreachable(f"the catalog has no target for {lane}")
        return self._targets[config.target]

    def words(self, lane: Lane) -> WordingKind:
        """The lane's wording; lanes that left the catalog are worded as services."""
        config = self.catalog.lanes.get(lane)
        return config.policy.words if config else "traffic"

    def wording_for(self, lane: Lane) -> Wording:
        return wording_for(self.words(lane))

    async def look(self, lane: Lane) -> Observed:
        """What runs now. Raises `Unreachable`, within about a second."""
        try:
            async with asyncio.timeout(_LOOK_S):
                return await self.target(lane).observe(lane)
        except TimeoutError:
            raise Unreachable(f"the target of {lane} did not answer within {_LOOK_S:g} s") from None

    async def readiness(self, config: LaneConfig, stable: Release | None) -> Readiness:
        """Rollback readiness: to which release, and whether that is a weight change or a start."""
        now = self._clock.now()
        if stable is None:
            return Readiness(
                None, False, now, "Nothing ran here before, so there is nothing to roll back to."
            )
        try:
            observed = await self.look(config.lane)
        except Unreachable as error:
            return Readiness(stable.version, False, None, f"The target cannot be reached: {error}.")
        running = observed.of(stable.digest)
        ready = running is not None and running.state is RunState.READY
        if config.policy.exclusive:
            absent = wording_for(config.policy.words).absent.format(version=stable.version)
            problem = "" if ready else f"{absent} now."
            return Readiness(stable.version, False, now, problem)
        problem = "" if ready else f"{stable.version} is {running.state if running else 'not running'}."
        return Readiness(stable.version, ready, now, problem)

    async def releases(self, lane: Lane) -> Sequence[Release]:
        """Releases of the lane, newest first. Raises `Unreachable`."""
        return await self._releases.releases(lane.service, lane.environment)

    async def release(self, lane: Lane, version: str) -> Release:
        """The release of a version. Raises `UserError` that offers the closest versions."""
        known = {release.version: release for release in await self.releases(lane)}
        if version not in known:
            raise unknown("version", version, known, where=f"of {lane.service}")
        return known[version]

    async def situation(self, lane: Lane) -> Situation:
        """The lane as it is, adopted if new. Raises `UserError` when the target of a new lane cannot be reached."""
        found = await self._store.lanes.situation(lane, self._clock.now())
        if found.row is not None:
            return found
        try:
            observed = await self.look(lane)
        except Unreachable as error:
            raise Refused(
                f"Slipway has not seen yet what runs in {lane}: {error}.",
                rule="target_away",
                remedy="`slipway doctor` on the machine says what is wrong.",
            ) from None
        await self.adopt(lane, observed)
        return await self._store.lanes.situation(lane, self._clock.now())

    async def adopt(self, lane: Lane, observed: Observed) -> bool:
        """Make what runs at the first look stable and known good: it is what has been serving."""
        serving = max(observed.running, key=lambda running: running.weight, default=None)
        stable = None
        if serving is not None and serving.weight > 0:
            stable = await self._adopted(lane, serving.digest, serving.version)
        now = self._clock.now()
        row = LaneRow(lane, observed.generation, Desired(observed.generation, stable), None, now)
        what = f"{stable.version} was running and is stable now." if stable else "Nothing was running."
        return await self._store.lanes.adopt(row, AuditEntry(lane, SYSTEM, now, "adopted", what))

    async def _adopted(self, lane: Lane, digest: str, version: str) -> Release:
        """The release from its source, with its spec; if that fails, its version and digest alone."""
        try:
            known = await self.releases(lane)
        except (Unreachable, UserError):
            known = ()
        found = next((release for release in known if release.digest == digest), None)
        return found or Release(lane.service, version, digest)

    def now(self) -> datetime:
        return self._clock.now()
