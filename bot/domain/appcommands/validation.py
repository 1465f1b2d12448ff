"""Validation of manifests: every mistake at once, each with its JSON path, before anything is sent to Discord."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bot.domain.appcommands import limits
from bot.domain.appcommands.normalization import key_of
from bot.domain.appcommands.options import options
from bot.domain.appcommands.texts import (
    ManifestProblem,
    a,
    characters,
    descriptions,
    duplicates,
    kind_of,
    names,
    set_of,
    unknown,
)
from bot.domain.formatting import counted

__all__ = ["ManifestProblem", "budget", "validate"]


def validate(manifest: Any) -> list[ManifestProblem]:
    """All mistakes in a scope's full list of commands, in document order; empty when Discord would accept it."""
    if not isinstance(manifest, list):
        return [ManifestProblem("$", f"a manifest must be a list of commands, not {kind_of(manifest)}")]
    found: list[ManifestProblem] = []
    for i, command in enumerate(manifest):
        found += _command(f"$[{i}]", command)
    whole = [c for c in manifest if isinstance(c, dict)]
    found += _counts(whole)
    found += duplicates("$", manifest, lambda c: key_of(c)[1], key_of, "command")
    return found


def budget(creates: int, created_today: int) -> ManifestProblem | None:
    """The problem when `creates` exceeds Discord's 200 creations per day and scope; an overwrite counts new names."""
    if creates + created_today <= limits.CREATES_A_DAY:
        return None
    return ManifestProblem(
        "$",
        f"{counted(creates, 'new command')} would exceed Discord's limit of {limits.CREATES_A_DAY} creations a day: "
        f"{created_today} were created in the last 24 hours",
    )


_COMMAND_KEYS = frozenset(
    """id type name name_localizations description description_localizations options default_member_permissions
    dm_permission default_permission nsfw integration_types contexts handler application_id version guild_id
    name_localized description_localized""".split()
)


def _command(path: str, command: Any) -> Iterator[ManifestProblem]:
    if not isinstance(command, dict):
        yield ManifestProblem(path, f"a command must be an object, not {kind_of(command)}")
        return
    yield from unknown(path, command, _COMMAND_KEYS)
    kind = command.get("type") or limits.CHAT_INPUT
    if not _typed(command):
        yield ManifestProblem(f"{path}.type", f"{kind!r} is not a command type; use 1 to 4")
        return
    slash = kind in {limits.CHAT_INPUT, limits.PRIMARY_ENTRY_POINT}
    yield from names(path, command, strict=slash)
    if slash:
        yield from descriptions(path, command)
    elif command.get("description"):
        yield ManifestProblem(f"{path}.description", f"{a(limits.TYPE_NAMES[kind])} has no description")
    if kind == limits.CHAT_INPUT:
        yield from options(f"{path}.options", command.get("options"), depth=0)
    elif command.get("options"):
        yield ManifestProblem(f"{path}.options", f"{a(limits.TYPE_NAMES[kind])} has no options")
    yield from _settings(path, command, kind)
    total = characters(command)
    if total > limits.TOTAL:
        yield ManifestProblem(
            path, f"{total} characters in names, descriptions and values; at most {limits.TOTAL}"
        )


def _settings(path: str, command: Mapping[str, Any], kind: int) -> Iterator[ManifestProblem]:
    permissions = command.get("default_member_permissions")
    if permissions is not None:
        plain = str(permissions)
        fits = not isinstance(permissions, bool | float) and plain.isascii() and plain.isdigit()
        if not fits or int(plain) > limits.MAX_PERMISSIONS:
            yield ManifestProblem(
                f"{path}.default_member_permissions",
                "must be a whole number of permission bits (as a string), or null",
            )
    for name in ("nsfw", "dm_permission", "default_permission"):
        if command.get(name) is not None and not isinstance(command[name], bool):
            yield ManifestProblem(f"{path}.{name}", "must be true or false")
    yield from set_of(f"{path}.contexts", command.get("contexts"), limits.CONTEXTS)
    yield from set_of(f"{path}.integration_types", command.get("integration_types"), limits.INTEGRATION_TYPES)
    handler = command.get("handler")
    if handler is not None and kind != limits.PRIMARY_ENTRY_POINT:
        yield ManifestProblem(f"{path}.handler", "only an entry point (type 4) can have a handler")
    elif handler is not None and (not isinstance(handler, int) or handler not in limits.HANDLERS):
        yield ManifestProblem(f"{path}.handler", "must be 1 (the application) or 2 (Discord)")


def _counts(commands: Sequence[Mapping[str, Any]]) -> Iterator[ManifestProblem]:
    for kind, n in sorted(Counter(c.get("type") or limits.CHAT_INPUT for c in commands if _typed(c)).items()):
        most = limits.PER_SCOPE[kind]
        if n > most:
            yield ManifestProblem(
                "$", f"{n} commands of type {kind} ({limits.TYPE_NAMES[kind]}); at most {most} in a scope"
            )

    if len(commands) > limits.IN_ALL:
        yield ManifestProblem("$", f"{len(commands)} commands; at most {limits.IN_ALL} of all types together")


def _typed(command: Mapping[str, Any]) -> bool:
    kind = command.get("type") or limits.CHAT_INPUT
    return isinstance(kind, int) and not isinstance(kind, bool) and kind in limits.PER_SCOPE
