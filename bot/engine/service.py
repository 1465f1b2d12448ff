"""The engine's public interface: every request is answered within two seconds, or raises `Unreachable`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from bot.domain.config import Catalog
from bot.domain.rollout.events import Transition
from bot.domain.rollout.model import Actor, Lane, Release, Rollout
from bot.domain.watch.health import ServerHealth, Strip
from bot.engine import api
from bot.engine.lanes import Lanes
from bot.engine.reports.service import ReportService
from bot.engine.requests.actions import Actions, Locks
from bot.engine.requests.calibration import Tried
from bot.engine.requests.deploys import Deploys
from bot.engine.requests.queries import Queries
from bot.engine.requests.why import VerdictOpener
from bot.engine.stepper import Contended, Stepper
from bot.engine.watch.alerts.silencing import Silencing
from bot.engine.watch.health import Healths, OpenedLane
from bot.engine.watch.oncall.service import OnCall
from bot.ports.changes import ChangeSource
from bot.ports.coordination import Clock, Waker
from bot.ports.data_plane.bindings import BoundAdapters
from bot.ports.data_plane.targets import DeployTarget
from bot.ports.errors import Unreachable
from bot.ports.members import Members
from bot.ports.preconditions import PreconditionSource
from bot.ports.releases import ReleaseSource
from bot.ports.store import Store

T = TypeVar("T")

# Discord wants an answer within 3 s; the rest is for the network.
ANSWER_S = 2.0
# A backtest is long, and answered after a deferral.
BACKTEST_S = 60.0
# Part of that time for what is asked of others and can be left out.
_LOOK_UP = 0.75
# How much longer the measurements of a whole rollout may take to be read; the answer is deferred by then.
_READING = 3.0


class Engine:
    """Requests of people. All methods raise `UserError` with a sentence, or `Unreachable`.

    targets: by name in the catalog; may be changed while the engine runs. releases: for every service. members: who is
    in a server still, where that can be asked. on_call, reports, silences: requests about those. A request is recorded
    here and carried out by `bot.engine.loops.worker.Worker`, in this process or another.
    """

    def __init__(
        self,
        store: Store,
        catalog: Callable[[], Catalog],
        *,
        targets: Mapping[str, DeployTarget],
        releases: ReleaseSource,
        clock: Clock,
        waker: Waker,
        answer_s: float = ANSWER_S,
        bound: BoundAdapters | None = None,
        preconditions: PreconditionSource | None = None,
        changes: ChangeSource | None = None,
        members: Members | None = None,
    ) -> None:
        self._answer_s = answer_s
        lanes = Lanes(store, catalog, targets, releases, clock, bound=bound)
        stepper = Stepper(store, clock, waker)
        self.kept = stepper.kept  # for a worker in the same process
        self._actions = Actions(store, catalog, stepper, clock)
        self._deploys = Deploys(
            store,
            lanes,
            stepper,
            self._actions,
            preconditions=preconditions,
            changes=changes,
            look_up_s=_LOOK_UP * answer_s,
        )
        self._queries = Queries(store, lanes, self.kept)
        self._verdicts = VerdictOpener()
        self._locks = Locks(store, lanes)
        self.on_call = OnCall(store.on_call, catalog, clock, members, answer_s=answer_s)
        self.silences = Silencing(store.silences, catalog, clock)
        self._health = Healths(store, catalog, clock, self.on_call.responders)
        self.reports = ReportService(store, catalog, clock)

    async def deploy(self, request: api.DeployRequest) -> Rollout | api.DryRun:
        return await self._soon(self._deploys.deploy(request))

    async def backtest(self, guild_id: int, service: str, environment: str) -> Tried:
        """The judge on the lane's own history: some seconds of processor time, beside the loop."""
        return await self._soon(self._deploys.backtest(guild_id, service, environment), BACKTEST_S)

    async def roll_back(self, request: api.RollbackRequest) -> Rollout:
        """Return to an earlier release: roll back the active rollout, or begin a straight one when there is none."""
        return await self._soon(self._deploys.roll_back(request))

    async def act(self, request: api.ActRequest) -> api.ActResult:
        return await self._soon(self._actions.act(request))

    async def panic(self, guild_id: int, actor: Actor, reason: str, on: bool) -> int:
        """Pause or resume every rollout of the guild; returns how many."""
        # Bounded by the number of rollouts, each of which has its own time limit.
        return await self._actions.panic(guild_id, actor, reason, on)

    async def lock(
        self, guild_id: int, actor: Actor, lane: Lane, reason: str, expires: datetime | None
    ) -> api.Lock:
        return await self._soon(self._locks.lock(guild_id, actor, lane, reason, expires))

    async def unlock(self, guild_id: int, actor: Actor, lane: Lane, reason: str = "") -> None:
        """Lifting a quarantine needs a reason."""
        await self._soon(self._locks.unlock(guild_id, actor, lane, reason))

    async def health(self, guild_id: int, *, within: api.Within = api.everywhere) -> ServerHealth:
        """How what is deployed is doing, and open alerts: from what is stored, so it asks no target."""
        return await self._soon(self._health(guild_id, within))

    async def health_strips(self, lanes: Sequence[Lane]) -> Sequence[Strip]:
        """How many of these lanes' requests failed in the last hours, for a chart."""
        return await self._soon(self._health.strips(lanes))

    async def lane_health(self, guild_id: int, service: str, environment: str) -> OpenedLane:
        """Everything about how one lane is doing."""
        return await self._soon(self._health.lane(guild_id, service, environment))

    async def status(
        self,
        guild_id: int,
        service: str | None = None,
        environment: str | None = None,
        *,
        within: api.Within = api.everywhere,
    ) -> Sequence[api.LaneStatus]:
        return await self._soon(self._queries.status(guild_id, service, environment, within))

    async def history(
        self,
        guild_id: int,
        service: str | None = None,
        environment: str | None = None,
        *,
        before: int | None = None,
        limit: int = 10,
        within: api.Within = api.everywhere,
    ) -> Sequence[api.RolloutSummary]:
        asked = self._queries.history(
            guild_id, service, environment, before=before, limit=limit, within=within
        )
        return await self._soon(asked)

    async def rollout(self, rollout_id: int, guild_id: int) -> Rollout:
        """The rollout as it is stored now."""
        return await self._soon(self._queries.rollout(rollout_id, guild_id))

    async def log(self, rollout_id: int, guild_id: int) -> Sequence[Transition]:
        """Audit lines of the rollout, oldest first; at most the newest 500."""
        return await self._soon(self._queries.log(rollout_id, guild_id))

    async def card(self, rollout_id: int) -> api.RolloutView:
        """The rollout as its card says it in words: without measurements and audit lines."""
        return await self._soon(self._queries.card(rollout_id))

    async def view(self, rollout_id: int, guild_id: int | None = None) -> api.RolloutView:
        """The rollout with all that its chart shows."""
        return await self._soon(self._queries.view(rollout_id, guild_id))

    async def why(self, rollout_id: int, guild_id: int | None = None) -> api.OpenedVerdict:
        """Why the judge said what it said. May take longer than other requests: the rollout is replayed."""
        rollout = await self._soon(self._queries.rollout(rollout_id, guild_id))
        known = self._verdicts.known(rollout)
        if known is not None:
            return known
        ticks = await self._soon(self._queries.judged(rollout), self._answer_s * _READING)
        return await self._verdicts(rollout, ticks)

    async def releases(self, guild_id: int, service: str, environment: str) -> Sequence[Release]:
        """Releases that `/deploy` may offer, newest first."""
        return await self._soon(self._queries.releases(guild_id, service, environment))

    async def known_good(self, guild_id: int, service: str, environment: str) -> Sequence[Release]:
        """Releases that `/rollback` may offer, newest first."""
        return await self._soon(self._queries.known_good(guild_id, service, environment))

    async def _soon(self, asked: Coroutine[Any, Any, T], within_s: float | None = None) -> T:
        within_s = within_s or self._answer_s
        try:
            async with asyncio.timeout(within_s):
                return await asked
        except TimeoutError:
            raise Unreachable(f"no answer within {within_s:g} s") from None
        except Contended as error:
            raise Unreachable(f"too many at once: {error}") from None
