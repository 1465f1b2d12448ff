"""The JSON API's own description: complete, served, in its document, and what calls are checked against."""

import json
import re
from typing import Any

import pytest

from discord_sandbox.api.errors import ApiError
from discord_sandbox.api.route import Route
from discord_sandbox.api.routes import BASE, ROUTES
from discord_sandbox.api.schema.arguments import Taking
from support.client import Client
from support.own_spec import DESCRIPTION, validator
from support.paths import PROJECT

JSON = dict[str, Any]
ODD: list[Any] = [
    *(None, True, 0, -1, 5, 1.5, 2.0, 2**70, "", "x", "429", "user", "12"),
    *([], [None], ["x"], [""], [{}], {}, {"x": True}, {"x": None}, {"x": "x"}),
]
TAKING = [one for one in ROUTES if one.takes is not None and one.takes.fields]
DOCUMENT = (PROJECT / "docs" / "api.md").read_text(encoding="utf-8")


def accepts(takes: Taking, body: JSON) -> bool:
    try:
        takes.check(body)
    except ApiError as error:
        assert (error.status, error.code) == (400, "invalid")
        return False
    return True


@pytest.mark.parametrize("route", TAKING, ids=lambda one: f"{one.method} {one.path}")
def test_a_call_takes_exactly_what_its_schema_says(route: Route) -> None:
    assert route.takes is not None
    schema = validator(route.takes.schema())
    whole: JSON = route.takes.example or {}
    assert accepts(route.takes, whole)
    bodies = [whole, {}, whole | {"nonsense": 1}]
    bodies += [{key: value for key, value in whole.items() if key != left_out} for left_out in whole]
    bodies += [whole | {key: odd} for key in route.takes.fields for odd in ODD]
    wrong = [body for body in bodies if accepts(route.takes, body) is not schema.is_valid(body)]
    assert wrong == []
    if whole:
        assert not all(accepts(route.takes, body) for body in bodies)


async def test_it_is_served_and_every_call_is_in_it(client: Client) -> None:
    got = await client.api("GET", "openapi.json")
    assert got.body == json.loads(json.dumps(DESCRIPTION))
    calls = (await client.api("GET", "")).body["calls"]
    listed = {(one["method"].lower(), one["path"].removeprefix(BASE)) for one in calls}
    assert listed == {(method, path) for path, here in got.body["paths"].items() for method in here}
    names = [one["operationId"] for here in got.body["paths"].values() for one in here.values()]
    assert len(names) == len(set(names)) == len(ROUTES)


def references(value: Any) -> set[str]:
    if isinstance(value, dict):
        return (
            {value["$ref"]}
            if "$ref" in value
            else {one for each in value.values() for one in references(each)}
        )
    return {one for each in value for one in references(each)} if isinstance(value, list) else set()


def test_every_shape_is_used_and_every_reference_leads_to_one() -> None:
    shapes = {f"#/components/schemas/{name}" for name in DESCRIPTION["components"]["schemas"]}
    assert references(DESCRIPTION) == shapes


def fields(value: Any) -> set[str]:
    """Names of all properties in a schema."""
    if isinstance(value, dict):
        own = set(value["properties"]) if isinstance(value.get("properties"), dict) else set()
        return own | {name for each in value.values() for name in fields(each)}
    return {name for each in value for name in fields(each)} if isinstance(value, list) else set()


def test_the_document_names_every_call_and_every_field() -> None:
    code = " ".join(re.findall(r"```.*?```|`[^`]+`", DOCUMENT, re.DOTALL))
    written = re.sub(r"{\w+}", "{}", code)
    missing = [one.path for one in ROUTES if re.sub(r"{\w+}", "{}", one.path)[1:] not in written]
    assert missing == []
    words = set(re.findall(r"\w+", code))
    assert sorted(fields(DESCRIPTION) - words) == []


async def test_mistakes_are_named_with_a_way_out(client: Client) -> None:
    async def refused(
        method: str, path: str, body: JSON | None = None, **query: Any
    ) -> tuple[str, str | None]:
        got = await client.api(method, path, body, **query)
        assert (got.status, got.body["error"]["code"]) == (400, "invalid")
        return got.body["error"]["message"], got.body["error"]["hint"]

    assert await refused("POST", "messages", {"user": "ada", "chanel": "general"}) == (
        'There is no "chanel" here.',
        "Did you mean channel?",
    )
    assert (await refused("POST", "messages", {"user": "ada", "channel": ""}))[0] == '"channel" is missing.'
    assert (await refused("POST", "presses", {"user": "ada", "message": "1"}))[0] == (
        '"button" or "custom_id" is missing.'
    )
    assert (await refused("POST", "faults", {"kind": "428"})) == (
        '"kind" cannot be "428".',
        "Did you mean 429?",
    )
    assert (await refused("POST", "clock", {"advance": 1e9}))[0] == (
        '"advance" must be 0 to 31,536,000, not 1000000000.0.'
    )
    assert (await refused("PATCH", "people/ada", {"roles": ["member", 1]}))[0] == '"roles: 2" must be a text.'
    assert (await refused("GET", "requests", sicne=3))[1] == "Did you mean since?"
    assert (await refused("GET", "interactions/1", wait="soon"))[0] == '"wait" must be a number.'
    assert (await refused("DELETE", "faults/f1", force=1))[1] == "It takes none."
    async with client.http.post(f"{client.sandbox.api}/messages", data="[" * 100_000) as got:
        assert got.status == 400


async def test_one_message_is_shown_to_those_who_see_it(client: Client) -> None:
    it = await client.begin(user="ada", channel="general", command="ping")
    await client.callback(it, {"type": 4, "data": {"content": "for you", "flags": 64}})
    shown = (await client.api("GET", f"interactions/{it['id']}")).body["message"]["id"]
    assert (await client.api("GET", f"messages/{shown}", **{"as": "ada"})).body["text"] == "for you"
    hidden = await client.api("GET", f"messages/{shown}", **{"as": "mia"})
    assert (hidden.status, hidden.body["error"]["message"]) == (404, "mia cannot see this message.")
