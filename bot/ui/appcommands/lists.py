"""Answers of `/commands-sync` that are lists: backups, one backup, status with trends, history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from bot.domain import phrasebook
from bot.domain.appcommands.records import EMPTY_VERSION
from bot.domain.formatting import counted, duration
from bot.engine.appcommands.api import (
    ApplicationStatus,
    Backup,
    BackupLine,
    EnvironmentStatus,
    History,
    HistoryLine,
    ScopeStatus,
)
from bot.ui import escaping
from bot.ui.appcommands import wording as words
from bot.ui.appcommands.answers import manual
from bot.ui.appcommands.buttons import BackupSelect, ButtonId, TouchButton
from bot.ui.appcommands.wording import Place
from bot.ui.cards.phases import shape, word
from bot.ui.errors import Reply
from bot.ui.interactions import lists

PAGE = 8
_RESULT = {"verified": "✅", "unchanged": "➖", "started": "⏳", "refused": "✋", "failed": "❌"}
_BARS = "▁▂▃▄▅▆▇█"
_NAMES = 40


def backups(
    found: Sequence[BackupLine], application: str, environment: str, place: Place, *, first: bool
) -> Reply:
    """One page, newest first, with a select to show one. `found` has one more when there are older ones."""
    if not found:
        return Reply(phrasebook.NOTHING_OLDER if not first else "No backups yet: nothing has been changed.")
    page = found[:PAGE]
    parts = [f"## Backups of {escaping.plain(application, 60)}", *[_backup_line(one, place) for one in page]]
    older = ButtonId("backups", page[-1].id, application, environment)
    buttons = [TouchButton("Older", older)] if len(found) > PAGE and older.fits else []
    select = BackupSelect(page, ButtonId("pick"))
    return lists.layout(parts, buttons=buttons, rows=[select])


def _backup_line(one: BackupLine, place: Place) -> str:
    overwrites = f", {counted(one.overwrites, 'command')} with overwrites" if one.overwrites else ""
    rollout = f" · rollout {one.rollout_id}" if one.rollout_id else ""
    why = f" · before: {escaping.plain(one.why, 120)}" if one.why else ""
    return (
        f"**#{one.id}** {escaping.plain(one.environment, 40)} · {escaping.plain(place(one.scope), 60)} · "
        f"{counted(one.count, 'command')} {escaping.code(one.version, 40)}{overwrites}\n"
        f"-# {escaping.moment(one.at)}{why} · by {escaping.plain(one.who, 40)}{rollout}"
    )


def backup(found: Backup, place: Place) -> Reply:
    """One backup: its content, and what can be done with it."""
    line = found.line
    names = [words.called(int(c.get("type") or 1), str(c.get("name"))) for c in found.commands]
    listed = ", ".join(escaping.plain(name, 60) for name in names[:_NAMES]) or "no commands"
    if len(names) > _NAMES:
        listed += f" and {len(names) - _NAMES} more"
    parts = [
        f"## Backup {line.id} of {escaping.plain(line.application, 60)}",
        _backup_line(line, place),
        escaping.cut(listed, 1000),
        *manual(found.manual),
    ]
    buttons = [
        TouchButton("Compare with now", ButtonId("compare", line.id)),
        TouchButton("Restore", ButtonId("restore", line.id), danger=True),
    ]
    return lists.layout(parts, buttons=buttons, more="compare to see all")


def status(found: Sequence[ApplicationStatus], place: Place) -> Reply:
    """Commands of each application, Discord's response times, and findings of the monitor."""
    if not found:
        return Reply("Nothing to show: no application of the catalog belongs to this server.")
    parts = []
    for application in found:
        head = (
            f"## {escaping.plain(application.application, 60)}\n-# {escaping.plain(application.source, 200)}"
        )
        served = {one.environment: one.served_version for one in application.environments}
        parts += [head, *[_environment(one, place, served) for one in application.environments]]
    return lists.layout(parts, more="name an application to see it")


def _environment(one: EnvironmentStatus, place: Place, served: Mapping[str, str | None]) -> str:
    lines = [f"**{escaping.plain(one.environment, 40)}** {_versions(one, served)}"]
    if one.active is not None:
        version = escaping.code(one.active.candidate.version, 40)
        lines.append(f"{shape(one.active)} {version}: {word(one.active)} (rollout {one.active.id})")
    lines += [_reading(reading, one.trend, place) for reading in one.readings]
    if one.drift:
        lines.append(f"⚠️ drift: {escaping.sentence(one.drift, 200)}")
    lines += [
        f"⚠️ {escaping.plain(f.what, 20)}: {escaping.sentence(f.sentence, 200)} ({escaping.relative(f.since)})"
        for f in one.findings
    ]
    if one.lock is not None:
        lines.append(
            f"🔒 locked by {escaping.plain(one.lock.owner, 40)}: {escaping.sentence(one.lock.reason, 160)}"
        )
    if one.created_today:
        lines.append(f"-# {one.created_today} of 200 new commands used today")
    return "\n".join(lines)


def _versions(one: EnvironmentStatus, served: Mapping[str, str | None]) -> str:
    """The served version, and the applied one if it differs."""
    there = escaping.code(one.served_version, 40) if one.served_version else "unknown"
    if one.desired_version == one.served_version and one.served_version is not None:
        return there
    applied = escaping.code(one.desired_version, 40) if one.desired_version else "nothing"
    others = {version for name, version in served.items() if name != one.environment}
    if one.served_version == EMPTY_VERSION and one.desired_version in others:
        return f"{applied} was tried here and removed: production has it"
    return f"{there} · applied: {applied}"


def _reading(reading: ScopeStatus, trend: Sequence[ScopeStatus], place: Place) -> str:
    where = escaping.plain(place(reading.scope), 60)
    if reading.error:
        return f"❌ {where}: {escaping.sentence(reading.error, 160)} · {escaping.relative(reading.at)}"
    past = [r.ms for r in trend if r.scope == reading.scope and not r.error]
    line = f"✅ {where}: {counted(reading.count, 'command')}, answered in {reading.ms:.0f} ms"
    if len(past) > 1:
        line += f" {sparkline(past[-20:])} ({min(past):.0f} to {max(past):.0f} ms)"
    return f"{line} · {escaping.relative(reading.at)}"


def sparkline(values: Sequence[float]) -> str:
    """A trend as small bars, from zero to the maximum."""
    top = max(values) or 1.0
    return "".join(_BARS[min(len(_BARS) - 1, int(value / top * len(_BARS)))] for value in values)


def history(found: History, application: str, place: Place, *, first: bool) -> Reply:
    """One page, newest first, with the success rate. `found.lines` has one more when there are older ones."""
    if not found.lines:
        return Reply(phrasebook.NOTHING_OLDER if not first else "No commands have been changed here yet.")
    rate = found.rate
    page = found.lines[:PAGE]
    parts = ["## Changes"]
    if rate is not None:
        parts[0] += f"\n-# last 30 days: {found.succeeded} of {found.finished} verified ({rate:.0%})"
    parts += [_history_line(one, place) for one in page]
    older = ButtonId("history", page[-1].id, application)
    buttons = [TouchButton("Older", older)] if len(found.lines) > PAGE and older.fits else []
    return lists.layout(parts, buttons=buttons, more="see the next page")


def _history_line(one: HistoryLine, place: Place) -> str:
    took = f" · took {duration(round(one.ms) / 1000)}" if one.ms is not None else ""
    rollout = f" · rollout {one.rollout_id}" if one.rollout_id else ""
    lines = [
        f"{_RESULT.get(one.result, '•')} **{escaping.plain(one.application, 60)} → "
        f"{escaping.plain(one.environment, 40)}** "
        f"{escaping.code(one.from_version, 40)} → {escaping.code(one.to_version, 40)} · "
        f"{escaping.plain(one.result, 20)}",
        f"-# {escaping.moment(one.at)} · {escaping.plain(place(one.scope), 60)} · by {escaping.plain(one.who, 40)} · "
        f"{counted(one.calls, 'call')}, {one.creates} created{took}{rollout}",
    ]
    if one.reason:
        lines.append(f"-# “{escaping.plain(one.reason, 120)}”")
    if one.detail:
        lines.append(escaping.sentence(one.detail, 240))
    return "\n".join(lines)


def backup_hint(one: BackupLine, now: datetime, place: Place) -> str:
    """Description of a backup in autocomplete: `production, server harbor, 7 commands, 2 h ago`."""
    ago = duration(max(1, round((now - one.at).total_seconds() / 60)) * 60)
    return f"{one.environment}, {place(one.scope)}, {counted(one.count, 'command')} {one.version}, {ago} ago"
