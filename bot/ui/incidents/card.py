"""The card of an incident: what is wrong, who has it, its times against targets, what belongs to it, what happened."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta

import discord

from bot.domain import phrasebook
from bot.domain.formatting import counted, duration
from bot.domain.watch.alerts.alert import LEFT_OUT, alert_line
from bot.domain.watch.incidents.actions import holds_open, response_sentence
from bot.domain.watch.incidents.incident import Incident, IncidentState, ResponseTime
from bot.domain.watch.incidents.timeline import TimelineLine, brief
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
_LISTED, _LINES = 5, 20
_FIELD, _FIELDS = 1000, 2


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
        description=_description(view, thread_id),
        colour=_GREY if incident.over else _WELL if incident.restored_at else _ALARM,
    )
    made.add_field(name="Who had it" if incident.over else "Who has it", value=_owner(incident), inline=False)
    made.add_field(name="Times", value="\n".join(_time(incident, each) for each in view.times), inline=False)
    if view.alerts:
        made.add_field(name="Alerts", value=_alerts(view), inline=False)
    if view.deploys:
        made.add_field(name="Deployed around it", value=_deploys(view), inline=False)
    for number, part in enumerate(_timeline(view.lines)):
        # What does not fit into one field goes on in another, without a title.
        made.add_field(name="\u200b" if number else "What happened", value=part, inline=False)
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


def _description(view: IncidentView, thread_id: int | None) -> str:
    incident = view.incident
    lines = [
        f"**{escaping.plain(incident.title, 220)}**",
        f"Since {escaping.moment(incident.since)} ({escaping.relative(incident.since)})",
    ]
    if incident.over and incident.closed_at is not None:
        lasted = duration(max(0, round((incident.closed_at - incident.since).total_seconds())))
        by = escaping.plain(incident.closed_by, 60)
        lines[1] = f"Since {escaping.moment(incident.since)}, for {lasted}. Closed by {by}."
    if incident.calm_at is not None and not incident.over:
        notices = any(not each.over and not holds_open(incident, each) for each in view.alerts)
        well = phrasebook.notices_left() if notices else phrasebook.alerts_over()
        lines.append(f"**{well}** Close it if users are well.")
    if not incident.over:
        there = f"Talk about it in <#{thread_id}>" if thread_id is not None else "Talk about it in the thread"
        lines.append(f"{there}. A message marked with 📌 there becomes a line of the timeline.")
    elif not incident.postmortem and incident.production:
        due = f" It is due {escaping.relative(view.postmortem_due)}." if view.postmortem_due else ""
        lines.append(f"No post-mortem yet: `/incident postmortem` gives a draft.{due}")
    if incident.postmortem:
        lines.append(f"Post-mortem: {escaping.plain(incident.postmortem, 500)}")
    return escaping.cut("\n".join(lines), 2000)


def _owner(incident: Incident) -> str:
    owner = incident.owner
    if owner is None:
        return "No one had it." if incident.over else "**No one yet.** Press Take it."
    if incident.over:
        return escaping.plain(owner.name, 60)
    mention = f"<@{owner.id}>" if owner.id else escaping.plain(owner.name, 60)
    if incident.acknowledged_at is None:
        return f"{mention}, who has not taken it yet"
    return f"{mention}, taken {escaping.relative(incident.acknowledged_at)}"


def _time(incident: Incident, time: ResponseTime) -> str:
    """One line. What is still to come says when it is due: that stays true while the card is not drawn."""
    shape = "❌" if time.late else "✅" if time.done else "⏳"
    if time.done or time.never:
        return f"{shape} {escaping.sentence(response_sentence(time), 200)}"
    due = escaping.relative(incident.since + timedelta(seconds=time.target_s))
    what = "acknowledged" if time.what == "acknowledge" else "restored"
    return f"{shape} Not {what} yet. {'It was due' if time.late else 'The target is'} {due}."


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


def _timeline(lines: Iterable[TimelineLine]) -> list[str]:
    """The first line and the newest, as parts that each fit into a field."""
    known = brief(lines)
    every = [line for line in known if line.what != LEFT_OUT]
    shown = every if len(every) <= _LINES else [every[0], *every[-(_LINES - 1) :]]
    said = [_line(line) for line in shown]
    while len(said) > 1 and escaping.units("\n".join(said)) > _FIELDS * _FIELD - 300:
        del said[1]
    left_out = len(every) - len(said) + sum(line.left_out for line in known)
    if left_out:
        said.insert(1, f"-# {counted(left_out, 'line')} left out: `/incident postmortem` has more of them")
    parts = [""]
    for each in said:
        longer = "\n".join(filter(None, (parts[-1], each)))
        if escaping.units(longer) <= _FIELD or not parts[-1]:
            parts[-1] = escaping.cut(longer, _FIELD)
        else:
            parts.append(escaping.cut(each, _FIELD))
    return [part or "-" for part in parts[:_FIELDS]]


def _line(line: TimelineLine) -> str:
    if line.source == "alert":
        verb, text = spoken(line.what, line.text)
        verb = f"alert {line.alert_id} {verb}"
    elif line.source == "incident":
        verb, text = _SAID.get(line.what, line.what), line.text
    else:
        verb, text = line.what.replace("_", " "), line.text
        if line.by and text.startswith(f"{line.by} "):
            return f"{escaping.clock(line.at)} {escaping.sentence(text, 200)}"
    by = f" by **{escaping.plain(line.by, 40)}**" if line.by else ""
    said = f": {escaping.sentence(text, 160)}" if text else ""
    return f"{escaping.clock(line.at)} {escaping.plain(verb, 60)}{by}{said}"
