"""The card of an alert: what is wrong, since when, what was deployed last, who has it, and what happened."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

import discord

from bot.domain.formatting import counted, duration
from bot.domain.records import RolloutSummary
from bot.domain.rollout.model import Phase
from bot.domain.watch.alerts.alert import LEFT_OUT, Alert, AlertState, Entry, Trouble, told
from bot.domain.watch.alerts.findings import Severity
from bot.engine.watch.alerts.api import AlertView
from bot.ui import escaping

# A symbol and a word before any colour.
SHAPE: Mapping[Severity, str] = {
    Severity.CRITICAL: "🔴",
    Severity.HIGH: "🟠",
    Severity.MEDIUM: "🟡",
    Severity.LOW: "🔵",
}
WORD: Mapping[Severity, str] = {
    Severity.CRITICAL: "Critical",
    Severity.HIGH: "High",
    Severity.MEDIUM: "Warning",
    Severity.LOW: "Notice",
}
_COLOUR: Mapping[Severity, int] = {
    Severity.CRITICAL: 0xDA373C,
    Severity.HIGH: 0xE67E22,
    Severity.MEDIUM: 0xF0B232,
    Severity.LOW: 0x5865F2,
}
_WELL, _GREY = 0x23A55A, 0x80848E
_TROUBLES, _LINES = 5, 8
_SAID: Mapping[str, str] = {
    "opened": "began",
    "trouble": "also",
    "worse": "worse",
    "better": "over",
    "returned": "back again",
    "calm": "well",
    "resolved": "resolved",
    "acknowledged": "acknowledged",
    "escalated": "escalated",
    "asked": "asked",
    "silenced": "silenced",
    "unsilenced": "silence over",
    "called": "called",
    "unreached": "not reached",
    "rollback": "rollback",
}


def symbol(alert: Alert) -> str:
    if alert.over:
        return "✅"
    return "🔕" if alert.silenced_until is not None else SHAPE[alert.severity]


def place(alert: Alert) -> str:
    """Where it is, for a title."""
    if alert.lane is None:
        return ""
    return f"{escaping.plain(alert.lane.service, 60)} → {escaping.plain(alert.lane.environment, 40)}"


def headline(alert: Alert) -> str:
    """The line that a locked phone shows."""
    where = place(alert)
    title = escaping.plain(alert.first.finding.title, 160)
    figures = _figures(alert.first, marks=False)
    return f"{symbol(alert)} **{f'{where}: ' if where else ''}{title}**{f' {figures}' if figures else ''}"


def embed(view: AlertView, now: datetime, next_at: datetime | None) -> discord.Embed:
    """The card. next_at: when someone is told next; None when no one will be."""
    alert = view.alert
    word = "Resolved" if alert.over else WORD[alert.severity]
    # Titles are shown without formatting.
    title = " · ".join(part for part in (f"{symbol(alert)} {word}", place(alert)) if part)
    made = discord.Embed(
        title=escaping.cut(title, escaping.EMBED_TITLE),
        description=_description(alert),
        colour=_WELL if alert.over else _GREY if alert.silenced_until else _COLOUR[alert.severity],
    )
    others = alert.firing[1:] if not alert.over else ()
    if others or (alert.left_out and not alert.over):
        made.add_field(name="Also", value=_troubles(others, alert.left_out), inline=False)
    made.add_field(name="Last deploy", value=_deploy(view), inline=False)
    made.add_field(name="Who has it", value=_owner(alert, next_at), inline=False)
    made.add_field(name="What happened", value=_timeline(view.timeline), inline=False)
    made.set_footer(text=f"Alert {alert.id}")
    return made


def _description(alert: Alert) -> str:
    trouble = alert.first
    finding = trouble.finding
    lines = [f"**{escaping.plain(finding.title, 200)}** {_figures(trouble)}".strip(), _since(alert, trouble)]
    if finding.text:
        lines.append(f"-# {escaping.sentence(finding.text, 600)}")
    links = [("Runbook", finding.runbook), ("Source", finding.url)]
    shown = [f"[{name}]({url})" for name, url in links if _safe(url)]
    if shown:
        lines.append(" · ".join(shown))
    return escaping.cut("\n".join(lines), 2000)


def _since(alert: Alert, trouble: Trouble) -> str:
    if alert.over and alert.ended_at is not None:
        lasted = duration(max(0, round((alert.ended_at - alert.opened_at).total_seconds())))
        by = f" by {escaping.plain(alert.ended_by, 60)}" if alert.ended_by else ""
        return f"Since {escaping.moment(trouble.since)}, for {lasted}. Resolved{by}."
    if alert.calm_since is not None:
        return f"Well since {escaping.relative(alert.calm_since)}. It is resolved if it stays so."
    return f"Since {escaping.moment(trouble.since)} ({escaping.relative(trouble.since)})"


def _figures(trouble: Trouble, *, marks: bool = True) -> str:
    value, limit = escaping.plain(trouble.finding.value, 80), escaping.plain(trouble.finding.limit, 40)
    if not trouble.finding.value:
        return ""
    shown = f"**{value}**" if marks else value
    return f"{shown} (limit {limit})" if trouble.finding.limit else shown


def _troubles(others: Iterable[Trouble], left_out: int) -> str:
    shown = list(others)
    lines = [
        f"{SHAPE[each.finding.severity]} {escaping.plain(each.finding.title, 120)} {_figures(each)} "
        f"{escaping.relative(each.since)}"
        for each in shown[:_TROUBLES]
    ]
    more = max(0, len(shown) - _TROUBLES) + left_out
    if more > 0:
        lines.append(f"-# and {counted(more, 'more')}" if more == 1 else f"-# and {more} more")
    return escaping.cut("\n".join(lines), 1000)


def _deploy(view: AlertView) -> str:
    """What was deployed last and by whom, and whether it is the probable cause."""
    alert, suspect, last = view.alert, view.alert.suspect, view.last_deploy
    if alert.lane is None:
        return "It concerns no service that Slipway deploys."
    if suspect is None:
        return _no_cause(alert, last) if last is not None else "None that Slipway knows of."
    said = _rolled_out(suspect.from_version, suspect.to_version, suspect.by, suspect.rollout_id)
    undone = f" Rollout {alert.undone_by} takes it back." if alert.undone_by else ""
    if suspect.going_on:
        return f"{said} **is going on**: a plausible cause.{undone}"
    before = duration(max(0, round((alert.opened_at - suspect.at).total_seconds())))
    return (
        f"{said} ended {escaping.relative(suspect.at)}, {before} before this: **a plausible cause**.{undone}"
    )


def _no_cause(alert: Alert, last: RolloutSummary) -> str:
    """A deploy that no button takes back, and why not."""
    said = _rolled_out(last.from_version or "", last.to_version, last.requester, last.id)
    if last.ended_at is None:
        return f"{said} is going on. This is about what serves beside it."
    said = f"{said} ended {escaping.relative(last.ended_at)}"
    if last.phase != Phase.SUCCEEDED:
        return f"{said}: {last.phase.replace('_', ' ')}. It is not the probable cause."
    if last.ended_at > alert.opened_at:
        return f"{said}, after this began."
    if not last.from_version:
        return f"{said}. It is the first release there, so nothing can be rolled back to."
    if last.returns:
        return f"{said}. It returned to a known release, so it is not the probable cause."
    before = duration(round((alert.opened_at - last.ended_at).total_seconds()))
    return f"{said}, {before} before this: too long for a probable cause."


def _rolled_out(before: str, after: str, by: str, rollout_id: int) -> str:
    what = f"{escaping.code(before, 40)} → {escaping.code(after, 40)}" if before else escaping.code(after, 40)
    return f"{what} by {escaping.plain(by, 60)} (rollout {rollout_id})"


def _owner(alert: Alert, next_at: datetime | None) -> str:
    if alert.over:
        return (
            f"{escaping.plain(alert.owner.name, 60)} had it."
            if alert.owner
            else "It ended before anyone took it."
        )
    if alert.silenced_until is not None:
        return f"Silenced: no one is told before {escaping.relative(alert.silenced_until)}."
    if alert.owner is not None and alert.acknowledged_at is not None:
        mention = f"<@{alert.owner.id}>" if alert.owner.id else escaping.plain(alert.owner.name, 60)
        return f"{mention}, since {escaping.relative(alert.acknowledged_at)}"
    if alert.state is AlertState.FIRING and next_at is not None and alert.calm_since is None:
        return f"**No one yet.** The next people are called {escaping.relative(next_at)}."
    return (
        "**No one yet.** No one else is called: press Escalate for help."
        if alert.calm_since is None
        else "No one."
    )


def _timeline(entries: Iterable[Entry]) -> str:
    known = list(entries)
    every = [entry for entry in known if entry.what != LEFT_OUT]
    shown = every if len(every) <= _LINES else [every[0], *every[-(_LINES - 1) :]]
    lines = [_line(entry) for entry in shown]
    left_out = len(every) - len(shown) + sum(int(entry.text) for entry in known if entry.what == LEFT_OUT)
    if left_out:
        lines.insert(1, f"-# {counted(left_out, 'line')} left out")
    return escaping.cut("\n".join(lines), 1000) or "-"


def _line(entry: Entry) -> str:
    verb, text = spoken(entry.what, entry.text)
    said = f"{escaping.clock(entry.at)} {verb}"
    by = f" by **{escaping.plain(entry.by, 40)}**" if entry.by else ""
    return f"{said}{by}{f': {escaping.sentence(text, 160)}' if text else ''}"


def spoken(what: str, text: str) -> tuple[str, str]:
    """What happened in words, and its text: of an entry of an alert's timeline."""
    return _SAID.get(what, what), told(what, text)


def _safe(url: str) -> bool:
    """Whether the address can stand in a link of ours."""
    return (
        url.startswith(("https://", "http://"))
        and not any(c in url for c in " <>()[]\n\"'`")
        and len(url) < 500
    )
