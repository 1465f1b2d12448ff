"""Forwards: a snapshot of another message, which stays as it was."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from discord_sandbox import Sandbox, World
from support.client import Client, Wire

JSON = dict[str, Any]


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    """Discord's description knows no forwards yet: their reference has a type that it does not list."""
    async with Sandbox(World(rate_limits=False)) as sandbox, Client(sandbox, check=False) as it:
        yield it


def reference(message: JSON, **more: Any) -> JSON:
    given = {"type": 1, "message_id": message["id"], "channel_id": message["channel_id"]} | more
    return {"message_reference": given}


async def test_a_forward_keeps_what_was_said(client: Client) -> None:
    embed = {"title": "Menu"}
    source = (await client.send({"content": "soup today", "embeds": [embed]}, "news")).body
    async with Wire(client) as wire:
        await wire.identify(1 | 1 << 9)
        got = await client.send(reference(source))
        assert (await wire.dispatch("MESSAGE_CREATE"))["id"] == got.body["id"]
    made = got.body
    assert (made["type"], made["content"], made["flags"] & 1 << 14) == (0, "", 1 << 14)
    assert made["message_reference"] == {
        "type": 1,
        "channel_id": source["channel_id"],
        "message_id": source["id"],
        "guild_id": client.sandbox.guild_id(),
    }
    there = f"/channels/{source['channel_id']}/messages/{source['id']}"
    await client.rest("PATCH", there, {"content": "bread today"})
    seen = (await client.rest("GET", f"/channels/{made['channel_id']}/messages/{made['id']}")).body
    assert seen["message_snapshots"][0]["message"]["content"] == "soup today"
    assert seen["message_snapshots"][0]["message"]["embeds"][0]["title"] == "Menu"
    again = (await client.send(reference(made))).body
    assert again["message_snapshots"] == made["message_snapshots"], "of a forward, what it forwards"
    assert (await client.send(reference(source) | {"nonce": "n1"})).body["nonce"] == "n1"


@pytest.mark.parametrize(
    "more", [{"content": "x"}, {"embeds": [{"title": "x"}]}, {"poll": {"question": {"text": "x"}}}]
)
async def test_a_forward_has_nothing_else(client: Client, more: JSON) -> None:
    source = (await client.send({"content": "x"})).body
    assert (await client.send(reference(source) | more)).code == 50035


async def test_only_what_can_be_read_is_forwarded(client: Client) -> None:
    source = (await client.send({"content": "x"}, "news")).body
    for wrong in ({"message_id": "1"}, {"channel_id": "1"}):
        assert (await client.send(reference(source, **wrong))).code == 50035
    answers = [{"poll_media": {"text": "x"}}]
    poll = (await client.send({"poll": {"question": {"text": "x"}, "answers": answers}})).body
    assert (await client.send(reference(poll))).code == 50035
    await client.api("PATCH", "channels/news", {"permissions": {"READ_MESSAGE_HISTORY": False}})
    assert (await client.send(reference(source))).code == 50035


async def test_people_forward_what_they_see(client: Client) -> None:
    source = (await client.send({"content": "soup"}, "news")).body["id"]
    body = {"user": "ada", "channel": "general", "forward": source}
    made = (await client.api("POST", "messages", body)).body
    assert (made["forwarded"], made["content"], made["text"]) == ("soup", "", "soup")
    assert (await client.api("POST", "messages", body | {"forward": "1"})).status == 404
    await client.api("PATCH", "channels/news", {"user": "ada", "permissions": {"VIEW_CHANNEL": False}})
    assert (await client.api("POST", "messages", body)).status == 403


async def test_a_reply_stays_in_its_channel(client: Client) -> None:
    message = (await client.send({"content": "card"})).body
    elsewhere = {"message_id": message["id"], "channel_id": client.sandbox.channel_id("news")}
    assert (await client.send({"content": "re", "message_reference": elsewhere})).code == 50035
    assert (await client.send({"content": "re", "message_reference": {"message_id": "no"}})).code == 50035
