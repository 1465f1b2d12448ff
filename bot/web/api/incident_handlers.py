"""Handlers of the operations on incidents: what `/incident` does, for the owner of the token."""

from __future__ import annotations

from collections.abc import Callable

from pydantic import BaseModel

from bot.domain.config import Catalog
from bot.domain.formatting import clean
from bot.domain.rollout.model import Lane
from bot.domain.tokens import ApiToken
from bot.domain.watch.alerts.alert import Owner
from bot.domain.watch.incidents.actions import LONGEST_TITLE
from bot.domain.watch.incidents.incident import IncidentAction
from bot.engine.watch.incidents.api import (
    IncidentOpening,
    IncidentRequest,
    IncidentView,
    said_when_done,
    said_when_opened,
)
from bot.engine.watch.incidents.service import Incidents
from bot.web.api import incidents
from bot.web.api.access import require_lane, require_unlimited
from bot.web.api.calls import ApiCall, same_request
from bot.web.api.formatting import plain
from bot.web.api.incidents import IncidentActBody

_TAKING = frozenset({IncidentAction.ACKNOWLEDGE, IncidentAction.ASSIGN})


class IncidentHandlers:
    """All raise `Problem`, `UserError` or `Unreachable`."""

    def __init__(self, incidents: Incidents, catalog: Callable[[], Catalog]) -> None:
        self._incidents = incidents
        self._catalog = catalog

    # ---- reading ----

    async def incidents(self, call: ApiCall) -> BaseModel:
        query: incidents.IncidentQuery = call.request.query
        found = await self._incidents.listed(call.guild.id, closed=query.closed == "true")
        shown = [each for each in found if _covers(call.token, each.lane)]
        return incidents.IncidentsInfo(incidents=[incidents.incident(each) for each in shown])

    async def incident(self, call: ApiCall) -> BaseModel:
        return incidents.incident_view(await self._incident(call))

    async def postmortem(self, call: ApiCall) -> BaseModel:
        found = await self._incident(call)
        text = await self._incidents.postmortem(found.incident.id, call.guild.id)
        return incidents.PostmortemInfo(markdown=text)

    # ---- changes ----

    async def open_incident(self, call: ApiCall) -> BaseModel:
        body: incidents.IncidentOpenBody = call.request.body
        given = Lane(body.service or "", body.environment or "")
        request = IncidentOpening(
            guild_id=call.guild.id,
            actor=call.actor,
            title=body.title,
            severity=body.severity,
            lane=given if body.service or body.environment else None,
            alert_id=body.alert or 0,
            interaction=call.interaction,
        )
        _require(call.token, await self._incidents.about(request), "open what concerns no service")
        opened = await self._incidents.open(request)
        if not request.alert_id:
            same = (opened.title, opened.lane) == (clean(body.title, LONGEST_TITLE), request.lane)
            same_request(call, same, "incident")
        said = plain(said_when_opened(opened))
        return incidents.IncidentActInfo(sentence=said, incident=incidents.incident(opened))

    async def act_on_incident(self, call: ApiCall) -> BaseModel:
        body: incidents.IncidentActBody = call.request.body
        found = (await self._incident(call)).incident
        request = IncidentRequest(
            incident_id=found.id,
            action=body.action,
            actor=call.actor,
            guild_id=call.guild.id,
            text=body.text,
            person=self._person(call, body),
            interaction=call.interaction and f"{call.interaction}:{found.id}",
        )
        done = await self._incidents.act(request)
        said = plain(said_when_done(done, body.action))
        return incidents.IncidentActInfo(sentence=said, incident=incidents.incident(done))

    # ---- shared ----

    async def _incident(self, call: ApiCall) -> IncidentView:
        path: incidents.IncidentPath = call.request.path
        found = await self._incidents.view(path.incident, call.guild.id)
        _require(call.token, found.incident.lane, "see what concerns no service")
        return found

    def _person(self, call: ApiCall, body: IncidentActBody) -> Owner | None:
        """Who is to have the incident. The token's owner goes by their own name, without that of the token."""
        if body.action not in _TAKING:
            return None
        user_id = int(body.user_id or 0) if body.action is IncidentAction.ASSIGN else 0
        if user_id in (0, call.token.owner_id):
            return Owner(call.token.owner_id, call.token.owner)
        schedules = self._catalog().schedules(call.guild.id).values()
        known = {person.id: person.name for schedule in schedules for person in schedule.people}
        return Owner(user_id, known.get(user_id) or clean(body.user, 100) or str(user_id))


def _covers(token: ApiToken, lane: Lane | None) -> bool:
    return token.covers(lane) if lane is not None else not token.limited


def _require(token: ApiToken, lane: Lane | None, action: str) -> None:
    if lane is None:
        require_unlimited(token, action)
    else:
        require_lane(token, lane)
