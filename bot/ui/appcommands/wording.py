"""Differences of slash commands as plain text, one fact per line, for answers, files and terminals.

Not escaped for Discord; callers that show a line there do that.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import discord

from bot.domain.appcommands import limits
from bot.domain.appcommands.applications import Scope
from bot.domain.appcommands.diff import CommandDiff, Diff, FieldChange
from bot.domain.appcommands.texts import ManifestProblem
from bot.domain.formatting import counted
from bot.engine.appcommands.api import Comparison

SIGN = {"created": "+", "changed": "~", "renamed": ">", "deleted": "-"}
ORDER = ("deleted", "renamed", "changed", "created")
_CONTEXTS = {0: "servers", 1: "messages with the bot", 2: "other direct messages"}
_INSTALLS = {0: "servers", 1: "people"}
_EVERYONE = "everyone"
_LONGEST = 300

Place = Callable[[Scope], str]


def place_of(names: Mapping[int, str]) -> Place:
    """How to name scopes, given the names of known servers."""

    def say(scope: Scope) -> str:
        if scope.is_global:
            return "everywhere (global)"
        name = names.get(scope.guild_id)
        return f"server {name}" if name else f"server {scope.guild_id}"

    return say


def called(kind: int, name: str) -> str:
    """`/greet` for a slash command; other types are in menus, without a slash."""
    if kind == limits.CHAT_INPUT:
        return f"/{name}"
    return f"{name} ({limits.TYPE_NAMES.get(kind, f'type {kind}')})"


def title(command: CommandDiff) -> str:
    """`/hello renamed (was /hi)`."""
    what = called(command.type, command.name)
    was = f" (was {called(command.type, command.former_name)})" if command.former_name else ""
    return f"{what} {command.what}{was}"


def counts(diff: Diff) -> str:
    """`1 deleted, 2 changed, 4 unchanged`."""
    found = [f"{len(diff.of(what))} {what}" for what in ORDER if diff.of(what)]
    return ", ".join([*found, f"{diff.unchanged} unchanged"] if diff.unchanged or not found else found)


def change_line(change: FieldChange) -> str:
    """`description: "Says hi" → "Says hello"`; `options[city]: added: string, required`."""
    field = change.path.rsplit(".", 1)[-1]
    if change.path.endswith("(order)"):
        return f"{change.path}: {', '.join(change.before)} → {', '.join(change.after)}"
    if change.before is None and _is_thing(change.after):
        return f"{change.path}: added: {value(field, change.after)}"
    if change.after is None and _is_thing(change.before):
        return f"{change.path}: removed: {value(field, change.before)}"
    return f"{change.path}: {value(field, change.before)} → {value(field, change.after)}"


def value(field: str, given: Any) -> str:
    """The value of a field in words, or as JSON on one line."""
    if field in _WORDS:
        return _WORDS[field](given)
    if _is_thing(given):
        return _thing(given)
    if given is None:
        return "nothing" if field not in _OFF else "false"
    return _quoted(given)


_OFF = frozenset({"required", "autocomplete", "nsfw"})


def command_lines(command: CommandDiff) -> Iterator[str]:
    """Everything about one command: title, dangers and fields, indented and signed as in a diff."""
    sign = SIGN[command.what]
    yield f"{sign} {title(command)}"
    if command.danger:
        yield f"!   danger: {command.danger}"
    for change in command.changes:
        if _is_thing(change.before) or _is_thing(change.after) or change.path.endswith("(order)"):
            yield f"{_side(change)}   {change_line(change)}"
        else:
            field = change.path.rsplit(".", 1)[-1]
            yield f"-   {change.path}: {value(field, change.before)}"
            yield f"+   {change.path}: {value(field, change.after)}"
        if change.danger:
            yield f"!   danger: {change.danger}"
    if command.what == "created" and command.desired is not None:
        yield from (f"+   {line}" for line in contents(command.desired))


def contents(command: Mapping[str, Any]) -> Iterator[str]:
    """The content of a new command: description, permissions, options."""
    for field, given in command.items():
        if field == "options":
            yield from (f"options[{option['name']}]: {_thing(option)}" for option in given)
        elif field not in {"name", "type"}:
            yield f"{field}: {value(field, given)}"


def whole_text(comparison: Comparison, place: Place) -> str:
    """The full difference as a text file in diff format."""
    wanted = comparison.wanted
    lines = [
        f"# {comparison.application} → {comparison.environment}: manifest {wanted.version}",
    ]
    lines += [f"# from {wanted.where}"] if wanted.where else []
    lines += [f"! cannot be applied: {mistake}" for mistake in comparison.mistakes]
    for scope in comparison.scopes:
        lines += ["", f"@@ {place(scope.scope)}: {counts(scope.diff)} @@"]
        lines += [f"! {scope.drift}"] if scope.drift else []
        for command in worst_first(scope.diff):
            lines += [*command_lines(command), ""]
    return "\n".join(_one_line(line) for line in lines).strip() + "\n"


def mistakes_text(application: str, mistakes: Sequence[ManifestProblem]) -> str:
    """All mistakes as a text file, one per line."""
    return "\n".join([f"# {application}: {counted(len(mistakes), 'mistake')}", *map(_said, mistakes)]) + "\n"


def worst_first(diff: Diff) -> list[CommandDiff]:
    """Dangerous changes first, where no cut can hide them."""
    return sorted(
        diff.commands, key=lambda c: (not c.dangers, ORDER.index(c.what), c.type, c.name.casefold())
    )


def _side(change: FieldChange) -> str:
    if change.before is None:
        return "+"
    return "-" if change.after is None else " "


def _said(mistake: ManifestProblem) -> str:
    return _one_line(str(mistake))


def _is_thing(given: Any) -> bool:
    return isinstance(given, Mapping) and "name" in given


def _thing(given: Mapping[str, Any]) -> str:
    """An option or choice as a phrase: `string, required: "Which city"`."""
    if "description" not in given:
        return _quoted(given.get("value"))
    parts = [limits.OPTION_TYPE_NAMES.get(given.get("type") or 0, "")]
    parts += ["required"] if given.get("required") else []
    parts += [counted(len(given[key]), key[:-1]) for key in ("choices", "options") if given.get(key)]
    return _cut(f"{', '.join(part for part in parts if part)}: {_quoted(given['description'])}")


def _quoted(given: Any) -> str:
    return _cut(json.dumps(given, ensure_ascii=False))


def _permissions(given: Any) -> str:
    if given is None:
        return _EVERYONE
    if str(given) == "0":
        return "administrators only"
    held = discord.Permissions(int(given))
    names = [name.replace("_", " ") for name, on in held if on]
    return " and ".join(names) if names else f"permissions {given}"


def _type(given: Any) -> str:
    return limits.OPTION_TYPE_NAMES.get(given, str(given))


def _contexts(given: Any) -> str:
    return "everywhere" if given is None else ", ".join(_CONTEXTS.get(one, str(one)) for one in given)


def _installs(given: Any) -> str:
    return "by " + " and ".join(_INSTALLS.get(one, str(one)) for one in given or [0])


_WORDS: Mapping[str, Callable[[Any], str]] = {
    "default_member_permissions": _permissions,
    "type": _type,
    "contexts": _contexts,
    "integration_types": _installs,
}


def _cut(said: str) -> str:
    return said if len(said) <= _LONGEST else f"{said[: _LONGEST - 1]}…"


def _one_line(line: str) -> str:
    return " ".join(line.splitlines()) if "\n" in line or "\r" in line else line
