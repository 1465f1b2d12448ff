"""Application commands: limits on both sides, stable ids, the daily budget."""

from typing import Any

import pytest

from discord_sandbox import ManualClock
from support.client import Client
from support.commands import choices, command, option, path, sized

JSON = dict[str, Any]


CASES: list[tuple[str, JSON, JSON]] = [
    ("name length", command("x" * 32), command("x" * 33)),
    ("lower case", command("order"), command("Order")),
    ("no blanks", command("roll-back_now"), command("roll back")),
    ("other scripts", command("развернуть"), command("🚀")),
    ("description", command(description="x" * 100), command(description="x" * 101)),
    ("description needed", command(), {"name": "order"}),
    (
        "options",
        command(options=[option(f"o{i}") for i in range(25)]),
        command(options=[option(f"o{i}") for i in range(26)]),
    ),
    (
        "choices",
        command(options=[option(choices=choices(25))]),
        command(options=[option(choices=choices(26))]),
    ),
    (
        "choice name",
        command(options=[option(choices=[{"name": "x" * 100, "value": "v"}])]),
        command(options=[option(choices=[{"name": "x" * 101, "value": "v"}])]),
    ),
    (
        "required first",
        command(options=[option("a", required=True), option("b")]),
        command(options=[option("a"), option("b", required=True)]),
    ),
    (
        "choices or autocomplete",
        command(options=[option(autocomplete=True)]),
        command(options=[option(autocomplete=True, choices=choices(1))]),
    ),
    (
        "option names differ",
        command(options=[option("a"), option("b")]),
        command(options=[option("a"), option("a")]),
    ),
    (
        "subcommands or options",
        command(options=[{"type": 1, "name": "diff", "description": "d"}]),
        command(options=[{"type": 1, "name": "diff", "description": "d"}, option()]),
    ),
    (
        "depth",
        command(
            options=[
                {
                    "type": 2,
                    "name": "g",
                    "description": "d",
                    "options": [{"type": 1, "name": "s", "description": "d"}],
                }
            ]
        ),
        command(
            options=[
                {
                    "type": 1,
                    "name": "g",
                    "description": "d",
                    "options": [{"type": 1, "name": "s", "description": "d"}],
                }
            ]
        ),
    ),
    ("8000 characters", sized(8000), sized(8001)),
    ("unknown key", command(), command(colour="red")),
]


@pytest.mark.parametrize(("good", "bad"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
async def test_a_limit_holds_on_both_sides(strict: Client, good: JSON, bad: JSON) -> None:
    assert (await strict.rest("POST", path(strict), good)).status == 201
    refused = await strict.rest("POST", path(strict), bad)
    assert (refused.status, refused.code) == (400, 50035), refused.body


async def test_a_scope_holds_100_commands(client: Client) -> None:
    hundred = [command(f"c{i}") for i in range(100)]
    assert (await client.rest("PUT", path(client), hundred)).status == 200
    assert (await client.rest("PUT", path(client), [*hundred, command("more")])).code == 30032
    assert (await client.rest("POST", path(client), command("more"))).code == 30032
    context = [{"name": f"m{i}", "type": 3} for i in range(15)]
    assert (await client.rest("PUT", path(client), [*hundred, *context])).status == 200
    assert (await client.rest("PUT", path(client), [*context, {"name": "one more", "type": 3}])).code == 30032


async def test_names_are_unique_in_an_overwrite(client: Client) -> None:
    refused = await client.rest("PUT", path(client), [command("a"), command("a")])
    assert refused.body["errors"]["1"]["name"]["_errors"][0]["code"] == "APPLICATION_COMMANDS_DUPLICATE_NAME"


@pytest.mark.parametrize("guild", [False, True])
async def test_ids_stay_while_the_name_stays(client: Client, guild: bool) -> None:
    where = path(client, guild=guild)
    first = (await client.rest("PUT", where, [command("a"), command("b")])).body
    again = (await client.rest("PUT", where, [command("a"), command("b", description="new")])).body
    assert [one["id"] for one in first] == [one["id"] for one in again]
    assert first[0]["version"] == again[0]["version"]
    assert first[1]["version"] != again[1]["version"]
    upserted = await client.rest("POST", where, command("a", description="other"))
    assert (upserted.status, upserted.body["id"]) == (200, first[0]["id"])
    patched = await client.rest("PATCH", f"{where}/{first[0]['id']}", {"description": "patched"})
    assert patched.body["description"] == "patched"
    assert (await client.rest("DELETE", f"{where}/{first[0]['id']}")).status == 204
    assert (await client.rest("GET", f"{where}/{first[0]['id']}")).code == 10063
    assert [one["name"] for one in (await client.rest("GET", where)).body] == ["b"]


async def test_two_hundred_creates_a_day_and_names_that_exist_are_free(
    client: Client, clock: ManualClock
) -> None:
    where = path(client, guild=True)
    one, other = [command(f"a{i}") for i in range(100)], [command(f"b{i}") for i in range(100)]
    for bodies in (one, one, other, other):
        assert (await client.rest("PUT", where, bodies)).status == 200
    refused = await client.rest("PUT", where, [*other[1:], command("new")])
    assert (refused.status, refused.code) == (400, 30034)
    assert (await client.rest("PUT", path(client), [command("elsewhere")])).status == 200
    clock.advance(86_401)
    assert (await client.rest("PUT", where, [*other[1:], command("new")])).status == 200


async def test_only_the_own_application(client: Client) -> None:
    other = client.sandbox.application_id("echo")
    assert (await client.rest("GET", f"/applications/{other}/commands")).code == 20012


async def test_permissions_of_a_command(client: Client) -> None:
    listed = (await client.rest("GET", path(client))).body
    where = f"{path(client, guild=True)}/{listed[0]['id']}/permissions"
    assert (await client.rest("GET", where)).code == 10066
    wanted = {"permissions": [{"id": "helper", "type": 1, "permission": True}]}
    assert (await client.api("PUT", "applications/robot/commands/ping/permissions", wanted)).status == 200
    assert (await client.rest("GET", where)).body["permissions"][0]["permission"] is True
    assert len((await client.rest("GET", f"{path(client, guild=True)}/permissions")).body) == 1
    assert (
        await client.api("POST", "commands", {"user": "kim", "channel": "general", "command": "ping"})
    ).status == 200
    assert (
        await client.api("POST", "commands", {"user": "ada", "channel": "general", "command": "ping"})
    ).status == 200
    denied = {"permissions": [{"id": "ada", "type": 2, "permission": False}]}
    await client.api("PUT", "applications/robot/commands/ping/permissions", denied)
    refused = await client.api("POST", "commands", {"user": "ada", "channel": "general", "command": "ping"})
    assert (refused.status, refused.body["error"]["code"]) == (403, "missing_permissions")
