"""Answers of `/commands-sync` about one manifest: differences, mistakes, started changes."""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain import phrasebook
from bot.domain.appcommands.diff import CommandDiff
from bot.domain.appcommands.texts import ManifestProblem
from bot.domain.formatting import counted
from bot.engine.appcommands.api import (
    ApplyResult,
    Comparison,
    ManualStep,
    Restored,
    ScopeDiff,
    Validation,
)
from bot.ui import escaping
from bot.ui.appcommands import wording as words
from bot.ui.appcommands.buttons import ButtonId, TouchButton
from bot.ui.appcommands.wording import Place
from bot.ui.errors import Reply, Upload
from bot.ui.interactions import lists

SHAPE = {"created": "➕", "changed": "✏️", "renamed": "🔁", "deleted": "🗑️"}
_ROOM = escaping.CARD - 900  # for commands; the rest is for headings and what was left out
_FIELDS = 5
_COMMANDS = 14
_MISTAKES = 12


def difference(
    comparisons: Sequence[Comparison],
    place: Place,
    *,
    heading: str = "",
    lead: Sequence[str] = (),
    backup: int = 0,
) -> Reply:
    """Differences, most dangerous first, by environment. What does not fit is counted, and attached in full.

    `lead` stands before it. `backup`: offers to restore that one.
    """
    shown = _Shown()
    for part in lead:
        shown.add(part)
    for comparison in comparisons:
        _environment(shown, comparison, place, heading)
    upload = None
    if shown.left_out or shown.shortened:
        whole = "\n".join(words.whole_text(comparison, place) for comparison in comparisons)
        upload = Upload(_file_name(comparisons), whole)
        left = f"… and {counted(shown.left_out, 'more command')}: " if shown.left_out else "Cut short here: "
        shown.parts.append(f"-# {left}the full difference is in the attached file.")
    buttons = []
    if backup and any(comparison.different for comparison in comparisons):
        buttons = [TouchButton("Restore", ButtonId("restore", backup), danger=True)]
    return lists.layout(shown.parts, buttons=buttons, upload=upload, more="see the file")


class _Shown:
    """Paragraphs so far, and what was left out of them."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.commands = 0
        self.left_out = 0
        self.shortened = False
        self.used = 0

    def add(self, part: str) -> None:
        self.parts.append(part)
        self.used += escaping.units(part)

    def command(self, part: str) -> None:
        if self.commands >= _COMMANDS or self.used + escaping.units(part) > _ROOM:
            self.left_out += 1
            return
        self.commands += 1
        self.add(part)


def _environment(shown: _Shown, comparison: Comparison, place: Place, heading: str) -> None:
    shown.add(_head(comparison, heading))
    if comparison.mistakes:
        shown.add(_listed(comparison.mistakes, 5, "⛔ **This manifest cannot be applied:**"))
        shown.shortened |= len(comparison.mistakes) > 5
    for scopes in _alike(comparison.scopes):
        first = scopes[0]
        for scope in scopes:
            if scope.drift:
                shown.add(f"⚠️ **Drift** {escaping.sentence(scope.drift, 300)}")
        if not first.diff:
            continue
        where = ", ".join(place(scope.scope) for scope in scopes)
        shown.add(f"**{escaping.plain(where, 200)}**: {words.counts(first.diff)}")
        for command in words.worst_first(first.diff):
            part, whole = _command(command)
            shown.shortened |= not whole
            shown.command(part)


def _head(comparison: Comparison, heading: str) -> str:
    name, environment = escaping.plain(comparison.application, 60), escaping.plain(comparison.environment, 40)
    wanted = comparison.wanted
    lines = [f"## {heading or f'{name} → {environment}'}"]
    origin = f" from {escaping.plain(wanted.where, 160)}" if wanted.where else ""
    lines.append(f"-# {escaping.code(wanted.version, 40)}{origin}")
    dangers = comparison.dangers
    if comparison.different:
        many = sum(len(scope.diff.commands) for scope in comparison.scopes)
        risky = f" ⚠️ **{counted(len(dangers), 'danger')}, marked below**" if dangers else ""
        lines.append(f"**{counted(many, 'command')} would change.**{risky}")
    elif not comparison.mistakes:
        lines.append("✅ **No differences.** Nothing to apply.")
    return "\n".join(lines)


def _alike(scopes: Sequence[ScopeDiff]) -> list[list[ScopeDiff]]:
    """Servers with the same differences are shown once."""
    groups: list[list[ScopeDiff]] = []
    for scope in scopes:
        same = next((g for g in groups if _looks(g[0]) == _looks(scope)), None)
        if same is None:
            groups.append([scope])
        else:
            same.append(scope)
    return groups


def _looks(scope: ScopeDiff) -> tuple[str, ...]:
    return (words.counts(scope.diff), *(line for c in scope.diff.commands for line in words.command_lines(c)))


def _command(command: CommandDiff) -> tuple[str, bool]:
    """One command as text, and whether the text is complete."""
    lines = [f"{SHAPE[command.what]} **{escaping.plain(words.title(command), 160)}**"]
    if command.danger:
        lines.append(f"⚠️ DANGER: {escaping.plain(command.danger, 200)}")
    if command.what == "renamed":
        lines.append("-# keeps its id, and so the permissions that the server set")
    changes = sorted(command.changes, key=lambda change: not change.danger)
    for change in changes[:_FIELDS]:
        lines.append(f"• {escaping.plain(words.change_line(change), 220)}")
        if change.danger:
            lines.append(f"⚠️ DANGER: {escaping.plain(change.danger, 200)}")
    if command.what == "created" and command.desired is not None:
        contents = list(words.contents(command.desired))
        lines += [f"• {escaping.plain(line, 160)}" for line in contents[:3]]
        if len(contents) > 3:
            lines.append(f"-# and {counted(len(contents) - 3, 'line')} more")
    if len(changes) > _FIELDS:
        lines.append(f"-# and {counted(len(changes) - _FIELDS, 'field')} more")
    return "\n".join(lines), len(changes) <= _FIELDS


def validation(found: Validation) -> Reply:
    """Every mistake with its path, as a list and, if long, as a file."""
    where = f"-# {escaping.plain(found.where, 200)}" if found.where else ""
    if found.ok and found.manifest is not None:
        many = counted(len(found.manifest.commands), "command")
        said = f"✅ **Valid.** {many}, {escaping.code(found.manifest.version, 40)}. Discord was not called."
        return lists.layout([f"## {escaping.plain(found.application, 60)}\n{said}\n{where}"])
    return mistakes(found.application, found.mistakes, where)


def mistakes(application: str, found: Sequence[ManifestProblem], where: str = "") -> Reply:
    """A rejected manifest with all its mistakes. Nothing was sent to Discord."""
    count = counted(len(found), "mistake")
    head = f"## {escaping.plain(application, 60)}\n⛔ **{count}; nothing was sent to Discord.**"
    upload = None
    if len(found) > _MISTAKES:
        upload = Upload(f"{_safe(application)}-mistakes.txt", words.mistakes_text(application, found))
    parts = [f"{head}\n{where}".rstrip()]
    parts += [_mistake(one) for one in found[:_MISTAKES]]
    if upload is not None:
        parts.append(f"-# … and {len(found) - _MISTAKES} more: see the attached file.")
    reply = lists.layout(parts, upload=upload, more="see the file")
    return Reply(view=reply.view, upload=upload, outcome="refused")


def _listed(found: Sequence[ManifestProblem], most: int, head: str) -> str:
    lines = [head]
    lines += [_mistake(one) for one in found[:most]]
    if len(found) > most:
        lines.append(f"-# {phrasebook.more(len(found) - most)}")
    return "\n".join(lines)


def _mistake(one: ManifestProblem) -> str:
    return f"❌ {escaping.code(one.path, 120)} {escaping.plain(one.sentence, 200)}"


def applied(done: ApplyResult, place: Place, card: str) -> Reply:
    """The started change, with what it changes: that is what people approve."""
    if done.rollout is None:
        return Reply(f"✅ {escaping.sentence(done.sentence, 600)}")
    said = f"🚀 **Rollout {done.rollout.id} started**: {escaping.sentence(done.sentence, 600)} Its card is in {card}."
    return difference([done.comparison], place, lead=[said])


def restored(done: Restored, place: Place, card: str) -> Reply:
    """The started restore, and what people must set by hand afterwards."""
    by_hand = manual(done.manual)
    if done.rollout is None:
        return lists.layout([f"✅ {escaping.sentence(done.sentence, 600)}", *by_hand])
    changes = escaping.sentence(done.sentence, 600)
    said = f"↩️ **Rollout {done.rollout.id} restores a backup**: {changes} Its card is in {card}."
    return difference([done.comparison], place, lead=[said, *by_hand])


def manual(steps: Sequence[ManualStep]) -> list[str]:
    """Permission overwrites that only people can set."""
    if not steps:
        return []
    lines = ["✍️ **Set these by hand** (Server Settings → Integrations); a bot cannot:"]
    lines += [
        f"• {escaping.plain(words.called(1, s.command), 60)} {escaping.sentence(s.sentence, 160)}"
        for s in steps
    ]
    return ["\n".join(lines[:9] + ([f"-# {phrasebook.more(len(lines) - 9)}"] if len(lines) > 9 else []))]


def _file_name(comparisons: Sequence[Comparison]) -> str:
    names = [_safe(c.environment) for c in comparisons]
    return f"{_safe(comparisons[0].application)}-{'-'.join(names)}.diff"


def _safe(name: str) -> str:
    return "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "_" for c in name)[:40] or "commands"
