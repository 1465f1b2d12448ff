"""An engine in memory that keeps the real rules: the machine decides, nothing is stored, effects are only kept."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from bot.domain import phrasebook
from bot.domain.config import Catalog, LaneConfig, unknown
from bot.domain.errors import Refused
from bot.domain.judge.history.replay import JudgedTick
from bot.domain.rollout import plans
from bot.domain.rollout.events import Acted as ActedEvent
from bot.domain.rollout.events import Effect, Event, Transition
from bot.domain.rollout.machine import machine
from bot.domain.rollout.model import Action, Actor, Lane, Readiness, Release, Rollout
from bot.domain.watch.health import ServerHealth, Strip
from bot.engine.api import (
    ActRequest,
    ActResult,
    DeployRequest,
    DryRun,
    LaneStatus,
    Lock,
    OpenedVerdict,
    PreflightFinding,
    RollbackRequest,
    RolloutSummary,
    RolloutView,
    SeriesPoint,
)
from bot.engine.reports.service import ReportService
from bot.engine.requests.calibration import Tried
from bot.engine.requests.why import opened
from bot.engine.watch.alerts.silencing import Silencing
from bot.engine.watch.health import Healths, OpenedLane
from bot.engine.watch.oncall.service import OnCall
from bot.ports.coordination import Clock
from bot.ports.errors import Unreachable
from tests.fakes.store import MemoryDatabase, MemoryStore


class FakeEngine:
    """`Engine` over dictionaries. While `away` every call raises `Unreachable`; while `stuck_s`, each takes so long."""

    def __init__(self, catalog: Catalog, clock: Clock, releases: Sequence[Release]) -> None:
        self.catalog = catalog
        self.clock = clock
        self.rollouts: dict[int, Rollout] = {}
        self.effects: list[tuple[int, Effect]] = []
        self.acts: list[ActRequest] = []
        self.tried = Tried()  # what a dry run and a backtest find
        self.views = 0  # how often a card was read
        self.away = False
        self.stuck_s = 0.0
        self.raises: Exception | None = None
        self.series: dict[int, list[SeriesPoint]] = {}
        self.judged: dict[int, list[JudgedTick]] = {}
        self.locks: dict[Lane, Lock] = {}
        self.stable: dict[Lane, Release] = {}
        self.store = MemoryStore(MemoryDatabase(clock.now))
        self.on_call = OnCall(self.store.on_call, lambda: self.catalog, clock)
        self.reports = ReportService(self.store, lambda: self.catalog, clock)
        self.silences = Silencing(self.store.silences, lambda: self.catalog, clock)
        self._releases = list(releases)
        self._transitions: dict[int, list[Transition]] = {}
        self._interactions: dict[str, int] = {}

    # ---- for tests -----------------------------------------------------------------------------------------

    def happen(self, rollout_id: int, event: Event) -> Rollout:
        """What the world would have told the engine."""
        stepped = machine.step(self.rollouts[rollout_id], event)
        self._keep(stepped)
        return stepped.rollout

    def edit(self, rollout_id: int, change: Callable[[Rollout], Rollout]) -> Rollout:
        self.rollouts[rollout_id] = change(self.rollouts[rollout_id])
        return self.rollouts[rollout_id]

    # ---- the protocol --------------------------------------------------------------------------------------

    async def deploy(self, request: DeployRequest) -> Rollout | DryRun:
        await self._reached()
        if request.interaction and request.interaction in self._interactions:
            return self.rollouts[self._interactions[request.interaction]]
        config = self._lane(request.guild_id, request.service, request.environment)
        self._may(request.actor, config.deploy_roles, "deploy")
        candidate = self._release(request.service, request.version)
        stable = self.stable.get(config.lane)
        readiness = Readiness(stable.version if stable else None, stable is not None, self.clock.now())
        if request.dry_run:
            return self._dry(config, stable, candidate, readiness)
        if config.lane in self.locks:
            raise Refused(f"{config.lane} is locked.", rule="locked", remedy="`/unlock` lifts it.")
        if any(r.lane == config.lane and not r.phase.final for r in self.rollouts.values()):
            raise Refused(f"A rollout of {config.lane} is under way.", rule="active")
        return self._begin(request, config, candidate, stable, readiness)

    async def backtest(self, guild_id: int, service: str, environment: str) -> Tried:
        await self._reached()
        self._lane(guild_id, service, environment)
        return self.tried

    async def roll_back(self, request: RollbackRequest) -> Rollout:
        await self._reached()
        config = self._lane(request.guild_id, request.service, request.environment)
        active = next(
            (r for r in self.rollouts.values() if r.lane == config.lane and not r.phase.final), None
        )
        if active is None:
            raise Refused("Nothing is being rolled out there.", rule="nothing")
        event = ActedEvent(
            Action.ROLL_BACK,
            request.actor,
            self.clock.now(),
            reason=request.reason,
            confirmed=request.confirmed,
        )
        return self.happen(active.id, event)

    async def act(self, request: ActRequest) -> ActResult:
        await self._reached()
        rollout = self.rollouts.get(request.rollout_id)
        if rollout is None or not self._sees(request.guild_id, rollout):
            raise phrasebook.no_rollout(request.rollout_id)
        if request.interaction and request.interaction in self._interactions:
            return ActResult(rollout, phrasebook.already_done(rollout.outcome), repeated=True)
        event = ActedEvent(
            request.action,
            request.actor,
            self.clock.now(),
            step=request.step,
            reason=request.reason,
            seal=request.seal,
            seconds=request.seconds,
            confirmed=request.confirmed,
        )
        stepped = machine.step(rollout, event)
        self._keep(stepped)
        self.acts.append(request)
        self._interactions[request.interaction] = rollout.id
        said = " ".join(t.why for t in stepped.transitions) or phrasebook.already_done(rollout.outcome)
        return ActResult(stepped.rollout, said, repeated=stepped.rollout is rollout)

    async def panic(self, guild_id: int, actor: Actor, reason: str, on: bool) -> int:
        await self._reached()
        action = Action.PAUSE if on else Action.RESUME
        going = [r.id for r in self.rollouts.values() if not r.phase.final and self._sees(guild_id, r)]
        for rollout_id in going:
            self.happen(rollout_id, ActedEvent(action, actor, self.clock.now(), reason=reason, panic=True))
        return len(going)

    async def lock(
        self, guild_id: int, actor: Actor, lane: Lane, reason: str, expires: datetime | None
    ) -> Lock:
        await self._reached()
        config = self._lane(guild_id, lane.service, lane.environment)
        self._may(actor, config.lock_roles, "lock")
        self.locks[lane] = Lock(lane, actor.id, actor.name, reason, self.clock.now(), expires)
        return self.locks[lane]

    async def unlock(self, guild_id: int, actor: Actor, lane: Lane, reason: str = "") -> None:
        await self._reached()
        config = self._lane(guild_id, lane.service, lane.environment)
        self._may(actor, config.lock_roles, "unlock")
        held = self.locks.get(lane)
        if held is None:
            raise Refused(f"{lane} is not locked.", rule="not_locked")
        if held.digest and not reason.strip():
            raise phrasebook.quarantine_needs_reason(str(lane))
        del self.locks[lane]

    async def health(self, guild_id: int) -> ServerHealth:
        await self._reached()
        return await self._healths()(guild_id)

    async def health_strips(self, lanes: Sequence[Lane]) -> Sequence[Strip]:
        await self._reached()
        return await self._healths().strips(lanes)

    async def lane_health(self, guild_id: int, service: str, environment: str) -> OpenedLane:
        await self._reached()
        return await self._healths().lane(guild_id, service, environment)

    def _healths(self) -> Healths:
        return Healths(self.store, lambda: self.catalog, self.clock, self.on_call.responders)

    async def status(
        self, guild_id: int, service: str | None = None, environment: str | None = None
    ) -> Sequence[LaneStatus]:
        await self._reached()
        return [
            self._status(config.lane)
            for config in self.catalog.visible(guild_id)
            if service in (None, config.lane.service) and environment in (None, config.lane.environment)
        ]

    async def history(
        self,
        guild_id: int,
        service: str | None = None,
        environment: str | None = None,
        *,
        before: int | None = None,
        limit: int = 10,
    ) -> Sequence[RolloutSummary]:
        await self._reached()
        fitting = [
            r
            for r in sorted(self.rollouts.values(), key=lambda r: -r.id)
            if self._sees(guild_id, r)
            and service in (None, r.lane.service)
            and environment in (None, r.lane.environment)
            and (before is None or r.id < before)
        ]
        return [_summary(r) for r in fitting[:limit]]

    async def view(self, rollout_id: int, guild_id: int | None = None) -> RolloutView:
        self.views += 1
        await self._reached()
        rollout = self.rollouts.get(rollout_id)
        if rollout is None or (guild_id is not None and not self._sees(guild_id, rollout)):
            raise phrasebook.no_rollout(rollout_id)
        found = self._transitions.get(rollout_id, [])
        return RolloutView(rollout, self.series.get(rollout_id, []), found, self.locks.get(rollout.lane))

    async def why(self, rollout_id: int, guild_id: int | None = None) -> OpenedVerdict:
        seen = await self.view(rollout_id, guild_id)
        return opened(seen.rollout, self.judged.get(rollout_id, []))

    async def card(self, rollout_id: int) -> RolloutView:
        return replace(await self.view(rollout_id), series=(), transitions=())

    async def releases(self, guild_id: int, service: str, environment: str) -> Sequence[Release]:
        await self._reached()
        self._lane(guild_id, service, environment)
        return [r for r in self._releases if r.service == service]

    async def known_good(self, guild_id: int, service: str, environment: str) -> Sequence[Release]:
        await self._reached()
        lane = self._lane(guild_id, service, environment).lane
        return [self.stable[lane]] if lane in self.stable else []

    # ---- parts ---------------------------------------------------------------------------------------------

    async def _reached(self) -> None:
        if self.away:
            raise Unreachable("the database is away")
        if self.stuck_s:
            await asyncio.sleep(self.stuck_s)
        if self.raises is not None:
            raise self.raises

    def _sees(self, guild_id: int, rollout: Rollout) -> bool:
        return guild_id in self.catalog.guilds_of(rollout.lane, rollout.guild_id)

    def _lane(self, guild_id: int, service: str, environment: str) -> LaneConfig:
        return self.catalog.lane(guild_id, service, environment)

    def _may(self, actor: Actor, roles: Sequence[str], what: str) -> None:
        if not actor.roles & set(roles):
            raise phrasebook.needs_role(f"{what} here", roles)

    def _release(self, service: str, version: str) -> Release:
        known = {r.version: r for r in self._releases if r.service == service}
        if version not in known:
            raise unknown("version", version, known, where=f"of {service}")
        return known[version]

    def _begin(
        self,
        request: DeployRequest,
        config: LaneConfig,
        candidate: Release,
        stable: Release | None,
        readiness: Readiness,
    ) -> Rollout:
        stepped = machine.begin(
            id=len(self.rollouts) + 1,
            guild_id=request.guild_id,
            lane=config.lane,
            stable=stable,
            candidate=candidate,
            plan=config.plan,
            policy=config.policy,
            requester=request.actor,
            reason=request.reason,
            at=self.clock.now(),
            generation=0,
            readiness=readiness,
        )
        self._keep(stepped)
        if request.interaction:
            self._interactions[request.interaction] = stepped.rollout.id
        return stepped.rollout

    def _keep(self, stepped: machine.Stepped) -> None:
        rollout = stepped.rollout
        self.rollouts[rollout.id] = rollout
        self.effects += [(rollout.id, effect) for effect in stepped.effects]
        self._transitions.setdefault(rollout.id, []).extend(stepped.transitions)

    def _dry(
        self, config: LaneConfig, stable: Release | None, candidate: Release, readiness: Readiness
    ) -> DryRun:
        locked = config.lane in self.locks
        findings = (PreflightFinding("lock", not locked, "It is locked." if locked else "There is no lock."),)
        steps = tuple(plans.describe(step) for step in config.plan.steps)
        return DryRun(
            config.lane,
            stable,
            candidate,
            steps,
            readiness,
            findings,
            backtest=self.tried.backtest,
            not_replayed=self.tried.not_replayed,
            short_soaks=self.tried.short_soaks,
        )

    def _status(self, lane: Lane) -> LaneStatus:
        active = next((r for r in self.rollouts.values() if r.lane == lane and not r.phase.final), None)
        stable = self.stable.get(lane)
        return LaneStatus(
            lane,
            stable.version if stable else None,
            stable is not None,
            None,
            "",
            active,
            self.locks.get(lane),
        )


def _summary(r: Rollout) -> RolloutSummary:
    before = r.stable.version if r.stable else None
    return RolloutSummary(
        r.id,
        r.lane,
        before,
        r.candidate.version,
        str(r.phase),
        r.requester.name,
        r.reason,
        r.outcome,
        r.created_at,
        r.ended_at,
        r.known_good,
    )
