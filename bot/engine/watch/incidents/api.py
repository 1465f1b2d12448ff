"""Requests about incidents, and what cards and post-mortems are made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from bot.domain.records import RolloutSummary
from bot.domain.rollout.model import Actor, Lane
from bot.domain.watch.alerts.alert import Alert, Owner
from bot.domain.watch.alerts.findings import Severity
from bot.domain.watch.incidents.incident import Incident, IncidentAction, ResponseTime
from bot.domain.watch.incidents.timeline import TimelineLine


@dataclass(frozen=True, slots=True)
class IncidentOpening:
    """`/incident open`. alert_id: what it is about; title, severity and lane are then the alert's."""

    guild_id: int
    actor: Actor
    title: str = ""
    severity: Severity = Severity.HIGH
    lane: Lane | None = None
    alert_id: int = 0


@dataclass(frozen=True, slots=True)
class IncidentRequest:
    """An action on an incident. text and person: as of `IncidentActed`."""

    incident_id: int
    action: IncidentAction
    actor: Actor
    guild_id: int
    text: str = ""
    person: Owner | None = None


@dataclass(frozen=True, slots=True)
class IncidentView:
    """All that a card or a post-mortem shows. lines: oldest first. deploys: of its lane around it, oldest first."""

    incident: Incident
    lines: Sequence[TimelineLine]
    times: Sequence[ResponseTime]
    alerts: Sequence[Alert] = ()
    deploys: Sequence[RolloutSummary] = field(default=())
