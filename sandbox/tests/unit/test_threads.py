"""Threads: their members, who sees private ones, archiving, and what people do with them."""

from typing import Any

import pytest

from discord_sandbox import ManualClock
from support.client import Client, Wire

JSON = dict[str, Any]
MEMBERS = 1 << 1


async def started(client: Client, kind: int = 11, **more: Any) -> str:
    body = {"name": "log", "type": kind} | more
    got = await client.rest("POST", f"/channels/{client.sandbox.channel_id('general')}/threads", body)
    assert got.status == 201, got.body
    return f"/channels/{got.body['id']}"


def member(client: Client, thread: str, person: str) -> str:
    return f"{thread}/thread-members/{client.sandbox.person_id(person)}"


async def test_members_come_and_go_and_bots_with_the_intent_are_told(client: Client) -> None:
    thread, ada = await started(client), client.sandbox.person_id("ada")
    async with Wire(client) as wire:
        await wire.identify(1 | MEMBERS)
        assert (await client.rest("GET", member(client, thread, "ada"))).code == 10007
        assert (await client.rest("PUT", member(client, thread, "ada"))).status == 204
        told = await wire.dispatch("THREAD_MEMBERS_UPDATE")
        assert (told["id"], told["guild_id"], told["member_count"]) == (
            thread.split("/")[-1],
            client.sandbox.guild_id(),
            2,
        )
        assert [one["member"]["user"]["username"] for one in told["added_members"]] == ["ada"]
        one = (await client.rest("GET", member(client, thread, "ada") + "?with_member=true")).body
        assert (one["user_id"], one["member"]["user"]["username"]) == (ada, "ada")
        assert "member" not in (await client.rest("GET", member(client, thread, "ada"))).body
        assert (await client.rest("DELETE", member(client, thread, "ada"))).status == 204
        told = await wire.dispatch("THREAD_MEMBERS_UPDATE")
        assert (told["removed_member_ids"], told["member_count"]) == ([ada], 1)
        assert (await client.rest("DELETE", member(client, thread, "ada"))).code == 10007
        await client.rest("PUT", member(client, thread, "ada"))
        await client.api("DELETE", "people/ada")
        await wire.dispatch("THREAD_MEMBERS_UPDATE")
        assert (await wire.dispatch("THREAD_MEMBERS_UPDATE"))["removed_member_ids"] == [ada]
    assert (await client.rest("PUT", member(client, thread, "ada"))).code == 10007


async def test_without_the_intent_a_bot_is_told_of_itself_alone(client: Client) -> None:
    thread = await started(client)
    async with Wire(client) as wire:
        await wire.identify(1)
        await client.rest("PUT", member(client, thread, "ada"))
        await client.rest("DELETE", f"{thread}/thread-members/@me")
        told = await wire.dispatch("THREAD_MEMBERS_UPDATE")
        assert told["removed_member_ids"] == [client.sandbox.application_id()]


async def test_removing_others_needs_a_permission_or_a_private_thread_of_its_own(client: Client) -> None:
    await client.grant("CREATE_PRIVATE_THREADS")
    public, private = await started(client), await started(client, 12)
    body = {"application": "robot", "permissions": {"MANAGE_THREADS": False}}
    await client.api("PATCH", "channels/general", body)
    for thread, status in ((public, 403), (private, 204)):
        assert (await client.rest("PUT", member(client, thread, "ada"))).status == 204
        assert (await client.rest("DELETE", member(client, thread, "ada"))).status == status


async def test_a_private_thread_is_for_its_members_and_moderators(client: Client) -> None:
    await client.grant("CREATE_PRIVATE_THREADS")
    thread = await started(client, 12, invitable=False)
    say = {"channel": "log", "content": "x"}
    async with Client(client.sandbox, "echo") as echo, Wire(echo) as wire:
        await wire.identify(1 | 1 << 9)
        assert (await echo.rest("GET", thread)).status == 200, "it may manage threads"
        body = {"application": "echo", "permissions": {"MANAGE_THREADS": False}}
        await client.api("PATCH", "channels/general", body)
        assert (await echo.rest("GET", thread)).code == 50001
        await client.rest("POST", f"{thread}/messages", {"content": "secret"})
        await client.send({"content": "open"})
        assert (await wire.dispatch("MESSAGE_CREATE"))["channel_id"] == client.sandbox.channel_id("general")
        assert (await client.api("POST", "messages", {"user": "ada", **say})).status == 403
        echo_id = client.sandbox.application_id("echo")
        await client.rest("PUT", f"{thread}/thread-members/{echo_id}")
        assert (await echo.rest("GET", thread)).status == 200
        assert (await echo.rest("PUT", member(client, thread, "ada"))).code == 50013, "not invitable"
    assert (await client.rest("PUT", member(client, thread, "ada"))).status == 204
    assert (await client.api("POST", "messages", {"user": "ada", **say})).status == 201
    state = (await client.api("GET", "state")).body
    shown = next(one for one in state["channels"] if one["name"] == "log")
    assert (shown["type"], set(shown["members"])) == ("private_thread", {"robot", "echo", "ada"})


async def test_an_idle_thread_is_archived_after_its_time(client: Client, clock: ManualClock) -> None:
    thread = await started(client, auto_archive_duration=60)
    async with Wire(client) as wire:
        await wire.identify(1)
        clock.advance(3599)
        assert (await client.rest("GET", thread)).body["thread_metadata"]["archived"] is False
        await client.rest("POST", f"{thread}/messages", {"content": "still here"})
        clock.advance(3599)
        assert (await client.rest("GET", thread)).body["thread_metadata"]["archived"] is False
        clock.advance(1)
        assert (await wire.dispatch("THREAD_UPDATE"))["thread_metadata"]["archived"] is True
    for method in ("PUT", "DELETE"):
        assert (await client.rest(method, f"{thread}/thread-members/@me")).code == 50083
    await client.rest("PATCH", thread, {"archived": False})
    clock.advance(3599)
    assert (await client.rest("GET", thread)).body["thread_metadata"]["archived"] is False


async def test_people_start_join_and_leave_threads(client: Client) -> None:
    said = (await client.send({"content": "soup?"})).body["id"]
    body = {"user": "ada", "channel": "general", "name": "soup", "message": said, "content": "with bread"}
    async with Wire(client) as wire:
        await wire.identify(1)
        made = (await client.api("POST", "threads", body)).body
        assert (made["id"], made["message_id"], made["type"]) == (said, said, "thread")
        assert (await wire.dispatch("THREAD_CREATE"))["owner_id"] == client.sandbox.person_id("ada")
    said_there = (await client.api("GET", "channels/soup/messages")).body["messages"]
    assert [one["content"] for one in said_there][-1] == "with bread"
    assert (await client.api("PUT", "threads/soup/members", {"user": "ben"})).body["members"] == [
        "ada",
        "ben",
    ]
    assert (await client.api("DELETE", "threads/soup/members", user="ben")).body["members"] == ["ada"]
    alone = (await client.api("POST", "threads", {"user": "ada", "channel": "general", "name": "alone"})).body
    assert alone["members"] == ["ada"]
    await client.grant("CREATE_PRIVATE_THREADS", role="member")
    private = {"user": "ada", "channel": "general", "name": "secret", "private": True}
    assert (await client.api("POST", "threads", private)).body["type"] == "private_thread"
    assert (await client.api("PUT", "threads/secret/members", {"user": "ben"})).status == 403


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"name": "x" * 101}, 400),
        ({"user": "kim", "private": True}, 403),
        ({"message": "1"}, 404),
        ({"channel": "@robot"}, 409),
        ({"channel": "log"}, 409),
    ],
)
async def test_people_start_none_where_discord_has_none(client: Client, body: JSON, status: int) -> None:
    await started(client)
    got = await client.api("POST", "threads", {"user": "ada", "channel": "general", "name": "x"} | body)
    assert got.status == status
    assert (await client.api("PUT", "threads/general/members", {"user": "ada"})).status == 409
