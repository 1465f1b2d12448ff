"""Application commands: fields per type, localizations and sets, accepted and refused with their path."""

from typing import Any

import pytest

from support.client import Client
from support.commands import command, option, path, sized

JSON = dict[str, Any]
INVALID_NAME = "APPLICATION_COMMAND_INVALID_NAME"
UNKNOWN, NOT_ONE_OF, NO_TEXT = "UNKNOWN_FIELD", "BASE_TYPE_CHOICES", "STRING_TYPE_CONVERT"
TWICE, TOO_LARGE = "SET_TYPE_ALREADY_CONTAINS_VALUE", "APPLICATION_COMMAND_TOO_LARGE"


def one(**more: Any) -> JSON:
    return command(options=[option(**more)])


def sub(**more: Any) -> JSON:
    return command(options=[{"type": 1, "name": "diff", "description": "d"} | more])


def entry_point(**more: Any) -> JSON:
    return {"type": 4, "name": "launch", "description": "Starts"} | more


CASES: list[tuple[str, JSON, JSON, str, str]] = [
    ("a name is a text", command("3"), command(3), "name", NO_TEXT),  # type: ignore[arg-type]
    ("a description too", command(description="3"), command(description=3), "description", NO_TEXT),
    (
        "a choice's value too",
        one(choices=[{"name": "a", "value": "1"}]),
        one(choices=[{"name": "a", "value": 1}]),
        "options.0.choices.0.value",
        NO_TEXT,
    ),
    (
        "languages",
        command(name_localizations={"de": "ausrollen", "es-419": "lanzar", "he": "פרוס"}),
        command(name_localizations={"de-AT": "ausrollen"}),
        "name_localizations.de-AT",
        NOT_ONE_OF,
    ),
    (
        "languages of a description",
        one(description_localizations={"pt-BR": "Qual"}),
        one(description_localizations={"pt_BR": "Qual"}),
        "options.0.description_localizations.pt_BR",
        NOT_ONE_OF,
    ),
    (
        "a localised name is lower case",
        command(name_localizations={"de": "ausrollen"}),
        command(name_localizations={"de": "Ausrollen"}),
        "name_localizations.de",
        INVALID_NAME,
    ),
    (
        "that of an option too",
        one(name_localizations={"de": "dienst"}),
        one(name_localizations={"de": "Der Dienst"}),
        "options.0.name_localizations.de",
        INVALID_NAME,
    ),
    ("contexts once", command(contexts=[0, 1, 2]), command(contexts=[0, 0]), "contexts.1", TWICE),
    (
        "channel types once",
        one(type=7, channel_types=[0, 5]),
        one(type=7, channel_types=[0, 5, 5]),
        "options.0.channel_types.2",
        TWICE,
    ),
    ("handler", entry_point(handler=2), command(handler=2), "handler", UNKNOWN),
    ("handlers there are", entry_point(handler=1), entry_point(handler=3), "handler", NOT_ONE_OF),
    ("required", sub(required=False), sub(required=True), "options.0.required", UNKNOWN),
    ("options of an option", one(options=[]), one(options=[option()]), "options.0.options", UNKNOWN),
    (
        "channel types",
        one(type=7, channel_types=[0]),
        one(type=8, channel_types=[0]),
        "options.0.channel_types",
        UNKNOWN,
    ),
    ("min_value", one(type=4, min_value=0), one(min_value=0), "options.0.min_value", UNKNOWN),
    ("max_value", one(type=10, max_value=0.5), one(type=5, max_value=1), "options.0.max_value", UNKNOWN),
    ("min_length", one(min_length=0), one(type=10, min_length=0), "options.0.min_length", UNKNOWN),
    ("max_length", one(max_length=1), one(type=4, max_length=1), "options.0.max_length", UNKNOWN),
    (
        "values meet",
        one(type=4, min_value=3, max_value=3),
        one(type=4, min_value=4, max_value=3),
        "options.0.min_value",
        "NUMBER_TYPE_MAX",
    ),
    (
        "lengths meet",
        one(min_length=3, max_length=3),
        one(min_length=4, max_length=3),
        "options.0.min_length",
        "NUMBER_TYPE_MAX",
    ),
    (
        "the longest of a text's languages counts",
        sized(7901) | {"description_localizations": {"de": "x" * 100, "fr": "x" * 40}},
        sized(7902) | {"description_localizations": {"de": "x" * 100, "fr": "x" * 40}},
        "",
        TOO_LARGE,
    ),
    (
        "context menus have no options",
        {"type": 3, "name": "Roll back"},
        {"type": 3, "name": "Roll back", "options": [option()]},
        "options",
        "APPLICATION_COMMAND_CONTEXT_MENU_OPTIONS_INVALID",
    ),
]


def codes_at(errors: JSON, where: str) -> list[str]:
    """Error codes at a dotted path in Discord's tree of errors."""
    for part in filter(None, where.split(".")):
        errors = errors.get(part, {})
    return [found["code"] for found in errors.get("_errors", [])]


@pytest.mark.parametrize(("good", "bad", "where", "code"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
async def test_a_rule_holds_on_both_sides_and_names_the_place(
    strict: Client, good: JSON, bad: JSON, where: str, code: str
) -> None:
    taken = await strict.rest("POST", path(strict), good)
    assert taken.status == 201, taken.body
    refused = await strict.rest("POST", path(strict), bad)
    assert (refused.status, refused.code) == (400, 50035), refused.body
    assert codes_at(refused.body["errors"], where) == [code], refused.body


async def test_an_overwrite_names_the_command(strict: Client) -> None:
    refused = await strict.rest("PUT", path(strict), [command("a"), one(min_value=1)])
    assert codes_at(refused.body["errors"], "1.options.0.min_value") == [UNKNOWN]


async def test_an_overwrite_holds_130_commands_of_all_types(client: Client) -> None:
    menus = [{"type": kind, "name": f"m{i}"} for kind in (2, 3) for i in range(15)]
    full = [*menus, *(command(f"c{i}") for i in range(99)), entry_point(handler=2)]
    taken = await client.rest("PUT", path(client), full)
    assert (taken.status, len(taken.body)) == (200, 130)
    refused = await client.rest("PUT", path(client), [*full, command("more")])
    assert (refused.status, refused.code) == (400, 50035)
    assert codes_at(refused.body["errors"], "") == ["BASE_TYPE_MAX_LENGTH"]
    assert (await client.rest("GET", path(client))).body == taken.body
