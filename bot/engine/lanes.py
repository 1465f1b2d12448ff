"""Lanes of the catalog: the target of each, what runs there, and which releases exist."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from bot.domain import phrasebook
from bot.domain.config import Catalog, CheckConfig, LaneConfig, unknown
from bot.domain.errors import UserError
from bot.domain.records import AuditEntry, LaneRow, Situation
from bot.domain.rollout.binding import LaneBinding
from bot.domain.rollout.machine import approvals
from bot.domain.rollout.model import (
    SYSTEM,
    VERSION_ALONE,
    Desired,
    Lane,
    Observed,
    Policy,
    Readiness,
    Release,
    Rollout,
    RunState,
    WordingKind,
)
from bot.domain.rollout.wording import Wording, wording_for
from bot.ports.coordination import Clock
from bot.ports.data_plane.bindings import BoundAdapters
from bot.ports.data_plane.metrics import MetricSource
from bot.ports.data_plane.targets import DeployTarget
from bot.ports.errors import Unreachable
from bot.ports.releases import ReleaseSource
from bot.ports.store import Store

# The judge and a card being drawn wait no longer for a target; what is about to change a lane has more time.
_LOOK_S = 1.0
PATIENT_S = 5.0


class AdaptersByName:
    """Implements `BoundAdapters` where targets and metric sources stay the same for as long as the program runs."""

    def __init__(
        self,
        targets: Mapping[str, DeployTarget],
        metrics: Mapping[str, MetricSource] | None = None,
        checks: Mapping[str, CheckConfig] | None = None,
    ) -> None:
        self._targets = targets
        self._metrics = metrics or {}
        self._checks = checks or {}

    def target(self, lane: Lane, binding: LaneBinding) -> DeployTarget:
        if binding.target.name not in self._targets:
            raise Unreachable(f"there is no target {binding.target.name} for {lane}")
        return self._targets[binding.target.name]

    def sources(self, lane: Lane, binding: LaneBinding) -> Sequence[MetricSource]:
        return [self._metrics[source.name] for source in binding.metrics if source.name in self._metrics]

    def check(self, lane: Lane, binding: LaneBinding, name: str) -> CheckConfig:
        if name not in self._checks:
            raise Unreachable(f"there is no check {name} for {lane}")
        return self._checks[name]

    def changed(self, release: Release) -> str:
        return ""


class Lanes:
    """Finds a lane's target and releases, and adopts what runs at the first look.

    A lane goes by the present catalog; a rollout, for as long as it is active, by what it was bound to (`bound`).
    """

    def __init__(
        self,
        store: Store,
        catalog: Callable[[], Catalog],
        targets: Mapping[str, DeployTarget],
        releases: ReleaseSource,
        clock: Clock,
        *,
        bound: BoundAdapters | None = None,
    ) -> None:
        self._store = store
        self._bound = bound or AdaptersByName(targets)
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

    def target_of(self, rollout: Rollout) -> DeployTarget:
        """The target that the rollout was started on. Raises `Unreachable`."""
        if rollout.binding is None:
            return self.target(rollout.lane)
        return self._bound.target(rollout.lane, rollout.binding)

    def sources_of(self, rollout: Rollout) -> Sequence[MetricSource]:
        """The metric sources that the rollout is judged by. Raises `Unreachable`."""
        config = self.catalog.lanes.get(rollout.lane)
        binding = rollout.binding or (config.bound if config else None)
        return self._bound.sources(rollout.lane, binding) if binding else ()

    def check_of(self, rollout: Rollout, name: str) -> CheckConfig:
        """A check that the rollout asks of its candidate. Raises `Unreachable`."""
        config = self.catalog.lanes.get(rollout.lane)
        binding = rollout.binding or (config.bound if config else None)
        if binding is None:
            raise Unreachable(f"{rollout.lane} is not in the catalog")
        return self._bound.check(rollout.lane, binding, name)

    def sources_at(self, config: LaneConfig) -> Sequence[MetricSource]:
        """The metric sources that a rollout of the lane would be judged by now. Raises `Unreachable`."""
        return self._bound.sources(config.lane, config.bound)

    def unsealed(self, rollout: Rollout, desired: Desired) -> str:
        """Why `desired` is not what was approved, as a sentence; empty when it is."""
        given = desired.candidate or desired.stable
        version = rollout.candidate.version
        if rollout.binding is None:
            return ""
        if approvals.seal_now(rollout) != rollout.seal:
            return (
                f"The stored rollout of {version} is not the one that was approved: its seal does not match."
            )
        if given is None or not approvals.same(given, rollout.candidate):
            return f"The order is not for the {version} that was approved."
        if rollout.known_good:
            return ""
        why = self._bound.changed(rollout.candidate)
        return f"{version} would not run as it was approved: {why}." if why else ""

    def words(self, lane: Lane) -> WordingKind:
        """The lane's wording; lanes that left the catalog are worded as services."""
        config = self.catalog.lanes.get(lane)
        return config.policy.words if config else "traffic"

    def wording_for(self, lane: Lane) -> Wording:
        return wording_for(self.words(lane))

    async def look(
        self, lane: Lane, rollout: Rollout | None = None, *, within_s: float = _LOOK_S
    ) -> Observed:
        """What runs now, on the target of the rollout that owns the lane. Raises `Unreachable` after `within_s`."""
        try:
            async with asyncio.timeout(within_s):
                target = self.target(lane) if rollout is None else self.target_of(rollout)
                return await target.observe(lane)
        except TimeoutError:
            raise Unreachable(f"the target of {lane} did not answer within {within_s:g} s") from None

    async def readiness(
        self, lane: Lane, policy: Policy, stable: Release | None, observed: Observed | None = None
    ) -> Readiness:
        """Rollback readiness: to which release, and whether that is a weight change or a start.

        observed: what runs now, if the caller has just looked.
        """
        now = self._clock.now()
        if stable is None:
            return Readiness(
                None, False, now, "Nothing ran here before, so there is nothing to roll back to."
            )
        try:
            observed = await self.look(lane) if observed is None else observed
        except Unreachable as error:
            return Readiness(stable.version, False, None, f"The target cannot be reached: {error}.")
        running = observed.of(stable.digest)
        ready = running is not None and running.state is RunState.READY
        if policy.exclusive:
            absent = wording_for(policy.words).absent.format(version=stable.version)
            problem = "" if ready else f"{absent} now."
            return Readiness(stable.version, False, now, problem)
        problem = "" if ready else f"{stable.version} is {running.state if running else 'not running'}."
        return Readiness(stable.version, ready, now, problem)

    async def releases(self, lane: Lane, *, fresh: bool = False) -> Sequence[Release]:
        """Releases of the lane, newest first. Raises `Unreachable`."""
        return await self._releases.releases(lane.service, lane.environment, fresh=fresh)

    async def release(self, lane: Lane, version: str) -> Release:
        """The release of a version, immutable. Raises `UserError` that offers the closest versions, `Unreachable`."""
        known = {release.version: release for release in await self.releases(lane)}
        if version not in known:
            # A pipeline deploys what it pushed a second ago.
            known = {release.version: release for release in await self.releases(lane, fresh=True)}
        if version not in known:
            raise unknown("version", version, known, where=f"of {lane.service}")
        return await self._releases.pinned(known[version], lane.environment)

    async def situation(self, lane: Lane) -> Situation:
        """The lane as it is, adopted if new. Raises `UserError` when the target of a new lane cannot be reached."""
        found = await self._store.lanes.situation(lane, self._clock.now())
        if found.row is not None:
            return found
        try:
            observed = await self.look(lane, within_s=PATIENT_S)
            stable = await self._serving(lane, observed)
        except Unreachable as error:
            raise phrasebook.not_adopted(str(lane), str(error)) from None
        await self._adopt(lane, observed.generation, stable)
        return await self._store.lanes.situation(lane, self._clock.now())

    async def adopt(self, lane: Lane, observed: Observed) -> bool:
        """Make what runs at the first look stable and known good: it is what has been serving. Raises `Unreachable`."""
        return await self._adopt(lane, observed.generation, await self._serving(lane, observed))

    async def _adopt(self, lane: Lane, generation: int, stable: Release | None) -> bool:
        now = self._clock.now()
        row = LaneRow(lane, generation, Desired(generation, stable), None, now)
        what = f"{stable.version} was running and is stable now." if stable else "Nothing was running."
        return await self._store.lanes.adopt(row, AuditEntry(lane, SYSTEM, now, "adopted", what))

    async def _serving(self, lane: Lane, observed: Observed) -> Release | None:
        """What has the most traffic; None where nothing has any. Raises `Unreachable`."""
        serving = max(observed.running, key=lambda running: running.weight, default=None)
        if serving is None or not serving.weight:
            return None
        return await self._known(lane, serving.digest, serving.version)

    async def _known(self, lane: Lane, digest: str, version: str) -> Release:
        """The release from its source, with commit and spec; where that does not have it, its version and digest alone.

        Raises `Unreachable` when the source is away and the target knows the release by its version alone: it could
        not be brought back without its commit.
        """
        by_version = digest == f"{VERSION_ALONE}{version}"
        known: list[Release] = []
        try:
            known += await self.releases(lane)
            same = [release for release in known if release.version == version]
            known += [await self._releases.pinned(release, lane.environment) for release in same]
        except UserError:
            pass
        except Unreachable:
            if by_version:
                raise
        # The pinned one before the one as it is listed.
        found = next(
            (
                release
                for release in reversed(known)
                if digest in (release.digest, release.identity) or (by_version and release.version == version)
            ),
            None,
        )
        return replace(found, digest=digest) if found else Release(lane.service, version, digest)

    def now(self) -> datetime:
        return self._clock.now()
