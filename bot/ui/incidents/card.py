"""The card of an incident: what is wrong, who has it, its times against targets, what belongs to it, what happened."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import discord

from bot.domain import phrasebook
from bot.domain.formatting import duration
from bot.domain.watch.alerts.alert import alert_line
from bot.domain.watch.incidents.actions import response_sentence
from bot.domain.watch.incidents.incident import Incident, IncidentState, ResponseTime
from bot.domain.watch.incidents.timeline import TimelineLine
from bot.engine.watch.incidents.api import IncidentView
from bot.ui import escaping
from bot.ui.alerts.card import SHAPE, WORD, spoken, symbol

_STATES: Mapping[IncidentState, str] = {
    IncidentState.OPEN: "open",
    IncidentState.ACKNOWLEDGED: "being worked on",
    IncidentState.RESTORED: "restored",
    IncidentState.CLOSED: "closed",
}
_SAID: Mapping[str, str] = {
    "opened": "opened",
    "acknowledged": "taken",
    "assigned": "assigned",
    "note": "note",
    "marked": "📌",
    "alert": "alert",
    "calm": "well",
    "returned": "back again",
    "restored": "restored",
    "closed": "closed",
    "asked": "asked",
    "postmortem": "post-mortem",
    "regression": "regression",
}
_ALARM, _WELL, _GREY = 0xDA373C, 0x23A55A, 0x80848E
_LISTED, _LINES = 5, 10


def incident_place(incident: Incident) -> str:
    lane = incident.lane
    if lane is None:
        return ""
    return f"{escaping.plain(lane.service, 60)} → {escaping.plain(lane.environment, 40)}"


def incident_headline(incident: Incident) -> str:
    """The line that a locked phone shows."""
    where = incident_place(incident)
    title = escaping.plain(incident.title, 160)
    state = _STATES[incident.state]
    return f"{_shape(incident)} **{f'{where}: ' if where else ''}{title}** · incident {incident.id} · {state}"


def incident_embed(view: IncidentView, thread_id: int | None) -> discord.Embed:
    """The card. thread_id: of the thread where people talk about it, if that is not under the card."""
    incident = view.incident
    title = " · ".join(
        part for part in (f"{_shape(incident)} {_word(incident)}", incident_place(incident)) if part
    )
    made = discord.Embed(
        title=escaping.cut(title, escaping.EMBED_TITLE),
        description=_description(incident, thread_id),
        colour=_GREY if incident.over else _WELL if incident.restored_at else _ALARM,
    )
    made.add_field(name="Who has it", value=_owner(incident), inline=False)
    made.add_field(name="Times", value="\n".join(map(_time, view.times)), inline=False)
    if view.alerts:
        made.add_field(name="Alerts", value=_alerts(view), inline=False)
    if view.deploys:
        made.add_field(name="Deployed around it", value=_deploys(view), inline=False)
    made.add_field(name="What happened", value=_timeline(view.lines), inline=False)
    made.set_footer(text=f"Incident {incident.id}")
    return made


def incident_line(incident: Incident) -> str:
    """One of a list."""
    owner = f"{escaping.plain(incident.owner.name, 60)} has it" if incident.owner else "no one has it yet"
    if incident.over and incident.closed_at is not None:
        owner = f"closed {escaping.relative(incident.closed_at)}"
    return f"{incident_headline(incident)}\n-# Since {escaping.relative(incident.since)} · {owner}"


def _shape(incident: Incident) -> str:
    return "✅" if incident.over else "🟢" if incident.restored_at is not None else SHAPE[incident.severity]


def _word(incident: Incident) -> str:
    word = f"{WORD[incident.severity]} incident"
    return f"{word}, {_STATES[incident.state]}"


def _description(incident: Incident, thread_id: int | None) -> str:
    lines = [
        f"**{escaping.plain(incident.title, 220)}**",
        f"Since {escaping.moment(incident.since)} ({escaping.relative(incident.since)})",
    ]
    if incident.over and incident.closed_at is not None:
        lasted = duration(max(0, round((incident.closed_at - incident.since).total_seconds())))
        by = escaping.plain(incident.closed_by, 60)
        lines[1] = f"Since {escaping.moment(incident.since)}, for {lasted}. Closed by {by}."
    if incident.calm_at is not None and not incident.over:
        lines.append(f"**{phrasebook.alerts_over()}** Close it if users are well.")
    if thread_id is not None:
        lines.append(
            f"Talk about it in <#{thread_id}>. A message marked with 📌 there becomes a line of the timeline."
        )
    else:
        lines.append("-# A message marked with 📌 in the thread becomes a line of the timeline.")
    if incident.postmortem:
        lines.append(f"Post-mortem: {escaping.plain(incident.postmortem, 500)}")
    return escaping.cut("\n".join(lines), 2000)


def _owner(incident: Incident) -> str:
    owner = incident.owner
    if owner is None:
        return "No one had it." if incident.over else "**No one yet.** Press Take it."
    if incident.over:
        return f"{escaping.plain(owner.name, 60)} had it."
    mention = f"<@{owner.id}>" if owner.id else escaping.plain(owner.name, 60)
    if incident.acknowledged_at is None:
        return f"{mention}, who has not taken it yet"
    return f"{mention}, taken {escaping.relative(incident.acknowledged_at)}"


def _time(time: ResponseTime) -> str:
    shape = "❌" if time.late else "✅" if time.done else "⏳"
    return f"{shape} {escaping.sentence(response_sentence(time), 200)}"


def _alerts(view: IncidentView) -> str:
    shown = view.alerts[-_LISTED:]
    lines = [f"{symbol(each)} {each.id}: {escaping.plain(alert_line(each), 140)}" for each in shown]
    more = len(view.alerts) - len(shown)
    return escaping.cut("\n".join([*lines, *([f"-# and {more} more"] if more else [])]), 1000)


def _deploys(view: IncidentView) -> str:
    lines = []
    for each in view.deploys[-_LISTED:]:
        before = escaping.code(each.from_version, 40) if each.from_version else "nothing"
        phase = each.phase.replace("_", " ")
        lines.append(
            f"{escaping.brief(each.created_at)} {before} → {escaping.code(each.to_version, 40)} "
            f"by {escaping.plain(each.requester, 40)}: {phase} (rollout {each.id})"
        )
    return escaping.cut("\n".join(lines), 1000)


def _timeline(lines: Iterable[TimelineLine]) -> str:
    every = list(lines)
    shown = every if len(every) <= _LINES else every[-_LINES:]
    said = [_line(line) for line in shown]
    if len(every) > _LINES:
        said.insert(0, f"-# {len(every) - _LINES} earlier lines: `/incident postmortem` has all of them")
    while len(said) > 1 and escaping.units("\n".join(said)) > 1000:
        del said[0 if len(every) <= _LINES else 1]
    return escaping.cut("\n".join(said), 1000) or "-"


def _line(line: TimelineLine) -> str:
    if line.source == "alert":
        verb, text = spoken(line.what, line.text)
        verb = f"alert {line.alert_id} {verb}"
    elif line.source == "incident":
        verb, text = _SAID.get(line.what, line.what), line.text
    else:
        verb, text = line.what.replace("_", " "), line.text
    by = f" by **{escaping.plain(line.by, 40)}**" if line.by else ""
    said = f": {escaping.sentence(text, 160)}" if text else ""
    return f"{escaping.clock(line.at)} {escaping.plain(verb, 60)}{by}{said}"
