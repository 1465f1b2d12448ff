"""Handlers of the API, one for each operation: the engine's own requests, for the owner of the token."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

from pydantic import BaseModel

from bot.domain import phrasebook
from bot.domain.config import Catalog
from bot.domain.reports.tables import Table
from bot.domain.rollout.machine import approvals
from bot.domain.rollout.model import Action, Lane, Phase, Rollout
from bot.domain.tokens import SCOPE_OF, ApiToken
from bot.domain.watch.alerts.silences import Silence
from bot.domain.watch.oncall.schedule import Person
from bot.engine.api import ActRequest, DeployRequest, DryRun, RollbackRequest, everywhere
from bot.engine.reports.service import ReportScope
from bot.engine.service import Engine
from bot.engine.watch.alerts.silencing import SilenceRequest
from bot.engine.watch.incidents.service import Incidents
from bot.engine.watch.oncall.overrides import OverrideRequest
from bot.web.api import formatting, health, models, reports
from bot.web.api.access import Access, require, require_lane, require_unlimited
from bot.web.api.calls import ApiCall, same_request
from bot.web.api.incident_handlers import IncidentHandlers
from bot.web.api.problems import Problem

LOOK_S = 0.5
_ENDS = frozenset({Phase.HALTED})


class Handlers(IncidentHandlers):
    """All raise `Problem`, `UserError` or `Unreachable`."""

    def __init__(
        self,
        engine: Engine,
        incidents: Incidents,
        catalog: Callable[[], Catalog],
        access: Access,
        now: Callable[[], datetime],
    ) -> None:
        super().__init__(incidents, catalog)
        self._engine = engine
        self._access = access
        self._now = now

    # ---- reading -------------------------------------------------------------------------------------------

    async def token(self, call: ApiCall) -> BaseModel:
        token = call.token
        return models.TokenInfo(
            name=token.name,
            owner=token.owner,
            owner_id=str(token.owner_id),
            server=call.guild.name,
            roles=sorted(token.roles),
            scopes=sorted(token.scopes),
            services=list(token.services),
            environments=list(token.environments),
            expires_at=token.expires_at,
        )

    async def lanes(self, call: ApiCall) -> BaseModel:
        query: models.LaneQuery = call.request.query
        found = await self._engine.status(
            call.guild.id, query.service, query.environment, within=call.token.covers
        )
        return models.LanesInfo(lanes=[formatting.lane(one, self._now()) for one in found])

    async def health(self, call: ApiCall) -> BaseModel:
        token = call.token
        found = await (
            self._engine.health(call.guild.id, within=token.covers)
            if token.limited
            else self._engine.health(call.guild.id)
        )
        return health.health(found)

    async def releases(self, call: ApiCall) -> BaseModel:
        lane = self._lane(call)
        found = await self._engine.releases(call.guild.id, lane.service, lane.environment)
        return models.ReleasesInfo(
            releases=[
                models.ReleaseInfo(
                    version=r.version,
                    digest=r.digest,
                    commit=r.commit,
                    made_at=r.made_at,
                    subject=r.subject,
                    irreversible=r.irreversible,
                )
                for r in found
            ]
        )

    async def history(self, call: ApiCall) -> BaseModel:
        query: models.HistoryQuery = call.request.query
        found = await self._engine.history(
            call.guild.id,
            query.service,
            query.environment,
            before=query.before,
            limit=query.limit + 1,
            within=call.token.covers,
        )
        page = [formatting.summary(one) for one in found[: query.limit]]
        return models.HistoryInfo(rollouts=page, next=page[-1].id if len(found) > query.limit else None)

    async def rollout(self, call: ApiCall) -> BaseModel:
        query: models.WaitQuery = call.request.query
        found = await self._rollout(call)
        if query.wait_s and not _over(found, query.mark):
            with self._access.waiting(call.token):
                found = await self._waited(call, query)
        return formatting.rollout(found, self._now())

    async def _waited(self, call: ApiCall, query: models.WaitQuery) -> Rollout:
        clock = asyncio.get_running_loop().time
        deadline = clock() + query.wait_s
        while True:
            found = await self._rollout(call)
            left_s = deadline - clock()
            if left_s <= 0 or _over(found, query.mark):
                return found
            await asyncio.sleep(min(LOOK_S, left_s))

    async def log(self, call: ApiCall) -> BaseModel:
        found = await self._rollout(call)
        return formatting.log(await self._engine.log(found.id, call.guild.id))

    async def why(self, call: ApiCall) -> BaseModel:
        found = await self._rollout(call)
        return formatting.why(await self._engine.why(found.id, call.guild.id))

    async def report(self, call: ApiCall) -> BaseModel:
        query: reports.ReportQuery = call.request.query
        service = self._engine.reports
        return reports.shown(
            await service.report(self._scope(call, query.service), query.days, query.service)
        )

    async def export(self, call: ApiCall) -> reports.Download:
        path: reports.ExportPath = call.request.path
        query: reports.ExportQuery = call.request.query
        scope = self._scope(call, query.service)
        chunks = self._engine.reports.export(Table(path.table), scope, query.since, query.until)
        return reports.Download(f"{path.table}.csv", chunks)

    def _scope(self, call: ApiCall, service: str | None) -> ReportScope:
        within = call.token.covers if call.token.limited else everywhere
        return self._engine.reports.scope(call.guild.id, service, within)

    # ---- changes -------------------------------------------------------------------------------------------

    async def check(self, call: ApiCall) -> BaseModel:
        found = await self._engine.deploy(self._deploy_request(call, dry_run=True))
        assert isinstance(found, DryRun)
        return formatting.dry_run(found)

    async def deploy(self, call: ApiCall) -> BaseModel:
        body: models.DeployBody = call.request.body
        begun = await self._engine.deploy(self._deploy_request(call, dry_run=False))
        assert isinstance(begun, Rollout)
        same_request(call, begun.lane == Lane(body.service, body.environment), "deploy")
        same_request(call, begun.candidate.version == body.version, "deploy")
        return formatting.rollout(begun, self._now())

    async def roll_back(self, call: ApiCall) -> BaseModel:
        body: models.RollbackBody = call.request.body
        lane = Lane(body.service, body.environment)
        require_lane(call.token, lane)
        await self._spend_unless_on_call(call)
        begun = await self._engine.roll_back(
            RollbackRequest(
                guild_id=call.guild.id,
                actor=call.actor,
                service=body.service,
                environment=body.environment,
                version=body.version,
                reason=body.reason,
                interaction=call.interaction,
                confirmed=body.confirm,
            )
        )
        same_request(call, begun.lane == lane, "rollback")
        return formatting.rollout(begun, self._now())

    async def act(self, call: ApiCall) -> BaseModel:
        body: models.ActBody = call.request.body
        require(call.token, SCOPE_OF[body.action])
        found = await self._rollout(call)
        if body.action is Action.ROLL_BACK:
            await self._spend_unless_on_call(call)
        else:
            await self._access.spend(call.token, "api_change")
        if body.action in approvals.NEEDS_REASON and not body.reason.strip():
            raise phrasebook.reason_required("Say why in `reason`.")
        if body.action in (Action.APPROVE, Action.PROMOTE) and not body.seal:
            raise Problem(409, "seal", "Send the `seal` of the rollout that you looked at.")
        done = await self._engine.act(
            ActRequest(
                rollout_id=found.id,
                action=body.action,
                actor=call.actor,
                guild_id=call.guild.id,
                step=body.step,
                seal=body.seal,
                reason=body.reason,
                seconds=float(body.seconds),
                confirmed=body.confirm,
                # One key for several rollouts or actions must not answer one with the result of another.
                interaction=call.interaction and f"{call.interaction}:{found.id}:{body.action}",
            )
        )
        shown = formatting.rollout(done.rollout, self._now())
        return models.ActInfo(sentence=formatting.plain(done.sentence), repeated=done.repeated, rollout=shown)

    async def lock(self, call: ApiCall) -> BaseModel:
        body: models.LockBody = call.request.body
        expires = self._now() + timedelta(seconds=body.for_s) if body.for_s is not None else None
        held = await self._engine.lock(call.guild.id, call.actor, self._lane(call), body.reason, expires)
        return formatting.lock(held)

    async def unlock(self, call: ApiCall) -> BaseModel:
        body: models.UnlockBody = call.request.body
        lane = self._lane(call)
        await self._engine.unlock(call.guild.id, call.actor, lane, body.reason)
        found = await self._engine.status(call.guild.id, lane.service, lane.environment)
        return models.LanesInfo(lanes=[formatting.lane(one, self._now()) for one in found])

    async def panic(self, call: ApiCall) -> BaseModel:
        body: models.PanicBody = call.request.body
        require_unlimited(call.token, "use the panic stop")
        if not body.on:
            await self._access.spend(call.token, "api_change")
        changed = await self._engine.panic(call.guild.id, call.actor, body.reason, body.on)
        return models.PanicInfo(on=body.on, rollouts=changed)

    # ---- on call -------------------------------------------------------------------------------------------

    async def on_call(self, call: ApiCall) -> BaseModel:
        query: models.ScheduleQuery = call.request.query
        found = await self._engine.on_call.status(call.guild.id, query.schedule)
        shown = [each for each in found if not call.token.limited or any(map(call.token.covers, each.lanes))]
        return models.SchedulesInfo(now=self._now(), schedules=[formatting.on_call(each) for each in shown])

    async def override(self, call: ApiCall) -> BaseModel:
        body: models.OverrideBody = call.request.body
        path: models.SchedulePath = call.request.path
        schedule = self._engine.on_call.schedule(call.guild.id, path.schedule)
        lanes = [config.lane for config in self._catalog().lanes.values() if config.on_call == schedule.name]
        if not lanes or not all(map(call.token.covers, lanes)):
            require_unlimited(call.token, "change who is on call there")
        given = Person(int(body.user_id), body.user.strip() or body.user_id)
        request = OverrideRequest(
            guild_id=call.guild.id,
            actor=call.actor,
            schedule=schedule.name,
            person=next((each for each in schedule.people if each == given), given),
            since=body.since or self._now(),
            until=body.until,
            reason=body.reason,
        )
        return formatting.override(await self._engine.on_call.override(request))

    # ---- silences ------------------------------------------------------------------------------------------

    async def silences(self, call: ApiCall) -> BaseModel:
        found = await self._engine.silences.standing(call.guild.id)
        shown = [each for each in found if not call.token.limited or call.token.covers(_lane_of(each))]
        now = self._now()
        return models.SilencesInfo(now=now, silences=[formatting.silence(each, now) for each in shown])

    async def silence(self, call: ApiCall) -> BaseModel:
        body: models.SilenceBody = call.request.body
        _require_silence(call.token, Lane(body.service, body.environment))
        request = SilenceRequest(
            guild_id=call.guild.id,
            actor=call.actor,
            since=body.since or self._now(),
            until=body.until,
            reason=body.reason,
            service=body.service.strip(),
            environment=body.environment.strip(),
            labels=body.labels,
        )
        return formatting.silence(await self._engine.silences.add(request), self._now())

    async def end_silence(self, call: ApiCall) -> BaseModel:
        path: models.SilencePath = call.request.path
        body: models.SilenceEndBody = call.request.body
        found = await self._engine.silences.find(call.guild.id, path.silence)
        _require_silence(call.token, _lane_of(found))
        done = await self._engine.silences.end(call.guild.id, call.actor, path.silence, body.reason)
        return formatting.silence(done, self._now())

    # ---- shared --------------------------------------------------------------------------------------------

    def _deploy_request(self, call: ApiCall, *, dry_run: bool) -> DeployRequest:
        body: models.DeployBody = call.request.body
        require_lane(call.token, Lane(body.service, body.environment))
        return DeployRequest(
            guild_id=call.guild.id,
            actor=call.actor,
            service=body.service,
            version=body.version,
            environment=body.environment,
            reason=body.reason,
            interaction="" if dry_run else call.interaction,
            dry_run=dry_run,
        )

    def _lane(self, call: ApiCall) -> Lane:
        path: models.LanePath = call.request.path
        require_lane(call.token, Lane(path.service, path.environment))
        return self._catalog().lane(call.guild.id, path.service, path.environment).lane

    async def _rollout(self, call: ApiCall) -> Rollout:
        path: models.RolloutPath = call.request.path
        found = await self._engine.rollout(path.rollout, call.guild.id)
        require_lane(call.token, found.lane)
        return found

    async def _spend_unless_on_call(self, call: ApiCall) -> None:
        if call.guild.oncall_role not in call.actor.roles:
            await self._access.spend(call.token, "api_change")


def _over(found: Rollout, mark: str | None) -> bool:
    changed = mark is not None and formatting.mark(found) != mark
    return changed or found.phase.final or found.phase in _ENDS


def _lane_of(silence: Silence) -> Lane:
    return Lane(silence.service, silence.environment)


def _require_silence(token: ApiToken, lane: Lane) -> None:
    """A token for some lanes silences one of them at a time."""
    if lane.service and lane.environment:
        require_lane(token, lane)
    else:
        require_unlimited(token, "silence more than one lane")
