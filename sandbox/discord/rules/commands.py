"""Application commands: names, options, choices and their limits."""

import re
import unicodedata
from typing import Any

from sandbox.discord.model import JSON
from sandbox.discord.permissions import ALL
from sandbox.discord.rules.fields import Fields

CHAT_INPUT, USER, MESSAGE, ENTRY_POINT = 1, 2, 3, 4
SUB, GROUP, STRING, INTEGER, NUMBER = 1, 2, 3, 4, 10
LARGEST = 8000
MOST = {CHAT_INPUT: 100, USER: 15, MESSAGE: 15, ENTRY_POINT: 1}
KEYS = frozenset(
    {
        "id",
        "application_id",
        "guild_id",
        "version",
        "name",
        "name_localizations",
        "description",
        "description_localizations",
        "options",
        "default_member_permissions",
        "default_permission",
        "dm_permission",
        "contexts",
        "integration_types",
        "handler",
        "type",
        "nsfw",
    }
)
OPTION_KEYS = frozenset(
    {
        "type",
        "name",
        "name_localizations",
        "description",
        "description_localizations",
        "required",
        "autocomplete",
        "choices",
        "min_value",
        "max_value",
        "min_length",
        "max_length",
        "options",
        "channel_types",
    }
)
_SCRIPTS = re.compile("[ऀ-ॿ꣠-ꣿ฀-๿]")


def valid_name(name: str) -> bool:
    """Discord's pattern: letters, numbers, `-`, `_`, `'`, Devanagari and Thai; lower case where there is one."""
    if not 1 <= len(name) <= 32 or name != name.lower():
        return False
    return all(
        char in "-_'" or unicodedata.category(char)[0] in "LN" or _SCRIPTS.match(char) for char in name
    )


def read(body: Fields, kind: int | None = None) -> JSON:
    """A command as Discord would answer it, without ids. Complains; the caller checks."""
    body.known(KEYS)
    kind = kind or body.choice("type", tuple(MOST)) or CHAT_INPUT
    name = _name(body, plain=kind == CHAT_INPUT)
    description = body.text("description", 100)
    if kind == CHAT_INPUT and not description:
        if not (isinstance(body.body.get("description"), str) and body.body["description"]):
            body.complain("description", "BASE_TYPE_REQUIRED", "This field is required")
    elif kind != CHAT_INPUT and description:
        body.complain("description", "APPLICATION_COMMAND_CONTEXT_MENU_DESCRIPTION", "Must be empty here.")
    found: JSON = {
        "type": kind,
        "name": name,
        "name_localizations": _localized(body, "name_localizations", 32),
        "description": description or "",
        "description_localizations": _localized(body, "description_localizations", 100),
        "default_member_permissions": _permissions(body),
        "nsfw": bool(body.flag("nsfw")),
        "contexts": body.choices("contexts", (0, 1, 2), least=1),
        "integration_types": body.choices("integration_types", (0, 1), least=1) or [0],
    }
    dm = body.flag("dm_permission")
    found["dm_permission"] = True if dm is None else dm
    if kind == CHAT_INPUT:
        options = _options(body, depth=0)
        if options:
            found["options"] = options
        if _size(found) > LARGEST:
            body.complain(None, "APPLICATION_COMMAND_TOO_LARGE", f"Command exceeds maximum size ({LARGEST})")
    elif body.body.get("options"):
        body.complain("options", "APPLICATION_COMMAND_CONTEXT_MENU_OPTIONS", "Must be empty here.")
    return found


def _name(body: Fields, *, plain: bool) -> str:
    name = body.text("name", 32, shortest=1, required=True)
    if name is not None and plain and not valid_name(name):
        body.complain("name", "APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid")
    return name or ""


def _localized(body: Fields, key: str, longest: int) -> JSON | None:
    given = body.object(key)
    if given is None:
        return None
    for locale in given.body:
        given.text(locale, longest, shortest=1, required=True)
    return dict(given.body)


def _permissions(body: Fields) -> str | None:
    value = body.number("default_member_permissions", 0, 2**54 - 1)
    return None if value is None else str(int(value) & (ALL | 2**54 - 1))


def _size(option: JSON) -> int:
    size = len(option["name"]) + len(option.get("description", ""))
    for choice in option.get("choices", ()):
        size += len(str(choice["name"])) + len(str(choice["value"]))
    return size + sum(_size(one) for one in option.get("options", ()))


def _options(body: Fields, *, depth: int) -> list[JSON]:
    given = body.objects("options", 25) or []
    found: list[JSON] = []
    seen: set[str] = set()
    optional = False
    kinds = {str(one.body.get("type")) for one in given}
    nested = {str(SUB), str(GROUP)}
    if kinds & nested and kinds - nested:
        body.complain(
            "options",
            "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID",
            "Sub-command and sub-command group option types are mutually exclusive to all other types",
        )
    for one in given:
        option = _option(one, depth)
        if option["name"] in seen:
            one.complain(
                "name", "APPLICATION_COMMAND_OPTIONS_NAME_ALREADY_EXISTS", "Option name already exists"
            )
        seen.add(option["name"])
        if option["type"] not in (SUB, GROUP):
            if option.get("required") and optional:
                one.complain(
                    None,
                    "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID",
                    "Required options must be placed before non-required options",
                )
            optional = optional or not option.get("required")
        found.append(option)
    return found


def _option(body: Fields, depth: int) -> JSON:
    body.known(OPTION_KEYS)
    kind = body.choice("type", tuple(range(1, 12)), required=True) or STRING
    found: JSON = {
        "type": kind,
        "name": _name(body, plain=True),
        "name_localizations": _localized(body, "name_localizations", 32),
        "description": body.text("description", 100, shortest=1, required=True) or "",
        "description_localizations": _localized(body, "description_localizations", 100),
    }
    if body.flag("required"):
        found["required"] = True
    if kind in (SUB, GROUP):
        if depth > 1 or (kind == GROUP and depth > 0):
            body.complain("type", "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID", "Sub-commands nest too deep")
        options = _options(body, depth=depth + 1 if kind == GROUP else 2)
        if kind == GROUP and any(one["type"] != SUB for one in options):
            body.complain("options", "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID", "A group holds sub-commands")
        return found | ({"options": options} if options else {})
    return found | _value_limits(body, kind)


def _value_limits(body: Fields, kind: int) -> JSON:
    found: JSON = {}
    choices = _choices(body, kind)
    if choices:
        found["choices"] = choices
    autocomplete = body.flag("autocomplete")
    if autocomplete and (choices or kind not in (STRING, INTEGER, NUMBER)):
        body.complain(
            "autocomplete",
            "APPLICATION_COMMAND_OPTIONS_AUTOCOMPLETE_INVALID",
            "Autocomplete needs a string, integer or number option without choices",
        )
    if autocomplete:
        found["autocomplete"] = True
    limits: dict[str, Any] = {}
    if kind == STRING:
        limits["min_length"] = body.number("min_length", 0, 6000)
        limits["max_length"] = body.number("max_length", 1, 6000)
    elif kind in (INTEGER, NUMBER):
        edge = 2**53 - (kind == INTEGER)
        limits["min_value"] = body.number("min_value", -edge, edge, whole=kind == INTEGER)
        limits["max_value"] = body.number("max_value", -edge, edge, whole=kind == INTEGER)
    elif kind == 7:
        limits["channel_types"] = body.choices(
            "channel_types", (0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 15, 16)
        )
    return found | {key: value for key, value in limits.items() if value is not None}


def _choices(body: Fields, kind: int) -> list[JSON]:
    given = body.objects("choices", 25) or []
    if given and kind not in (STRING, INTEGER, NUMBER):
        body.complain("choices", "APPLICATION_COMMAND_OPTIONS_CHOICES_INVALID", "This type has no choices")
    found = []
    names: set[Any] = set()
    for one in given:
        name = one.text("name", 100, shortest=1, required=True)
        if kind == STRING:
            value: Any = one.text("value", 100, shortest=1, required=True)
        else:
            edge = 2**53 - (kind == INTEGER)
            value = one.number("value", -edge, edge, required=True, whole=kind == INTEGER)
        if name in names:
            one.complain(
                "name",
                "APPLICATION_COMMAND_OPTIONS_CHOICE_NAME_ALREADY_EXISTS",
                "Option choice name already exists",
            )
        names.add(name)
        found.append(
            {"name": name, "value": value, "name_localizations": _localized(one, "name_localizations", 100)}
        )
    return found
