"""Commands of context menus: what bots are sent, where they are offered, and what refusals say."""

from typing import Any

import pytest

from support import discord_specs
from support.client import PING, Client, Wire

JSON = dict[str, Any]
KEEP: JSON = {"type": 3, "name": "Book mark"}
WAVE: JSON = {"type": 2, "name": "Wave"}


async def said(client: Client, content: str = "hello", user: str = "ben") -> str:
    body = {"user": user, "channel": "general", "content": content}
    message: str = (await client.api("POST", "messages", body)).body["id"]
    return message


async def test_a_bot_is_sent_the_message_or_the_member(client: Client) -> None:
    await client.commands(KEEP, WAVE)
    message = await said(client)
    kim = client.sandbox.person_id("kim")
    async with Wire(client) as wire:
        await wire.identify()
        begun = await client.begin(user="ada", command="Book mark", target_message=message)
        kept = await wire.dispatch("INTERACTION_CREATE")
        assert kept["data"].keys() == {"id", "name", "type", "target_id", "resolved"}
        assert (kept["data"]["type"], kept["data"]["target_id"]) == (3, message)
        assert kept["data"]["resolved"]["messages"][message]["content"] == "hello"
        assert kept["channel_id"] == client.sandbox.channel_id("general")
        discord_specs.check_gateway("APIMessageApplicationCommandInteraction", kept)
        shown = (await client.api("GET", f"interactions/{begun['id']}")).body
        assert (shown["command"], shown["target_message"], shown["target_user"]) == (
            "Book mark",
            message,
            None,
        )
        begun = await client.begin(user="ada", channel="general", command="Wave", target_user="kim")
        waved = await wire.dispatch("INTERACTION_CREATE")
        assert waved["data"]["target_id"] == kim
        assert waved["data"]["resolved"]["users"][kim]["username"] == "kim"
        assert waved["data"]["resolved"]["members"][kim]["roles"] == [client.sandbox.role_id("helper")]
        discord_specs.check_gateway("APIUserApplicationCommandInteraction", waved)
        shown = (await client.api("GET", f"interactions/{begun['id']}")).body
        assert (shown["target_user"], shown["target_message"]) == ("kim", None)


async def test_the_answer_names_the_target_and_is_no_slash_command(client: Client) -> None:
    await client.commands(KEEP, WAVE)
    message, channel = await said(client), client.sandbox.channel_id("general")
    it = await client.begin(user="ada", command="Book mark", target_message=message)
    got = await client.callback(it, {"type": 4, "data": {"content": "kept"}}, response=True)
    answer = got.body["resource"]["message"]
    assert (answer["type"], answer["interaction"]["name"]) == (23, "Book mark")
    assert answer["interaction_metadata"]["target_message_id"] == message
    assert "message_reference" not in answer
    it = await client.begin(user="ada", channel="general", command="Wave", target_user="echo")
    await client.callback(it, {"type": 5})
    answer = (await client.rest("GET", client.webhook(it, "@original"), token="")).body
    assert answer["interaction_metadata"]["target_user"]["username"] == "echo"
    listed = (await client.rest("GET", f"/channels/{channel}/messages?limit=1")).body[0]
    assert listed["interaction_metadata"]["command_type"] == 2


async def test_commands_of_one_name_are_told_apart_by_their_target(client: Client) -> None:
    await client.commands(PING, {"type": 2, "name": "ping"}, {"type": 3, "name": "ping"})
    message = await said(client)
    for body, kind in (
        ({"channel": "general"}, 1),
        ({"channel": "general", "target_user": "ben"}, 2),
        ({"target_message": message}, 3),
    ):
        it = await client.begin(user="ada", command="ping", **body)
        assert client.sandbox.core.state.interactions[it["id"]].data["type"] == kind


@pytest.mark.parametrize(
    ("body", "status", "code", "hint"),
    [
        (
            {"channel": "general", "command": "Wave"},
            404,
            "unknown_command",
            'name its target as "target_user"',
        ),
        (
            {"channel": "general", "command": "Wav", "target_user": "ben"},
            404,
            "unknown_user_command",
            "Did you mean Wave?",
        ),
        (
            {"channel": "general", "command": "ping", "target_user": "ben"},
            404,
            "unknown_user_command",
            "send it without a target",
        ),
        ({"channel": "general", "command": "Wave", "target_user": "bem"}, 404, "unknown_person", "ben"),
        ({"command": "Book mark", "target_message": "1"}, 404, "unknown_message", ""),
        (
            {"channel": "general", "command": "Wave", "target_user": "ben", "options": {"a": 1}},
            422,
            "option_unknown",
            "",
        ),
        (
            {"channel": "general", "command": "Wave", "target_user": "ben", "target_message": "1"},
            400,
            "invalid",
            "",
        ),
    ],
)
async def test_refusals_name_the_way_out(
    client: Client, body: JSON, status: int, code: str, hint: str
) -> None:
    await client.commands(PING, KEEP, WAVE)
    got = await client.api("POST", "commands", {"user": "ada", **body})
    assert (got.status, got.body["error"]["code"]) == (status, code)
    assert hint in (got.body["error"]["hint"] or "")


async def test_who_may_not_use_or_see_it_cannot(client: Client) -> None:
    await client.commands(PING, KEEP, WAVE | {"default_member_permissions": "32"})
    wave = {"channel": "general", "command": "Wave", "target_user": "ben"}
    got = await client.api("POST", "commands", {"user": "ada", **wave})
    assert (got.status, got.body["error"]["message"]) == (403, "ada lacks MANAGE_GUILD: Wave.")
    assert (await client.api("POST", "commands", {"user": "mia", **wave})).status == 200
    it = await client.begin(user="ada", channel="general", command="ping")
    await client.callback(it, {"type": 4, "data": {"content": "for you", "flags": 64}})
    own = (await client.api("GET", f"interactions/{it['id']}")).body["message"]["id"]
    keep = {"user": "ada", "command": "Book mark"}
    assert (await client.api("POST", "commands", {**keep, "target_message": own})).status == 404
    message = await said(client)
    await client.api("PATCH", "channels/general", {"user": "ada", "permissions": {"VIEW_CHANNEL": False}})
    assert (await client.api("POST", "commands", {**keep, "target_message": message})).status == 403
