"""Reactions of bots and people: who may add, take back, list and clear them, and what bots are told."""

from collections.abc import AsyncIterator
from urllib.parse import quote

import pytest
import pytest_asyncio

from discord_sandbox import Sandbox, World
from discord_sandbox.discord.actions.reactions import MOST
from discord_sandbox.discord.rules.emoji import is_emoji
from support.client import Client, Wire

REACTIONS = 1 << 10
THUMB, EYES = "👍", "👀"


@pytest_asyncio.fixture
async def client() -> AsyncIterator[Client]:
    async with Sandbox(World(rate_limits=False)) as sandbox, Client(sandbox) as it:
        yield it


async def posted(client: Client) -> str:
    message = (await client.send({"content": "card"})).body["id"]
    return f"/channels/{client.sandbox.channel_id('general')}/messages/{message}"


def at(message: str, emoji: str, who: str = "") -> str:
    return f"{message}/reactions/{quote(emoji)}" + (f"/{who}" if who else "")


async def react(client: Client, user: str, message: str, emoji: str = THUMB, method: str = "POST") -> int:
    body = {"user": user, "message": message.rsplit("/", 1)[1], "emoji": emoji}
    return (await client.api(method, "reactions", body)).status


async def test_reactions_are_counted_once_for_each_user(client: Client) -> None:
    message = await posted(client)
    for _ in range(2):
        assert (await client.rest("PUT", at(message, THUMB, "@me"))).status == 204
        assert await react(client, "ada", message) == 201
    await react(client, "ben", message, EYES)
    shown = (await client.rest("GET", message)).body["reactions"]
    assert [(one["emoji"]["name"], one["count"], one["me"]) for one in shown] == [
        (THUMB, 2, True),
        (EYES, 1, False),
    ]
    async with Client(client.sandbox, "echo") as other:
        assert not any(one["me"] for one in (await other.rest("GET", message)).body["reactions"])
    view = (await client.api("GET", f"messages/{message.rsplit('/', 1)[1]}")).body["reactions"]
    assert {one["emoji"]: one["users"] for one in view} == {THUMB: ["robot", "ada"], EYES: ["ben"]}


async def test_who_reacted_is_listed_in_pages(client: Client) -> None:
    message = await posted(client)
    for user in ("ada", "ben", "mia"):
        await react(client, user, message)
    everyone = (await client.rest("GET", at(message, THUMB))).body
    assert {one["username"] for one in everyone} == {"ada", "ben", "mia"}
    first = (await client.rest("GET", at(message, THUMB) + "?limit=2")).body
    rest = (await client.rest("GET", at(message, THUMB) + f"?limit=2&after={first[-1]['id']}")).body
    assert first + rest == everyone
    assert (await client.rest("GET", at(message, EYES))).body == []
    assert (await client.rest("GET", at(message, THUMB) + "?type=1")).body == []
    assert (await client.rest("GET", at(message, THUMB) + "?limit=101")).code == 50035


async def test_taking_back_and_clearing(client: Client) -> None:
    message = await posted(client)
    ada = client.sandbox.person_id("ada")
    await client.rest("PUT", at(message, THUMB, "@me"))
    await react(client, "ada", message)
    assert (await client.rest("DELETE", at(message, THUMB, ada))).code == 50013
    for path in (f"{message}/reactions", at(message, THUMB)):
        assert (await client.rest("DELETE", path)).code == 50013
    assert (await client.rest("DELETE", at(message, THUMB, "@me"))).status == 204
    assert await react(client, "ada", message, method="DELETE") == 200
    assert "reactions" not in (await client.rest("GET", message)).body
    allowed = {"application": "robot", "permissions": {"MANAGE_MESSAGES": True}}
    await client.api("PATCH", "channels/general", allowed)
    for path in (at(message, THUMB, ada), at(message, THUMB), f"{message}/reactions"):
        await react(client, "ada", message)
        assert (await client.rest("DELETE", path)).status == 204
        assert "reactions" not in (await client.rest("GET", message)).body


async def test_bots_are_told_of_each_change(client: Client) -> None:
    await client.api(
        "PATCH", "channels/general", {"application": "robot", "permissions": {"MANAGE_MESSAGES": True}}
    )
    message = await posted(client)
    ids = {"channel_id": client.sandbox.channel_id("general"), "message_id": message.rsplit("/", 1)[1]}
    ids["guild_id"] = client.sandbox.guild_id()
    ada = client.sandbox.person_id("ada")
    emoji = {"id": None, "name": THUMB}
    async with Wire(client) as wire:
        await wire.identify(REACTIONS)
        await react(client, "ada", message)
        added = await wire.dispatch("MESSAGE_REACTION_ADD")
        assert added["member"]["user"]["id"] == ada
        assert added["message_author_id"] == client.sandbox.application_id("robot")
        await react(client, "ada", message, method="DELETE")
        removed = await wire.dispatch("MESSAGE_REACTION_REMOVE")
        common = {"user_id": ada, "emoji": emoji, "burst": False, "type": 0} | ids
        assert removed == common
        assert {key: added[key] for key in common} == common
        await react(client, "ada", message)
        await client.rest("DELETE", at(message, THUMB))
        assert await wire.dispatch("MESSAGE_REACTION_REMOVE_EMOJI") == ids | {"emoji": emoji}
        await client.rest("DELETE", f"{message}/reactions")
        assert await wire.dispatch("MESSAGE_REACTION_REMOVE_ALL") == ids


async def test_a_new_emoji_needs_a_permission_that_joining_one_does_not(client: Client) -> None:
    message = await posted(client)
    await react(client, "ada", message)
    await client.api(
        "PATCH", "channels/general", {"application": "robot", "permissions": {"ADD_REACTIONS": False}}
    )
    assert (await client.rest("PUT", at(message, THUMB, "@me"))).status == 204
    assert (await client.rest("PUT", at(message, EYES, "@me"))).code == 50013


async def test_a_message_takes_twenty_emoji(client: Client) -> None:
    message = await posted(client)
    for number in range(MOST):
        assert await react(client, "ada", message, chr(0x1F600 + number)) == 201
    assert (await client.rest("PUT", at(message, THUMB, "@me"))).code == 30010
    assert (await client.rest("PUT", at(message, chr(0x1F600), "@me"))).status == 204


@pytest.mark.parametrize("emoji", ["👍", "👍🏽", "❤️", "1️⃣", "👨‍👩‍👧‍👦", "🇬🇧", "✅", "ℹ️", "‼️", "↔️", "📌"])
def test_unicode_emoji_are_taken(emoji: str) -> None:
    assert is_emoji(emoji)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "👍👍",
        "⏩x",
        "→",
        "thumbsup",
        "robot:123",
        "👍 ",
        "1",
        "👍👍👍👍👍👍👍👍👍👍👍👍👍👍👍👍👍",
        "<👍>",
    ],
)
async def test_what_is_no_emoji_is_refused(client: Client, text: str) -> None:
    assert not is_emoji(text)
    if text:
        assert (await client.rest("PUT", at(await posted(client), text, "@me"))).code == 10014


async def test_people_react_to_what_they_see(client: Client) -> None:
    message = await posted(client)
    await client.api("PATCH", "channels/general", {"user": "ben", "permissions": {"VIEW_CHANNEL": False}})
    assert await react(client, "ben", message) == 403
    assert await react(client, "ada", "/0") == 404
    assert await react(client, "ada", message, "no") == 400
