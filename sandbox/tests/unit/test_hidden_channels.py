"""Channels that a bot cannot see: it is told that they are there, and of the rest when it gains access."""

from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio

from discord_sandbox import ChannelSpec, GuildSpec, Sandbox, World
from support import discord_specs
from support.client import Client, Wire

JSON = dict[str, Any]
GUILDS = 1 << 0
OBFUSCATED = 1 << 17
HIDE, SHOW = {"permissions": {"VIEW_CHANNEL": False}}, {"permissions": {"VIEW_CHANNEL": True}}
CHANNELS = (
    ChannelSpec("back", type="category"),
    ChannelSpec("general", "Anything"),
    ChannelSpec("safe", "The code is 1234", category="back"),
    ChannelSpec("vault", type="voice", category="back", user_limit=3),
    ChannelSpec("ideas", "Think", type="forum"),
)


@pytest_asyncio.fixture
async def client() -> AsyncIterator[Client]:
    world = World((GuildSpec("workshop", channels=CHANNELS),), rate_limits=False)
    async with Sandbox(world) as sandbox, Client(sandbox) as it:
        await it.grant("MANAGE_CHANNELS")
        yield it


async def hide(client: Client, *names: str) -> None:
    for name in names:
        got = await client.api("PATCH", f"channels/{name}", {"role": "everyone", **HIDE})
        assert got.status == 200


async def show(client: Client, name: str, whom: str = "Robot") -> None:
    assert (await client.api("PATCH", f"channels/{name}", {"role": whom, **SHOW})).status == 200


async def created(wire: Wire) -> dict[str, JSON]:
    """The channels of GUILD_CREATE, by id."""
    guild = await wire.dispatch("GUILD_CREATE")
    discord_specs.check_gateway("GuildCreate", guild)
    return {one["id"]: one for one in guild["channels"]}


def hidden(client: Client, name: str) -> JSON:
    """What is told of a hidden channel, whatever its type."""
    guild = client.sandbox.guild_id()
    it = client.sandbox.core.state.channels[client.sandbox.channel_id(name)]
    denied = {"id": guild, "type": 0, "allow": "0", "deny": str(1 << 10)}
    return {
        "id": it.id,
        "type": it.kind,
        "guild_id": guild,
        "position": it.position,
        "parent_id": it.category_id,
        "name": "___hidden___",
        "topic": None,
        "last_message_id": None,
        "flags": OBFUSCATED,
        "permission_overwrites": [denied],
    }


async def test_a_server_lists_hidden_channels_without_what_they_are(client: Client) -> None:
    names = ("back", "safe", "vault", "ideas")
    await hide(client, *names)
    async with Wire(client) as wire:
        await wire.identify(GUILDS)
        told = await created(wire)
        assert len(told) == len(CHANNELS)
        for name in names:
            assert hidden(client, name).items() <= told[client.sandbox.channel_id(name)].items()
        assert told[client.sandbox.channel_id("general")]["name"] == "general"
        assert "1234" not in str(told)
        assert told[client.sandbox.channel_id("vault")]["user_limit"] == 0
    listed = await client.rest("GET", f"/guilds/{client.sandbox.guild_id()}/channels")
    assert [one["name"] for one in listed.body] == ["general"]


async def test_a_bot_that_gains_access_is_told_of_the_channel_and_its_category(client: Client) -> None:
    await hide(client, "back", "safe", "vault", "ideas")
    back, safe = client.sandbox.channel_id("back"), client.sandbox.channel_id("safe")
    async with Wire(client) as wire:
        await wire.identify(GUILDS)
        await created(wire)
        await show(client, "safe")
        first, second = [await wire.dispatch("CHANNEL_UPDATE") for _ in range(2)]
        assert (first["id"], first["name"], first["topic"]) == (safe, "safe", "The code is 1234")
        assert (second["id"], second["name"], second["flags"]) == (back, "back", 0)
        listed = (await client.rest("GET", f"/guilds/{client.sandbox.guild_id()}/channels")).body
        assert [one["name"] for one in listed] == ["back", "general", "safe"]
        await client.grant("ADMINISTRATOR")
        names = [(await wire.dispatch("CHANNEL_UPDATE"))["name"] for _ in range(2)]
        assert names == ["vault", "ideas"]


async def test_a_bot_that_loses_access_is_told_to_forget(client: Client) -> None:
    await hide(client, "ideas")
    await show(client, "ideas", "helper")
    await client.grant("MANAGE_ROLES")
    me, guild = client.sandbox.application_id(), client.sandbox.guild_id()
    role = f"/guilds/{guild}/members/{me}/roles/{client.sandbox.role_id('helper')}"
    async with Wire(client) as wire:
        await wire.identify(GUILDS)
        await created(wire)
        for _ in range(2):
            assert (await client.rest("PUT", role)).status == 204
            assert (await wire.dispatch("CHANNEL_UPDATE"))["name"] == "ideas"
            assert (await client.rest("DELETE", role)).status == 204
            assert hidden(client, "ideas").items() <= (await wire.dispatch("CHANNEL_UPDATE")).items()
        await hide(client, "general")
        assert hidden(client, "general").items() <= (await wire.dispatch("CHANNEL_UPDATE")).items()


async def test_hidden_channels_are_made_moved_and_deleted(client: Client) -> None:
    await hide(client, "back")
    async with Wire(client) as wire:
        await wire.identify(GUILDS)
        await created(wire)
        made = (await client.api("POST", "channels", {"name": "den", "category": "back"})).body["id"]
        told = await wire.dispatch("CHANNEL_CREATE")
        assert (told["id"], told["name"], told["flags"]) == (made, "___hidden___", OBFUSCATED)
        await client.api("PATCH", "channels/den", {"position": 9, "topic": "Secret"})
        told = await wire.dispatch("CHANNEL_UPDATE")
        assert (told["position"], told["topic"]) == (9, None)
        await client.api("DELETE", "channels/den")
        told = await wire.dispatch("CHANNEL_DELETE")
        assert (told["id"], told["name"]) == (made, "___hidden___")


async def test_a_category_is_seen_as_long_as_a_channel_in_it(client: Client) -> None:
    await hide(client, "back", "safe", "vault")
    async with Wire(client) as wire:
        await wire.identify(GUILDS)
        await created(wire)
        body = {"name": "lobby", "parent_id": client.sandbox.channel_id("back")}
        seen = {"id": client.sandbox.application_id(), "type": 1, "allow": str(1 << 10)}
        path = f"/guilds/{client.sandbox.guild_id()}/channels"
        made = await client.rest("POST", path, body | {"permission_overwrites": [seen]})
        assert made.status == 201, made.body
        assert (await wire.dispatch("CHANNEL_CREATE"))["name"] == "lobby"
        assert (await wire.dispatch("CHANNEL_UPDATE"))["name"] == "back"
        assert (await client.rest("DELETE", f"/channels/{made.body['id']}")).status == 200
        assert (await wire.dispatch("CHANNEL_DELETE"))["name"] == "lobby"
        assert hidden(client, "back").items() <= (await wire.dispatch("CHANNEL_UPDATE")).items()
