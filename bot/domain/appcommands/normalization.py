"""Canonical form of manifests: two that mean the same to Discord are equal.

Discord fills in defaults, answers with fields of its own, gives permissions as strings and takes them as
numbers, treats null, missing and empty alike, and does not care in which order commands stand. The order of
options and choices is what people see, and is kept.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from bot.domain.appcommands import limits

Json = dict[str, Any]

# Fields that only Discord sets: never part of what is desired.
_ANSWERED = frozenset(
    {"id", "application_id", "guild_id", "version", "name_localized", "description_localized"}
)


def normal_command(command: Mapping[str, Any], *, guild: bool = False) -> Json:
    """One command in canonical form. In a guild, `contexts`, `integration_types` and `dm_permission` mean nothing."""
    kind = command.get("type") or limits.CHAT_INPUT
    result: Json = {"type": kind, "name": command.get("name")}
    if kind in {limits.CHAT_INPUT, limits.PRIMARY_ENTRY_POINT}:
        result["description"] = command.get("description") or ""
        _put(result, "description_localizations", _locales(command.get("description_localizations")))
    _put(result, "name_localizations", _locales(command.get("name_localizations")))
    _put(result, "options", [normal_option(o) for o in command.get("options") or ()])
    permissions = command.get("default_member_permissions")
    if permissions is not None:
        result["default_member_permissions"] = str(permissions)
    _put(result, "nsfw", bool(command.get("nsfw")))
    _put(result, "handler", command.get("handler"))
    if not guild:
        _put(result, "contexts", _contexts(command))
        types = sorted(set(command.get("integration_types") or (0,)))
        _put(result, "integration_types", types if types != [0] else None)
    return {key: value for key, value in result.items() if key not in _ANSWERED}


def _contexts(command: Mapping[str, Any]) -> list[int] | None:
    """Contexts of a command. Null means everywhere; `dm_permission: false` is the older form of "guilds only"."""
    contexts = command.get("contexts")
    if contexts is None:
        return [0] if command.get("dm_permission") is False else None
    chosen = sorted(set(contexts))
    return None if chosen == sorted(limits.CONTEXTS) else chosen


def normal_option(option: Mapping[str, Any]) -> Json:
    result: Json = {
        "type": option.get("type"),
        "name": option.get("name"),
        "description": option.get("description") or "",
    }
    # Most options have few of the fields: only those are looked at, since a manifest may have thousands of options.
    for field, normal in _OPTION_FIELDS.items():
        if field in option:
            _put(result, field, normal(option[field]))
    for bound in _BOUNDS:
        if option.get(bound) is not None:
            result[bound] = _number(option[bound])
    if result.get("min_length") == 0:
        del result["min_length"]
    return result


def _choice(choice: Mapping[str, Any]) -> Json:
    result: Json = {"name": choice.get("name"), "value": _number(choice.get("value"))}
    _put(result, "name_localizations", _locales(choice.get("name_localizations")))
    return result


def _number(value: Any) -> Any:
    """`value` as Discord compares it: 2.0 and 2 are the same number."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _locales(texts: Mapping[str, str] | None) -> dict[str, str] | None:
    return {k: texts[k] for k in sorted(texts) if texts[k] is not None} if texts else None


def _put(result: Json, key: str, value: Any) -> None:
    """Set a field, unless its value means the same as a missing field: empty, false or null."""
    if value:
        result[key] = value


_OPTION_FIELDS: Mapping[str, Callable[[Any], Any]] = {
    "name_localizations": _locales,
    "description_localizations": _locales,
    "required": bool,
    "autocomplete": bool,
    "options": lambda options: [normal_option(o) for o in options or ()],
    "choices": lambda choices: [_choice(c) for c in choices or ()],
    "channel_types": lambda types: sorted(set(types or ())),
}
_BOUNDS = ("min_value", "max_value", "min_length", "max_length")


def key_of(command: Mapping[str, Any]) -> tuple[int, str]:
    """Type and name, which identify a command within a scope."""
    kind = command.get("type") or limits.CHAT_INPUT
    return (kind if isinstance(kind, int) else 0, str(command.get("name")))


def normal_manifest(commands: Iterable[Mapping[str, Any]], *, guild: bool = False) -> list[Json]:
    """All commands in canonical form and order."""
    return sorted((normal_command(c, guild=guild) for c in commands), key=key_of)


def digest(commands: Iterable[Mapping[str, Any]], *, guild: bool = False) -> str:
    """SHA-256 in hex over the canonical form: equal exactly when Discord means the same by both."""
    text = json.dumps(
        normal_manifest(commands, guild=guild), sort_keys=True, ensure_ascii=False, separators=(",", ":")
    )
    # Validation reports half a surrogate pair; the digest must still be computed.
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def sent_command(command: Mapping[str, Any], *, guild: bool = False) -> Json:
    """The command as a request has it: permissions are a number there, while Discord answers with a string."""
    result = normal_command(command, guild=guild)
    permissions = result.get("default_member_permissions")
    return result if permissions is None else {**result, "default_member_permissions": int(permissions)}


def whole_command(command: Mapping[str, Any], *, guild: bool = False) -> Json:
    """The canonical command with every field, as an edit by id needs: what is left out stays as it was."""
    normal = sent_command(command, guild=guild)
    blank: Json = {
        "name_localizations": None,
        "default_member_permissions": None,
        "nsfw": False,
    }
    if normal["type"] in {limits.CHAT_INPUT, limits.PRIMARY_ENTRY_POINT}:
        blank |= {"description_localizations": None}
    if normal["type"] == limits.CHAT_INPUT:
        blank |= {"options": []}
    if not guild:
        blank |= {"contexts": None, "integration_types": [0]}
    return {**blank, **{key: value for key, value in normal.items() if key != "type"}}
