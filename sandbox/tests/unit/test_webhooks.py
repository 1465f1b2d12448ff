"""Webhooks of channels: made and managed by those who may, used by who has the address."""

import base64
import re
from typing import Any

import pytest

from discord_sandbox.api.calls.emojis import SMILE
from support.client import Client, Wire

JSON = dict[str, Any]
WEBHOOKS, MESSAGES, CONTENT = 1 << 5, 1 << 9, 1 << 15
ROW: JSON = {"type": 1, "components": [{"type": 2, "style": 1, "label": "Go", "custom_id": "go"}]}


def channel(client: Client, name: str = "general") -> str:
    return f"/channels/{client.sandbox.channel_id(name)}"


async def made(client: Client, name: str = "Kitchen") -> JSON:
    await client.grant("MANAGE_WEBHOOKS")
    got = await client.rest("POST", f"{channel(client)}/webhooks", {"name": name})
    assert got.status == 200, got.body
    hook: JSON = got.body
    return hook


def address(hook: JSON, message: str = "") -> str:
    return f"/webhooks/{hook['id']}/{hook['token']}" + (f"/messages/{message}" if message else "")


async def post(client: Client, hook: JSON, body: JSON, query: str = "?wait=true") -> Any:
    return await client.rest("POST", address(hook) + query, body, token="")


async def test_managing_needs_the_permission_and_is_announced(client: Client) -> None:
    here = f"{channel(client)}/webhooks"
    assert (await client.rest("POST", here, {"name": "Kitchen"})).code == 50013
    assert (await client.rest("GET", here)).code == 50013
    assert (await client.rest("GET", f"/guilds/{client.sandbox.guild_id()}/webhooks")).code == 50013
    async with Wire(client) as wire:
        await wire.identify(1 | WEBHOOKS)
        hook = await made(client)
        place = {"guild_id": client.sandbox.guild_id(), "channel_id": client.sandbox.channel_id("general")}
        assert await wire.dispatch("WEBHOOKS_UPDATE") == place
        assert (hook["application_id"], hook["user"]["username"]) == (
            client.sandbox.application_id(),
            "robot",
        )
        by_id = f"/webhooks/{hook['id']}"
        for where in (here, f"/guilds/{client.sandbox.guild_id()}/webhooks"):
            assert (await client.rest("GET", where)).body == [hook]
        assert (await client.rest("GET", by_id)).body == hook
        moved = {"name": "Cellar", "channel_id": client.sandbox.channel_id("news")}
        changed = (await client.rest("PATCH", by_id, moved)).body
        assert {key: changed[key] for key in moved} == moved
        assert (await wire.dispatch("WEBHOOKS_UPDATE")) == place
        assert (await wire.dispatch("WEBHOOKS_UPDATE"))["channel_id"] == moved["channel_id"]
        assert (await client.rest("DELETE", by_id)).status == 204
        assert (await wire.dispatch("WEBHOOKS_UPDATE"))["channel_id"] == moved["channel_id"]
    assert (await client.rest("GET", by_id)).code == 10015
    async with Client(client.sandbox, "echo") as other:
        again = await made(client)
        assert (await other.rest("DELETE", f"/webhooks/{again['id']}")).code == 50013


@pytest.mark.parametrize(
    "bad", [{}, {"name": ""}, {"name": "x" * 81}, {"name": "My Discord"}, {"name": "Clyde"}]
)
async def test_names_have_limits(client: Client, bad: JSON) -> None:
    hook = await made(client, "x" * 80)
    assert (await client.rest("POST", f"{channel(client)}/webhooks", bad)).code == 50035
    if bad:
        assert (await client.rest("PATCH", f"/webhooks/{hook['id']}", bad)).code == 50035
        assert (await client.rest("PATCH", address(hook), bad, token="")).code == 50035
        posted = await post(client, hook, {"content": "x", "username": bad["name"]})
        assert posted.code == 50035


async def test_a_channel_has_fifteen(client: Client) -> None:
    for _ in range(15):
        await made(client)
    assert (await client.rest("POST", f"{channel(client)}/webhooks", {"name": "x"})).code == 30007
    assert (await client.rest("POST", f"{channel(client, 'news')}/webhooks", {"name": "x"})).status == 200


async def test_who_has_the_token_needs_no_other(client: Client) -> None:
    hook = await made(client)
    seen = (await client.rest("GET", address(hook), token="")).body
    assert ("user" in seen, seen["name"]) == (False, "Kitchen")
    assert (await client.rest("PATCH", address(hook), {"name": "Cellar"}, token="")).body["name"] == "Cellar"
    wrong = address(hook | {"token": "x"})
    for method, body in (
        ("GET", None),
        ("PATCH", {"name": "x"}),
        ("POST", {"content": "x"}),
        ("DELETE", None),
    ):
        assert (await client.rest(method, wrong, body, token="")).code == 50027
    assert (
        await client.rest("GET", f"/webhooks/{client.sandbox.application_id()}/x", token="")
    ).code == 10015
    assert (await client.rest("DELETE", address(hook), token="")).status == 204
    assert (await post(client, hook, {"content": "x"})).code == 10015


async def test_its_messages_have_its_name_or_another_and_can_be_changed(client: Client) -> None:
    hook = await made(client)
    async with Wire(client) as wire:
        await wire.identify(1 | MESSAGES | CONTENT)
        assert (await post(client, hook, {"content": "quiet"}, "")).status == 204
        told = await wire.dispatch("MESSAGE_CREATE")
        assert (told["webhook_id"], told["author"]["username"], told["author"]["bot"]) == (
            hook["id"],
            "Kitchen",
            True,
        )
        assert "member" not in told
    loud = (await post(client, hook, {"content": "soup", "username": "Cook"})).body
    assert loud["author"]["username"] == "Cook"
    view = (await client.api("GET", f"messages/{loud['id']}")).body
    assert (view["author"], view["author_name"], view["webhook_id"]) == ("Cook", "Cook", hook["id"])
    there = address(hook, loud["id"])
    assert (await client.rest("GET", there, token="")).body["content"] == "soup"
    assert (await client.rest("PATCH", there, {"content": "tea"}, token="")).body["content"] == "tea"
    listed = (await client.rest("GET", f"{channel(client)}/messages?limit=1")).body[0]
    assert (listed["content"], listed["webhook_id"]) == ("tea", hook["id"])
    assert (await client.rest("DELETE", there, token="")).status == 204
    for method, body in (("GET", None), ("PATCH", {"content": "x"}), ("DELETE", None)):
        assert (await client.rest(method, there, body, token="")).code == 10008
    own = (await client.send({"content": "card"})).body["id"]
    assert (await client.rest("GET", address(hook, own), token="")).code == 10008
    assert (await post(client, hook, {})).code == 50006
    assert (await post(client, hook, {"content": "x" * 2001})).code == 50035


async def test_its_picture_is_kept_and_that_of_an_address_is_drawn(client: Client) -> None:
    hook = await made(client)
    by_id, picture = f"/webhooks/{hook['id']}", base64.b64decode(SMILE.partition(",")[2])
    seen = (await client.rest("PATCH", by_id, {"avatar": SMILE})).body["avatar"]
    assert (hook["avatar"], bool(re.fullmatch("[0-9a-f]{32}", seen))) == (None, True)
    renamed = (await client.rest("PATCH", address(hook), {"name": "Cellar"}, token="")).body
    assert (renamed["name"], renamed["avatar"]) == ("Cellar", seen)
    posted = (await post(client, hook, {"content": "x"})).body
    assert posted["author"]["avatar"] == seen
    at = (await client.api("GET", f"messages/{posted['id']}")).body["avatar_url"]
    assert at == f"/cdn/avatars/{hook['id']}/{seen}.png"
    async with client.http.get(client.sandbox.url + at) as got:
        assert (got.content_type, await got.read()) == ("image/png", picture)
    cook = {"content": "x", "avatar_url": "https://example.com/cook.png"}
    drawn = (await post(client, hook, cook)).body["author"]["avatar"]
    assert drawn not in (None, seen)
    assert (await post(client, hook, cook)).body["author"]["avatar"] == drawn
    async with client.http.get(f"{client.sandbox.url}/cdn/avatars/{hook['id']}/{drawn}.png") as got:
        assert got.content_type == "image/svg+xml"
    moving = "data:image/gif;base64," + base64.b64encode(b"GIF89a" + b"\x21\xf9\x04" * 2).decode()
    assert (await client.rest("PATCH", by_id, {"avatar": moving})).body["avatar"].startswith("a_")
    assert (await client.rest("PATCH", by_id, {"avatar": None})).body["avatar"] is None
    assert (await post(client, hook, {"content": "x"})).body["author"]["avatar"] is None
    new = {"name": "Kitchen", "avatar": SMILE}
    assert (await client.rest("POST", f"{channel(client)}/webhooks", new)).body["avatar"] == seen


async def test_what_is_no_picture_is_refused(client: Client) -> None:
    hook = await made(client)
    for avatar, code in (("x", 50035), (1, 50035), ("data:image/png;base64,eA==", 50046)):
        for path, token in ((f"/webhooks/{hook['id']}", None), (address(hook), "")):
            assert (await client.rest("PATCH", path, {"avatar": avatar}, token=token)).code == code
        body = {"name": "Kitchen", "avatar": avatar}
        assert (await client.rest("POST", f"{channel(client)}/webhooks", body)).code == code
    for url in ("cook.png", "ftp://example.com/cook.png", "https://" + "x" * 2048):
        assert (await post(client, hook, {"content": "x", "avatar_url": url})).code == 50035


async def test_it_posts_in_threads_of_its_channel(client: Client) -> None:
    hook = await made(client)
    thread = (await client.rest("POST", f"{channel(client)}/threads", {"name": "log", "type": 11})).body["id"]
    await client.api("PATCH", "channels/log", {"archived": True})
    posted = (await post(client, hook, {"content": "line"}, f"?wait=true&thread_id={thread}")).body
    assert posted["channel_id"] == thread
    assert (await client.rest("GET", f"/channels/{thread}")).body["thread_metadata"]["archived"] is False
    there = address(hook, posted["id"])
    assert (await client.rest("GET", there, token="")).code == 10008
    assert (await client.rest("GET", f"{there}?thread_id={thread}", token="")).status == 200
    assert (await post(client, hook, {"content": "x"}, "?thread_id=1")).code == 10003
    assert (await post(client, hook, {"content": "x"}, "?thread_id=abc")).code == 50035
    assert (await client.rest("DELETE", channel(client))).code == 50013
    await client.api("DELETE", "channels/general")
    assert (await post(client, hook, {"content": "x"})).code == 10015


async def test_components_of_a_bots_webhook_are_pressed_at_the_bot(client: Client) -> None:
    hook = await made(client)
    posted = (await post(client, hook, {"content": "x", "components": [ROW]})).body
    it = await client.begin("presses", user="ada", message=posted["id"], button="Go")
    assert it["application_id"] == client.sandbox.application_id()
    body = {"user": "mia", "channel": "general", "name": "Bell"}
    plain = (await client.api("POST", "webhooks", body)).body
    assert (await post(client, plain, {"content": "x", "components": [ROW]})).body["components"] == []
    shown = await post(
        client, plain, {"content": "x", "components": [ROW]}, "?wait=true&with_components=true"
    )
    assert len(shown.body["components"]) == 1
    assert (
        await client.api("POST", "presses", {"user": "ada", "message": shown.body["id"], "button": "Go"})
    ).status == 409
    there = address(plain, shown.body["id"])
    edited = await client.rest("PATCH", there, {"content": "y", "components": []}, token="")
    assert (edited.body["content"], len(edited.body["components"])) == ("y", 1)
    edited = await client.rest("PATCH", f"{there}?with_components=true", {"components": []}, token="")
    assert edited.body["components"] == []
    assert (await client.rest("PATCH", f"{there}?with_components=x", {}, token="")).code == 50035


async def test_people_make_them_for_programs_that_are_no_bots(client: Client) -> None:
    body = {"user": "mia", "channel": "general", "name": "Bell"}
    hook = (await client.api("POST", "webhooks", body)).body
    async with client.http.post(hook["url"], json={"content": "ding"}) as got:
        assert got.status == 204
    last = (await client.api("GET", "channels/general/messages")).body["messages"][-1]
    assert (last["author"], last["text"]) == ("Bell", "ding")
    assert (await client.api("GET", "webhooks")).body["webhooks"] == [hook]
    assert (await client.api("DELETE", f"webhooks/{hook['id']}")).body == hook
    assert (await client.api("DELETE", f"webhooks/{hook['id']}")).status == 404
    for wrong in ({"name": "Discord"}, {"channel": "@robot", "user": "ada"}):
        assert (await client.api("POST", "webhooks", body | wrong)).status == 400


async def test_they_have_five_calls_in_two_seconds(limited: Client) -> None:
    hook = await made(limited)
    statuses = [(await post(limited, hook, {"content": "x"})).status for _ in range(6)]
    assert statuses == [200] * 5 + [429]
