"""What incidents say: their times against targets, what is asked of people, and refusals."""

from __future__ import annotations

from datetime import datetime

from bot.domain.errors import Refused, UserError
from bot.domain.formatting import stamp
from bot.domain.phrasebook.values import because, code, name, unquoted


def acknowledged_after(took: str, target: str) -> str:
    return f"Acknowledged after {name(took)} (target: {name(target)})."


def acknowledged_late(took: str, target: str) -> str:
    return f"Acknowledged after {name(took)}: later than the target of {name(target)}."


def acknowledge_by(took: str, target: str) -> str:
    return f"Not acknowledged yet, after {name(took)} (target: {name(target)})."


def acknowledge_overdue(took: str, target: str) -> str:
    return f"Not acknowledged yet, after {name(took)}: the target was {name(target)}."


def never_acknowledged(target: str) -> str:
    return f"No one acknowledged it; the target was {name(target)}."


def restored_after(took: str, target: str) -> str:
    return f"Restored after {name(took)} (target: {name(target)})."


def restored_late(took: str, target: str) -> str:
    return f"Restored after {name(took)}: later than the target of {name(target)}."


def restore_by(took: str, target: str) -> str:
    return f"Not restored yet, after {name(took)} (target: {name(target)})."


def restore_overdue(took: str, target: str) -> str:
    return f"Not restored yet, after {name(took)}: the target was {name(target)}."


CLOSE_LIFTS = (
    "The release stays quarantined until this issue is closed, or the quarantine is lifted with a reason."
)


def would_open_issue(repository: str) -> str:
    return f"Slipway would open an issue labelled `regression` in {name(repository)} now, but that sink is not enabled."


def issue_opened(issue: str, url: str) -> str:
    address = unquoted(url, 200)
    return f"The regression is issue {name(issue)}{f', {address}' if address else ''}."


def issue_closed(issue: str, owner: str) -> str:
    """owner: of the lock that stays; empty where none does."""
    stays = f" The lock of {name(owner)} stays." if owner else ""
    return f"Issue {name(issue)} was closed, so the quarantine is over.{stays}"


def from_alert(alert_id: int) -> str:
    return f"Alert {alert_id} became an incident."


def incident_room(title: str, since: datetime) -> str:
    return f"{name(title)}. It began {stamp(since)}. Mark a message with 📌 to put it into the timeline."


NO_INCIDENT_OPEN = "No incident is open."
NO_INCIDENT_EVER = "There has been no incident."


def incident_opened(incident_id: int) -> str:
    return f"Incident {incident_id} is open: its card and its thread are in #incidents."


def incident_taken(incident_id: int) -> str:
    return f"You have incident {incident_id} now."


def incident_given(incident_id: int, who: str) -> str:
    return f"{name(who)} has incident {incident_id} now."


def incident_noted(incident_id: int) -> str:
    return f"Noted in the timeline of incident {incident_id}."


def incident_restored(incident_id: int) -> str:
    return f"Incident {incident_id} is restored. Close it when nothing is left to do."


def incident_closed(incident_id: int) -> str:
    return f"Incident {incident_id} is closed."


def incident_documented(incident_id: int) -> str:
    return f"Incident {incident_id} has its post-mortem."


def has_incident(who: str) -> str:
    return f"{name(who)} has the incident now."


def alert_joined(alert_id: int, line: str) -> str:
    return f"Alert {alert_id} joined the incident{because(line)}."


def notice_joined(alert_id: int, line: str) -> str:
    return f"Alert {alert_id} joined the incident{because(line)}. It is only a notice, so the incident stays restored."


def alerts_over() -> str:
    return "All of its alerts are over."


def notices_left() -> str:
    return "Of its alerts, only notices are open."


def trouble_back() -> str:
    return "One of its alerts is open again, so it is no longer restored."


def close_incident(incident_id: int) -> str:
    return f"All alerts of incident {incident_id} are over. Close it if users are well."


def close_with_notices(incident_id: int) -> str:
    return f"Of the alerts of incident {incident_id}, only notices are open. Close it if users are well."


def postmortem_wanted(incident_id: int, title: str) -> str:
    return (
        f"Incident {incident_id} has no post-mortem yet: {name(title)}. `/incident postmortem` gives a draft; name the "
        "finished one in its option `link`."
    )


def postmortem_asked(after: str) -> str:
    return f"There was no post-mortem {name(after)} after it was closed."


def incident_is_over(incident_id: int) -> Refused:
    return Refused(
        f"Incident {incident_id} is closed.",
        rule="over",
        remedy="Notes and the post-mortem can still be added. For new trouble: `/incident open`.",
    )


def incident_restored_already(incident_id: int, at: datetime) -> Refused:
    return Refused(
        f"Incident {incident_id} was restored {stamp(at)}.",
        rule="over",
        remedy="Close it when nothing is left to do.",
    )


def incident_taken_by(incident_id: int, who: str) -> Refused:
    return Refused(
        f"{name(who)} has incident {incident_id} already.",
        rule="taken",
        remedy="`/incident assign` gives it to you.",
    )


def no_incident(incident_id: int) -> UserError:
    return UserError(
        f"There is no incident {incident_id} here.",
        rule="unknown_incident",
        remedy="`/incident list` shows them.",
    )


def no_such_incident(written: str) -> UserError:
    return UserError(
        f"{code(written)} is not an incident number.",
        rule="unknown_incident",
        remedy="`/incident list` shows them.",
    )


def which_incident(many: int) -> UserError:
    some = NO_INCIDENT_OPEN if not many else f"Several incidents are open: {many}."
    return UserError(some, rule="unknown_incident", remedy="Name one in the option `incident`.")


def not_your_incident(action: str, roles: str) -> Refused:
    some = f"one of the roles {unquoted(roles, 200) or '-'}"
    return Refused(
        f"To {name(action)} an incident you need {some}, or to have it yourself.",
        rule="role",
        remedy="Take it first, or ask the person on call.",
    )
