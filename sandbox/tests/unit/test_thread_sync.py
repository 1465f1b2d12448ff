"""THREAD_LIST_SYNC: the active threads of a channel for a bot that gains access to it."""

from typing import Any

import pytest

from support.client import Client, Wire

JSON = dict[str, Any]
HIDE, SHOW = {"VIEW_CHANNEL": False}, {"VIEW_CHANNEL": True}


async def hide(client: Client) -> str:
    """Hide #news with two threads from the bot, which is a member of one; returns the id of the other."""
    own = await client.rest(
        "POST",
        f"/channels/{client.sandbox.channel_id('news')}/threads",
        {"name": "own", "type": 11},
    )
    assert own.status == 201, own.body
    await client.api("POST", "threads", {"user": "ada", "channel": "news", "name": "gone"})
    await client.api("PATCH", "channels/gone", {"archived": True})
    other = await client.api("POST", "threads", {"user": "ada", "channel": "news", "name": "soup"})
    await client.api("PATCH", "channels/news", {"role": "everyone", "permissions": HIDE})
    thread: str = other.body["id"]
    return thread


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "channels/news", {"role": "Robot", "permissions": SHOW}),
        ("PATCH", "channels/news", {"application": "robot", "permissions": SHOW}),
        ("PATCH", "roles/Robot", {"permissions": {"ADMINISTRATOR": True}}),
    ],
)
async def test_a_bot_that_gains_access_is_sent_the_active_threads(
    client: Client, method: str, path: str, body: JSON
) -> None:
    thread = await hide(client)
    async with Wire(client) as wire:
        await wire.identify(1)
        assert thread not in [one["id"] for one in (await wire.dispatch("GUILD_CREATE"))["threads"]]
        await client.api(method, path, body)
        told = await wire.dispatch("THREAD_LIST_SYNC")
        assert told["guild_id"] == client.sandbox.guild_id()
        assert told["channel_ids"] == [client.sandbox.channel_id("news")]
        assert {one["name"] for one in told["threads"]} == {"own", "soup"}
        [membership] = told["members"]
        assert membership["user_id"] == client.sandbox.application_id()


async def test_a_role_that_a_bot_is_given_counts_and_its_loss_does_not(client: Client) -> None:
    await hide(client)
    await client.api("PATCH", "channels/news", {"role": "helper", "permissions": SHOW})
    await client.grant("MANAGE_ROLES")
    path = f"/guilds/{client.sandbox.guild_id()}/members/{client.sandbox.application_id()}"
    role = f"{path}/roles/{client.sandbox.role_id('helper')}"
    async with Wire(client) as wire:
        await wire.identify(1)
        for _ in range(2):
            assert (await client.rest("PUT", role)).status == 204
            assert len((await wire.dispatch("THREAD_LIST_SYNC"))["threads"]) == 2
            assert (await client.rest("DELETE", role)).status == 204
        await client.api("DELETE", "channels/soup")
        await client.api("DELETE", "channels/own")
        assert (await client.rest("PUT", role)).status == 204
        told = await wire.dispatch("THREAD_LIST_SYNC")  # empty, so that the bot forgets what it kept
        assert (told["channel_ids"], told["threads"]) == ([client.sandbox.channel_id("news")], [])


async def test_nothing_is_synced_without_a_gain(client: Client) -> None:
    await hide(client)
    async with Wire(client) as wire:
        await wire.identify(1)
        await client.api("POST", "channels", {"name": "kitchen"})
        await client.api("POST", "threads", {"user": "ada", "channel": "kitchen", "name": "pots"})
        await client.api("PATCH", "channels/kitchen", {"topic": "Pots"})
        await client.api("PATCH", "roles/helper", {"color": 5})
        await client.api("PATCH", "channels/general", {"topic": "the end"})
        while (got := await wire.receive())["t"] != "CHANNEL_UPDATE" or got["d"]["topic"] != "the end":
            assert got["t"] != "THREAD_LIST_SYNC"
