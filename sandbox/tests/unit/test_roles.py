"""Roles: made, changed, moved and deleted by those who may, with limits on both sides."""

from typing import Any

import pytest

from discord_sandbox.discord.rules.roles import MOST
from support.client import Client, Wire

JSON = dict[str, Any]


def path(client: Client, role: str | None = None) -> str:
    return f"/guilds/{client.sandbox.guild_id()}/roles" + (f"/{role}" if role is not None else "")


async def positions(client: Client) -> dict[str, int]:
    return {one["name"]: one["position"] for one in (await client.rest("GET", path(client))).body}


async def test_each_call_needs_the_permission(client: Client) -> None:
    helper = client.sandbox.role_id("helper")
    calls: list[tuple[str, str, Any]] = [
        ("POST", path(client), {"name": "cook"}),
        ("PATCH", path(client), [{"id": helper, "position": 1}]),
        ("PATCH", path(client, helper), {"name": "cook"}),
        ("DELETE", path(client, helper), None),
    ]
    for method, where, body in calls:
        assert (await client.rest(method, where, body)).code == 50013
    await client.grant("MANAGE_ROLES")
    for method, where, body in calls:
        assert (await client.rest(method, where, body)).status in (200, 204)


async def test_a_new_role_is_the_lowest_and_has_what_everyone_has(client: Client) -> None:
    await client.grant("MANAGE_ROLES")
    before = await positions(client)
    everyone = (await client.rest("GET", path(client, client.sandbox.guild_id()))).body
    async with Wire(client) as wire:
        await wire.identify(1)
        made = (await client.rest("POST", path(client), {})).body
        assert (made["name"], made["permissions"], made["position"]) == (
            "new role",
            everyone["permissions"],
            1,
        )
        assert (await wire.dispatch("GUILD_ROLE_CREATE"))["role"] == made
        moved = {(await wire.dispatch("GUILD_ROLE_UPDATE"))["role"]["name"] for _ in range(len(before) - 1)}
        assert moved == set(before) - {"@everyone"}
    body = {
        "name": "cook",
        "color": 0x3498DB,
        "hoist": True,
        "mentionable": True,
        "unicode_emoji": "🍲",
        "permissions": "2048",
    }
    full = (await client.rest("POST", path(client), body)).body
    assert {key: full[key] for key in body} == body
    colors = {"colors": {"primary_color": 5, "secondary_color": None, "tertiary_color": None}}
    assert (await client.rest("PATCH", path(client, full["id"]), colors)).body["color"] == 5
    assert (await client.rest("PATCH", path(client, full["id"]), {"unicode_emoji": None})).body[
        "unicode_emoji"
    ] is None


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ({"name": "x" * 100}, {"name": "x" * 101}),
        ({"name": "x"}, {"name": ""}),
        ({"color": 0xFFFFFF}, {"color": 0x1000000}),
        ({"color": 0}, {"color": -1}),
        ({"permissions": "0"}, {"permissions": "abc"}),
        ({"hoist": False}, {"hoist": "no"}),
        ({"unicode_emoji": "🍲"}, {"unicode_emoji": "soup"}),
        ({"colors": {"primary_color": 1}}, {"colors": {}}),
    ],
)
async def test_a_limit_holds_on_both_sides(client: Client, good: JSON, bad: JSON) -> None:
    await client.grant("MANAGE_ROLES")
    helper = client.sandbox.role_id("helper")
    for method, where in (("POST", path(client)), ("PATCH", path(client, helper))):
        assert (await client.rest(method, where, good)).status == 200
        assert (await client.rest(method, where, bad)).code == 50035


async def test_a_bot_gives_only_permissions_that_it_has(client: Client) -> None:
    await client.grant("MANAGE_ROLES")
    helper = path(client, client.sandbox.role_id("helper"))
    ban = str(1 << 2)
    assert (await client.rest("POST", path(client), {"permissions": ban})).code == 50013
    assert (await client.rest("PATCH", helper, {"permissions": ban})).code == 50013
    await client.grant("BAN_MEMBERS", role="helper")
    assert (await client.rest("PATCH", helper, {"name": "aide"})).status == 200
    assert (await client.rest("PATCH", helper, {"permissions": ban})).status == 200, "it has it already"


async def test_a_bot_manages_only_roles_below_its_own(client: Client) -> None:
    await client.grant("MANAGE_ROLES")
    ids = {one["name"]: one["id"] for one in (await client.rest("GET", path(client))).body}
    for name, status in (("Echo", 403), ("Robot", 403), ("member", 204)):
        assert (await client.rest("DELETE", path(client, ids[name]))).status == status
    assert (await client.rest("PATCH", path(client, ids["Echo"]), {"name": "x"})).code == 50013
    assert (await client.rest("DELETE", path(client, client.sandbox.guild_id()))).code == 50028
    assert (
        await client.rest("PATCH", path(client, client.sandbox.guild_id()), {"permissions": "0"})
    ).status == 200
    for method, body in (("PATCH", {}), ("DELETE", None), ("GET", None)):
        assert (await client.rest(method, path(client, "1"), body)).code == 10011


async def test_roles_move_below_the_bots_own(client: Client) -> None:
    await client.grant("MANAGE_ROLES")
    helper, admin = client.sandbox.role_id("helper"), client.sandbox.role_id("admin")
    before = await positions(client)
    highest = before["Robot"]
    assert (await client.rest("PATCH", path(client), [{"id": helper, "position": highest}])).code == 50013
    for wrong in ([{"position": 1}], [{"id": helper, "position": -1}]):
        assert (await client.rest("PATCH", path(client), wrong)).code == 50035
    assert (await client.rest("PATCH", path(client), [{"id": "1", "position": 1}])).code == 10011
    everyone = [{"id": client.sandbox.guild_id(), "position": 1}]
    assert (await client.rest("PATCH", path(client), everyone)).code == 50028
    got = await client.rest("PATCH", path(client), [{"id": admin, "position": highest - 1}])
    assert {one["name"]: one["position"] for one in got.body} == await positions(client)
    after = await positions(client)
    assert (after["admin"], after["helper"]) == (highest - 1, before["helper"] - 1)
    assert sorted(after.values()) == list(range(len(after)))


async def test_a_deleted_role_is_held_by_no_one(client: Client) -> None:
    await client.grant("MANAGE_ROLES")
    helper, channel = client.sandbox.role_id("helper"), f"/channels/{client.sandbox.channel_id('general')}"
    body = {"role": "helper", "permissions": {"SEND_MESSAGES": False}}
    await client.api("PATCH", "channels/general", body)
    counts = (await client.rest("GET", path(client, "member-counts"))).body
    assert counts[helper] == 1
    assert client.sandbox.guild_id() not in counts
    async with Wire(client) as wire:
        await wire.identify(1)
        await client.rest("DELETE", path(client, helper))
        assert (await wire.dispatch("GUILD_ROLE_DELETE"))["role_id"] == helper
    assert (await client.rest("GET", channel)).body["permission_overwrites"] == []
    kim = f"/guilds/{client.sandbox.guild_id()}/members/{client.sandbox.person_id('kim')}"
    assert (await client.rest("GET", kim)).body["roles"] == []


async def test_there_are_at_most_250(client: Client) -> None:
    await client.grant("MANAGE_ROLES")
    guild = client.sandbox.core.state.guilds[client.sandbox.guild_id()]
    while len(guild.roles) < MOST:
        assert (await client.api("POST", "roles", {"name": "filler"})).status == 201
    assert (await client.rest("POST", path(client), {})).code == 30005


async def test_administrators_do_the_same_behind_its_back(client: Client) -> None:
    start = client.sandbox.core.feed.last
    made = await client.api(
        "POST", "roles", {"name": "cook", "color": 5, "permissions": {"MANAGE_GUILD": True}}
    )
    assert (made.status, made.body["color"], made.body["position"]) == (201, 5, 1)
    assert {"MANAGE_GUILD", "VIEW_CHANNEL"} <= set(made.body["permissions"])
    assert (await client.api("PATCH", "roles/cook", {"position": 3, "hoist": True})).body["position"] == 3
    for body in ({"position": 0}, {"position": 99}, {"color": "red"}, {"name": "x" * 101}):
        assert (await client.api("PATCH", "roles/cook", body)).status == 400
    assert (await client.api("POST", "roles", {})).status == 400
    assert (await client.api("DELETE", "roles/cook")).body["name"] == "cook"
    for name in ("everyone", "Robot"):
        assert (await client.api("DELETE", f"roles/{name}")).status == 409
    kinds = {one.kind for one in client.sandbox.core.feed.since(start) or []}
    assert kinds == {"role_create", "role_update", "role_delete"}


async def test_a_role_keeps_every_permission_that_discord_has(client: Client) -> None:
    await client.grant("ADMINISTRATOR")
    every = sum(1 << bit for bit in range(53) if bit != 47)
    made = (await client.rest("POST", path(client), {"permissions": str(every | 1 << 47)})).body
    assert made["permissions"] == str(every)
