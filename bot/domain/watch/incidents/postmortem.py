"""The draft of a post-mortem as Markdown: what is known of an incident, and headings for what only people know.

Texts of others are on one line, and escaped: they make no headings, links, mentions or HTML.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from bot.domain.formatting import duration, one_line, with_times
from bot.domain.records import RolloutSummary
from bot.domain.watch.alerts.alert import LEFT_OUT, Alert, alert_line
from bot.domain.watch.incidents.actions import response_sentence
from bot.domain.watch.incidents.incident import Incident, ResponseTime
from bot.domain.watch.incidents.timeline import TimelineLine

_MARKS = re.compile(r"([\\`*_{}\[\]<>#|~!&])")
# Left for people, each with what belongs there.
_OPEN = (
    ("Impact", "Who was affected, how, and for how long."),
    ("Cause", "What led to it, beyond the change that began it."),
    ("What went well, and what did not", "How it was found, and how it was ended."),
    ("Actions", "What keeps it from happening again: who does it, by when."),
)


@dataclass(frozen=True, slots=True)
class PostmortemFacts:
    """What Slipway knows of an incident. charts: names of the files beside the document."""

    incident: Incident
    lines: Sequence[TimelineLine]
    times: Sequence[ResponseTime]
    alerts: Sequence[Alert] = ()
    deploys: Sequence[RolloutSummary] = ()
    charts: Sequence[str] = ()


def postmortem(facts: PostmortemFacts) -> str:
    """The whole document, with times in UTC."""
    return "\n".join(_parts(facts)).rstrip() + "\n"


def _parts(facts: PostmortemFacts) -> Iterator[str]:
    incident = facts.incident
    yield f"# Post-mortem: {_safe(incident.title, 200)}"
    yield ""
    yield from _summary(incident)
    yield "\n## Times against targets\n"
    yield from (f"- {response_sentence(time)}" for time in facts.times)
    yield "\n## Alerts\n"
    yield from ([_alert(each) for each in facts.alerts] or ["None."])
    yield "\n## Deployed\n"
    yield from (
        [_deploy(each) for each in facts.deploys] or ["Nothing, from an hour before it until its end."]
    )
    yield from (f"\n![Evidence]({name})" for name in facts.charts)
    yield "\n## Timeline\n"
    yield from ("| UTC | What | By |", "|---|---|---|")
    yield from map(_line, facts.lines)
    for heading, hint in _OPEN:
        yield f"\n## {heading}\n\n<!-- {hint} -->"


def _summary(incident: Incident) -> Iterator[str]:
    lane = _safe(str(incident.lane), 120) if incident.lane is not None else "no service of Slipway"
    owner = _safe(incident.owner.name) if incident.owner is not None else "no one"
    yield f"- Incident {incident.id}, {incident.severity.value}, of {lane}"
    yield f"- Began {_at(incident.since)}, became an incident {_at(incident.opened_at)}"
    if incident.closed_at is not None:
        lasted = duration(max(0, round((incident.closed_at - incident.since).total_seconds())))
        yield f"- Closed {_at(incident.closed_at)} by {_safe(incident.closed_by)}, after {lasted}"
    else:
        yield "- Not closed yet"
    yield f"- Owner: {owner}"


def _alert(alert: Alert) -> str:
    until = f"until {_at(alert.ended_at)}" if alert.ended_at is not None else "still open"
    title = _safe(alert_line(alert), 300)
    return f"- Alert {alert.id}, {alert.severity.value}, from {_at(alert.opened_at)} {until}: {title}"


def _deploy(each: RolloutSummary) -> str:
    before = _safe(each.from_version or "nothing", 80)
    ended = f", ended {_at(each.ended_at)}" if each.ended_at is not None else ""
    said = f"- Rollout {each.id} {_at(each.created_at)}{ended}: {before} → {_safe(each.to_version, 80)}"
    phase = each.phase.replace("_", " ")
    outcome = f" {_safe(each.outcome, 300)}" if each.outcome else ""
    return f"{said} by {_safe(each.requester)}, {phase}.{outcome}"


def _line(line: TimelineLine) -> str:
    what = line.what.replace("_", " ")
    said = _safe(line.text, 500)
    if line.what == LEFT_OUT:
        of = f"Alert {line.alert_id}: " if line.alert_id else ""
        return f"| {_at(line.at)} | {of}{said} | Slipway |"
    subject = f"Alert {line.alert_id} {what}" if line.source == "alert" else what.capitalize()
    by = _safe(line.by) if line.by else "Slipway"
    return f"| {_at(line.at)} | {_safe(subject, 80)}{f': {said}' if said else ''} | {by} |"


def _at(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def _safe(text: str, longest: int = 100) -> str:
    line = with_times(one_line(text, longest), _at)
    # A mention in an issue or a wiki would call people.
    return _MARKS.sub(r"\\\1", line).replace("@", "@\u200b")
