"""What people do to incidents, what their alerts say, and what time makes of them. Nothing reads a clock."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.domain import phrasebook
from bot.domain.formatting import clean, duration
from bot.domain.rollout.model import Actor, Lane
from bot.domain.watch.alerts.alert import Alert, Owner, alert_line
from bot.domain.watch.alerts.findings import Severity
from bot.domain.watch.incidents.incident import (
    MOST_LINKED,
    Incident,
    IncidentAction,
    IncidentCall,
    IncidentChange,
    IncidentEntry,
    ResponseTime,
    response_times,
)
from bot.domain.watch.incidents.targets import IncidentPolicy

LONGEST_TITLE = 200
# Also after it was closed: what was learned later belongs to it.
_AFTERWARDS = frozenset({IncidentAction.NOTE, IncidentAction.DOCUMENT})


@dataclass(frozen=True, slots=True)
class IncidentActed:
    """An action of a person. text: a note, a reason, or where the post-mortem is.

    person: who is to have it. To acknowledge, the actor by another name; None: by their own.
    """

    action: IncidentAction
    actor: Actor
    at: datetime
    text: str = ""
    person: Owner | None = None


def begun(
    incident_id: int,
    guild_id: int,
    lane: Lane | None,
    title: str,
    severity: Severity,
    *,
    by: Actor,
    at: datetime,
    production: bool = False,
    origin: str = "",
) -> IncidentChange:
    """An incident that a person opens. origin: the request, if it may be repeated.

    Raises `UserError` without a title.
    """
    title = clean(title, LONGEST_TITLE)
    if not title:
        raise phrasebook.reason_required("Say what is wrong, in a few words.")
    incident = Incident(
        incident_id,
        guild_id,
        lane,
        title,
        severity,
        at,
        at,
        opened_by=by.name,
        origin=origin,
        production=production,
    )
    return IncidentChange(incident, (IncidentEntry(at, "opened", title, by.name),))


def begun_by_alert(
    incident_id: int,
    guild_id: int,
    alert: Alert,
    at: datetime,
    *,
    production: bool = False,
    by: str = "",
    room: str = "",
) -> IncidentChange:
    """An incident that an alert becomes: its times count from the alert's beginning."""
    title = clean(alert.first.finding.title, LONGEST_TITLE)
    rollouts = (alert.suspect.rollout_id,) if alert.suspect is not None else ()
    incident = Incident(
        incident_id,
        guild_id,
        alert.lane,
        title or "-",
        alert.severity,
        min(alert.opened_at, at),
        at,
        opened_by=by,
        origin=f"alert-{alert.id}",
        production=production,
        alerts=(alert.id,),
        rollouts=rollouts,
        room=room,
        owner=alert.owner,
        acknowledged_at=alert.had_since if alert.owner is not None else None,
    )
    return IncidentChange(incident, (IncidentEntry(at, "opened", phrasebook.from_alert(alert.id), by),))


def act_on(incident: Incident, acted: IncidentActed, policy: IncidentPolicy) -> IncidentChange:
    """The incident after a person's action. Raises `UserError` with the sentence for them."""
    if incident.over and acted.action not in _AFTERWARDS:
        raise phrasebook.incident_is_over(incident.id)
    change = _ACTS[acted.action](incident, replace(acted, text=clean(acted.text)), policy)
    return _next(incident, change)


def _acknowledge(incident: Incident, acted: IncidentActed, policy: IncidentPolicy) -> IncidentChange:
    return _taken(incident, acted.person or Owner(acted.actor.id, acted.actor.name), acted.at, policy)


def _taken(incident: Incident, owner: Owner, at: datetime, policy: IncidentPolicy) -> IncidentChange:
    first = incident.acknowledged_at is None
    taken = replace(incident, owner=owner, acknowledged_at=incident.acknowledged_at or at)
    said = said_of(taken, policy, at, "acknowledge") if first else ""
    return IncidentChange(taken, (IncidentEntry(at, "acknowledged", said, owner.name),))


def _assign(incident: Incident, acted: IncidentActed, policy: IncidentPolicy) -> IncidentChange:
    person = acted.person
    if person is None or person.id == acted.actor.id:
        return _acknowledge(incident, acted, policy)
    entry = IncidentEntry(acted.at, "assigned", phrasebook.has_incident(person.name), acted.actor.name)
    return IncidentChange(replace(incident, owner=person), (entry,))


def _note(incident: Incident, acted: IncidentActed, policy: IncidentPolicy) -> IncidentChange:
    if not acted.text:
        raise phrasebook.reason_required("Say what is to be noted.")
    return IncidentChange(incident, (IncidentEntry(acted.at, "note", acted.text, acted.actor.name),))


def _restore(incident: Incident, acted: IncidentActed, policy: IncidentPolicy) -> IncidentChange:
    if incident.restored_at is not None:
        raise phrasebook.incident_restored_already(incident.id, incident.restored_at)
    well = replace(incident, restored_at=acted.at)
    said = said_of(well, policy, acted.at, "restore")
    return IncidentChange(well, (IncidentEntry(acted.at, "restored", said, acted.actor.name),))


def _close(incident: Incident, acted: IncidentActed, policy: IncidentPolicy) -> IncidentChange:
    at, by = acted.at, acted.actor.name
    entries: tuple[IncidentEntry, ...] = ()
    if incident.restored_at is None:
        incident = replace(incident, restored_at=at)
        entries = (IncidentEntry(at, "restored", said_of(incident, policy, at, "restore"), by),)
    closed = replace(incident, closed_at=at, closed_by=by)
    return IncidentChange(closed, (*entries, IncidentEntry(at, "closed", acted.text, by)))


def _document(incident: Incident, acted: IncidentActed, policy: IncidentPolicy) -> IncidentChange:
    if not acted.text:
        raise phrasebook.reason_required("Say where the post-mortem is.")
    entry = IncidentEntry(acted.at, "postmortem", acted.text, acted.actor.name)
    return IncidentChange(replace(incident, postmortem=acted.text), (entry,))


_Acting = Callable[[Incident, IncidentActed, IncidentPolicy], IncidentChange]
_ACTS: dict[IncidentAction, _Acting] = {
    IncidentAction.ACKNOWLEDGE: _acknowledge,
    IncidentAction.ASSIGN: _assign,
    IncidentAction.NOTE: _note,
    IncidentAction.RESTORE: _restore,
    IncidentAction.CLOSE: _close,
    IncidentAction.DOCUMENT: _document,
}


def allowed_on(incident: Incident) -> tuple[IncidentAction, ...]:
    """What its buttons offer now."""
    if incident.over:
        return ()
    offered = [IncidentAction.ACKNOWLEDGE] if incident.owner is None or not incident.acknowledged_at else []
    if incident.restored_at is None:
        offered.append(IncidentAction.RESTORE)
    return (*offered, IncidentAction.CLOSE)


# ---- messages ----------------------------------------------------------------------------------------------


def marked(incident: Incident, *, at: datetime, text: str, by: str, key: str) -> IncidentChange:
    """The incident with a message of its thread that a person marked. key: the message, which is recorded once."""
    entry = IncidentEntry(at, "marked", clean(text, 500), clean(by, 100), key)
    return _next(incident, IncidentChange(incident, (entry,)))


def told(incident: Incident, at: datetime, text: str) -> IncidentChange:
    """The incident with a line about the issue of its regression."""
    return _next(incident, IncidentChange(incident, (IncidentEntry(at, "regression", text),)))


# ---- alerts and time ---------------------------------------------------------------------------------------


def follow(
    incident: Incident, alerts: Iterable[Alert], at: datetime, policy: IncidentPolicy
) -> IncidentChange | None:
    """The incident after what its alerts say; None when that changes nothing.

    alerts: those that are open in its lane, and those that belong to it. New ones of its lane join it. Who takes
    one has the incident, and when the last that holds it open is over, people are asked to close it. Another one after
    that opens it again.
    """
    if incident.over:
        return None
    known = sorted(alerts, key=lambda alert: alert.id)
    change = _joined(incident, known, at)
    mine = [alert for alert in known if alert.id in change.incident.alerts]
    change = _owned(change, mine, policy)
    change = _well(change, mine, at, policy)
    if change.incident == incident:
        return None
    return _next(incident, change)


def holds_open(incident: Incident, alert: Alert) -> bool:
    """Whether the incident is not restored while the alert is open.

    What is low blocks no users, so it does not keep an incident open that is about worse.
    """
    return alert.severity is not Severity.LOW or incident.severity is Severity.LOW


def _joined(incident: Incident, alerts: Sequence[Alert], at: datetime) -> IncidentChange:
    change = IncidentChange(incident)
    for alert in alerts:
        known = change.incident.alerts
        mine = incident.lane is not None and alert.lane == incident.lane
        if alert.over or not mine or alert.id in known or len(known) >= MOST_LINKED:
            continue
        worse = min(change.incident.severity, alert.severity, key=lambda each: each.rank)
        suspects = (alert.suspect.rollout_id,) if alert.suspect is not None else ()
        rollouts = tuple(dict.fromkeys((*change.incident.rollouts, *suspects)))[:MOST_LINKED]
        joined = replace(change.incident, alerts=(*known, alert.id), severity=worse, rollouts=rollouts)
        notice = incident.restored_at is not None and not holds_open(joined, alert)
        say = phrasebook.notice_joined if notice else phrasebook.alert_joined
        entry = IncidentEntry(at, "alert", say(alert.id, alert_line(alert)))
        change = IncidentChange(joined, (*change.entries, entry))
    return change


def _owned(change: IncidentChange, alerts: Sequence[Alert], policy: IncidentPolicy) -> IncidentChange:
    incident = change.incident
    taken = [(alert.had_since, alert.owner) for alert in alerts if alert.owner and alert.had_since]
    if incident.acknowledged_at is not None or not taken:
        return change
    at, owner = min(taken, key=lambda each: each[0])
    # Who had an alert before the trouble became this incident had it from its beginning.
    found = _taken(incident, incident.owner or owner, max(incident.since, at), policy)
    return IncidentChange(found.incident, (*change.entries, *found.entries))


def _well(
    change: IncidentChange, alerts: Sequence[Alert], at: datetime, policy: IncidentPolicy
) -> IncidentChange:
    incident = change.incident
    notices = [alert for alert in alerts if not alert.over and not holds_open(incident, alert)]
    alerts = [alert for alert in alerts if holds_open(incident, alert)]
    if not alerts:
        return change
    if any(not alert.over for alert in alerts):
        if incident.calm_at is None:
            return change
        back = replace(incident, calm_at=None, restored_at=None)
        return IncidentChange(
            back, (*change.entries, IncidentEntry(at, "returned", phrasebook.trouble_back()))
        )
    if incident.calm_at is not None:
        return change
    ended = max((alert.ended_at for alert in alerts if alert.ended_at is not None), default=at)
    entries = change.entries
    well = incident
    if incident.restored_at is None:
        well = replace(incident, restored_at=max(incident.since, ended))
        entries = (*entries, IncidentEntry(ended, "restored", said_of(well, policy, at, "restore")))
    text = (phrasebook.close_with_notices if notices else phrasebook.close_incident)(incident.id)
    entry = IncidentEntry(at, "calm", (phrasebook.notices_left if notices else phrasebook.alerts_over)())
    return IncidentChange(replace(well, calm_at=at), (*entries, entry), IncidentCall(text))


def incident_due_at(incident: Incident, policy: IncidentPolicy) -> datetime | None:
    """When time changes it next: when its owner is asked for the post-mortem."""
    return postmortem_due(incident, policy) if incident.asked_at is None else None


def postmortem_due(incident: Incident, policy: IncidentPolicy) -> datetime | None:
    """Until when its post-mortem is to be there; None where none is wanted, or it is there."""
    if incident.closed_at is None or not incident.production or incident.postmortem:
        return None
    return incident.closed_at + timedelta(seconds=policy.postmortem_s)


def ask_in_time(incident: Incident, at: datetime, policy: IncidentPolicy) -> IncidentChange | None:
    """The incident once its owner was asked for the post-mortem; None while that is not due."""
    due = incident_due_at(incident, policy)
    if due is None or due > at:
        return None
    text = phrasebook.postmortem_wanted(incident.id, incident.title)
    entry = IncidentEntry(at, "asked", phrasebook.postmortem_asked(duration(policy.postmortem_s)))
    return _next(incident, IncidentChange(replace(incident, asked_at=at), (entry,), IncidentCall(text)))


def later(incident: Incident) -> IncidentChange:
    """The same incident, to be looked at when its policy says now."""
    return _next(incident, IncidentChange(incident))


def said_of(incident: Incident, policy: IncidentPolicy, now: datetime, what: str) -> str:
    """A time against its target, as a sentence."""
    (time,) = [each for each in response_times(incident, policy, now) if each.what == what]
    return response_sentence(time)


def response_sentence(time: ResponseTime) -> str:
    """The time against its target in words."""
    took, target = duration(round(time.took_s)), duration(time.target_s)
    if time.never:
        return phrasebook.never_acknowledged(target)
    return _SAYS[time.what, time.done, time.late](took, target)


# By what is measured, whether it is done, and whether it is late.
_SAYS: dict[tuple[str, bool, bool], Callable[[str, str], str]] = {
    ("acknowledge", True, False): phrasebook.acknowledged_after,
    ("acknowledge", True, True): phrasebook.acknowledged_late,
    ("acknowledge", False, False): phrasebook.acknowledge_by,
    ("acknowledge", False, True): phrasebook.acknowledge_overdue,
    ("restore", True, False): phrasebook.restored_after,
    ("restore", True, True): phrasebook.restored_late,
    ("restore", False, False): phrasebook.restore_by,
    ("restore", False, True): phrasebook.restore_overdue,
}


def _next(before: Incident, change: IncidentChange) -> IncidentChange:
    return replace(change, incident=replace(change.incident, version=before.version + 1))
