"""Channels of a server: made, moved between categories, changed and deleted, with limits on both sides."""

from typing import Any

import pytest

from discord_sandbox.discord.rules.channels import MOST, MOST_IN_CATEGORY
from discord_sandbox.discord.state.clock import ManualClock
from discord_sandbox.discord.state.store import State
from discord_sandbox.world import read_world
from support.client import Client, Wire

JSON = dict[str, Any]


def path(client: Client) -> str:
    return f"/guilds/{client.sandbox.guild_id()}/channels"


async def make(client: Client, **body: Any) -> JSON:
    got = await client.rest("POST", path(client), {"name": "kitchen"} | body)
    assert got.status == 201, got.body
    made: JSON = got.body
    return made


async def test_a_channel_is_made_with_all_its_fields_and_announced(client: Client) -> None:
    body = {"name": "Soup of  the day", "topic": "Hot", "nsfw": True, "rate_limit_per_user": 5}
    assert (await client.rest("POST", path(client), body)).code == 50013
    await client.grant("MANAGE_CHANNELS")
    category = (await make(client, name="Back of House", type=4))["id"]
    async with Wire(client) as wire:
        await wire.identify(1)
        more = {"parent_id": category, "default_auto_archive_duration": 60}
        made = await make(client, **body, **more)
        assert (made["name"], made["type"], made["position"]) == ("soup-of-the-day", 0, 4)
        kept = {key: made[key] for key in ("topic", "nsfw", "rate_limit_per_user", *more)}
        assert kept == {"topic": "Hot", "nsfw": True, "rate_limit_per_user": 5, **more}
        assert (await wire.dispatch("CHANNEL_CREATE"))["id"] == made["id"]
    listed = (await client.rest("GET", path(client))).body
    assert {one["name"] for one in listed} >= {"Back of House", "soup-of-the-day"}
    shown = next(
        one for one in (await client.api("GET", "state")).body["channels"] if one["id"] == made["id"]
    )
    assert (shown["type"], shown["category_id"], shown["parent_id"]) == ("text", category, None)


@pytest.mark.parametrize(
    ("good", "bad", "key"),
    [
        ({"name": "x" * 100}, {"name": "x" * 101}, "name"),
        ({"name": "x"}, {"name": ""}, "name"),
        ({"topic": "x" * 1024}, {"topic": "x" * 1025}, "topic"),
        ({"rate_limit_per_user": 21600}, {"rate_limit_per_user": 21601}, "rate_limit_per_user"),
        ({"position": 0}, {"position": -1}, "position"),
        ({"type": 5}, {"type": 99}, "type"),
        ({"parent_id": None}, {"parent_id": "1"}, "parent_id"),
        (
            {"default_auto_archive_duration": 60},
            {"default_auto_archive_duration": 61},
            "default_auto_archive_duration",
        ),
        ({"nsfw": False}, {"nsfw": "no"}, "nsfw"),
        # Without effect on a text channel, but read.
        ({"default_forum_layout": 2}, {"default_forum_layout": 3}, "default_forum_layout"),
        ({"default_sort_order": None}, {"default_sort_order": "x"}, "default_sort_order"),
        ({"default_tag_setting": "match_all"}, {"default_tag_setting": "all"}, "default_tag_setting"),
        ({"bitrate": 8000}, {"bitrate": 7999}, "bitrate"),
        ({"video_quality_mode": 2}, {"video_quality_mode": 3}, "video_quality_mode"),
        ({"available_tags": [{"name": "a"}]}, {"available_tags": [{"name": 5, "id": "x"}]}, "available_tags"),
        (
            {"default_reaction_emoji": {"emoji_name": "✅"}},
            {"default_reaction_emoji": {"emoji_id": "x"}},
            "default_reaction_emoji",
        ),
    ],
)
async def test_a_limit_holds_on_both_sides(client: Client, good: JSON, bad: JSON, key: str) -> None:
    await client.grant("MANAGE_CHANNELS")
    await make(client, **good)
    got = await client.rest("POST", path(client), {"name": "kitchen"} | bad)
    assert (got.code, set(got.body["errors"])) == (50035, {key})


async def test_overwrites_of_a_new_channel_are_its_own_or_its_categorys(client: Client) -> None:
    await client.grant("MANAGE_CHANNELS")
    helper = client.sandbox.role_id("helper")
    deny = [{"id": helper, "type": 0, "allow": "0", "deny": "2048"}]
    category = await make(client, name="back", type=4, permission_overwrites=deny)
    assert (await make(client, parent_id=category["id"]))["permission_overwrites"] == deny
    own = [deny[0] | {"deny": "1024"}]
    made = await make(client, parent_id=category["id"], permission_overwrites=own)
    assert made["permission_overwrites"] == own
    for bits in (1 << 2, 1 << 28):  # a permission that the bot lacks, and MANAGE_ROLES
        body = {"name": "x", "permission_overwrites": [{"id": helper, "type": 0, "allow": str(bits)}]}
        assert (await client.rest("POST", path(client), body)).code == 50013


async def test_channels_move_and_take_their_categorys_permissions(client: Client) -> None:
    await client.grant("MANAGE_CHANNELS")
    deny = [{"id": client.sandbox.role_id("helper"), "type": 0, "allow": "0", "deny": "2048"}]
    category = (await make(client, name="back", type=4, permission_overwrites=deny))["id"]
    news = client.sandbox.channel_id("news")
    body = [{"id": news, "position": 7, "parent_id": category, "lock_permissions": True}]
    async with Wire(client) as wire:
        await wire.identify(1)
        assert (await client.rest("PATCH", path(client), body)).status == 204
        moved = await wire.dispatch("CHANNEL_UPDATE")
        assert (moved["position"], moved["parent_id"], moved["permission_overwrites"]) == (7, category, deny)
        assert (await client.rest("PATCH", f"/channels/{news}", {"parent_id": None})).body[
            "parent_id"
        ] is None
        assert (await client.rest("PATCH", f"/channels/{news}", {"parent_id": category})).status == 200
        assert (await client.rest("DELETE", f"/channels/{category}")).status == 200
        await wire.dispatch("CHANNEL_DELETE")
        assert (await wire.dispatch("CHANNEL_UPDATE"))["parent_id"] is None
    for wrong in ([{"id": "1"}], [{"id": news, "parent_id": news}], [{"position": 1}]):
        assert (await client.rest("PATCH", path(client), wrong)).code == 50035
    assert (await client.rest("PATCH", path(client), {"id": news})).code == 50035


async def test_a_category_holds_fifty_channels_and_a_server_five_hundred(client: Client) -> None:
    await client.grant("MANAGE_CHANNELS")
    category = (await make(client, type=4))["id"]
    for number in range(MOST_IN_CATEGORY):
        await client.api("POST", "channels", {"name": f"c{number}", "category": category})
    full = await client.rest("POST", path(client), {"name": "x", "parent_id": category})
    assert full.body["errors"]["parent_id"]["_errors"][0]["code"] == "CHANNEL_PARENT_MAX_CHANNELS"
    guild = client.sandbox.core.state.guilds[client.sandbox.guild_id()]
    while len(guild.channels) < MOST:
        assert (await client.api("POST", "channels", {"name": "filler"})).status == 201
    assert (await client.rest("POST", path(client), {"name": "x"})).code == 30013


async def test_no_one_writes_in_a_category(client: Client) -> None:
    await client.grant("MANAGE_CHANNELS")
    category = f"/channels/{(await make(client, name='back', type=4))['id']}"
    for call, body in (("messages", {"content": "x"}), ("typing", None)):
        assert (await client.rest("POST", f"{category}/{call}", body)).code == 50008
    assert (await client.rest("POST", f"{category}/threads", {"name": "x", "type": 11})).code == 50024
    got = await client.api("POST", "messages", {"user": "ada", "channel": "back", "content": "x"})
    assert got.status == 409


async def test_messages_of_announcement_channels_are_published_once(client: Client) -> None:
    await client.grant("MANAGE_CHANNELS")
    channel = f"/channels/{(await make(client, name='press', type=5))['id']}"
    said = (await client.rest("POST", f"{channel}/messages", {"content": "news"})).body["id"]
    published = await client.rest("POST", f"{channel}/messages/{said}/crosspost")
    assert (published.status, published.body["flags"] & 1) == (200, 1)
    assert (await client.rest("POST", f"{channel}/messages/{said}/crosspost")).code == 40033
    own = (await client.send({"content": "x"})).body
    there = f"/channels/{own['channel_id']}/messages/{own['id']}/crosspost"
    assert (await client.rest("POST", there)).code == 50024
    other = await client.api("POST", "messages", {"user": "ada", "channel": "press", "content": "x"})
    there = f"{channel}/messages/{other.body['id']}/crosspost"
    assert (await client.rest("POST", there)).code == 50013
    thread = await client.rest("POST", f"{channel}/messages/{said}/threads", {"name": "talk"})
    assert thread.body["type"] == 10
    assert (await client.rest("POST", f"{channel}/threads", {"name": "x", "type": 11})).body["type"] == 10
    await client.grant("CREATE_PRIVATE_THREADS")
    assert (await client.rest("POST", f"{channel}/threads", {"name": "x", "type": 12})).code == 50024


async def test_administrators_do_the_same_behind_its_back(client: Client) -> None:
    made = await client.api("POST", "channels", {"name": "back", "type": "category"})
    assert (made.status, made.body["type"]) == (201, "category")
    body = {"name": "kitchen", "category": "back", "topic": "Hot", "slowmode": 5}
    assert (await client.api("POST", "channels", body)).body["category_id"] == made.body["id"]
    changed = (await client.api("PATCH", "channels/kitchen", {"category": None, "position": 9})).body
    assert (changed["category_id"], changed["position"]) == (None, 9)
    wrong: list[JSON] = [
        {},
        {"name": "x", "type": "attic"},
        {"name": "x" * 101},
        {"name": "x", "slowmode": -1},
    ]
    for body in wrong:
        assert (await client.api("POST", "channels", body)).status == 400
    got = await client.api("POST", "channels", {"name": "x", "category": "bak"})
    assert (got.status, got.body["error"]["hint"]) == (404, "Did you mean back?")
    assert (await client.api("DELETE", "channels/back")).status == 200


def test_a_world_has_categories() -> None:
    channels: list[JSON] = [{"name": "back", "type": "category"}, {"name": "kitchen", "category": "back"}]
    state = State(read_world({"guilds": [{"name": "club", "channels": channels}]}), ManualClock())
    back, kitchen = state.channels.values()
    assert (back.kind, kitchen.category_id) == (4, back.id)
    for wrong in ([{"name": "a", "type": "attic"}], [{"name": "a", "category": "back"}]):
        with pytest.raises(ValueError, match=r"attic|back"):
            State(read_world({"guilds": [{"name": "club", "channels": wrong}]}), ManualClock())
