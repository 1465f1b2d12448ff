"""Requests about incidents, and what cards and post-mortems are made from."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from bot.domain import phrasebook
from bot.domain.records import RolloutSummary
from bot.domain.rollout.model import Actor, Lane
from bot.domain.watch.alerts.alert import Alert, Owner
from bot.domain.watch.alerts.findings import Severity
from bot.domain.watch.incidents.incident import Incident, IncidentAction, ResponseTime
from bot.domain.watch.incidents.timeline import TimelineLine


@dataclass(frozen=True, slots=True)
class IncidentOpening:
    """`/incident open`. alert_id: what it is about; title, severity and lane are then the alert's.

    interaction: what a repeated request is known by; empty for one that is never repeated. unless_over: not for an
    alert that is over and has none.
    """

    guild_id: int
    actor: Actor
    title: str = ""
    severity: Severity = Severity.HIGH
    lane: Lane | None = None
    alert_id: int = 0
    interaction: str = ""
    unless_over: bool = False


@dataclass(frozen=True, slots=True)
class IncidentRequest:
    """An action on an incident. text and person: as of `IncidentActed`; interaction: as of `IncidentOpening`.

    unless_taken: not once someone else has it.
    """

    incident_id: int
    action: IncidentAction
    actor: Actor
    guild_id: int
    text: str = ""
    person: Owner | None = None
    interaction: str = ""
    unless_taken: bool = False

    @property
    def key(self) -> str:
        """What its line in the timeline is known by; empty when it is never repeated."""
        return key_of(f"{self.interaction}:{self.action}") if self.interaction else ""


@dataclass(frozen=True, slots=True)
class IncidentView:
    """All that a card or a post-mortem shows. lines: oldest first. deploys: of its lane around it, oldest first.

    postmortem_due: until when its post-mortem is to be there; None where none is wanted, or it is there.
    """

    incident: Incident
    lines: Sequence[TimelineLine]
    times: Sequence[ResponseTime]
    alerts: Sequence[Alert] = ()
    deploys: Sequence[RolloutSummary] = field(default=())
    postmortem_due: datetime | None = None


def key_of(interaction: str) -> str:
    """A name for a request that fits into any column."""
    return f"request-{hashlib.sha256(interaction.encode(errors='replace')).hexdigest()[:32]}"


def said_when_opened(incident: Incident) -> str:
    """What a person is answered who opened it; an alert may have had one that is over."""
    return (phrasebook.incident_closed if incident.over else phrasebook.incident_opened)(incident.id)


def said_when_done(incident: Incident, action: IncidentAction) -> str:
    """What a person is answered when their action was done."""
    match action:
        case IncidentAction.ACKNOWLEDGE:
            return phrasebook.incident_taken(incident.id)
        case IncidentAction.ASSIGN:
            return phrasebook.incident_given(incident.id, incident.owner.name if incident.owner else "")
        case IncidentAction.NOTE:
            return phrasebook.incident_noted(incident.id)
        case IncidentAction.RESTORE:
            return phrasebook.incident_restored(incident.id)
        case IncidentAction.CLOSE:
            return phrasebook.incident_closed(incident.id)
        case IncidentAction.DOCUMENT:
            return phrasebook.incident_documented(incident.id)
