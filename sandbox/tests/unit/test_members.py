"""Members: names, roles, timeouts, kicks, bans, joining and leaving; who may, and who is told."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest

from discord_sandbox import ManualClock
from support.client import Client, Wire

JSON = dict[str, Any]
MEMBERS, MODERATION = 1 << 1, 1 << 2
ALL = 1 | MEMBERS | MODERATION | 1 << 9


def path(client: Client, person: str = "ada", more: str = "") -> str:
    return f"/guilds/{client.sandbox.guild_id()}/members/{client.sandbox.person_id(person)}{more}"


def ban_path(client: Client, person: str) -> str:
    return f"/guilds/{client.sandbox.guild_id()}/bans/{client.sandbox.person_id(person)}"


def moment(clock: ManualClock, seconds: float) -> str:
    return datetime.fromtimestamp(clock.now() + seconds, UTC).isoformat()


async def test_each_change_needs_its_permission_and_is_announced(client: Client, clock: ManualClock) -> None:
    helper = client.sandbox.role_id("helper")
    changes: list[tuple[str, JSON]] = [
        ("MANAGE_GUILD", {"flags": 4}),
        ("MANAGE_NICKNAMES", {"nick": "Ada L."}),
        ("MANAGE_ROLES", {"roles": [helper]}),
        ("MODERATE_MEMBERS", {"communication_disabled_until": moment(clock, 60)}),
    ]
    async with Wire(client) as wire:
        await wire.identify(ALL)
        for permission, body in changes:
            assert (await client.rest("PATCH", path(client), body)).code == 50013, permission
            await client.grant(permission)
            assert (await client.rest("PATCH", path(client), body)).status == 200, permission
            told = await wire.dispatch("GUILD_MEMBER_UPDATE")
        assert (told["nick"], told["roles"], told["flags"]) == ("Ada L.", [helper], 4)
        assert told["communication_disabled_until"] is not None
    shown = next(one for one in (await client.api("GET", "state")).body["people"] if one["name"] == "ada")
    assert (shown["display_name"], shown["nick"], shown["roles"]) == ("Ada L.", "Ada L.", ["helper"])
    cleared = await client.rest("PATCH", path(client), {"nick": None, "communication_disabled_until": None})
    assert (cleared.body["nick"], cleared.body["communication_disabled_until"]) == (None, None)


@pytest.mark.parametrize(
    ("good", "bad", "code"),
    [
        ({"nick": "x" * 32}, {"nick": "x" * 33}, 50035),
        ({"nick": ""}, {"nick": ["x"]}, 50035),
        ({"roles": []}, {"roles": ["1"]}, 50035),
        ({"mute": None}, {"mute": True}, 40032),
        ({"deaf": None}, {"deaf": False}, 40032),
        ({"flags": 4}, {"flags": -1}, 50035),
    ],
)
async def test_a_limit_holds_on_both_sides(client: Client, good: JSON, bad: JSON, code: int) -> None:
    await client.grant("MANAGE_NICKNAMES", "MANAGE_ROLES", "MODERATE_MEMBERS", "MANAGE_GUILD")
    assert (await client.rest("PATCH", path(client), good)).status == 200
    assert (await client.rest("PATCH", path(client), bad)).code == code


async def test_a_timeout_silences_for_at_most_28_days(client: Client, clock: ManualClock) -> None:
    await client.grant("MODERATE_MEMBERS")
    key, day = "communication_disabled_until", 86_400
    assert (await client.rest("PATCH", path(client), {key: moment(clock, 28 * day)})).status == 200
    assert (await client.rest("PATCH", path(client), {key: moment(clock, 28 * day + 1)})).code == 50035
    assert (await client.rest("PATCH", path(client), {key: moment(clock, 60)})).status == 200
    message = (await client.send({"content": "hello"})).body["id"]
    await client.api("POST", "reactions", {"user": "ben", "message": message, "emoji": "👍"})
    said = {"user": "ada", "channel": "general", "content": "hm"}
    acts: list[tuple[str, JSON]] = [
        ("messages", said),
        ("reactions", {"user": "ada", "message": message, "emoji": "👍"}),
        ("commands", {"user": "ada", "channel": "general", "command": "ping"}),
    ]
    for call, body in acts:
        assert (await client.api("POST", call, body)).status == 403, call
    assert (await client.api("GET", "channels/general/messages")).status == 200
    clock.advance(60)
    for call, body in acts:
        assert (await client.api("POST", call, body)).status < 300, call
    await client.api("PATCH", "people/ada", {"roles": ["admin"]})
    assert (await client.rest("PATCH", path(client), {key: moment(clock, 60)})).code == 50013


async def test_rank_counts_as_well_as_permission(client: Client, clock: ManualClock) -> None:
    """The second bot's role is above the first's, and every role of people below it."""
    guild, sandbox = client.sandbox.guild_id(), client.sandbox
    await client.grant("MANAGE_NICKNAMES", "MANAGE_ROLES", "MODERATE_MEMBERS", "KICK_MEMBERS", "BAN_MEMBERS")
    echo = f"/guilds/{guild}/members/{sandbox.application_id('echo')}"
    for method, where, body in (
        ("PATCH", echo, {"nick": "x"}),
        ("PATCH", echo, {"communication_disabled_until": moment(clock, 60)}),
        ("DELETE", echo, None),
        ("PUT", f"/guilds/{guild}/bans/{sandbox.application_id('echo')}", {}),
    ):
        assert (await client.rest(method, where, body)).code == 50013
    roles = {one["name"]: one["id"] for one in (await client.rest("GET", f"/guilds/{guild}/roles")).body}
    for name, code in (("Echo", 50013), ("Robot", 50013), ("@everyone", 50028)):
        assert (await client.rest("PUT", path(client, "ada", f"/roles/{roles[name]}"))).code == code
    assert (await client.rest("PATCH", path(client), {"roles": [roles["Echo"]]})).code == 50013
    assert (await client.rest("PUT", path(client, "ada", f"/roles/{roles['moderator']}"))).status == 204
    assert (await client.rest("PATCH", path(client), {"roles": [roles["moderator"]]})).status == 200


async def test_a_bot_names_itself(client: Client) -> None:
    me = f"/guilds/{client.sandbox.guild_id()}/members/@me"
    got = await client.rest("PATCH", me, {"nick": "Robbie"})
    assert (got.status, got.body["nick"]) == (200, "Robbie")
    body = {"permissions": {"CHANGE_NICKNAME": False}}
    await client.api("PATCH", "roles/everyone", body)
    assert (await client.rest("PATCH", me, {"nick": "x"})).code == 50013
    assert (await client.rest("PATCH", me, {"nick": "x" * 33})).code == 50035
    said = (await client.send({"content": "I am"})).body["id"]
    assert (await client.api("GET", f"messages/{said}")).body["author_name"] == "Robbie"


async def test_a_kicked_member_is_gone_and_comes_back_as_one_who_was_here(client: Client) -> None:
    said = await client.api("POST", "messages", {"user": "ada", "channel": "general", "content": "mine"})
    assert (await client.rest("DELETE", path(client))).code == 50013
    await client.grant("KICK_MEMBERS")
    async with Wire(client) as wire:
        await wire.identify(ALL)
        assert (await client.rest("DELETE", path(client))).status == 204
        gone = await wire.dispatch("GUILD_MEMBER_REMOVE")
        assert (gone["user"]["username"], gone["guild_id"]) == ("ada", client.sandbox.guild_id())
        assert (await client.rest("GET", path(client))).code == 10007
        assert (await client.rest("DELETE", path(client))).code == 10007
        refused = await client.api("POST", "messages", {"user": "ada", "channel": "general", "content": "x"})
        assert refused.body["error"]["code"] == "unknown_person"
        assert (await client.api("GET", f"messages/{said.body['id']}")).body["author"] == "ada"
        back = await client.api("POST", "people", {"name": "ada", "roles": ["helper"]})
        assert (back.status, back.body["display_name"], back.body["roles"]) == (201, "Ada", ["helper"])
        joined = await wire.dispatch("GUILD_MEMBER_ADD")
        assert (joined["user"]["username"], joined["flags"]) == ("ada", 1)
        await client.api("POST", "people", {"name": "zoe", "display_name": "Zoe"})
        assert (await wire.dispatch("GUILD_MEMBER_ADD"))["flags"] == 0
        assert (await client.api("DELETE", "people/zoe")).body["name"] == "zoe"
        assert (await wire.dispatch("GUILD_MEMBER_REMOVE"))["user"]["username"] == "zoe"
    assert (await client.api("POST", "people", {"name": "ben"})).status == 409
    for name in ("", "Z", "zoe!", 5):
        assert (await client.api("POST", "people", {"name": name})).status == 400


async def test_a_ban_takes_messages_along_and_keeps_its_reason(client: Client, clock: ManualClock) -> None:
    async def say(content: str) -> str:
        body = {"user": "guest", "channel": "general", "content": content}
        return str((await client.api("POST", "messages", body)).body["id"])

    old = await say("old")
    clock.advance(3600)
    new = await say("new")
    assert (await client.rest("PUT", ban_path(client, "guest"), {})).code == 50013
    await client.grant("BAN_MEMBERS")
    assert (await client.rest("GET", ban_path(client, "guest"))).code == 10026
    assert (await client.rest("DELETE", ban_path(client, "guest"))).code == 10026
    headers = {"X-Audit-Log-Reason": quote("spam, twice – sorry")}
    body = {"delete_message_seconds": 60}
    async with Wire(client) as wire:
        await wire.identify(ALL)
        assert (await client.rest("PUT", ban_path(client, "guest"), body, headers=headers)).status == 204
        assert (await wire.dispatch("GUILD_MEMBER_REMOVE"))["user"]["username"] == "guest"
        assert (await wire.dispatch("GUILD_BAN_ADD"))["user"]["username"] == "guest"
        assert (await wire.dispatch("MESSAGE_DELETE_BULK"))["ids"] == [new]
        left = (await client.api("GET", "channels/general/messages")).body["messages"]
        assert [one["id"] for one in left] == [old]
        banned = (await client.rest("GET", ban_path(client, "guest"))).body
        assert (banned["user"]["username"], banned["reason"]) == ("guest", "spam, twice – sorry")
        assert (await client.api("POST", "people", {"name": "guest"})).status == 403
        assert (await client.api("GET", "bans")).body["bans"][0]["user"] == "guest"
        assert (await client.rest("DELETE", ban_path(client, "guest"))).status == 204
        assert (await wire.dispatch("GUILD_BAN_REMOVE"))["guild_id"] == client.sandbox.guild_id()
    assert (await client.api("POST", "people", {"name": "guest"})).status == 201


async def test_limits_of_bans(client: Client) -> None:
    await client.grant("BAN_MEMBERS")
    for good, bad in (
        ({"delete_message_seconds": 604_800}, {"delete_message_seconds": 604_801}),
        ({"delete_message_days": 7}, {"delete_message_days": 8}),
    ):
        assert (await client.rest("PUT", ban_path(client, "kim"), bad)).code == 50035
        assert (await client.rest("PUT", ban_path(client, "kim"), good)).status == 204
    assert (await client.rest("PUT", ban_path(client, "kim")[:-1] + "0", {})).code == 10013
    for length, status in ((512, 204), (513, 400)):
        headers = {"X-Audit-Log-Reason": "x" * length}
        assert (await client.rest("PUT", ban_path(client, "max"), {}, headers=headers)).status == status


async def test_many_are_banned_at_once_and_listed_in_pages(client: Client) -> None:
    sandbox = client.sandbox
    ids = [sandbox.person_id(one) for one in ("ada", "ben", "kim")]
    many, bans = f"/guilds/{sandbox.guild_id()}/bulk-ban", f"/guilds/{sandbox.guild_id()}/bans"
    await client.grant("BAN_MEMBERS")
    assert (await client.rest("POST", many, {"user_ids": ids})).code == 50013
    await client.grant("MANAGE_GUILD")
    assert (await client.rest("POST", many, {"user_ids": []})).code == 50035
    assert (await client.rest("POST", many, {"user_ids": ["1"] * 201})).code == 50035
    assert (await client.rest("POST", many, {"user_ids": ["1"]})).code == 500000
    got = (await client.rest("POST", many, {"user_ids": [*ids, "1", sandbox.application_id("echo")]})).body
    assert got == {"banned_users": ids, "failed_users": ["1", sandbox.application_id("echo")]}
    rising = sorted(ids, key=int)
    for query, expected in (
        ("", rising),
        ("?limit=2", rising[:2]),
        (f"?limit=2&after={rising[0]}", rising[1:]),
        (f"?limit=1&before={rising[2]}", rising[1:2]),
    ):
        assert [one["user"]["id"] for one in (await client.rest("GET", bans + query)).body] == expected
    for query in ("?limit=1001", "?limit=0", "?after=abc"):
        assert (await client.rest("GET", bans + query)).code == 50035


async def test_a_bot_leaves_and_is_added_again(client: Client) -> None:
    guild = client.sandbox.guild_id()
    async with Client(client.sandbox, "echo") as other, Wire(client) as wire, Wire(other) as mine:
        await wire.identify(ALL)
        await mine.identify(ALL)
        assert (await other.rest("DELETE", f"/users/@me/guilds/{guild}")).status == 204
        assert await mine.dispatch("GUILD_DELETE") == {"id": guild}
        assert (await wire.dispatch("GUILD_ROLE_DELETE"))["guild_id"] == guild
        assert (await wire.dispatch("GUILD_MEMBER_REMOVE"))["user"]["username"] == "echo"
        assert (await other.rest("GET", f"/guilds/{guild}")).code == 10004
        assert (await other.send({"content": "x"})).code == 50001
        assert (await other.rest("GET", "/users/@me/guilds")).body == []
        assert (await client.api("DELETE", "applications/echo/guilds/workshop")).status == 409
        assert (await client.api("PUT", "applications/echo/guilds/workshop")).status == 200
        assert (await mine.dispatch("GUILD_CREATE"))["id"] == guild
        assert (await wire.dispatch("GUILD_MEMBER_ADD"))["user"]["username"] == "echo"
        assert (await other.send({"content": "back"})).status == 200
        assert (await client.api("PUT", "applications/echo/guilds/workshop")).status == 409
        assert (await client.api("PUT", "applications/echo/guilds/none")).status == 404
        await client.api("DELETE", "applications/echo/guilds/workshop")
        await mine.dispatch("GUILD_DELETE")


async def test_who_may_not_be_told_is_not(client: Client) -> None:
    async with Wire(client) as wire:
        await wire.identify(1)
        await client.api("POST", "people", {"name": "zoe"})
        await client.api("PUT", "bans/zoe", {"reason": "none"})
        await client.api("PATCH", "channels/news", {"topic": "x"})
        while (payload := await wire.receive())["t"] != "CHANNEL_UPDATE":
            assert payload["t"] not in ("GUILD_MEMBER_ADD", "GUILD_MEMBER_REMOVE", "GUILD_BAN_ADD")


async def test_watchers_see_people_come_and_go(client: Client) -> None:
    start = client.sandbox.core.feed.last
    await client.api("POST", "people", {"name": "zoe"})
    await client.api("PATCH", "people/zoe", {"nick": "Z", "timeout": 60})
    await client.api("DELETE", "people/zoe")
    entries = client.sandbox.core.feed.since(start) or []
    assert [one.kind for one in entries] == ["people_create", "people_update", "people_delete"]
    for body in ({}, {"timeout": 0}, {"timeout": 28 * 86_400 + 1}, {"nick": "x" * 33}, {"nick": 5}):
        assert (await client.api("PATCH", "people/ada", body)).status == 400
    assert (await client.api("PATCH", "people/ada", {"timeout": None})).status == 200
