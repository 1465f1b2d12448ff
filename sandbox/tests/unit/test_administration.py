"""Bots with more permissions, and events for everything that happens."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp

from support.client import Client

JSON = dict[str, Any]


async def test_channels_are_changed_and_deleted_with_the_permission(client: Client) -> None:
    path = f"/channels/{client.sandbox.channel_id('support')}"
    overwrite = f"{path}/permissions/{client.sandbox.role_id('helper')}"
    for method, where, body in (
        ("PATCH", path, {"topic": "new"}),
        ("PUT", overwrite, {"type": 0, "allow": "0", "deny": "2048"}),
        ("DELETE", path, None),
    ):
        assert (await client.rest(method, where, body)).code == 50013
    await client.grant("MANAGE_CHANNELS", "MANAGE_ROLES")
    changed = await client.rest("PATCH", path, {"topic": "new", "name": "trouble", "rate_limit_per_user": 5})
    assert (changed.body["topic"], changed.body["name"]) == ("new", "trouble")
    assert (await client.rest("PATCH", path, {"topic": "x" * 1024})).status == 200
    assert (await client.rest("PATCH", path, {"topic": "x" * 1025})).code == 50035
    assert (await client.rest("PUT", overwrite, {"type": 0, "allow": "0", "deny": "2048"})).status == 204
    refused = await client.api("POST", "messages", {"user": "kim", "channel": "trouble", "content": "x"})
    assert refused.status == 403
    assert (await client.rest("DELETE", path)).status == 200
    assert (await client.rest("GET", path)).code == 10003


async def test_roles_are_given_and_taken_with_the_permission(client: Client) -> None:
    guild, ada = client.sandbox.guild_id(), client.sandbox.person_id("ada")
    path = f"/guilds/{guild}/members/{ada}/roles/{client.sandbox.role_id('helper')}"
    assert (await client.rest("PUT", path)).code == 50013
    await client.grant("MANAGE_ROLES")
    assert (await client.rest("PUT", path)).status == 204
    member = (await client.rest("GET", f"/guilds/{guild}/members/{ada}")).body
    assert client.sandbox.role_id("helper") in member["roles"]
    assert (await client.rest("DELETE", path)).status == 204
    assert (await client.rest("PUT", f"/guilds/{guild}/members/{ada}/roles/1")).code == 10011
    assert (await client.rest("PUT", f"/guilds/{guild}/members/1/roles/1")).code == 10007


async def test_threads_are_joined_left_and_changed_by_those_who_may(client: Client) -> None:
    channel = f"/channels/{client.sandbox.channel_id('general')}"
    made = (await client.rest("POST", f"{channel}/threads", {"name": "log", "type": 11})).body
    thread = f"/channels/{made['id']}"
    assert (await client.rest("DELETE", f"{thread}/thread-members/@me")).status == 204
    assert (await client.rest("PUT", f"{thread}/thread-members/@me")).status == 204
    assert (
        await client.rest("PUT", f"{thread}/thread-members/{client.sandbox.person_id('ada')}")
    ).status == 204
    assert (await client.rest("PUT", f"{thread}/thread-members/1")).code == 10013
    assert len((await client.rest("GET", f"{thread}/thread-members")).body) == 2
    assert (await client.rest("GET", f"{channel}/thread-members")).code == 50024
    assert (await client.rest("POST", f"{thread}/threads", {"name": "x", "type": 11})).code == 50024
    assert (await client.rest("PATCH", thread, {"locked": True, "auto_archive_duration": 60})).status == 200
    assert (await client.rest("PATCH", thread, {"auto_archive_duration": 61})).code == 50035
    await client.api("PATCH", "channels/general", {"permissions": {"MANAGE_THREADS": False}})
    assert (await client.rest("PATCH", thread, {"name": "x"})).code == 50013
    assert (await client.rest("PATCH", thread, {"locked": False})).code == 50013
    assert (await client.rest("DELETE", thread)).code == 50013
    async with Client(client.sandbox, "echo") as echo:
        assert (await echo.rest("PUT", f"{thread}/thread-members/@me")).status == 204
        assert (await echo.rest("DELETE", thread)).status == 200


async def _events(stream: aiohttp.ClientResponse) -> AsyncIterator[tuple[str, JSON]]:
    kind = ""
    async for raw in stream.content:
        line = raw.decode().rstrip()
        if line.startswith("event: "):
            kind = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield kind, json.loads(line.removeprefix("data: "))


async def test_everything_that_happens_is_an_event(client: Client) -> None:
    sandbox = client.sandbox
    start = sandbox.core.feed.last
    message = (await client.send({"content": "card"})).body
    path = f"/channels/{message['channel_id']}"
    await client.rest("PATCH", f"{path}/messages/{message['id']}", {"content": "new"})
    await client.rest("POST", f"{path}/typing")
    await client.rest("POST", f"{path}/messages/{message['id']}/threads", {"name": "log"})
    await client.rest("PATCH", f"/channels/{message['id']}", {"archived": True})
    it = await client.begin(user="ada", channel="general", command="ping")
    await client.callback(it, {"type": 4, "data": {"content": "x", "flags": 64}})
    await client.api("PATCH", "channels/news", {"topic": "t", "name": "warnings"})
    await client.api("PATCH", "people/guest", {"roles": ["helper"]})
    await client.api("PATCH", "roles/helper", {"mentionable": False})
    await client.api("POST", "faults", {"kind": "503", "route": "/nothing"})
    body = {"name": "kitchen", "environment": "test", "control_url": "http://127.0.0.1:1/"}
    await client.api("POST", "registry/services", body)
    assert (await client.api("GET", "registry/services")).body["services"] == [body]
    await client.api("DELETE", "registry/services", body)
    await client.api("POST", "clock", {"advance": 1})
    await client.api("POST", "applications/robot/token", {})
    await client.commands()
    await client.api("DELETE", "channels/log")
    await client.api("DELETE", "channels/warnings")
    await client.api("DELETE", f"messages/{message['id']}")
    seen: dict[str, JSON] = {}
    known = {"Last-Event-ID": str(start)}
    async with asyncio.timeout(60), client.http.get(f"{sandbox.api}/events", headers=known) as stream:
        async for kind, data in _events(stream):
            if kind != "message_create" or data["ephemeral_to"] is not None:
                seen[kind] = data
            if kind == "message_delete":
                await client.api("POST", "reset", {})
            if kind == "reset":
                break
    async with asyncio.timeout(60), client.http.get(f"{sandbox.api}/events?since={start}") as stream:
        assert await anext(_events(stream)) == ("reset", {}), "what was before is about objects that are gone"
    assert set(seen) == {
        "message_create",
        "message_update",
        "message_delete",
        "typing",
        "thread_create",
        "thread_update",
        "thread_delete",
        "interaction_create",
        "interaction_update",
        "channel_update",
        "channel_delete",
        "people_update",
        "role_update",
        "faults_update",
        "services_update",
        "clock_update",
        "session_update",
        "commands_update",
        "reset",
    }
    assert seen["message_create"]["ephemeral_to"] == "ada"
    assert seen["typing"] == {"channel_id": message["channel_id"], "user": "robot"}
    assert seen["interaction_update"]["interaction"]["state"] == "answered"
    assert seen["thread_delete"] == {"id": message["id"], "parent_id": message["channel_id"]}


async def test_bots_read_permissions_of_commands_and_people_set_them(client: Client) -> None:
    app, guild = client.sandbox.application_id(), client.sandbox.guild_id()
    (command,) = client.sandbox.core.state.applications[app].commands
    there = f"/applications/{app}/guilds/{guild}/commands/{command}/permissions"
    wanted = {"permissions": [{"id": client.sandbox.role_id("helper"), "type": 1, "permission": False}]}
    assert (await client.rest("GET", there)).code == 10066
    assert (await client.rest("PUT", there, wanted)).code == 20001
    assert (await client.rest("PUT", there.replace(command, "1"), wanted)).code == 10063
    assert (await client.api("PUT", "applications/robot/commands/ping/permissions", wanted)).status == 200
    assert (await client.rest("GET", there)).body["permissions"] == wanted["permissions"]
    refused = await client.api("POST", "commands", {"user": "kim", "channel": "general", "command": "ping"})
    assert (refused.status, refused.body["error"]["code"]) == (403, "missing_permissions")
