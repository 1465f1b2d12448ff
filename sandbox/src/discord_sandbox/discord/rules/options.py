"""Command options: types, the fields of each type, choices and bounds."""

from typing import Any

from discord_sandbox.discord.rules.fields import Fields
from discord_sandbox.discord.rules.naming import localized, name, text
from discord_sandbox.discord.state.model import JSON

SUB, GROUP, STRING, INTEGER, CHANNEL, NUMBER = 1, 2, 3, 4, 7, 10
KINDS = tuple(range(1, 12))
KEYS = frozenset(
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
# Keys that only these types have; choices and autocomplete have refusals of their own.
OF_TYPES = {
    "options": (SUB, GROUP),
    "min_value": (INTEGER, NUMBER),
    "max_value": (INTEGER, NUMBER),
    "min_length": (STRING,),
    "max_length": (STRING,),
    "channel_types": (CHANNEL,),
}


def read_options(body: Fields, *, depth: int) -> list[JSON]:
    given = body.objects("options", 25) or []
    found: list[JSON] = []
    seen: set[str] = set()
    optional = False
    kinds = {str(one.body.get("type")) for one in given} & set(map(str, KINDS))
    nested = {str(SUB), str(GROUP)}
    if kinds & nested and kinds - nested:
        body.complain(
            "options",
            "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID",
            "Sub-command and sub-command group option types are mutually exclusive to all other types",
        )
    for one in given:
        option = _option(one, depth)
        if option["name"] and option["name"] in seen:
            one.complain(
                "name", "APPLICATION_COMMAND_OPTIONS_NAME_ALREADY_EXISTS", "Option name already exists"
            )
        seen.add(option["name"])
        if option["type"] not in (SUB, GROUP) and not one.wrong("type", "required"):
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
    body.known(KEYS)
    kind = body.choice("type", KINDS, required=True) or 0
    found: JSON = {
        "type": kind,
        "name": name(body, plain=True),
        "name_localizations": localized(body, "name_localizations", 32, plain=True),
        "description": text(body, "description", 100, required=True) or "",
        "description_localizations": localized(body, "description_localizations", 100),
    }
    if not kind:
        return found
    _belongs(body, kind)
    if body.flag("required") and kind not in (SUB, GROUP):
        found["required"] = True
    if kind in (SUB, GROUP):
        if depth > 1 or (kind == GROUP and depth > 0):
            body.complain("type", "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID", "Sub-commands nest too deep")
        options = read_options(body, depth=depth + 1 if kind == GROUP else 2)
        if kind == GROUP and any(one["type"] not in (0, SUB) for one in options):
            body.complain("options", "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID", "A group holds sub-commands")
        return found | ({"options": options} if options else {})
    return found | _value_limits(body, kind)


def _belongs(body: Fields, kind: int) -> None:
    """Fields of other types must be null, false or empty; clients send those for every type."""
    for key, kinds in OF_TYPES.items():
        value = body.body.get(key)
        if kind not in kinds and value is not None and value != []:
            body.unknown(key, "This type of option does not have this field.")
    if kind in (SUB, GROUP) and body.body.get("required") is True:
        body.unknown("required", "This type of option does not have this field.")


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
    elif kind == CHANNEL:
        limits["channel_types"] = body.choices(
            "channel_types", (0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 15, 16)
        )
    for low, high in (("min_value", "max_value"), ("min_length", "max_length")):
        least, most = limits.get(low), limits.get(high)
        if least is not None and most is not None and least > most:
            body.complain(low, "NUMBER_TYPE_MAX", f"Value should be less than or equal to {most}.")
    return found | {key: value for key, value in limits.items() if value is not None}


def _choices(body: Fields, kind: int) -> list[JSON]:
    given = body.objects("choices", 25) or []
    if given and kind not in (STRING, INTEGER, NUMBER):
        body.complain("choices", "APPLICATION_COMMAND_OPTIONS_CHOICES_INVALID", "This type has no choices")
    found = []
    names: set[Any] = set()
    for one in given:
        called = text(one, "name", 100, required=True)
        if kind == STRING:
            value: Any = text(one, "value", 100, required=True)
        else:
            edge = 2**53 - (kind == INTEGER)
            value = one.number("value", -edge, edge, required=True, whole=kind == INTEGER)
        if called in names:
            one.complain(
                "name",
                "APPLICATION_COMMAND_OPTIONS_CHOICE_NAME_ALREADY_EXISTS",
                "Option choice name already exists",
            )
        names.add(called)
        found.append(
            {"name": called, "value": value, "name_localizations": localized(one, "name_localizations", 100)}
        )
    return found
