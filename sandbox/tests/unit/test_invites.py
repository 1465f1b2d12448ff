"""Invites: who makes and deletes them, who hears of them, how long they last, and people who come by one."""

from typing import Any

import pytest

from discord_sandbox import ManualClock
from discord_sandbox.discord.rules.invites import MOST
from support.client import Client, Wire

JSON = dict[str, Any]
GUILDS, MEMBERS, INVITES = 1 << 0, 1 << 1, 1 << 6
MAKES, MANAGES = "CREATE_INSTANT_INVITE", "MANAGE_CHANNELS"


def of_channel(client: Client, channel: str = "general") -> str:
    return f"/channels/{client.sandbox.channel_id(channel)}/invites"


async def made(client: Client, channel: str = "general", **body: Any) -> JSON:
    got = await client.rest("POST", of_channel(client, channel), {"unique": True} | body)
    assert got.status == 200, got.body
    found: JSON = got.body
    return found


async def test_they_are_made_listed_looked_up_and_deleted_and_managers_are_told(client: Client) -> None:
    await client.grant(MAKES, MANAGES, "MANAGE_GUILD", "VIEW_AUDIT_LOG")
    guild, general = client.sandbox.guild_id(), client.sandbox.channel_id("general")
    async with Wire(client) as wire, Wire(client) as deaf:
        await wire.identify(GUILDS | INVITES)
        await deaf.identify(GUILDS)
        one = await made(client, max_age=60, max_uses=2, temporary=True)
        assert one == one | {"type": 0, "max_age": 60, "max_uses": 2, "temporary": True, "uses": 0}
        assert (one["guild"]["name"], one["channel"]["id"]) == ("workshop", general)
        told = await wire.dispatch("INVITE_CREATE")
        whole = {key: one[key] for key in one if key not in ("guild", "channel", "flags")}
        assert told == whole | {"channel_id": general}
        other = await made(client, "news")
        assert (other["max_age"], other["inviter"]["username"]) == (86_400, "robot")
        assert (await client.rest("GET", of_channel(client))).body == [one]
        assert (await client.rest("GET", f"/guilds/{guild}/invites")).body == [one, other]
        hidden = ("uses", "max_uses", "max_age", "temporary", "created_at")
        seen = {key: value for key, value in one.items() if key not in hidden}
        by_code = f"/invites/{one['code']}"
        assert (await client.rest("GET", by_code, token="")).body == seen
        counted = (await client.rest("GET", f"{by_code}?with_counts=true")).body
        assert counted["approximate_member_count"] == len(client.sandbox.core.state.guilds[guild].members)
        assert (await client.rest("DELETE", by_code)).body == seen
        gone = {"channel_id": general, "guild_id": guild, "code": one["code"]}
        assert await wire.dispatch("INVITE_DELETE") == gone
        await client.api("PATCH", "channels/general", {"topic": "the end"})
        while (got := await deaf.receive())["t"] != "CHANNEL_UPDATE":
            assert not str(got["t"]).startswith("INVITE")
    for method in ("GET", "DELETE"):
        unknown = await client.rest(method, by_code)
        assert (unknown.status, unknown.code) == (404, 10006)
    log = (await client.rest("GET", f"/guilds/{guild}/audit-logs?limit=4")).body
    _topic, *entries = log["audit_log_entries"]
    assert [(entry["action_type"], entry["target_id"]) for entry in entries] == [
        (42, None),
        (40, None),
        (40, None),
    ]
    changes = {change["key"]: change.get("new_value") for change in entries[2]["changes"]}
    assert changes["code"] == one["code"] and changes["max_uses"] == 2


async def test_each_call_needs_its_permission(client: Client) -> None:
    guild = f"/guilds/{client.sandbox.guild_id()}/invites"
    assert (await client.rest("POST", of_channel(client), {})).code == 50013
    await client.grant(MAKES)
    code = (await made(client))["code"]
    for method, path in (("GET", of_channel(client)), ("GET", guild), ("DELETE", f"/invites/{code}")):
        assert (await client.rest(method, path)).code == 50013
    async with Wire(client) as wire:
        await wire.identify(GUILDS | INVITES)
        await made(client, "news")
        allowed = {"application": "robot", "permissions": {MANAGES: True}}
        assert (await client.api("PATCH", "channels/general", allowed)).status == 200
        await made(client)
        assert (await wire.dispatch("INVITE_CREATE"))["channel_id"] == client.sandbox.channel_id("general")
    assert (await client.rest("DELETE", f"/invites/{code}")).status == 200
    assert (await client.rest("GET", guild)).code == 50013
    await client.grant("MANAGE_GUILD")
    elsewhere = (await client.rest("GET", guild)).body[0]
    assert elsewhere["channel"]["name"] == "news"
    assert (await client.rest("DELETE", f"/invites/{elsewhere['code']}")).status == 200


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_age": -1},
        {"max_age": 5_184_001},
        {"max_age": "x"},
        {"max_uses": 101},
        {"temporary": "yes"},
        {"unique": 1},
        {"target_type": 3},
        {"target_user_id": "x"},
        {"role_ids": {}},
        {"role_ids": ["x"]},
    ],
)
async def test_what_cannot_be_an_invite(client: Client, wrong: JSON) -> None:
    await client.grant(MAKES)
    assert (await client.rest("POST", of_channel(client), wrong)).code == 50035


async def test_places_without_invites(client: Client) -> None:
    await client.grant(MAKES, MANAGES)
    category = (await client.api("POST", "channels", {"name": "back", "type": "category"})).body["id"]
    body = {"name": "log", "type": 11}
    thread = (await client.rest("POST", of_channel(client).replace("invites", "threads"), body)).body["id"]
    for channel in (category, thread):
        assert (await client.rest("POST", f"/channels/{channel}/invites", {})).code == 50024
    direct = {"recipient_id": client.sandbox.person_id("ada")}
    place = (await client.rest("POST", "/users/@me/channels", direct)).body["id"]
    assert (await client.rest("POST", f"/channels/{place}/invites", {})).code in (50003, 50013)
    code = (await made(client, "news"))["code"]
    await client.api("DELETE", "channels/news")
    assert (await client.rest("GET", f"/invites/{code}")).code == 10006


async def test_one_that_need_not_be_unique_is_the_one_that_there_is(client: Client) -> None:
    await client.grant(MAKES, MANAGES)
    first = await made(client, unique=False)
    assert await made(client, unique=False) == first
    for other in ({"max_age": 5}, {"max_uses": 5}, {"temporary": True}, {"unique": True}):
        assert (await made(client, **{"unique": False} | other))["code"] != first["code"]
    assert (await made(client, "news", unique=False))["code"] != first["code"]


async def test_they_end_by_time_without_a_word(client: Client, clock: ManualClock) -> None:
    await client.grant(MAKES, MANAGES)
    short, long = await made(client, max_age=60), await made(client, max_age=0)
    assert long["expires_at"] is None
    saved = await client.sandbox.save()
    clock.advance(59)
    assert (await client.rest("GET", f"/invites/{short['code']}")).body["expires_at"] == short["expires_at"]
    clock.advance(1)
    assert (await client.rest("GET", f"/invites/{short['code']}")).code == 10006
    assert (await client.rest("GET", of_channel(client))).body == [long]
    assert (await client.api("POST", "people", {"name": "zoe", "invite": short["code"]})).status == 404
    await client.sandbox.restore(saved)
    assert (await client.rest("GET", of_channel(client))).body == [short, long]


async def test_people_come_by_them_and_the_last_use_ends_one_before_the_person_joins(client: Client) -> None:
    await client.grant(MAKES, MANAGES)
    code = (await made(client, max_uses=2))["code"]
    async with Wire(client) as wire:
        await wire.identify(GUILDS | MEMBERS | INVITES)
        came = await client.api("POST", "people", {"name": "zoe", "invite": f"https://discord.gg/{code}"})
        assert (came.status, came.body["guild"]) == (201, "workshop")
        assert (await wire.dispatch("GUILD_MEMBER_ADD"))["user"]["username"] == "zoe"
        assert (await client.rest("GET", of_channel(client))).body[0]["uses"] == 1
        assert (await client.api("POST", "people", {"name": "zoe", "invite": code})).status == 409
        assert (await client.rest("GET", of_channel(client))).body[0]["uses"] == 1
        assert (await client.api("POST", "people", {"name": "tom", "invite": code})).status == 201
        told = [one["t"] for one in [await wire.receive(), await wire.receive()]]
        assert told == ["INVITE_DELETE", "GUILD_MEMBER_ADD"]
    assert (await client.rest("GET", of_channel(client))).body == []
    assert (await client.api("POST", "people", {"name": "liv", "invite": code})).status == 404


async def test_a_server_has_a_thousand(client: Client) -> None:
    await client.grant(MAKES)
    for _ in range(MOST):
        await made(client)
    assert (await client.rest("POST", of_channel(client), {"unique": True})).code == 30016
    assert (await client.rest("POST", of_channel(client), {})).status == 200
