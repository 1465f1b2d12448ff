"""Direct messages: open, send, refuse, tell bots and people."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from discord_sandbox import Sandbox, World
from discord_sandbox.world import read_world
from support.client import Client, Wire

DIRECT_MESSAGES, DIRECT_REACTIONS = 1 << 12, 1 << 13


@pytest_asyncio.fixture
async def client() -> AsyncIterator[Client]:
    async with Sandbox(World(rate_limits=False)) as sandbox, Client(sandbox) as it:
        yield it


async def opened(client: Client, person: str = "ada") -> str:
    body = {"recipient_id": client.sandbox.person_id(person)}
    made = await client.rest("POST", "/users/@me/channels", body)
    assert made.status == 200
    return str(made.body["id"])


async def test_a_bot_writes_to_a_person_in_a_channel_of_their_own(client: Client) -> None:
    channel = await opened(client)
    assert await opened(client) == channel
    shape = (await client.rest("GET", f"/channels/{channel}")).body
    assert (shape["type"], [one["username"] for one in shape["recipients"]]) == (1, ["ada"])
    assert "guild_id" not in shape
    made = await client.rest("POST", f"/channels/{channel}/messages", {"content": "wake up"})
    assert (made.status, "guild_id" in made.body) == (200, False)
    read = await client.rest("GET", f"/channels/{channel}/messages")
    assert [one["content"] for one in read.body] == ["wake up"]
    view = (await client.api("GET", "channels/@robot/messages", **{"as": "ada"})).body
    assert (view["channel"]["type"], view["channel"]["guild"], view["channel"]["user"]) == (
        "direct",
        None,
        "ada",
    )
    assert view["messages"][0]["notified"] == ["ada"]
    path = f"/channels/{channel}/messages/{made.body['id']}"
    assert (await client.rest("PATCH", path, {"content": "good morning"})).body["content"] == "good morning"
    assert (await client.rest("DELETE", path)).status == 204


async def test_who_accepts_no_messages_gets_none(client: Client) -> None:
    channel = await opened(client)
    await client.api("PATCH", "people/ada", {"accepts_messages": False})
    refused = await client.rest("POST", f"/channels/{channel}/messages", {"content": "x"})
    assert (refused.status, refused.code) == (403, 50007)
    assert await opened(client) == channel
    await client.api("PATCH", "people/ada", {"accepts_messages": True})
    assert (await client.rest("POST", f"/channels/{channel}/messages", {"content": "x"})).status == 200
    assert (await client.api("PATCH", "people/ada", {"accepts_messages": "no"})).status == 400


async def test_a_world_says_who_accepts_messages_and_who_shares_a_server() -> None:
    guilds = [
        {"name": "in", "roles": [], "people": [{"name": "shy", "accepts_messages": False}]},
        {"name": "out", "roles": [], "people": [{"name": "far"}]},
    ]
    world = read_world({"guilds": guilds, "applications": [{"name": "robot", "guilds": ["in"]}]})
    async with Sandbox(world) as sandbox, Client(sandbox) as client:
        for person in ("shy", "far"):
            body = {"recipient_id": sandbox.core.state.users[sandbox.person_id(person)].id}
            channel = (await client.rest("POST", "/users/@me/channels", body)).body["id"]
            refused = await client.rest("POST", f"/channels/{channel}/messages", {"content": "x"})
            assert refused.code == 50007
        people = (await client.api("GET", "state")).body["people"]
        accepting = {one["name"]: one["accepts_messages"] for one in people}
        assert accepting == {"shy": False, "far": True, "owner": True}


@pytest.mark.parametrize("recipient", ["1", None, "robot"])
async def test_only_people_can_be_written_to(client: Client, recipient: str | None) -> None:
    given = client.sandbox.application_id("echo") if recipient == "robot" else recipient
    got = await client.rest("POST", "/users/@me/channels", {"recipient_id": given})
    assert got.code == 50033


async def test_other_bots_do_not_see_them(client: Client) -> None:
    channel = await opened(client)
    async with Client(client.sandbox, "echo") as other, Wire(other) as wire:
        await wire.identify(DIRECT_MESSAGES)
        for method, path in (("GET", ""), ("GET", "/messages"), ("POST", "/messages")):
            got = await other.rest(method, f"/channels/{channel}{path}", {"content": "x"} if path else None)
            assert got.code == 50001
        await client.rest("POST", f"/channels/{channel}/messages", {"content": "secret"})
        await other.rest("POST", f"/channels/{await opened(other)}/messages", {"content": "mine"})
        assert (await wire.dispatch("MESSAGE_CREATE"))["content"] == "mine"


async def test_servers_things_are_refused(client: Client) -> None:
    channel = f"/channels/{await opened(client)}"
    message = (await client.rest("POST", f"{channel}/messages", {"content": "x"})).body["id"]
    for method, path, body in (
        ("PATCH", channel, {"name": "x"}),
        ("POST", f"{channel}/threads", {"name": "x", "type": 11}),
        ("POST", f"{channel}/messages/{message}/threads", {"name": "x"}),
        ("POST", f"{channel}/messages/bulk-delete", {"messages": [message, message]}),
        ("DELETE", f"{channel}/messages/{message}/reactions", None),
    ):
        got = await client.rest(method, path, body)
        assert got.code in (50003, 50013), path
    written = await client.api("POST", "messages", {"user": "ada", "channel": "@robot", "content": "mine"})
    assert (await client.rest("DELETE", f"{channel}/messages/{written.body['id']}")).code == 50013
    assert (await client.rest("DELETE", channel)).status == 200
    assert len((await client.rest("GET", f"{channel}/messages")).body) == 2


async def test_events_have_no_guild_and_an_intent_of_their_own(client: Client) -> None:
    async with Wire(client) as wire, Wire(client) as deaf:
        await wire.identify(DIRECT_MESSAGES | DIRECT_REACTIONS)
        await deaf.identify(513)
        sent = await client.api("POST", "messages", {"user": "ada", "channel": "@robot", "content": "hello"})
        event = await wire.dispatch("MESSAGE_CREATE")
        # Without the intent for contents: a direct message is meant for the bot.
        assert (event["content"], event["channel_type"]) == ("hello", 1)
        assert not {"guild_id", "member"} & event.keys()
        await client.api("POST", "reactions", {"user": "ada", "message": sent.body["id"], "emoji": "👍"})
        reacted = await wire.dispatch("MESSAGE_REACTION_ADD")
        assert not {"guild_id", "member"} & reacted.keys()
        await client.api("DELETE", f"messages/{sent.body['id']}")
        gone = await wire.dispatch("MESSAGE_DELETE")
        assert gone == {"id": sent.body["id"], "channel_id": event["channel_id"]}
        await client.send({"content": "in the server"})
        assert (await deaf.dispatch("MESSAGE_CREATE"))["content"] == "in the server"


async def test_a_button_pressed_there_names_a_user_and_no_member(client: Client) -> None:
    channel = await opened(client)
    row = {"type": 1, "components": [{"type": 2, "style": 1, "label": "Here", "custom_id": "here"}]}
    body = {"content": "still there?", "components": [row]}
    message = (await client.rest("POST", f"/channels/{channel}/messages", body)).body["id"]
    async with Wire(client) as wire:
        await wire.identify(513)
        it = await client.begin("presses", user="ada", message=message, button="Here")
        event = await wire.dispatch("INTERACTION_CREATE")
        assert (event["user"]["username"], event["context"]) == ("ada", 1)
        assert not {"member", "guild", "guild_id"} & event.keys()
        got = await client.callback(it, {"type": 4, "data": {"content": "ok", "flags": 64}}, response=True)
        assert "guild_id" not in got.body["interaction"]
    refused = await client.api("POST", "presses", {"user": "ben", "message": message, "button": "Here"})
    assert refused.status == 404


async def test_commands_there_are_those_registered_for_it(client: Client) -> None:
    await client.commands(
        {"name": "anywhere", "description": "x"},
        {"name": "server", "description": "x", "contexts": [0]},
    )
    await client.begin(user="ada", channel="@robot", command="anywhere")
    got = await client.api("POST", "commands", {"user": "ada", "channel": "@robot", "command": "server"})
    assert got.status == 404


async def test_a_repeated_nonce_posts_once(client: Client) -> None:
    path = f"/channels/{await opened(client)}/messages"
    body = {"content": "once", "nonce": "n1", "enforce_nonce": True}
    first, again = await client.rest("POST", path, body), await client.rest("POST", path, body)
    assert first.body["id"] == again.body["id"]
