"""The `DeployTarget` for slash commands: desired states are manifests, and Discord serves them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import structlog

from bot.adapters.targets.appcommands.changes import CommandsOrder, Probe, ScopeChanger, no_probe
from bot.adapters.targets.appcommands.reader import ScopeReader
from bot.adapters.targets.appcommands.rest import CommandsApi
from bot.domain.appcommands.applications import PRODUCTION, STAGING, Application
from bot.domain.appcommands.records import EMPTY, Accepted, Manifest
from bot.domain.rollout.model import Desired, HostAbort, Lane, Observed, Release, Running, RunState
from bot.ports.appcommands import AppCommandStore
from bot.ports.data_plane.targets import Capabilities
from bot.ports.errors import StaleGeneration, TargetRefused

_log = structlog.get_logger(__name__)

Applications = Callable[[], Mapping[str, Application]]


class CommandsTarget:
    """One target for every application of the catalog; a lane is an application's commands in one environment.

    An `apply` continues when its caller stops waiting, and the next one for the same generation joins it: a bulk call
    that was sent cannot be taken back. `close` ends what is under way.
    """

    def __init__(
        self,
        applications: Applications,
        api: CommandsApi,
        records: AppCommandStore,
        *,
        probe: Probe = no_probe,
    ) -> None:
        self._applications = applications
        self._records = records
        self._changing = ScopeChanger(api, records, probe)
        self.looking = ScopeReader(api, records)
        self._under_way: dict[Lane, tuple[int, asyncio.Task[None]]] = {}

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(weights=False, warm=False)

    async def close(self) -> None:
        tasks = [task for _, task in self._under_way.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def observe(self, lane: Lane) -> Observed:
        """The last reading, which is not older than the application's check interval."""
        application = self._application(lane)
        if application is None:
            return Observed(0)
        accepted = await self._records.states.accepted(lane)
        served = [
            await self.looking.served(application, scope, accepted)
            for scope in application.scopes(lane.environment)
        ]
        if accepted is not None and accepted.withdrawn == accepted.wanted and set(served) == {EMPTY.digest}:
            # The copies in the staging guild were removed: production has the same commands.
            served = [accepted.wanted] * len(served)
        running = tuple(
            Running(digest, EMPTY.version if digest == EMPTY.digest else digest[:12], RunState.READY, share)
            for digest, share in _shares(served).items()
        )
        generation = accepted.generation if accepted else 0
        return Observed(generation, running, _abort(accepted))

    async def apply(self, lane: Lane, desired: Desired) -> None:
        application = self._application(lane)
        if application is None:
            raise TargetRefused(f"the catalog has no application for {lane}")
        if not await self._records.states.accept(lane, desired):
            raise StaleGeneration(f"{lane} has a newer desired state than generation {desired.generation}")
        generation, task = self._under_way.get(lane, (0, None))
        if task is None or task.done() or generation != desired.generation:
            if task is not None and not task.done():
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
            task = asyncio.create_task(self._bring(application, lane, desired), name=f"commands:{lane}")
            self._under_way[lane] = (desired.generation, task)
            task.add_done_callback(_heard)
        await asyncio.shield(task)

    async def abort(self, lane: Lane, by: str, why: str) -> Observed:
        accepted = await self._records.states.accepted(lane)
        if accepted is None or not accepted.stable:
            raise TargetRefused(f"{lane} has no stable manifest to go back to")
        stable = Release(lane.service, accepted.stable[:12], accepted.stable)
        generation = accepted.generation + 1
        await self.apply(lane, Desired(generation, stable))
        told = {"generation": generation, "at": datetime.now(UTC).isoformat(), "by": by, "why": why}
        await self._records.states.abort(lane, generation, told)
        return await self.observe(lane)

    # ---- applying ----

    async def _bring(self, application: Application, lane: Lane, desired: Desired) -> None:
        wanted = desired.candidate if desired.candidate and desired.weight == 100 else desired.stable
        if wanted is None:
            return  # nothing was ever desired: leave what is there
        manifest = await self._manifest(wanted)
        await self._everywhere(application, lane, desired.generation, manifest)
        if lane.environment == PRODUCTION and desired.candidate is None:
            await self._withdraw(application, desired.generation, manifest)

    async def _everywhere(
        self, application: Application, lane: Lane, generation: int, manifest: Manifest, why: str = ""
    ) -> None:
        for scope in application.scopes(lane.environment):
            order = CommandsOrder(
                application=application,
                service=lane.service,
                environment=lane.environment,
                scope=scope,
                generation=generation,
                manifest=manifest,
                current=lambda: self._current(lane, abs(generation)),
                why=why,
            )
            try:
                found = await self._changing.bring(order)
            except Exception:
                self.looking.forget(application, scope)
                raise
            await self.looking.seen(application, scope, found)

    async def _withdraw(self, application: Application, generation: int, manifest: Manifest) -> None:
        """Remove staging's copies once production has them: a guild's copy would be shown beside the global command."""
        lane = application.lane(STAGING)
        accepted = await self._records.states.accepted(lane)
        served_globally = any(scope.is_global for scope in application.production)
        if accepted is None or not served_globally:
            return
        if accepted.wanted != manifest.digest or accepted.withdrawn == manifest.digest:
            return
        # Under the negative of production's generation, so that staging's own changes keep their place in the history.
        production = application.lane(PRODUCTION)
        for scope in application.staging:
            order = CommandsOrder(
                application=application,
                service=lane.service,
                environment=lane.environment,
                scope=scope,
                generation=-generation,
                manifest=EMPTY,
                current=lambda: self._current(production, generation),
                why="removed: production has these commands now",
            )
            await self.looking.seen(application, scope, await self._changing.bring(order))
        await self._records.states.withdraw(lane, manifest.digest)

    async def _current(self, lane: Lane, generation: int) -> None:
        accepted = await self._records.states.accepted(lane)
        if accepted is not None and accepted.generation > generation:
            raise StaleGeneration(f"{lane} has a newer desired state now")

    async def _manifest(self, release: Release) -> Manifest:
        found = EMPTY if release.digest == EMPTY.digest else await self._records.manifests.get(release.digest)
        if found is None:
            raise TargetRefused(f"the manifest {release.version} is not in the database")
        return found

    def _application(self, lane: Lane) -> Application | None:
        return next((a for a in self._applications().values() if lane in a.lanes), None)


def _shares(served: Sequence[str]) -> dict[str, int]:
    """Share of the scopes that have each manifest, in whole per cent that add up to 100."""
    counts: dict[str, int] = {}
    for digest in served:
        counts[digest] = counts.get(digest, 0) + 1
    shares = {digest: 100 * n // len(served) for digest, n in counts.items()}
    if shares:
        first = next(iter(shares))
        shares[first] += 100 - sum(shares.values())
    return shares


def _abort(accepted: Accepted | None) -> HostAbort | None:
    told: Mapping[str, Any] | None = accepted.aborted if accepted else None
    if told is None:
        return None
    return HostAbort(told["generation"], datetime.fromisoformat(told["at"]), told["by"], told["why"])


def _heard(task: asyncio.Task[None]) -> None:
    """Log the error of an apply that is no longer awaited; a waiter gets it anyway."""
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.info("commands_not_applied", task=task.get_name(), why=str(error))
