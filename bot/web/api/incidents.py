"""Incidents as requests and answers of the API, and the domain's as answers."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from bot.domain.watch.alerts.findings import Severity
from bot.domain.watch.incidents.actions import LONGEST_TITLE
from bot.domain.watch.incidents.incident import Incident, IncidentAction
from bot.engine.watch.incidents.api import IncidentView
from bot.web.api.formatting import plain
from bot.web.api.models import BIGGEST, DIGITS, STRICT, WHOLE, Environment, Service


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class IncidentPath(_Asked):
    incident: Annotated[int, Field(ge=1, le=BIGGEST, description="Number of the incident."), DIGITS]


class IncidentQuery(_Asked):
    closed: Annotated[
        Literal["true", "false"], Field(description="The newest 25 of all, instead of all that are open.")
    ] = "false"


class IncidentOpenBody(_Asked):
    """An incident to open: about an alert, which has all the rest, or with a title."""

    title: Annotated[
        str,
        Field(
            max_length=LONGEST_TITLE,
            description="What is wrong, in a few words. Required without `alert`.",
            examples=["Payments fail"],
        ),
    ] = ""
    severity: Annotated[Severity, Field(description="Sets the targets.")] = Severity.HIGH
    service: Annotated[Service | None, Field(description="With `environment`: alerts there join it.")] = None
    environment: Environment | None = None
    alert: Annotated[
        int | None,
        Field(ge=1, le=BIGGEST, description="Number of the alert that it is about."),
        STRICT,
        WHOLE,
    ] = None


class IncidentActBody(_Asked):
    """An action on an incident, as by its command or button."""

    action: Annotated[IncidentAction, Field(examples=["note"])]
    text: Annotated[
        str,
        Field(
            max_length=900,
            description="The note, why it is closed, or where the post-mortem is. Required to `note` and `document`.",
            examples=["The queue is full."],
        ),
    ] = ""
    user_id: Annotated[
        str | None,
        Field(
            pattern=r"^[1-9][0-9]{0,18}$",
            description="To `assign`: Discord id of who is to have it; null: the token's owner.",
            examples=["200000000000000001"],
        ),
    ] = None
    user: Annotated[
        str, Field(max_length=100, description="Their name; for people of on-call schedules it is known.")
    ] = ""


class _Told(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class ResponseInfo(_Told):
    """A time against its target, from the beginning of the trouble."""

    took_s: Annotated[float, Field(description="Seconds; so far, while it is not `done`.")]
    target_s: float
    done: bool
    late: bool


class IncidentBrief(_Told):
    """An incident."""

    id: int
    title: str
    severity: Literal["critical", "high", "medium", "low"]
    state: Literal["open", "acknowledged", "restored", "closed"]
    service: str | None
    environment: str | None
    since: Annotated[datetime, Field(description="When the trouble began.")]
    opened_at: datetime
    acknowledged_at: datetime | None
    restored_at: datetime | None
    closed_at: datetime | None
    owner: str | None
    alerts: Annotated[list[int], Field(description="Numbers of the alerts that belong to it.")]
    postmortem: Annotated[str, Field(description="Where the finished one is.")]


class IncidentsInfo(_Told):
    incidents: list[IncidentBrief]


class IncidentActInfo(_Told):
    """What was done. A repeated request has the sentence of the first, and the incident as it is now."""

    sentence: str
    incident: IncidentBrief


class TimelineInfo(_Told):
    """One line of a timeline. `source`: the incident itself, one of its alerts, or its lane's audit log."""

    at: datetime
    source: Literal["incident", "alert", "lane"]
    what: str
    text: str
    by: Annotated[str, Field(description="Empty for Slipway itself.")]
    alert: int | None


class IncidentInfo(_Told):
    """An incident with its timeline, oldest first."""

    incident: IncidentBrief
    acknowledged: ResponseInfo
    restored: ResponseInfo
    rollouts: Annotated[list[int], Field(description="Of its lane, from an hour before it until its end.")]
    timeline: list[TimelineInfo]


class PostmortemInfo(_Told):
    """The draft of a post-mortem."""

    markdown: str


def incident(found: Incident) -> IncidentBrief:
    return IncidentBrief(
        id=found.id,
        title=plain(found.title),
        severity=found.severity.value,
        state=found.state.value,
        service=found.lane.service if found.lane else None,
        environment=found.lane.environment if found.lane else None,
        since=found.since,
        opened_at=found.opened_at,
        acknowledged_at=found.acknowledged_at,
        restored_at=found.restored_at,
        closed_at=found.closed_at,
        owner=found.owner.name if found.owner else None,
        alerts=list(found.alerts),
        postmortem=found.postmortem,
    )


def incident_view(found: IncidentView) -> IncidentInfo:
    acknowledged, restored = (
        ResponseInfo(took_s=each.took_s, target_s=each.target_s, done=each.done, late=each.late)
        for each in found.times
    )
    timeline = [
        TimelineInfo(
            at=each.at,
            source=each.source,
            what=each.what,
            text=plain(each.text),
            by=each.by,
            alert=each.alert_id or None,
        )
        for each in found.lines
    ]
    return IncidentInfo(
        incident=incident(found.incident),
        acknowledged=acknowledged,
        restored=restored,
        rollouts=[each.id for each in found.deploys],
        timeline=timeline,
    )
