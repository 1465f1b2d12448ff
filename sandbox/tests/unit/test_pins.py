"""Pins of bots and people: who is told, the message that says who pinned, and when the last pin was."""

import pytest

from discord_sandbox import ManualClock
from support import discord_specs
from support.client import Client, Wire

GUILDS, MESSAGES, DIRECT_MESSAGES = 1 << 0, 1 << 9, 1 << 12


async def posted(client: Client, content: str = "card") -> str:
    message: str = (await client.send({"content": content})).body["id"]
    return message


async def pin(client: Client, message: str, method: str = "POST", user: str = "owner") -> int:
    return (await client.api(method, "pins", {"user": user, "message": message})).status


def pins(client: Client, message: str) -> str:
    return f"/channels/{client.sandbox.channel_id('general')}/messages/pins/{message}"


async def test_bots_are_told_of_pins_and_of_the_newest_pin(client: Client, clock: ManualClock) -> None:
    general, guild = client.sandbox.channel_id("general"), client.sandbox.guild_id()
    one, two = await posted(client, "one"), await posted(client, "two")
    await client.grant("PIN_MESSAGES")
    async with Wire(client) as wire:
        await wire.identify(GUILDS)
        for message in (one, two):
            clock.advance(60)
            assert (await client.rest("PUT", pins(client, message))).status == 204
            told = await wire.dispatch("CHANNEL_PINS_UPDATE")
            listed = (await client.rest("GET", f"/channels/{general}/messages/pins")).body["items"][0]
            assert (told["guild_id"], told["channel_id"]) == (guild, general)
            assert told["last_pin_timestamp"] == listed["pinned_at"]
            assert listed["message"]["id"] == message
        shown = (await client.rest("GET", f"/channels/{general}")).body
        assert shown["last_pin_timestamp"] == told["last_pin_timestamp"]
        assert (await client.rest("DELETE", pins(client, two))).status == 204
        told = await wire.dispatch("CHANNEL_PINS_UPDATE")
        assert told["last_pin_timestamp"] < shown["last_pin_timestamp"]
        assert await pin(client, one, "DELETE") == 200
        assert (await wire.dispatch("CHANNEL_PINS_UPDATE"))["last_pin_timestamp"] is None


async def test_a_pin_is_a_message_of_who_pinned_that_refers_to_the_pinned_one(client: Client) -> None:
    message = await posted(client)
    async with Wire(client) as wire:
        await wire.identify(GUILDS | MESSAGES)
        assert await pin(client, message) == 201
        assert (await wire.dispatch("MESSAGE_UPDATE"))["pinned"] is True
        notice = await wire.dispatch("MESSAGE_CREATE")
        discord_specs.check_gateway("APIMessage", notice)
        assert (notice["type"], notice["author"]["username"], notice["content"]) == (6, "owner", "")
        assert notice["message_reference"] == {
            "type": 0,
            "channel_id": client.sandbox.channel_id("general"),
            "message_id": message,
            "guild_id": client.sandbox.guild_id(),
        }
        assert "referenced_message" not in notice
        # What is pinned already, or not pinned, changes nothing and is not told of.
        assert await pin(client, message) == 201
        assert await pin(client, notice["id"], "DELETE") == 200
        await posted(client, "the end")
        assert (await wire.dispatch("MESSAGE_CREATE"))["content"] == "the end"


async def test_direct_messages_are_pinned_too(client: Client) -> None:
    said = {"user": "ada", "channel": "@robot", "content": "hello"}
    message = (await client.api("POST", "messages", said)).body["id"]
    async with Wire(client) as wire:
        await wire.identify(GUILDS)
        async with Wire(client) as direct:
            await direct.identify(DIRECT_MESSAGES)
            assert await pin(client, message, user="ada") == 201
            told = await direct.dispatch("CHANNEL_PINS_UPDATE")
            assert set(told) == {"channel_id", "last_pin_timestamp"}
        await client.api("PATCH", "channels/general", {"topic": "the end"})
        assert (await wire.receive())["t"] == "GUILD_CREATE"
        assert (await wire.receive())["t"] == "CHANNEL_UPDATE"


async def test_who_may_not_pin_and_what_cannot_be_pinned(client: Client) -> None:
    message = await posted(client)
    refused = await client.api("POST", "pins", {"user": "ada", "message": message})
    assert (refused.status, refused.body["error"]["code"]) == (403, "missing_permissions")
    assert await pin(client, message) == 201
    notice = (await client.api("GET", "channels/general/messages")).body["messages"][-1]["id"]
    assert await pin(client, notice) == 403
    await client.grant("PIN_MESSAGES")
    assert (await client.rest("PUT", pins(client, notice))).code == 50021
    made = await client.rest("PUT", pins(client, await posted(client, "two")))
    assert made.status == 204
    own = (await client.api("GET", "channels/general/messages")).body["messages"][-1]["id"]
    path = f"/channels/{client.sandbox.channel_id('general')}/messages/{own}"
    assert (await client.rest("PATCH", path, {"content": "mine"})).code == 50021
    assert (await client.rest("DELETE", path)).status == 204


@pytest.mark.parametrize("bulk", [False, True])
async def test_a_deleted_message_gives_its_pin_back_without_a_word(client: Client, *, bulk: bool) -> None:
    await client.grant("PIN_MESSAGES", "MANAGE_MESSAGES")
    messages = [await posted(client, str(number)) for number in range(2)]
    for message in messages:
        await client.rest("PUT", pins(client, message))
    channel = client.sandbox.core.state.channels[client.sandbox.channel_id("general")]
    where = f"/channels/{channel.id}/messages"
    async with Wire(client) as wire:
        await wire.identify(GUILDS)
        if bulk:
            await client.rest("POST", f"{where}/bulk-delete", {"messages": messages})
        for message in () if bulk else messages:
            await client.rest("DELETE", f"{where}/{message}")
        await client.api("PATCH", "channels/general", {"topic": "the end"})
        await wire.dispatch("GUILD_CREATE")
        assert (await wire.receive())["t"] == "CHANNEL_UPDATE"
    assert channel.pins == []
    assert (await client.rest("GET", f"/channels/{channel.id}")).body["last_pin_timestamp"] is None
